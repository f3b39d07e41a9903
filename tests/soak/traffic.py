# SPDX-License-Identifier: Apache-2.0
"""The calls of a soak: each kind knows how it must end, and anything else is unexpected."""

import asyncio
import collections
import contextlib
import json
import random
import secrets

from fakes.apibase import Act, ApiBase
from fakes.wire import Connection

TOKEN = "sk-sidekey-" + "50" * 32
MIB = 1024 * 1024
STEP = 64 * 1024
CALL_SECONDS = 60
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def new_key() -> str:
    return "sk-" + secrets.token_hex(24)


async def echoes(connection: Connection) -> None:
    """An upstream that says the key back."""
    assert connection.current
    connection.answer_json(200, {"said": connection.current.header("Authorization")})


ECHO = b'{"said": "Bearer %b"}' % (b"*" * len(new_key()))


def arrange(api: ApiBase) -> None:
    """What the upstream does for each model."""
    api.models["slow"] = Act(events=20, gap=0.05)
    api.models["endless"] = Act(events=100, gap=0.1)
    api.models["cut"] = Act(events=10, gap=0.01, break_after=3)
    api.models["lost"] = Act(close_unanswered=True)
    api.models["moved"] = Act(302, (("Location", "https://elsewhere.example/"),))
    api.models["page"] = Act(200, (("Content-Type", "text/html"),), b"<html>")
    api.models["half"] = Act(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    api.models["echo"] = Act(play=echoes)
    api.models["stuck"] = Act(stall=3600)


def body(model: str = "gpt-4o", **members: object) -> bytes:
    messages = [{"role": "user", "content": "hello"}]
    return json.dumps({"model": model, "messages": messages, **members}).encode()


class Caller:
    """One agent: a kept connection, and calls of all kinds one after the other."""

    def __init__(self, port: int, seed: int, outcomes: collections.Counter) -> None:
        self.port, self.random, self.outcomes = port, random.Random(seed), outcomes
        self.kept: Streams | None = None
        self.kinds = {
            self.plain: 40,
            self.streamed: 15,
            self.slow: 3,
            self.uploaded: 4,
            self.chunked: 4,
            self.echoed: 6,
            self.refused: 12,
            self.unknown: 4,
            self.cancelled: 10,
            self.cut: 6,
            self.failed: 8,
        }

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            (kind,) = self.random.choices(list(self.kinds), list(self.kinds.values()))
            try:
                result = await asyncio.wait_for(kind(), CALL_SECONDS)
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                self.leave()
                result = type(error).__name__
            self.outcomes[kind.__name__, result] += 1
            await asyncio.sleep(self.random.random() * 0.02)
        self.leave()

    def leave(self) -> None:
        if self.kept:
            self.kept[1].close()
        self.kept = None

    # ---- HTTP ----

    async def begin(self, content: bytes, path: str = "/chat/completions", chunks=False) -> bytes:
        """Sends a call, and returns the head of its answer."""
        if self.kept is None:
            self.kept = await asyncio.open_connection("127.0.0.1", self.port)
        framing = "Transfer-Encoding: chunked" if chunks else f"Content-Length: {len(content)}"
        head = (
            f"POST /v1{path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            f"Authorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n{framing}\r\n\r\n"
        )
        reader, writer = self.kept
        writer.write(head.encode())
        for at in range(0, len(content), STEP):
            piece = content[at : at + STEP]
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunks else piece)
            await writer.drain()
        writer.write(b"0\r\n\r\n" if chunks else b"")
        return (await reader.readuntil(b"\r\n\r\n")).lower()

    async def rest(self, head: bytes) -> bytes:
        assert self.kept
        reader = self.kept[0]
        if b"transfer-encoding: chunked" not in head:
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            content = await reader.readexactly(length)
        else:
            content = b""
            while size := int(await reader.readuntil(b"\r\n"), 16):
                content += (await reader.readexactly(size + 2))[:-2]
            await reader.readexactly(2)
        if b"\r\nconnection: close\r\n" in head:
            self.leave()
        return content

    async def whole(self, content: bytes, status: int, mark: bytes, **options) -> str:
        head = await self.begin(content, **options)
        answer = await self.rest(head)
        if b" %d " % status in head[:16] and mark in head + answer:
            return "ok"
        return (head.split(b"\r\n")[0] + b" " + answer[:200]).decode(errors="replace")

    # ---- the kinds ----

    async def plain(self) -> str:
        return await self.whole(body(), 200, b"You said")

    async def streamed(self) -> str:
        return await self.whole(body(stream=True), 200, b"[DONE]")

    async def slow(self) -> str:
        return await self.whole(body("slow", stream=True), 200, b"[DONE]")

    async def uploaded(self) -> str:
        pad = "x" * self.random.randrange(2 * MIB)
        return await self.whole(body(user=pad), 200, b"You said")

    async def chunked(self) -> str:
        pad = "x" * self.random.randrange(2 * MIB)
        return await self.whole(body(user=pad), 200, b"You said", chunks=True)

    async def echoed(self) -> str:
        return await self.whole(body("echo"), 200, ECHO)

    async def refused(self) -> str:
        return await self.whole(body(api_base="https://evil.example"), 403, b"field_not_allowed")

    async def unknown(self) -> str:
        return await self.whole(body(), 404, b"route_not_found", path="/nowhere")

    async def failed(self) -> str:
        model, code = self.random.choice(
            [
                ("lost", b"upstream_broken"),
                ("moved", b"upstream_redirect"),
                ("page", b"upstream_invalid"),
            ]
        )
        return await self.whole(body(model), 502, code)

    async def cancelled(self) -> str:
        """Leaves before the answer, or in the middle of it."""
        if self.random.random() < 0.5:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.begin(body("stuck")), self.random.random() * 0.1)
                return "an answer to a call without one"
        else:
            head = await self.begin(body("endless", stream=True))
            if b" 200 " not in head[:16]:
                self.leave()
                return head.split(b"\r\n")[0].decode()
        self.leave()
        return "ok"

    async def cut(self) -> str:
        """What the upstream broke off is never ended cleanly."""
        model = self.random.choice(["cut", "half"])
        head = await self.begin(body(model, stream=True))
        try:
            await self.rest(head)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.leave()
            return "ok" if b" 200 " in head[:16] else head.split(b"\r\n")[0].decode()
        return "a clean end"
