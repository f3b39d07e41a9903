# SPDX-License-Identifier: Apache-2.0
"""An upstream that speaks the OpenAI protocol, demands its credentials, and can be told to fail."""

import json
import re
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fakes import anthropic_answers
from fakes import openai_answers as answers
from fakes.wire import Connection, Request, Server, head_bytes

# What real gateways add to an answer and an agent must not see.
NOT_FOR_AGENTS = [
    ("Set-Cookie", "CF_Authorization=eyJhbGciOi.session.token; Path=/; Secure; HttpOnly"),
    ("Via", "1.1 inner-proxy.example.internal"),
    ("Alt-Svc", 'h3=":443"; ma=86400'),
    ("x-litellm-model-api-base", "https://inner.example.internal/v1"),
]
PLAIN = {**answers.PLAIN, **anthropic_answers.PLAIN}
STREAMED = {**answers.STREAMED, **anthropic_answers.STREAMED}
DEPLOYMENT = re.compile("^/openai/deployments/[^/]+")  # classic Azure
SSE = [("Content-Type", "text/event-stream; charset=utf-8"), ("Cache-Control", "no-cache")]


@dataclass
class Act:
    """How one request is answered; the default is promptly and well."""

    status: int | None = None  # instead of an answer of the protocol
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    close_unanswered: bool = False  # reads the request, then closes
    raw: bytes | None = None  # these bytes in place of an answer, then closes
    stall: float = 0  # before the head
    head_gap: float = 0  # between the head of a stream and its first event
    gap: float = 0  # between events
    events: int | None = None  # so many events of text in place of the answer
    break_after: int | None = None  # events, then closes without an end
    drip: float = 0  # seconds between single bytes of a body
    close_after: bool = False  # says and does Connection: close
    unexecuted: bool = False  # turned away: a real one charges nothing
    play: Callable[[Connection], Awaitable[None]] | None = None  # all of it in a test's hands


def refusal(status: int, message: str, **extra) -> Act:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    body = json.dumps({"error": error}).encode()
    return Act(status, (("Content-Type", "application/json"),), body, **extra)


class ApiBase(Server):
    """script() queues acts for the next calls; models[NAME] holds for every call of that model.

    key: what `Authorization: Bearer` must carry; access: the Cloudflare Access pair.
    """

    def __init__(
        self,
        key: str | None = None,
        access: tuple[str, str] | None = None,
        prefix: str = "/v1",
        key_header: str = "Authorization",
        **options,
    ) -> None:
        super().__init__(**options)
        self.key, self.access, self.prefix, self.key_header = key, access, prefix, key_header
        self.models: dict[str, Act] = {}
        self.always: Act | None = None
        self.queue: deque[Act] = deque()
        self.peer: str | None = None  # the client certificate's name, if only one is let in
        self.refusals: dict[int, Act] = {}  # by status: how a wrong key or Access pair is refused
        self.executed: list[Request] = []  # those that were not refused: a real one charges them

    @property
    def base(self) -> str:
        return self.url + self.prefix

    def script(self, *acts: Act) -> None:
        self.queue.extend(acts)

    # ---- judging ----

    def _judge(self, request: Request) -> Act | None:
        refused = self._refusal(request)
        return self.refusals.get(refused.status or 0, refused) if refused else None

    def _refusal(self, request: Request) -> Act | None:
        if self.peer and request.peer != self.peer:
            return refusal(403, "the client certificate is another one's")
        if self.access:
            names = ("CF-Access-Client-Id", "CF-Access-Client-Secret")
            if [request.all(n) for n in names] != [[v] for v in self.access]:
                return refusal(403, "the Access pair is missing or wrong")
        if self.key:
            bearer = "Bearer " if self.key_header == "Authorization" else ""
            if request.all(self.key_header) != [bearer + self.key]:
                return refusal(401, "the key is missing or wrong")
        return None

    def _choose(self, request: Request, body: dict) -> Act:
        refused = self._judge(request)
        if refused:
            return refused
        act = self.queue.popleft() if self.queue else None
        act = act or self.models.get(str(body.get("model"))) or self.always or Act()
        if not act.unexecuted:
            self.executed.append(request)
        return act

    # ---- answering ----

    async def handle(self, request: Request, connection: Connection) -> None:
        try:
            body = request.json()
        except ValueError:
            body = {}
        act = self._choose(request, body if isinstance(body, dict) else {})
        await connection.sleep(act.stall)
        if act.close_unanswered:
            connection.abort()
        elif act.play is not None:
            await act.play(connection)
        elif act.raw is not None:
            connection.send(act.raw)
            connection.abort()
        elif act.status is not None:
            await self._send_body(connection, act.status, [*act.headers], act.body or b"", act)
        else:
            await self._speak(request, body, act, connection)

    async def _speak(self, request: Request, body: dict, act: Act, connection: Connection) -> None:
        path = DEPLOYMENT.sub("", request.path.removeprefix(self.prefix))
        if request.method == "GET" and path.startswith("/models"):
            name = path.removeprefix("/models").strip("/")
            await self._send_json(
                connection, answers.model(name) if name else answers.models(), act
            )
        elif request.method == "POST" and body.get("stream") and path in STREAMED:
            await self._stream(request, STREAMED[path](body), act, connection)
        elif request.method == "POST" and path in PLAIN:
            await self._send_json(connection, PLAIN[path](body), act)
        else:
            connection.answer_json(404, {"error": {"message": "no such path", "code": "nowhere"}})

    async def _send_json(self, connection: Connection, value: dict, act: Act) -> None:
        headers = [("Content-Type", "application/json"), *act.headers]
        await self._send_body(connection, 200, headers, json.dumps(value).encode(), act)

    async def _send_body(self, connection, status: int, headers: list, body: bytes, act: Act):
        headers = headers + self._common(connection, act)
        if not act.drip:
            connection.answer(status, headers, body)
        else:
            connection.send(head_bytes(status, [*headers, ("Content-Length", str(len(body)))]))
            for byte in body:
                connection.send(bytes([byte]))
                await connection.sleep(act.drip)
        if act.close_after:
            connection.abort()

    def _common(self, connection: Connection, act: Act) -> list[tuple[str, str]]:
        number = f"req-{connection.number}-{connection.served}"
        ours = [("x-request-id", number), ("openai-processing-ms", "1"), *NOT_FOR_AGENTS]
        return [*ours, ("Connection", "close")] if act.close_after else ours

    async def _stream(self, request: Request, events: list, act: Act, connection: Connection):
        if act.events is not None:
            body = request.json()
            text = [answers.chat_chunk(body, {"content": f"{n} "}) for n in range(act.events)]
            events = [*text, b"data: [DONE]\n\n"]
        head = [
            *SSE,
            *act.headers,
            *self._common(connection, act),
            ("Transfer-Encoding", "chunked"),
        ]
        connection.send(head_bytes(200, head))
        await connection.sleep(act.head_gap)
        for number, event in enumerate(events):
            if number == act.break_after:
                connection.abort()
                return
            if number:
                await connection.sleep(act.gap)
            request.sent_at.append(self.loop.time())
            connection.chunk(event)
            await connection.drain()
        connection.end_chunks()
        if act.close_after:
            connection.abort()
