# SPDX-License-Identifier: Apache-2.0
"""An HTTP/1.1 server written by hand, so that raw bytes and connections can be counted.

It runs an asyncio loop in a thread of its own; a fake derives from Server and answers
each request in `handle`. Plain or TLS, with a client certificate where that is demanded.
"""

import asyncio
import contextlib
import json
import socket
import ssl
import threading
import time
from collections import deque
from dataclasses import dataclass, field

HEAD_MAX = 1024 * 1024
HANDSHAKE_SECONDS = 5
TLS_HELLO = b"\x16"
REASONS = {
    200: "OK",
    302: "Found",
    307: "Temporary Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


@dataclass
class Request:
    """One request as it came, byte for byte."""

    raw_head: bytes
    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    connection: int = 0
    peer: str = ""
    at: float = field(default_factory=time.monotonic)
    gone_at: float | None = None
    sent_at: list[float] = field(default_factory=list)

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    def all(self, name: str) -> list[str]:
        return [v for n, v in self.headers if n.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        values = self.all(name)
        return values[0] if values else None

    def names(self) -> list[str]:
        return sorted(n.lower() for n, _ in self.headers)

    def json(self) -> dict:
        return json.loads(self.body or b"{}")


class Gone(Exception):
    """The client left before it had its answer."""


class Malformed(Exception):
    pass


def parse_head(raw: bytes) -> Request:
    lines = raw.decode("latin-1").split("\r\n")
    try:
        method, target, version = lines[0].split(" ")
    except ValueError:
        raise Malformed(lines[0]) from None
    if version != "HTTP/1.1":
        raise Malformed(version)
    pairs = [line.partition(":") for line in lines[1:] if line]
    return Request(raw, method, target, [(n, v.strip(" \t")) for n, _, v in pairs])


class Connection(asyncio.StreamReaderProtocol):
    """One client connection: counts what it receives and knows when it is gone."""

    def __init__(self, server: "Server", number: int) -> None:
        self.input = asyncio.StreamReader(limit=HEAD_MAX, loop=server.loop)
        super().__init__(self.input, loop=server.loop)
        self.server, self.number = server, number
        self.transport: asyncio.Transport
        self.current: Request | None = None
        self.left = asyncio.Event()
        self.writable = asyncio.Event()
        self.writable.set()
        self.served = 0
        self.peer = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        super().connection_made(transport)
        self.transport = transport
        certificate = transport.get_extra_info("peercert") or {}
        names = [v for pairs in certificate.get("subject", ()) for k, v in pairs]
        self.peer = names[0] if names else ""

    def data_received(self, data: bytes) -> None:
        self.server.application_bytes += len(data)
        super().data_received(data)

    def eof_received(self) -> bool:
        self._note_gone()
        super().eof_received()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._note_gone()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def _note_gone(self) -> None:
        self.left.set()
        self.writable.set()
        if self.current and self.current.gone_at is None:
            self.current.gone_at = time.monotonic()

    # ---- reading ----

    async def read_request(self) -> Request | None:
        try:
            first = await self.input.readexactly(1)
            if first == TLS_HELLO:
                raise Malformed("TLS to a plain port")
            raw = first + await self.input.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        request = parse_head(raw)
        request.connection, request.peer = self.number, self.peer
        self.current = request
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            request.body = await self._read_body(request)
            return request
        return None

    async def _read_body(self, request: Request) -> bytes:
        if (request.header("transfer-encoding") or "").lower() == "chunked":
            return await self._read_chunks()
        length = int(request.header("content-length") or 0)
        return await self.input.readexactly(length) if length else b""

    async def _read_chunks(self) -> bytes:
        body = b""
        while True:
            line = await self.input.readuntil(b"\r\n")
            size = int(line.split(b";")[0], 16)
            body += (await self.input.readexactly(size + 2))[:-2]
            if size == 0:
                return body

    # ---- writing ----

    def send(self, data: bytes) -> None:
        if self.left.is_set() or self.transport.is_closing():
            raise Gone
        self.transport.write(data)

    async def drain(self) -> None:
        await self.writable.wait()
        if self.left.is_set():
            raise Gone

    async def sleep(self, seconds: float) -> None:
        """Waits; ends at once when the client leaves."""
        if seconds <= 0:
            return
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.left.wait(), seconds)
            raise Gone

    def answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        length = [("Content-Length", str(len(body)))]
        self.send(head_bytes(status, headers + length) + body)

    def answer_json(self, status: int, value: object, *headers: tuple[str, str]) -> None:
        body = json.dumps(value).encode()
        self.answer(status, [("Content-Type", "application/json"), *headers], body)

    def chunk(self, data: bytes) -> None:
        self.send(b"%x\r\n%b\r\n" % (len(data), data))

    def end_chunks(self) -> None:
        self.send(b"0\r\n\r\n")

    def abort(self) -> None:
        """Ends the connection with a FIN and nothing else."""
        self.transport.close()


def head_bytes(status: int, headers: list[tuple[str, str]]) -> bytes:
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Server:
    """A server on one address; `with` starts and stops it, and start() may follow stop()."""

    def __init__(
        self, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.tls, self.host, self.port = tls, host, port
        self.loop: asyncio.AbstractEventLoop
        self.requests: list[Request] = []
        self.connections = self.ended = 0
        self.sources: list[tuple[str, int]] = []  # where each connection came from
        self.application_bytes = 0
        self.tls_failures: list[str] = []
        self.open: set[Connection] = set()
        self._thread: threading.Thread | None = None

    async def handle(self, request: Request, connection: Connection) -> None:
        raise NotImplementedError

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"

    # ---- life ----

    def start(self) -> "Server":
        listener = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self.host, self.port))
        listener.listen(4096)
        listener.setblocking(False)
        self.port = listener.getsockname()[1]
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(listener,), daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        if not self._thread:
            return
        self.loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)
        self._thread = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_) -> None:
        self.stop()

    def _run(self, listener: socket.socket) -> None:
        asyncio.set_event_loop(self.loop)
        self._stopping = asyncio.Event()
        # A peer that breaks a connection is what these tests are about: nothing to report.
        self.loop.set_exception_handler(lambda *_: None)
        try:
            self.loop.run_until_complete(self._serve(listener))
        finally:
            self.loop.close()

    async def _serve(self, listener: socket.socket) -> None:
        self._tasks: set[asyncio.Task] = set()
        self._spawn(self._accept(listener))
        await self._stopping.wait()
        listener.close()
        for connection in list(self.open):
            connection.transport.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)

    def _spawn(self, coroutine) -> None:
        task = self.loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            client, source = await self.loop.sock_accept(listener)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sources.append(source[:2])
            self.connections += 1
            self._spawn(self._meet(client, self.connections))

    async def _meet(self, client: socket.socket, number: int) -> None:
        connection = Connection(self, number)
        limit = HANDSHAKE_SECONDS if self.tls else None
        try:
            await self.loop.connect_accepted_socket(
                lambda: connection, client, ssl=self.tls, ssl_handshake_timeout=limit
            )
        except (OSError, ssl.SSLError) as error:
            self.tls_failures.append(str(error))
            client.close()
            self.ended += 1
            return
        self.open.add(connection)
        try:
            await self._converse(connection)
        finally:
            self.open.discard(connection)
            connection.transport.close()
            self.ended += 1

    async def _converse(self, connection: Connection) -> None:
        try:
            while request := await connection.read_request():
                self.requests.append(request)
                await self.handle(request, connection)
                connection.served += 1
                connection.current = None
                if connection.transport.is_closing():
                    return
        except Malformed:
            connection.answer_json(400, {"error": {"message": "not HTTP"}})
        except (Gone, ConnectionError):
            pass

    # ---- for tests, from other threads ----

    def last(self) -> Request:
        return self.requests[-1]

    def close_idle(self) -> None:
        """Ends every open connection, as an upstream that restarts does."""
        self.loop.call_soon_threadsafe(lambda: [c.transport.close() for c in list(self.open)])


given: deque[int] = deque(maxlen=64)  # ports that free_port gave out last


def free_port(host: str = "127.0.0.1") -> int:
    """The kernel may give the same port to two who ask in a row: here it is passed over."""
    while True:
        with socket.socket() as probe:
            probe.bind((host, 0))
            port = probe.getsockname()[1]
        if port not in given:
            given.append(port)
            return port


def wait_for(condition, seconds: float = 5.0, what: str = "") -> None:
    """Asks again and again until the condition holds; fails when it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what or condition}")
        time.sleep(0.01)
