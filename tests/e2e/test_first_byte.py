# SPDX-License-Identifier: Apache-2.0
"""Goal: timeouts.firstByte is for an upstream that has the request and does not answer. Dialling
it is bounded by timeouts.connect, and taking the request has all the time that it goes on."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from fakes.agent import HELLO, Agent
from fakes.apibase import ApiBase
from fakes.raw import Raw, black_hole
from fakes.sidekey import Sidekey
from fakes.wire import wait_for
from fakes.world import World

MIB = 1 << 20
LARGE = 24 * MIB  # more than the kernel keeps on its way
TOKEN = "t" * 40
BUDGETED = {"name": "c", "token": "env:TOKEN", "tokenBudget": {"tokens": 10_000, "period": "1h"}}
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
BOUNDARY = "d5f0c1a2b3"
FORM = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    f"{'x' * LARGE}\r\n--{BOUNDARY}--\r\n"
).encode()


def ends_after(sidekey: Sidekey, body: object, headers=(), path="/v1/chat/completions"):
    with Agent(sidekey.port, timeout=60) as agent:
        began = time.monotonic()
        answer = agent.call("POST", path, body, list(headers))
        return answer, time.monotonic() - began


@contextmanager
def taking(pace: float, stop: int = 1 << 60, think: float = 0) -> Iterator[Raw]:
    """Takes a MiB in so many seconds, up to stop; then thinks, and answers."""

    def meet(peer: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += peer.recv(1)
        length = int(head.lower().split(b"content-length:")[1].split()[0])
        got, began = 0, time.monotonic()
        while got < min(length, stop):
            got += len(peer.recv(min(65536, length - got)))
            time.sleep(max(0, began + pace * got / MIB - time.monotonic()))
        if got == length:
            time.sleep(think)
            peer.sendall(ANSWER)
        else:
            time.sleep(60)

    upstream = Raw(meet)
    upstream.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    try:
        yield upstream
    finally:
        upstream.close()


def times(world: World, port: int, first: str = "1s", **changes) -> dict:
    timeouts = {"connect": "3s", "firstByte": first}
    return world.target(
        apiBase=f"http://127.0.0.1:{port}/v1", timeouts=timeouts, apiKey="none", **changes
    )


@contextmanager
def silent() -> Iterator[int]:
    """Takes connections, and says nothing in any handshake."""
    upstream = Raw(lambda _: None)
    try:
        yield upstream.port
    finally:
        upstream.close()


@pytest.mark.parametrize("where", ["backlog", "handshake"])
def test_dialling_has_its_own_limit(plain_world: World, start, where: str) -> None:
    """Nothing was sent: the agent may try again, and nobody is charged."""
    with black_hole() if where == "backlog" else silent() as port:
        target = times(plain_world, port)
        if where == "handshake":
            target["apiBase"] = target["apiBase"].replace("http:", "https:")
            target["tls"] = {"ca": str(plain_world.ca)}
        config = plain_world.config(target, callers=[BUDGETED])
        sidekey = start(config, plain_world.env(TOKEN=TOKEN))
        answer, seconds = ends_after(sidekey, HELLO, [("x-api-key", TOKEN)])
    assert (answer.status, answer.code) == (502, "upstream_unreachable"), answer.body
    assert answer.header("x-should-retry") == "true"
    assert 2.5 < seconds < 6
    wait_for(lambda: sidekey.calls(), 5, "the log")
    assert "usage" not in sidekey.calls()[0]


def test_a_call_moves_on_from_where_it_cannot_be_sent(plain_world: World, start) -> None:
    with black_hole() as port, ApiBase() as api:
        places = [{"apiBase": f"http://127.0.0.1:{port}/v1", "weight": 100}, {"apiBase": api.base}]
        target = {
            "apiKey": "none",
            "allowPlaintext": True,
            "timeouts": {"connect": "3s", "firstByte": "1s"},
            "deployments": places,
        }
        sidekey = start({"targets": {"main": target}}, plain_world.env())
        answer, seconds = ends_after(sidekey, HELLO)
        assert answer.status == 200
        assert len(api.executed) == 1 and seconds < 6


@pytest.mark.parametrize("form", [False, True], ids=["JSON", "form"])
def test_a_request_may_go_out_slowly(plain_world: World, start, form: bool) -> None:
    """And what the upstream then thinks over is measured from there, but for what the kernel keeps."""
    with taking(pace=0.15, think=1.2) as upstream:
        target = times(plain_world, upstream.port, "2s", operations=["chat", "audio"])
        sidekey = start(plain_world.config(target), plain_world.env())
        if form:
            kind = ("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")
            path = "/v1/audio/transcriptions"
            answer, seconds = ends_after(sidekey, FORM, [kind], path)
        else:
            answer, seconds = ends_after(sidekey, {**HELLO, "pad": "x" * LARGE})
    assert (answer.status, answer.body) == (200, b"{}"), answer.body
    assert seconds > 3


def test_after_the_request_the_time_is_firstByte(plain_world: World, start) -> None:
    with taking(pace=0.15, think=8) as upstream:
        sidekey = start(plain_world.config(times(plain_world, upstream.port)), plain_world.env())
        answer, seconds = ends_after(sidekey, {**HELLO, "pad": "x" * LARGE})
    assert (answer.status, answer.code) == (504, "upstream_timeout")
    assert 3 < seconds < 8


def test_a_request_that_is_no_longer_taken(plain_world: World, start) -> None:
    with taking(pace=0.05, stop=8 * MIB) as upstream:
        sidekey = start(plain_world.config(times(plain_world, upstream.port)), plain_world.env())
        answer, seconds = ends_after(sidekey, {**HELLO, "pad": "x" * LARGE})
    assert (answer.status, answer.code) == (504, "upstream_timeout")
    assert answer.header("x-should-retry") == "false"
    assert 1 < seconds < 8
