# SPDX-License-Identifier: Apache-2.0
"""Goal: a call gets the answer to itself or an error, never what came on its connection before it
asked; a connection on which anything was left over serves no other call."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest
from fakes.agent import HELLO, Agent
from fakes.apibase import Act
from fakes.pki import server_context
from fakes.sidekey import Sidekey
from fakes.toxic import Play
from fakes.wire import Connection, wait_for
from fakes.world import World

MIB = 1 << 20
ROUNDS = 4  # which connection of several the next call gets is libcurl's choice
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
COUNTED = OK + b"Content-Length: 2\r\n\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNK = b"2\r\n{}\r\n"
END = b"0\r\n\r\n"
EMPTY = OK + b"Content-Length: 0\r\n\r\n"
NONE = b"HTTP/1.1 204 No Content\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
FORGED = OK + b'Content-Length: 10\r\n\r\n["forged"]'

# The pieces of an answer and of what nobody has asked for; over TLS each is a record of its own.
LEFT_OVER: dict[str, tuple[bytes, ...]] = {
    "all at once": (COUNTED + b"{}" + FORGED,),
    "after the answer": (COUNTED + b"{}", FORGED),
    "with the body": (COUNTED, b"{}" + FORGED),
    "with half of the body": (COUNTED + b"{", b"}" + FORGED),
    "a byte, then the rest": (COUNTED, b"{}" + FORGED[:1], FORGED[1:]),
    "a byte with the answer": (COUNTED + b"{}" + FORGED[:1], FORGED[1:]),
    "a thousand times": (COUNTED, b"{}" + FORGED * 1000),
    "chunked, all at once": (CHUNKED + CHUNK + END + FORGED,),
    "chunked, with the end": (CHUNKED, CHUNK, END + FORGED),
    "chunked, after the end": (CHUNKED + CHUNK + END, FORGED),
    "chunked, half with the end": (CHUNKED + CHUNK, END + FORGED[:30], FORGED[30:]),
    "chunked, more than is read at once": (CHUNKED + CHUNK, END + FORGED * 1000),
    "no body, all at once": (EMPTY + FORGED,),
    "no body, afterwards": (EMPTY, FORGED),
    "no body, half afterwards": (EMPTY + FORGED[:30], FORGED[30:]),
    "204, all at once": (NONE + FORGED,),
    "204, afterwards": (NONE, FORGED),
    "204 with a length": (NONE.replace(b"\r\n\r\n", b"\r\nContent-Length: 2\r\n\r\n"), b"{}" + FORGED),
    "100, the answer, and another": (CONTINUE + COUNTED + b"{}" + FORGED,),
    "100, and another with the body": (CONTINUE, COUNTED, b"{}" + FORGED),
    "an interim answer that stays without one": (COUNTED, b"{}" + CONTINUE),
    "an empty line": (COUNTED, b"{}\r\n", FORGED),
}


@pytest.fixture(scope="module", params=["plain", "tls"])
def served(request, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Sidekey]]:
    folder = tmp_path_factory.mktemp("desync")
    with (
        World(folder, mtls=request.param == "tls") as world,
        Sidekey(world.config(), folder, world.env()) as sidekey,
    ):
        yield world, sidekey


def answers_with(pieces: tuple[bytes, ...], said: threading.Event) -> Play:
    async def play(connection: Connection) -> None:
        try:
            for piece in pieces:
                connection.send(piece)
        finally:
            said.set()

    return play


@pytest.mark.parametrize("name", LEFT_OVER)
def test_what_is_left_over(served, name: str) -> None:
    world, sidekey = served
    said = threading.Event()
    world.api.models["toxic"] = Act(play=answers_with(LEFT_OVER[name], said))
    with Agent(sidekey.port) as agent, Agent(sidekey.port) as other:
        for _ in range(ROUNDS):
            said.clear()
            first = agent.chat({**HELLO, "model": "toxic"})
            assert first.code is None and first.body in (b"{}", b"")
            assert said.wait(10)
            answer = other.chat()
            assert answer.status == 200 and b"You said" in answer.body
    assert b"forged" not in agent.received + other.received


def test_said_into_the_silence(served) -> None:
    """An idle connection on which something comes is not used again."""
    world, sidekey = served
    opened: list[Connection] = []

    async def play(connection: Connection) -> None:
        opened.append(connection)
        connection.send(COUNTED + b"{}")

    world.api.models["later"] = Act(play=play)
    with Agent(sidekey.port) as agent:
        for _ in range(ROUNDS):
            assert agent.chat({**HELLO, "model": "later"}).body == b"{}"
            said = threading.Event()

            def speak(connection: Connection = opened[-1], said=said) -> None:
                with contextlib.suppress(Exception):
                    connection.send(FORGED)
                said.set()

            world.api.loop.call_soon_threadsafe(speak)
            assert said.wait(10)
            assert b"You said" in agent.chat().body
            wait_for(opened[-1].left.is_set, 10, "the end of the connection")
    assert b"forged" not in agent.received


def test_good_connections_are_kept(served) -> None:
    """None of this costs a handshake where nothing is wrong."""
    world, sidekey = served
    with Agent(sidekey.port) as agent:
        agent.chat()
        before = world.api.connections
        for _ in range(20):
            assert agent.chat().status == 200
    assert world.api.connections == before


# ---- the request ----


class Hasty:
    """Answers when it has seen a head; the second request on a connection gets a forged answer."""

    def __init__(self, world: World, status: bytes) -> None:
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen()
        self.context = None
        if world.mtls:
            self.context = server_context(world.authority.server(), world.authority)
        scheme = "https" if world.mtls else "http"
        self.base = f"{scheme}://127.0.0.1:{self.listener.getsockname()[1]}/v1"
        self.answer = OK.replace(b"200 OK", status) + b"Content-Length: 2\r\n\r\n{}"
        self.read_on = threading.Event()
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer = self.listener.accept()[0]
                self.connections += 1
                threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        with contextlib.suppress(OSError), peer:
            if self.context:
                peer = self.context.wrap_socket(peer, server_side=True)
            seen = b""
            while b"\r\n\r\n" not in seen:
                seen += peer.recv(1024)
            peer.sendall(self.answer)
            self.read_on.wait(30)
            while b"POST " not in seen[1:]:
                seen = seen[-5:] + (peer.recv(MIB) or b" POST ")
            peer.sendall(FORGED)

    def close(self) -> None:
        self.read_on.set()
        self.listener.shutdown(socket.SHUT_RDWR)  # which wakes accept; to close it would not
        self.listener.close()


@pytest.mark.parametrize("status", [b"200 OK", b"413 Content Too Large"])
@pytest.mark.parametrize("mtls", [False, True], ids=["plain", "tls"])
def test_an_answer_that_does_not_wait(tmp_path, start, mtls: bool, status: bytes) -> None:
    """It may take what follows for a request: the rest of a body can be one."""
    with World(tmp_path, mtls) as world, contextlib.closing(Hasty(world, status)) as upstream:
        target = world.target(apiBase=upstream.base)
        sidekey = start(world.config(target), world.env())
        long = {**HELLO, "messages": [{"role": "user", "content": "x" * (8 * MIB)}]}
        with Agent(sidekey.port) as agent:
            agent.begin("POST", "/v1/chat/completions", long)
            first = agent.read_head()
            upstream.read_on.set()
            assert first.status == int(status[:3])
            assert b"".join(agent.pieces(first)) == b"{}"
            known = upstream.connections
            assert agent.chat().body == b"{}"
            assert upstream.connections == known + 1
