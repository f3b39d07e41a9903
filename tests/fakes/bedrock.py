# SPDX-License-Identifier: Apache-2.0
"""Bedrock's runtime: every signature is worked out again from the raw request line, and what is
not signed for its region and service, or by one whom it does not know, is refused as AWS does."""

import json
import re
import threading
from urllib.parse import unquote

from fakes import bedrock_answers as answers
from fakes import openai_answers
from fakes.awsservice import AwsService
from fakes.sigv4 import Principal, Rejected
from fakes.wire import Connection, Request, head_bytes

ROUTE = re.compile(r"/model/([^/]+)/([a-z-]+)")
GUARDRAIL = re.compile(r"/guardrail/[^/]+/version/[^/]+/apply")
RETRIEVE = re.compile(r"/knowledgebases/[A-Za-z0-9]+/retrieve")
ASK_AGENT = re.compile(r"/agents/[^/]+/agentAliases/[^/]+/sessions/[^/]+/text")
STREAMS = ("converse-stream", "invoke-with-response-stream")
EVENTS = "application/vnd.amazon.eventstream"


class BedrockService(AwsService):
    """What Bedrock's hosts share: how they refuse, and that some answers are streams."""

    service = "bedrock"

    def __init__(self, region: str = "us-east-1", **options) -> None:
        super().__init__(region, **options)
        self.gate = threading.Event()  # a stream waits for it behind its second message
        self.gate.set()

    def asked(self, request: Request) -> str:
        return request.target

    def frames(self, request: Request) -> list[bytes] | None:
        """The messages of an answer that is a stream; None for any other request."""
        raise NotImplementedError

    async def handle(self, request: Request, connection: Connection) -> None:
        if self.faults or self.standing:
            await super().handle(request, connection)
            return
        principal = None
        try:
            principal = self.identify(request)
            frames = self.frames(request)
        except Rejected as refusal:
            self._note(principal, request, refusal.kind)
            self.refuse(connection, refusal.kind, str(refusal), refusal.status)
            return
        if frames is None:
            await super().handle(request, connection)
            return
        self._note(principal, request, "ok")
        await self._stream(frames, connection)

    async def _stream(self, frames: list[bytes], connection: Connection) -> None:
        headers = [("Content-Type", EVENTS), *self.headers()[1:], ("Transfer-Encoding", "chunked")]
        connection.send(head_bytes(200, headers))
        for number, message in enumerate(frames):
            while number == 2 and not self.gate.is_set():
                await connection.sleep(0.01)
            connection.chunk(message)
        connection.end_chunks()

    def refuse(self, connection: Connection, kind: str, message: str, status: int) -> None:
        type_ = ("x-amzn-ErrorType", f"{kind}:http://internal.amazon.com/")
        body = json.dumps({"message": message}).encode()
        connection.answer(status, [*self.headers(), type_], body)


class BedrockAgents(BedrockService):
    """Bedrock's agents and knowledge bases, which are at a host of their own."""

    def frames(self, request: Request) -> list[bytes] | None:
        if request.method != "POST" or not ASK_AGENT.fullmatch(request.path):
            return None
        text = f"You said: {request.json()['inputText']}"
        return [answers.chunk(word.encode()) for word in openai_answers.words(text)]

    def respond(self, request: Request, principal: Principal | None) -> bytes:
        if request.path == "/rerank":
            return json.dumps({"results": [{"index": 0, "relevanceScore": 0.5}]}).encode()
        if not RETRIEVE.fullmatch(request.path):
            raise Rejected("UnknownOperationException", "no such operation", 404)
        found = {"content": {"text": "a passage"}, "score": 0.5}
        return json.dumps({"retrievalResults": [found]}).encode()


class Bedrock(BedrockService):
    def __init__(self, region: str = "us-east-1", **options) -> None:
        super().__init__(region, **options)
        self.forbidden: set[str] = set()  # models that nobody may use
        self.bearer = ""  # a Bedrock API key, in place of a signature

    def identify(self, request: Request) -> Principal | None:
        if self.bearer:
            if request.header("authorization") != f"Bearer {self.bearer}":
                raise Rejected(
                    "UnrecognizedClientException", "The security token is invalid."
                )
            return None
        return super().identify(request)

    def _model(self, request: Request) -> tuple[str, str]:
        match = ROUTE.fullmatch(request.path)
        if request.method != "POST" or not match:
            raise Rejected("UnknownOperationException", "no such operation", 404)
        model = unquote(match[1])
        if model in self.forbidden:
            why = f"You don't have access to the model {model}."
            raise Rejected("AccessDeniedException", why)
        return model, match[2]

    def frames(self, request: Request) -> list[bytes] | None:
        match = ROUTE.fullmatch(request.path)
        if not match or match[2] not in STREAMS:
            return None
        self._model(request)
        if match[2] == "converse-stream":
            return answers.converse_frames(request.json())
        return [answers.chunk(b'{"a":1}')] * 3

    def respond(self, request: Request, principal: Principal | None) -> bytes:
        if GUARDRAIL.fullmatch(request.path):
            return json.dumps(answers.GUARDRAIL).encode()
        if request.path == "/openai/v1/chat/completions":
            return json.dumps(openai_answers.chat(request.json())).encode()
        model, operation = self._model(request)
        if operation == "converse":
            return json.dumps(answers.converse(request.json(), model)).encode()
        if operation == "invoke":
            return json.dumps({"model": model, "length": len(request.body)}).encode()
        if operation == "count-tokens":
            return json.dumps({"inputTokens": 7}).encode()
        raise Rejected("UnknownOperationException", "no such operation", 404)


class Mantle(AwsService):
    """OpenAI's wire format on Bedrock, under a service name of its own."""

    service = "bedrock-mantle"

    def __init__(self, region: str = "us-east-1", **options) -> None:
        super().__init__(region, **options)
        self.words: dict[str, tuple[str, int]] = {}  # said in the place of AWS's types

    async def handle(self, request: Request, connection: Connection) -> None:
        if not request.json().get("stream"):
            await super().handle(request, connection)
            return
        try:
            principal = self.identify(request)
        except Rejected as refusal:
            self._note(None, request, refusal.kind)
            self.refuse(connection, refusal.kind, str(refusal), refusal.status)
            return
        self._note(principal, request, "ok")
        events = [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")]
        connection.send(head_bytes(200, events))
        for event in openai_answers.chat_events(request.json()):
            connection.chunk(event)
        connection.end_chunks()

    def respond(self, request: Request, principal: Principal | None) -> bytes:
        if (request.method, request.path) != ("POST", "/openai/v1/chat/completions"):
            raise Rejected("not_found_error", "not supported on this route", 404)
        return json.dumps(openai_answers.chat(request.json())).encode()

    def refuse(self, connection: Connection, kind: str, message: str, status: int) -> None:
        kind, status = self.words.get(kind, (kind, status))
        error = {"message": message, "type": kind, "param": None, "code": kind}
        connection.answer(status, self.headers(), json.dumps({"error": error}).encode())
