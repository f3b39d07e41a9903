# SPDX-License-Identifier: Apache-2.0
"""Bedrock's runtime: every signature is worked out again from the raw request line, and what is
not signed for its region and service, or by one whom it does not know, is refused as AWS does."""

import json
import re
import struct
import threading
import zlib
from collections.abc import Iterator
from urllib.parse import unquote

from fakes.awsservice import AwsService
from fakes.sigv4 import Principal, Rejected
from fakes.wire import Connection, Request, head_bytes

USAGE = {"inputTokens": 7, "outputTokens": 5, "totalTokens": 12}
GUARDED = {
    "topicPolicyUnits": 1,
    "contentPolicyUnits": 1,
    "wordPolicyUnits": 0,
    "sensitiveInformationPolicyUnits": 0,
    "sensitiveInformationPolicyFreeUnits": 0,
    "contextualGroundingPolicyUnits": 0,
}
ROUTE = re.compile(r"/model/([^/]+)/([a-z-]+)")
GUARDRAIL = re.compile(r"/guardrail/[^/]+/version/[^/]+/apply")
STREAMS = ("converse-stream", "invoke-with-response-stream")


def frame(event: str, payload: dict) -> bytes:
    """One message of application/vnd.amazon.eventstream."""
    headers = b""
    for name, value in (
        (":event-type", event),
        (":content-type", "application/json"),
        (":message-type", "event"),
    ):
        headers += struct.pack(">B", len(name)) + name.encode()
        headers += struct.pack(">BH", 7, len(value)) + value.encode()
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", len(headers) + len(body) + 16, len(headers))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + body
    return message + struct.pack(">I", zlib.crc32(message))


def converse_frames(text: str) -> Iterator[bytes]:
    yield frame("messageStart", {"role": "assistant"})
    for word in text.split(" "):
        yield frame(
            "contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": word + " "}}
        )
    yield frame("contentBlockStop", {"contentBlockIndex": 0})
    yield frame("messageStop", {"stopReason": "end_turn"})
    yield frame("metadata", {"usage": USAGE, "metrics": {"latencyMs": 3}})


class BedrockAgents(AwsService):
    """Bedrock's agents and knowledge bases, which are at a host of their own."""

    service = "bedrock"

    def respond(self, request: Request, principal: Principal | None) -> bytes:
        if request.path == "/rerank":
            return json.dumps({"results": [{"index": 0, "relevanceScore": 0.5}]}).encode()
        if not re.fullmatch(r"/knowledgebases/[A-Za-z0-9]+/retrieve", request.path):
            raise Rejected("UnknownOperationException", "no such operation", 404)
        found = {"content": {"text": "a passage"}, "score": 0.5}
        return json.dumps({"retrievalResults": [found]}).encode()

    def refuse(self, connection: Connection, kind: str, message: str, status: int) -> None:
        headers = [*self.headers(), ("x-amzn-ErrorType", kind)]
        connection.answer(status, headers, json.dumps({"message": message}).encode())


class Bedrock(AwsService):
    service = "bedrock"

    def __init__(self, region: str = "us-east-1", **options) -> None:
        super().__init__(region, **options)
        self.gate = threading.Event()  # a stream waits for it behind its second message
        self.gate.set()
        self.forbidden: set[str] = set()  # models that nobody may use
        self.bearer = ""  # a Bedrock API key, in place of a signature

    # ---- reading ----

    def asked(self, request: Request) -> str:
        return request.target

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

    # ---- answering ----

    async def handle(self, request: Request, connection: Connection) -> None:
        match = ROUTE.fullmatch(request.path)
        if not match or match[2] not in STREAMS or self.faults or self.standing:
            await super().handle(request, connection)
            return
        principal = None
        try:
            principal = self.identify(request)
            self._model(request)
        except Rejected as refusal:
            self._note(principal, request, refusal.kind)
            self.refuse(connection, refusal.kind, str(refusal), refusal.status)
            return
        self._note(principal, request, "ok")
        await self._stream(match[2], connection)

    async def _stream(self, operation: str, connection: Connection) -> None:
        kind = ("Content-Type", "application/vnd.amazon.eventstream")
        headers = [kind, *self.headers()[1:], ("Transfer-Encoding", "chunked")]
        connection.send(head_bytes(200, headers))
        if operation == "converse-stream":
            frames = list(converse_frames("You said: hello"))
        else:
            frames = [frame("chunk", {"bytes": "eyJhIjoxfQ=="}) for _ in range(3)]
        for number, message in enumerate(frames):
            while number == 2 and not self.gate.is_set():
                await connection.sleep(0.01)
            connection.chunk(message)
        connection.end_chunks()

    def respond(self, request: Request, principal: Principal | None) -> bytes:
        if GUARDRAIL.fullmatch(request.path):
            answer = {
                "usage": GUARDED,
                "action": "NONE",
                "outputs": [],
                "assessments": [],
            }
            return json.dumps(answer).encode()
        if request.path == "/openai/v1/chat/completions":
            return json.dumps(chat_answer(request.json()["model"])).encode()
        model, operation = self._model(request)
        message = {"role": "assistant", "content": [{"text": f"I am {model}"}]}
        answers: dict[str, dict] = {
            "converse": {
                "output": {"message": message},
                "stopReason": "end_turn",
                "usage": USAGE,
                "metrics": {"latencyMs": 3},
            },
            "invoke": {"model": model, "length": len(request.body)},
            "count-tokens": {"inputTokens": 7},
        }
        if operation not in answers:
            raise Rejected("UnknownOperationException", "no such operation", 404)
        return json.dumps(answers[operation]).encode()

    def refuse(
        self, connection: Connection, kind: str, message: str, status: int
    ) -> None:
        headers = [
            *self.headers(),
            ("x-amzn-ErrorType", f"{kind}:http://internal.amazon.com/"),
        ]
        connection.answer(status, headers, json.dumps({"message": message}).encode())


def chat_answer(model: str) -> dict:
    message = {"role": "assistant", "content": "You said: hello"}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12},
    }
