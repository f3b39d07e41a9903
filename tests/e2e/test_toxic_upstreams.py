# SPDX-License-Identifier: Apache-2.0
"""Goal: an upstream that breaks HTTP in any way costs its own call alone: that agent gets an error
or a broken connection, never a clean end; the others on the same target notice nothing, and what
was sent is not kept."""

import contextlib
import gzip
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.agent import CHAT, HELLO, STREAM, Agent, Closed
from fakes.apibase import Act
from fakes.sidekey import SANITIZED, Sidekey
from fakes.toxic import (
    Play,
    drips,
    floods,
    says,
    stays_open,
    streams_until,
    then_half_closes,
    then_resets,
    then_stalls,
)
from fakes.wire import wait_for
from fakes.world import World

KEPT_MAX = 3 * 1024 * 1024  # of 64 MiB and more that a fault sends, by ingress and by egress
SECONDS = 3  # firstByte and idle
ENDLESS = 1 << 50
EVENT = b'data: {"id":"1","object":"chat.completion.chunk","choices":[]}\n\n'
STATUS = b"HTTP/1.1 200 OK\r\n"
JSON = STATUS + b"Content-Type: application/json\r\n"
COUNTED = JSON + b"Content-Length: 100\r\n\r\n"
CHUNKED = JSON + b"Transfer-Encoding: chunked\r\n\r\n"
SSE = STATUS + b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK = b'b\r\n{"pad":"xxx\r\n'
EVENTS = b"%x\r\n%b\r\n" % (len(EVENT), EVENT)
WELL = JSON + b"Content-Length: 2\r\n\r\n{}"
BOMB = gzip.compress(bytes(8 * 1024 * 1024))


def with_field(field: bytes) -> bytes:
    return JSON + field + b"\r\nContent-Length: 2\r\n\r\n{}"


def with_length(*values: bytes) -> bytes:
    lines = b"".join(b"Content-Length: %b\r\n" % v for v in values)
    return JSON + lines + b"\r\n" + b'{"pad":"' + b"x" * 90 + b'"}'


def bomb(field: bytes) -> bytes:
    return with_field(field).replace(b" 2\r\n\r\n{}", b" %d\r\n\r\n" % len(BOMB)) + BOMB


# Before the head is complete: the agent is told what it was.
INVALID: dict[str, Play] = {
    "HTTP/0.9": says(b'{"choices": []}'),
    "HTTP/2 preface": says(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0\0\0\4\0\0\0\0\0"),
    "HTTP/2 settings": says(b"\0\0\0\4\0\0\0\0\0" * 4),
    "HTTP/7.7": says(WELL.replace(b"HTTP/1.1", b"HTTP/7.7")),
    "101": says(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n", bytes(99)),
    "status of 2 digits": says(WELL.replace(b" 200 ", b" 20 ")),
    "status of 4 digits": says(WELL.replace(b" 200 ", b" 2000 ")),
    "status 999": says(WELL.replace(b" 200 ", b" 999 ")),
    "NUL in a value": says(with_field(b"X-A: a\0b")),
    "NUL in a name": says(with_field(b"X\0A: ab")),
    "control byte in a value": says(with_field(b"X-A: a\x01b")),
    "space before the colon": says(with_field(b"X-A : a")),
    "no colon": says(with_field(b"X-A")),
    "no name": says(with_field(b": a")),
    "line of one byte": says(JSON + b"a\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"),
    "line of a colon": says(JSON + b":\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"),
    "line of a return": says(JSON + b"\rX: a\r\nContent-Length: 2\r\n\r\n{}"),
    "a long name": says(with_field(b"X" * 257 + b": a")),
    "many long names": says(with_field(b"\r\n".join(b"%0256x: a" % n for n in range(126)))),
    "a long Connection": says(with_field(b"Connection: " + b"," * 1025)),
    "a long header": says(with_field(b"X-A: " + b"a" * 200_000)),
    "many headers": says(with_field(b"\r\n".join(b"X-%d: a" % n for n in range(2000)))),
    "endless header": floods(JSON + b"X-A: ", b"a"),
    "endless headers": floods(JSON, b"X-A: aaaaaaaaaaaaaaaa\r\n"),
    "endless status line": floods(b"HTTP/1.1 200 ", b"O"),
    "endless garbage": floods(b"", b"garbage "),
    "endless 1xx": floods(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"),
    "negative length": says(with_length(b"-1")),
    "length beyond 2^63": says(with_length(b"9" * 20)),
    "length that is no number": says(with_length(b"ten")),
    "length with a sign": says(with_length(b"+100")),
    "list of lengths": says(with_length(b"100, 50")),
    "two different lengths": says(with_length(b"100", b"50")),
    "two different lengths, turned": says(with_length(b"50", b"100")),
    "a length and chunks": says(CHUNKED[:-2] + b"Content-Length: 12\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
    "100 with a length": says(b"HTTP/1.1 100 Continue\r\nContent-Length: 2\r\n\r\n{}", WELL),
    "103 in chunks": says(b"HTTP/1.1 103 Early Hints\r\n" + CHUNKED[len(STATUS):], WELL),
    "gzip bomb": says(bomb(b"Content-Encoding: gzip")),
    "gzip bomb, twice": says(bomb(b"Content-Encoding: gzip, gzip")),
    "gzip as a transfer coding": says(JSON + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + BOMB),
    "unknown transfer coding": says(JSON + b"Transfer-Encoding: xyz\r\n\r\n{}"),
}
BROKEN: dict[str, Play] = {
    "reset at once": then_resets(b""),
    "reset in the head": then_resets(JSON),
    "closed in the head": says(JSON),
    "half-closed at once": then_half_closes(b""),
    "half-closed in the head": then_half_closes(JSON),
}
# After it: what came before is the agent's, and no end.
ABORTED: dict[str, Play] = {
    "reset in a counted body": then_resets(COUNTED + b'{"a":'),
    "reset in a chunk": then_resets(CHUNKED + CHUNK[:-4]),
    "reset between chunks": then_resets(CHUNKED + CHUNK),
    "reset between events": then_resets(SSE + EVENTS),
    "reset in a body until the close": then_resets(JSON + b"\r\n{"),
    "half-closed in a counted body": then_half_closes(COUNTED + b'{"a":'),
    "half-closed between chunks": then_half_closes(CHUNKED + CHUNK),
    "half-closed between events": then_half_closes(SSE + EVENTS),
    "closed before the last chunk's end": says(CHUNKED + CHUNK + b"0\r\n"),
    "length too long": says(COUNTED + b"{}"),
    "chunk length beyond 2^64": says(CHUNKED + CHUNK + b"f" * 17 + b"\r\nxx"),
    "chunk length of 2^64 - 1": says(CHUNKED + CHUNK + b"f" * 16 + b"\r\nxx"),
    "negative chunk length": says(CHUNKED + CHUNK + b"-1\r\nxx\r\n0\r\n\r\n"),
    "chunk length that is no number": says(CHUNKED + CHUNK + b"zz\r\nxx\r\n0\r\n\r\n"),
    "no chunk length": says(CHUNKED + CHUNK + b"\r\nxx\r\n0\r\n\r\n"),
    "no CRLF after a chunk": says(CHUNKED + b"2\r\n{}0\r\n\r\n"),
    "chunk longer than said": says(CHUNKED + b"2\r\n{}xxxx\r\n0\r\n\r\n"),
    "chunk shorter than said": says(CHUNKED + b"9\r\n{}\r\n0\r\n\r\n"),
    "endless chunk extension": floods(CHUNKED + CHUNK + b"2;", b"x"),
    "endless trailer": floods(CHUNKED + CHUNK + b"0\r\nX-A: ", b"x"),
    "endless trailers": floods(CHUNKED + CHUNK + b"0\r\n", b"X-A: aaaaaaaaaaaaaaa\r\n"),
}
# Nothing more comes, or too little of it.
TIMEOUTS: dict[str, Play] = {
    "silence": then_stalls(b""),
    "stall in the status line": then_stalls(b"HTTP/1.1 2"),
    "stall in the head": then_stalls(JSON),
    "stall after a 100": then_stalls(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "dripping head": drips(STATUS + b"X-A: ", b"a" * 5000),
    "dripping 1xx": drips(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 200),
}
STALLS: dict[str, Play] = {
    "stall before the body": then_stalls(COUNTED),
    "stall in the body": then_stalls(COUNTED + b'{"a":'),
    "stall before a chunk": then_stalls(CHUNKED),
    "stall in a chunk length": then_stalls(CHUNKED + b"1"),
    "stall in a chunk": then_stalls(CHUNKED + CHUNK[:-4]),
    "stall before the first event": then_stalls(SSE),
    "stall in an event": then_stalls(SSE + EVENTS[:-20]),
    "stall between events": then_stalls(SSE + EVENTS),
    "stall before the last chunk": then_stalls(SSE + EVENTS + b"e\r\ndata: [DONE]\n\n\r\n"),
    "stall in the trailer": then_stalls(CHUNKED + CHUNK + b"0\r\n"),
    "dripping trailer": drips(CHUNKED + CHUNK + b"0\r\nX-A: ", b"a" * 5000),
    "dripping chunk extension": drips(CHUNKED + CHUNK + b"2;", b"a" * 5000),
}
ALL = {
    **{name: (play, (502, "upstream_invalid")) for name, play in INVALID.items()},
    **{name: (play, (502, "upstream_broken")) for name, play in BROKEN.items()},
    **{name: (play, None) for name, play in ABORTED.items()},
}
ALL_STALLS = {
    **{name: (play, (504, "upstream_timeout")) for name, play in TIMEOUTS.items()},
    **{name: (play, None) for name, play in STALLS.items()},
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Sidekey]]:
    folder: Path = tmp_path_factory.mktemp("toxic")
    with World(folder, mtls=False) as world:
        timeouts = {"firstByte": f"{SECONDS}s", "idle": f"{SECONDS}s"}
        config = world.config(world.target(timeouts=timeouts))
        with Sidekey(config, folder, world.env()) as sidekey, Agent(sidekey.port) as agent:
            assert agent.chat(STREAM).complete
            yield world, sidekey


@pytest.mark.parametrize("pieces", [1, 2])
def test_what_follows_an_answer_is_no_answer(served, pieces: int) -> None:
    """What nobody has asked for yet is never taken for the answer to the next caller."""
    world, sidekey = served
    forged = WELL.replace(b"{}", b"[]")
    said = threading.Event()
    play = stays_open(said, WELL + forged) if pieces == 1 else stays_open(said, WELL, forged)
    world.api.models["toxic"] = Act(play=play)
    for _ in range(3):
        said.clear()
        with Agent(sidekey.port) as agent, Agent(sidekey.port) as other:
            assert agent.chat({**HELLO, "model": "toxic"}).body == b"{}"
            assert said.wait(10)
            answer = other.chat()
            assert answer.status == 200 and b"You said" in answer.body


def peaks(sidekey: Sidekey) -> dict[str, int]:
    """The most that each has ever held."""
    pids, found = sidekey.pids(), {}
    for name in ("ingress", "egress"):
        status = Path(f"/proc/{pids[name]}/status").read_text()
        found[name] = int(re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)[1]) * 1024
    return found


@contextlib.contextmanager
def bystander(world: World, sidekey: Sidekey) -> Iterator[None]:
    """Another caller of the same target: in the middle of a stream all the while, then calling."""
    gate = threading.Event()
    world.api.models["bystander"] = Act(play=streams_until(gate, EVENT))
    with Agent(sidekey.port) as other:
        other.begin("POST", CHAT, {**STREAM, "model": "bystander"})
        answer = other.read_head()
        pieces = other.pieces(answer)
        next(pieces)
        with Agent(sidekey.port) as third:
            assert third.chat().status == 200
            yield
            assert third.chat().status == 200, "one that calls"
        gate.set()
        for _ in pieces:
            pass
        assert answer.complete and answer.body.endswith(b"[DONE]\n\n"), "one that was served"


@contextlib.contextmanager
def bounded(sidekey: Sidekey) -> Iterator[None]:
    before = peaks(sidekey)
    yield
    if not SANITIZED:
        for name, peak in peaks(sidekey).items():
            assert peak - before[name] < KEPT_MAX, name


def expect(agent: Agent, outcome: tuple[int, str] | None) -> None:
    """None: an answer that begins and has no end."""
    if outcome is not None:
        answer = agent.read()
        assert (answer.status, answer.code) == outcome, answer
        assert answer.header("x-should-retry") == "false"
        assert answer.json()["error"]["code"] == outcome[1]
        return
    answer = agent.read_head()
    assert (answer.status, answer.code) == (200, None)
    if length := answer.header("content-length"):
        with pytest.raises(Closed):
            agent._take(int(length))
        return
    assert answer.header("transfer-encoding") == "chunked"
    while agent._more():
        assert not agent.received.endswith(b"0\r\n\r\n"), "a clean end"


@pytest.mark.parametrize("name", ALL)
def test_fault(served, name: str) -> None:
    world, sidekey = served
    play, outcome = ALL[name]
    world.api.models["toxic"] = Act(play=play)
    asked = len(world.api.requests)
    with bounded(sidekey), bystander(world, sidekey), Agent(sidekey.port) as agent:
        agent.begin("POST", CHAT, {**HELLO, "model": "toxic"})
        expect(agent, outcome)
        assert b"garbage" not in agent.received and b"X-A" not in agent.received
    assert len(world.api.requests) == asked + 4, "it was tried once"


FLOODS: dict[str, Play] = {
    "trailers": floods(CHUNKED + CHUNK + b"0\r\n", b"X-A: aaaaaaaaaaaaaaa\r\n", ENDLESS),
    "chunk extension": floods(CHUNKED + CHUNK + b"2;", b"x", ENDLESS),
}


@pytest.mark.parametrize("name", FLOODS)
def test_others_are_served_during_a_flood(served, name: str) -> None:
    """What no agent holds back, since none of it is for one, comes as fast as it can be read."""
    world, sidekey = served
    world.api.models["toxic"] = Act(play=FLOODS[name])
    with Agent(sidekey.port) as agent:
        agent.begin("POST", CHAT, {**HELLO, "model": "toxic"})
        agent.read_head()
        for _ in range(3):
            with Agent(sidekey.port) as other:
                assert other.chat().status == 200


def test_trailers_without_end_are_cut_off(served) -> None:
    """And not after the idle time alone, for which they would keep egress busy."""
    world, sidekey = served
    world.api.models["toxic"] = Act(play=FLOODS["trailers"])
    with Agent(sidekey.port) as agent:
        agent.begin("POST", CHAT, {**HELLO, "model": "toxic"})
        number = agent.read_head().header("x-sidekey-request-id")
        while agent._more():
            assert not agent.received.endswith(b"0\r\n\r\n"), "a clean end"
    wait_for(lambda: sidekey.records(msg="call", request_id=number), 10, "the call's line")
    assert sidekey.records(msg="call", request_id=number)[0]["code"] == "upstream_invalid"


def test_stalls(served) -> None:
    """All at the same time, for each takes as long as the limit."""
    world, sidekey = served
    for name, (play, _) in ALL_STALLS.items():
        world.api.models[name] = Act(play=play)
    asked = len(world.api.requests)
    with bounded(sidekey), bystander(world, sidekey), contextlib.ExitStack() as stack:
        agents = {n: stack.enter_context(Agent(sidekey.port, timeout=30)) for n in ALL_STALLS}
        for name, agent in agents.items():
            agent.begin("POST", CHAT, {**HELLO, "model": name})
        for name, agent in agents.items():
            print(name)
            expect(agent, ALL_STALLS[name][1])
    assert len(world.api.requests) == asked + 3 + len(ALL_STALLS), "each was tried once"
