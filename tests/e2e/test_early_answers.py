# SPDX-License-Identifier: Apache-2.0
"""Goal: an answer that overtakes its request takes nothing of it for another request."""

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.agent import Agent
from fakes.sidekey import Sidekey
from fakes.wire import wait_for
from fakes.world import World

KIB = 1024
BOUNDARY = "d5f0c1a2b3"
FORM = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n'
    "Content-Type: audio/wav\r\n\r\n"
).encode()
END = f"\r\n--{BOUNDARY}--\r\n".encode()
TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
MUCH = 64 * 1024 * KIB
STEP = 16 * KIB  # less than what ingress keeps of a form: some size ends there
AROUND = range(-10, 5)


class Deaf:
    """An upstream that accepts, reads next to nothing, and answers when it is told to."""

    def __init__(self) -> None:
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * KIB)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(50)
        self.listener.settimeout(10)
        self.port = self.listener.getsockname()[1]


@pytest.fixture
def deaf() -> Iterator[Deaf]:
    upstream = Deaf()
    with contextlib.closing(upstream.listener):
        yield upstream


def unread(port: int, peer: int) -> int:
    """What the kernel still has for sidekey of the connection from peer."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, queues, *_ = line.split()
        if int(local.split(":")[1], 16) == port and int(remote.split(":")[1], 16) == peer:
            return int(queues.split(":")[1], 16)
    return 0


def settle(port: int, peer: int) -> int:
    """The same, once sidekey reads no more of it."""
    left, since = unread(port, peer), time.monotonic()
    while left and time.monotonic() - since < 0.15:
        time.sleep(0.01)
        now = unread(port, peer)
        left, since = now, since if now == left else time.monotonic()
    return left


def head(port: int, framing: str) -> bytes:
    return (
        f"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{framing}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n"
    ).encode()


def uploaded(port: int, size: int, chunked: bool) -> bytes:
    body = FORM + b"x" * size + END
    if not chunked:
        return head(port, f"Content-Length: {len(body)}") + body
    pieces = [body[at : at + STEP] for at in range(0, len(body), STEP)]
    framed = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return head(port, "Transfer-Encoding: chunked") + framed + b"0\r\n\r\n"


def taken(sidekey: Sidekey, deaf: Deaf) -> int:
    """How much of an upload sidekey and the kernel take while the upstream reads none."""
    with socket.create_connection(("127.0.0.1", sidekey.port)) as client:
        client.sendall(head(sidekey.port, f"Content-Length: {MUCH}") + FORM)
        client.setblocking(False)
        connection, _ = deaf.listener.accept()
        me, sent = client.getsockname()[1], 0
        while not settle(sidekey.port, me):
            with contextlib.suppress(BlockingIOError):
                sent += client.send(b"x" * STEP)
        sent -= unread(sidekey.port, me)
        connection.close()
    return sent


@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "counted"])
def test_of_an_upload(plain_world: World, start, deaf: Deaf, chunked: bool) -> None:
    """All of the form is here and a part of it waits when the upstream answers: its head was read
    again, as that of a next request."""
    target = plain_world.target(
        operations=["chat", "audio"], apiBase=f"http://127.0.0.1:{deaf.port}/v1"
    )
    sidekey = start(plain_world.config(target), plain_world.env())
    most = taken(sidekey, deaf)
    kept = 0
    for around in AROUND:
        with Agent(sidekey.port) as agent:
            agent.send(uploaded(sidekey.port, most + around * STEP, chunked))
            upstream, _ = deaf.listener.accept()
            with upstream:
                settle(sidekey.port, agent.socket.getsockname()[1])
                upstream.sendall(TOO_LARGE)
                answer = agent.read()
                assert (answer.status, answer.code) == (413, None)
                if answer.header("connection") == "close":
                    continue
                kept += 1
                assert agent.call("GET", "/health/liveliness").status == 200
    wait_for(lambda: len(sidekey.records(msg="call")) > len(AROUND), 10, "each is in the log")
    calls = sidekey.records(msg="call")
    assert [c["operation"] for c in calls] == ["audio"] * (1 + len(AROUND))
    print(f"{kept} of {len(AROUND)} connections were kept")
