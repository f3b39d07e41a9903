# SPDX-License-Identifier: Apache-2.0
"""Goal: a caller whose bodies are announced and do not come, drip, or are many and large, takes
neither room nor time from the others; one on a slow line gets through."""

import contextlib
import socket
from collections.abc import Callable

import pytest
from fakes.agent import CHAT, HELLO, Agent, Answer, Closed
from fakes.apibase import Act
from fakes.clock import Clock
from fakes.sidekey import Sidekey
from fakes.toxic import RESET
from fakes.wire import wait_for
from fakes.world import World

GREEDY, OTHER = "sk-sidekey-" + "6e" * 32, "sk-sidekey-" + "07" * 32
KIB, MIB = 1024, 1024 * 1024
SECOND = 1 / 3600  # of the clock's hours
BOUNDARY = "d5f0c1a2b3"
TRANSCRIBE = "/v1/audio/transcriptions"
JSON, FORM = "application/json", f"multipart/form-data; boundary={BOUNDARY}"
MODEL = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
).encode()


def begin(start, world: World, limits: dict | None = None, **rules) -> Sidekey:
    callers = [
        {"name": "greedy", "token": "env:GREEDY", **rules},
        {"name": "other", "token": "env:OTHER"},
    ]
    target = world.target(operations=["chat", "audio"])
    config = world.config(target, callers=callers, **({"limits": limits} if limits else {}))
    return start(config, world.env(GREEDY=GREEDY, OTHER=OTHER))


def auth(token: str) -> list[tuple[str, str]]:
    return [("Authorization", f"Bearer {token}")]


def ask(sidekey: Sidekey, token: str, size: int = 20_000) -> Answer:
    with Agent(sidekey.port, timeout=60) as agent:
        return agent.chat({**HELLO, "user": "x" * size}, auth(token))


def head(agent: Agent, framing: str, path: str = CHAT, content: str = JSON) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: {agent.host}\r\nContent-Type: {content}\r\n"
        f"Authorization: Bearer {GREEDY}\r\n{framing}\r\n\r\n"
    ).encode()


def announce(sidekey: Sidekey, size: int, sent: bytes = b"") -> Agent:
    agent = Agent(sidekey.port, timeout=60)
    agent.send(head(agent, f"Content-Length: {size}") + sent)
    return agent


def body(size: int) -> bytes:
    front = b'{"model":"gpt-4o","messages":[],"user":"'
    return front + b"x" * (size - len(front) - 2) + b'"}'


# ---- what is announced ----


def test_what_is_announced_takes_no_room(plain_world: World, start) -> None:
    """Twenty times as much as there is; none of it comes."""
    sidekey = begin(start, plain_world)
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(announce(sidekey, 32 * MIB, b"{")) for _ in range(64)]
        for _ in range(5):
            assert ask(sidekey, OTHER, 4 * MIB).status == 200
        held[0].send(body(32 * MIB)[1:])
        assert held[0].read().status == 200, "the greedy one, too, gets what there is"
        with announce(sidekey, 32 * MIB + 1) as late:
            assert late.read().code == "body_too_large", "at once"


def test_one_is_under_way_from_its_head_on(plain_world: World, start) -> None:
    sidekey = begin(start, plain_world, concurrentRequests=2, requestsPerMinute=100)
    with announce(sidekey, 1000) as first, announce(sidekey, 1000):
        wait_for(lambda: ask(sidekey, GREEDY).code == "rate_limited", 10, "two heads are there")
        answer = ask(sidekey, GREEDY)
        assert (answer.status, answer.header("retry-after")) == (429, "1")
        assert "`concurrentRequests`" in answer.json()["error"]["message"]
        assert ask(sidekey, OTHER).status == 200
        first.send(body(1000))
        assert first.read().status == 200
        assert ask(sidekey, GREEDY).status == 200, "the first one's place is free again"
        assert first.chat(headers=auth(GREEDY)).status == 200


def test_every_end_of_a_body_gives_back(plain_world: World, start) -> None:
    """The place of concurrentRequests, and the room."""
    limits = {"bodyBytes": "1MiB", "bufferTotal": "2MiB"}
    sidekey = begin(start, plain_world, limits, concurrentRequests=1)
    chunked, counted = "Transfer-Encoding: chunked", "Content-Length: 600000"
    ways: list[tuple[str, bytes, str, str]] = [
        (counted, b"{", CHAT, JSON),
        (counted, b"x" * 600_000, CHAT, JSON),
        (counted, b"{}" + b" " * 599_998 + b"more", CHAT, JSON),
        (counted, b"x" * 70_000, CHAT, JSON),
        ("Content-Length: 2000000", b"", CHAT, JSON),
        (counted, MODEL, TRANSCRIBE, FORM),
        (counted, b"x" * 9000, TRANSCRIBE, FORM),
        (chunked, MODEL, TRANSCRIBE, FORM),
        (chunked, b"nonsense\r\n", CHAT, JSON),
        (chunked, b"5\r\n{    \r\n", CHAT, JSON),
        (chunked, b"fffff\r\n" + b"x" * 0xFFFFF + b"\r\nffff\r\n", CHAT, JSON),
        (chunked, b"5\r\n{    \r\n0\r\n\r\n", CHAT, JSON),
    ]
    for framing, said, path, content in ways:
        for reset in (False, True):
            with Agent(sidekey.port) as agent:
                if reset:
                    agent.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                with contextlib.suppress(ConnectionError):  # it was refused before all was sent
                    agent.send(head(agent, framing, path, content) + said)
            wait_for(lambda: ask(sidekey, GREEDY).status == 200, 10, f"{framing} {said[:20]!r}")
    assert ask(sidekey, GREEDY, MIB - 500).status == 200, "all of the room is there"


# ---- what comes ----


def test_half_is_for_the_others(plain_world: World, start) -> None:
    """A caller that really sends has half of bufferTotal (and each byte of it counts twice)."""
    limits = {"bodyBytes": "16MiB", "bufferTotal": "64MiB"}
    sidekey = begin(start, plain_world, limits)
    half = body(16 * MIB)[: 12 * MIB]
    with (
        announce(sidekey, 16 * MIB, half) as first,
        announce(sidekey, 16 * MIB) as second,
    ):
        full = lambda: ask(sidekey, GREEDY, 6 * MIB).code == "overloaded"
        wait_for(full, 20, "the first one's bytes are in")
        with contextlib.suppress(ConnectionError):
            second.send(half)
        with contextlib.suppress(Closed, ConnectionError):  # it was reset while it sent
            answer = second.read()
            assert (answer.status, answer.code) == (503, "overloaded")
            message = answer.json()["error"]["message"]
            assert '"greedy"' in message and "half of `limits.bufferTotal`" in message
        assert ask(sidekey, OTHER, 15 * MIB).status == 200
        first.send(body(16 * MIB)[12 * MIB :])
        assert first.read().status == 200
    assert ask(sidekey, GREEDY, 15 * MIB).status == 200, "it was given back"


def test_an_only_body_may_be_the_largest(plain_world: World, start) -> None:
    limits = {"bodyBytes": "16MiB", "bufferTotal": "32MiB"}
    sidekey = begin(start, plain_world, limits)
    assert ask(sidekey, GREEDY, 16 * MIB - 500).status == 200


# ---- how it comes ----


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def plain(data: bytes) -> bytes:
    return data


LENGTH = 4 * MIB
TEXT = body(LENGTH)
PARTS = MODEL + b"y" * (LENGTH - len(MODEL) - 40) + f"\r\n--{BOUNDARY}--\r\n".encode()
FRAMINGS: dict[str, tuple[str, str, str, bytes, Callable[[bytes], bytes]]] = {
    "counted": (f"Content-Length: {len(TEXT)}", CHAT, JSON, TEXT, plain),
    "chunked": ("Transfer-Encoding: chunked", CHAT, JSON, TEXT, chunk),
    "form": (f"Content-Length: {len(PARTS)}", TRANSCRIBE, FORM, PARTS, plain),
    "chunked form": ("Transfer-Encoding: chunked", TRANSCRIBE, FORM, PARTS, chunk),
}


def pass_time(sidekey: Sidekey, clock: Clock, seconds: float) -> None:
    for _ in range(3):  # it looks at its clock in each round, and has read what came before
        sidekey.admin("/healthz")
    clock.forward(seconds * SECOND)
    for _ in range(3):
        sidekey.admin("/healthz")


@pytest.fixture
def slow(plain_world: World, clock: Clock, start) -> Sidekey:
    plain_world.api.always = Act(200, (("Content-Type", JSON),), b'{"text":"hello"}')
    target = plain_world.target(operations=["chat", "audio"])
    return start(plain_world.config(target), plain_world.env(**clock.env()))


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_drip_ends(plain_world: World, slow: Sidekey, clock: Clock, framing: str) -> None:
    """A byte each quarter of a minute, whatever has come before that."""
    how, path, content, text, piece = FRAMINGS[framing]
    with Agent(slow.port) as agent:
        agent.send(head(agent, how, path, content) + piece(text[:MIB]))
        for at in range(MIB, MIB + 12):
            pass_time(slow, clock, 15)
            if slow.calls():
                break
            with contextlib.suppress(ConnectionError):
                agent.send(piece(text[at : at + 1]))
        wait_for(slow.calls, 10, "it is over after three minutes")
    assert slow.calls()[0]["code"] in ("malformed_request", "client_gone")
    assert not [r for r in plain_world.api.requests if len(r.body) == len(text)]


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_slow_line_gets_through(slow: Sidekey, clock: Clock, framing: str) -> None:
    """5 KiB/s, for more than ten minutes."""
    how, path, content, text, piece = FRAMINGS[framing]
    with Agent(slow.port) as agent:
        agent.send(head(agent, how, path, content))
        for at in range(0, len(text), 200 * KIB):
            pass_time(slow, clock, 40)
            assert not slow.calls(), at
            agent.send(piece(text[at : at + 200 * KIB]))
        if piece is chunk:
            agent.send(b"0\r\n\r\n")
        assert agent.read().status == 200
