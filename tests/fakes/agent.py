# SPDX-License-Identifier: Apache-2.0
"""An agent that speaks raw HTTP/1.1 and keeps every byte it received, with the time of each piece."""

import contextlib
import json
import socket
import time
from dataclasses import dataclass, field
from typing import Self

CHAT = "/v1/chat/completions"
HELLO = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
STREAM = {**HELLO, "stream": True}


class Closed(Exception):
    """The connection ended before the answer did."""


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    head_at: float
    body: bytes = b""
    pieces: list[tuple[float, bytes]] = field(default_factory=list)
    complete: bool = False

    def header(self, name: str) -> str | None:
        return next((v for n, v in self.headers if n.lower() == name.lower()), None)

    def names(self) -> set[str]:
        return {n.lower() for n, _ in self.headers}

    def json(self) -> dict:
        return json.loads(self.body)

    @property
    def code(self) -> str | None:
        """sidekey's own error code; None when the answer is the upstream's."""
        return self.header("x-sidekey-error")


class Agent:
    """One connection, over TCP or a Unix socket; received may be shared by several."""

    def __init__(
        self,
        port: int = 0,
        unix: str = "",
        timeout: float = 15,
        received: bytearray | None = None,
        host: str = "",
        address: str = "127.0.0.1",
    ) -> None:
        self.received = bytearray() if received is None else received
        self.buffer = b""
        self.host = host or (f"127.0.0.1:{port}" if port else "localhost")
        if unix:
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.socket.settimeout(timeout)
            self.socket.connect(unix)
        else:
            self.socket = socket.create_connection((address, port), timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    # ---- sending ----

    def send(self, raw: bytes) -> None:
        self.socket.sendall(raw)

    def begin(self, method: str, path: str, body=None, headers=()) -> None:
        """Sends a request without waiting for its answer. A dict is sent as JSON."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}"]
        if isinstance(body, dict):
            body = json.dumps(body).encode()
            lines.append("Content-Type: application/json")
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        lines += [f"{name}: {value}" for name, value in headers]
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (body or b""))

    def call(self, method: str, path: str, body=None, headers=()) -> Answer:
        self.begin(method, path, body, headers)
        return self.read()

    def chat(self, body=None, headers=()) -> Answer:
        return self.call("POST", CHAT, HELLO if body is None else body, headers)

    # ---- receiving ----

    def _more(self) -> bool:
        try:
            piece = self.socket.recv(65536)
        except ConnectionResetError:
            return False
        self.received += piece
        self.buffer += piece
        return bool(piece)

    def _take(self, count: int) -> bytes:
        while len(self.buffer) < count:
            if not self._more():
                raise Closed
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def _take_until(self, mark: bytes) -> bytes:
        while mark not in self.buffer:
            if not self._more():
                raise Closed
        return self._take(self.buffer.index(mark) + len(mark))

    def read_head(self) -> Answer:
        head = self._take_until(b"\r\n\r\n").decode("latin-1")
        at = time.monotonic()
        first, *lines = head.split("\r\n")
        pairs = [line.partition(":") for line in lines if line]
        answer = Answer(int(first.split(" ")[1]), [(n, v.strip()) for n, _, v in pairs], at)
        return self.read_head() if answer.status == 100 else answer

    def read(self) -> Answer:
        answer = self.read_head()
        for _ in self.pieces(answer):
            pass
        return answer

    def pieces(self, answer: Answer):
        """Yields each piece of the body; raises Closed when it is cut short."""
        for piece in self._body(answer):
            answer.pieces.append((time.monotonic(), piece))
            answer.body += piece
            yield piece
        answer.complete = True

    def _body(self, answer: Answer):
        length = answer.header("content-length")
        if (answer.header("transfer-encoding") or "") == "chunked":
            while size := int(self._take_until(b"\r\n"), 16):
                yield self._take(size + 2)[:-2]
            self._take_until(b"\r\n")
        elif length is not None:
            yield self._take(int(length))
        elif answer.status not in (204, 304):
            while self.buffer or self._more():
                yield self._take(len(self.buffer))

    def at_end(self, seconds: float = 3) -> bool:
        """Whether the other side closes within that time, without a further byte."""
        self.socket.settimeout(seconds)
        with contextlib.suppress(TimeoutError):
            return not self.buffer and not self._more()
        return False


def chat(sidekey) -> Answer:
    """One call by a connection of its own."""
    with Agent(sidekey.port) as agent:
        return agent.chat()
