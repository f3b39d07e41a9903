# SPDX-License-Identifier: Apache-2.0
"""Goal: clients that hold connections, dawdle or do not read cost bounded memory and nobody else's
service: a well-behaved caller's calls all succeed meanwhile."""

import contextlib
import ctypes
import os
import resource
import select
import signal
import socket
import stat
import struct
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import processes
from fakes.agent import CHAT, HELLO, STREAM, Agent, Closed
from fakes.apibase import Act
from fakes.reload import reload
from fakes.sidekey import ROOT, SANITIZED, Sidekey
from fakes.toxic import RESET
from fakes.wire import wait_for
from fakes.world import World

IDLE, SPARE = 10_000, 600
FEWER = 1000  # under the sanitizers
IDLE_KEPT = 4 * 1024  # bytes of each idle connection, by all processes
HALF_KEPT = 16 * 1024  # the same of a request that has begun, whatever it announces
SLACK = 1024 * 1024
TOKEN = "sk-sidekey-" + "5e" * 32
AUTH = [("Authorization", f"Bearer {TOKEN}")]
MIB = 1024 * 1024
pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("root")]


def memory(sidekey: Sidekey) -> int:
    return sum(processes.memory(pid) for pid in sidekey.pids().values())


def gently(sidekey: Sidekey) -> None:
    """What a well-behaved caller does, on a connection of its own."""
    with Agent(sidekey.port) as agent:
        assert agent.chat().status == 200
        assert agent.chat(STREAM).complete


@contextlib.contextmanager
def others_are_served(sidekey: Sidekey) -> Iterator[None]:
    """One calls all the while on a connection that it keeps."""
    stop, outcomes = threading.Event(), []

    def work() -> None:
        with Agent(sidekey.port) as agent:
            while not stop.is_set() or not outcomes:
                outcomes.append(agent.chat().status)
                time.sleep(0.01)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)
    assert set(outcomes) == {200}, outcomes


def dial(port: int, narrow: bool) -> socket.socket:
    """narrow: the kernels take some 40 KiB for it until it reads."""
    made = socket.socket()
    made.settimeout(20)
    if narrow:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 100)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.connect(("127.0.0.1", port))
    return made


@contextlib.contextmanager
def connections(
    port: int, count: int, first: bytes = b"", narrow: bool = False
) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        made = []
        for _ in range(count):
            made.append(stack.enter_context(dial(port, narrow)))
            # Ten thousand in TIME_WAIT would be felt by the tests that follow.
            made[-1].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            if first:
                made[-1].sendall(first)
        yield made


def ended(those: list[socket.socket]) -> int:
    """How many have been closed, or told something, by the other side."""
    poll = select.poll()
    for one in those:
        poll.register(one.fileno(), select.POLLIN)
    return len(poll.poll(0))


def bounded(sidekey: Sidekey, before: int, allowed: int) -> None:
    if not SANITIZED:
        grown = memory(sidekey) - before
        print(f"{grown} bytes more")
        assert grown < allowed


def head(sidekey: Sidekey, length: int) -> bytes:
    return (
        f"POST {CHAT} HTTP/1.1\r\nHost: 127.0.0.1:{sidekey.port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def needs_descriptors(count: int) -> None:
    """For so many connections, at both ends."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < count + SPARE:
        pytest.skip(f"{count} connections need {count + SPARE} descriptors (ulimit -Hn): {hard}")


def test_slow_loris(plain_world: World, start) -> None:
    """A head byte by byte: no byte gains it more time than headerTimeout."""
    limits = {"headerTimeout": "1s"}
    sidekey = start(plain_world.config(limits=limits), plain_world.env())
    with others_are_served(sidekey), connections(sidekey.port, 100) as slow:
        raw = head(sidekey, 2) * 1000
        for byte in raw:  # an end comes long before the last one
            if ended(slow) == len(slow):
                break
            for one in slow:
                with contextlib.suppress(ConnectionError):
                    one.sendall(bytes([byte]) if byte not in b"\r\n" else b"x")
            time.sleep(0.05)
        assert ended(slow) == len(slow), "all of them were told"
        answers = [one.recv(4096) for one in slow]
        assert all(b" 400 " in a and b"did not come in time" in a for a in answers)
        gently(sidekey)
    assert all(r.json()["messages"] for r in plain_world.api.requests), "none of them went on"


def test_slow_bodies(plain_world: World, plain_sidekey: Sidekey) -> None:
    """Bodies that do not come: what is announced is neither kept nor reserved before it is there."""
    before = memory(plain_sidekey)
    count = 100
    with others_are_served(plain_sidekey), connections(plain_sidekey.port, count) as slow:
        for one in slow:
            one.sendall(head(plain_sidekey, 8 * MIB) + b"{")
        gently(plain_sidekey)
        bounded(plain_sidekey, before, SLACK + count * HALF_KEPT)
        for one in slow:
            one.sendall(b" ")
        assert ended(slow) == 0
    gently(plain_sidekey)
    assert all(r.json()["model"] for r in plain_world.api.requests), "none of them went on"


def test_slow_readers(plain_world: World, plain_sidekey: Sidekey) -> None:
    """Answers that nobody reads hold their upstreams, and are whole when they are read."""
    count, size = 8, 16 * MIB
    answer = b'{"pad":"' + b"y" * size + b'"}'
    plain_world.api.models["large"] = Act(
        200, (("Content-Type", "application/json"),), answer
    )
    before = memory(plain_sidekey)
    with others_are_served(plain_sidekey), contextlib.ExitStack() as stack:
        slow = [stack.enter_context(Agent(plain_sidekey.port)) for _ in range(count)]
        for agent in slow:
            agent.begin("POST", CHAT, {**HELLO, "model": "large"})
        for agent in slow:
            assert agent.read_head().status == 200
        gently(plain_sidekey)
        held = [c for c in plain_world.api.open if not c.writable.is_set()]
        assert len(held) == count, "the upstreams are held"
        bounded(plain_sidekey, before, SLACK + count * MIB)
        slow[0].socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        slow[0].close()
        wait_for(lambda: len([c for c in held if c.left.is_set()]) == 1, 10, "one is let go")
        for agent in slow[1:]:
            assert len(agent.buffer) + sum(map(len, drain(agent, len(answer)))) >= len(answer)


def drain(agent: Agent, size: int) -> Iterator[bytes]:
    """Bytes until that many, the head's included, have come."""
    left = size - len(agent.buffer)
    while left > 0:
        piece = agent.socket.recv(1 << 20)
        if not piece:
            raise Closed
        left -= len(piece)
        yield piece


def test_idle_connections(plain_world: World, start) -> None:
    count = FEWER if SANITIZED else IDLE
    needs_descriptors(count)
    limits = {"connections": count + 100}
    sidekey = start(plain_world.config(limits=limits), plain_world.env())
    gently(sidekey)
    before, files = memory(sidekey), processes.descriptors(sidekey.pids()["ingress"])
    with others_are_served(sidekey), connections(sidekey.port, count) as idle:
        wait_for(lambda: processes.descriptors(sidekey.pids()["ingress"]) > count, 20, "all in")
        gently(sidekey)
        assert ended(idle) == 0
        bounded(sidekey, before, SLACK + count * IDLE_KEPT)
    wait_for(
        lambda: processes.descriptors(sidekey.pids()["ingress"]) <= files + 2, 20, "all are gone"
    )
    gently(sidekey)


@pytest.mark.parametrize("kind", ["head", "body"])
def test_half_open_requests(plain_world: World, start, kind: str) -> None:
    """1,000 requests that have begun."""
    count = FEWER
    sidekey = start(plain_world.config(limits={"connections": count + 100}), plain_world.env())
    gently(sidekey)
    before = memory(sidekey)
    raw = head(sidekey, 1000) + b'{"model":'
    raw = raw[:-20] if kind == "body" else raw[:60]
    with others_are_served(sidekey), connections(sidekey.port, count, raw) as half:
        wait_for(lambda: processes.descriptors(sidekey.pids()["ingress"]) > count, 20, "all in")
        gently(sidekey)
        assert ended(half) == 0
        bounded(sidekey, before, SLACK + count * HALF_KEPT)
    gently(sidekey)


def test_more_than_the_limit(plain_world: World, start) -> None:
    """Whoever is too many is told so, with a remedy; those that are at work go on."""
    limit = 50
    sidekey = start(plain_world.config(limits={"connections": limit}), plain_world.env())
    plain_world.api.models["stuck"] = Act(stall=600)
    with contextlib.ExitStack() as stack:
        inside = [stack.enter_context(Agent(sidekey.port)) for _ in range(limit)]
        for agent in inside:
            agent.begin("POST", CHAT, {**HELLO, "model": "stuck"})
        wait_for(lambda: len(plain_world.api.executed) == limit, 20, "all are at work")
        for _ in range(3):
            with connections(sidekey.port, limit) as late:
                wait_for(lambda those=late: ended(those) == limit, 10, "they are told")
                for one in late:
                    answer = b"".join(iter(lambda o=one: o.recv(4096), b""))
                    told, _, text = answer.partition(b"\r\n\r\n")
                    assert told.startswith(b"HTTP/1.1 503 ")
                    assert b"x-sidekey-error: overloaded" in told
                    assert b"Content-Length: %d\r\n" % len(text) in told
                    assert b"limits.connections" in text
        assert sidekey.readiness() == 200, "health checks get through"
        assert ended([agent.socket for agent in inside]) == 0
    wait_for(lambda: served(sidekey), 10, "there is room again")


def many_targets(world: World) -> dict:
    """Of which /metrics says more than 190 KiB."""
    names = [f"target-{number:03}-{'x' * 40}" for number in range(200)]
    return {"main": world.target(required=True), **{name: world.target() for name in names}}


def caller_is_served(sidekey: Sidekey) -> bool:
    """Twice. In the midst of a burst one may be told to come again (503)."""
    with contextlib.suppress(Closed, ConnectionError), Agent(sidekey.port) as late:
        return [late.chat(headers=AUTH).status for _ in range(2)] == [200, 200]
    return False


@pytest.mark.parametrize("says", ["nothing", "half a head", "a bad head", "no token"])
def test_nobody_takes_all_connections(plain_world: World, start, says: str) -> None:
    """More than there may be, of somebody without a token: he gives way to the callers, the
    longest there first, and whoever has been served keeps his."""
    limit = 50
    callers = [{"name": "a", "token": "env:TOKEN"}]
    config = plain_world.config(callers=callers, limits={"connections": limit})
    sidekey = start(config, plain_world.env(TOKEN=TOKEN))
    raw = {
        "nothing": b"",
        "half a head": head(sidekey, 2)[:40],
        "a bad head": b"GARBAGE\r\n\r\n",
        "no token": head(sidekey, 1000),
    }[says]
    with Agent(sidekey.port) as kept:
        assert kept.chat(headers=AUTH).status == 200
        with connections(sidekey.port, 3 * limit, raw) as silent:
            wait_for(lambda: caller_is_served(sidekey), 10, "a caller who comes again")
            assert all(caller_is_served(sidekey) for _ in range(5))
            assert kept.chat(headers=AUTH).status == 200, "on its old connection"
            wait_for(lambda: ended(silent) >= 2 * limit, 10, "most had to go")
        assert sidekey.readiness() == 200


# The answers are more than the kernels take.
@pytest.mark.parametrize(
    ("admin", "path", "requests"), [(False, "/v1/models", 200), (True, "/metrics", 1)]
)
def test_who_does_not_read_keeps_nobody_out(
    plain_world: World, start, admin: bool, path: str, requests: int
) -> None:
    """Somebody without a token who asks, one small request after another, and reads no answer."""
    limit = 50
    config = {
        "callers": [{"name": "a", "token": "env:TOKEN"}],
        "limits": {"connections": limit},
        "models": [{"match": "*", "target": "main"}],
        "targets": many_targets(plain_world),
    }
    sidekey = start(config, plain_world.env(TOKEN=TOKEN))
    port = sidekey.admin_port if admin else sidekey.port
    raw = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    with Agent(sidekey.port) as kept:
        assert kept.chat(headers=AUTH).status == 200
        with connections(port, 3 * limit, raw, narrow=True) as deaf:
            for _ in range(requests):
                time.sleep(0.02)  # two at once would cost the connection
                assert kept.chat(headers=AUTH).status == 200
                for one in deaf:
                    with contextlib.suppress(ConnectionError):
                        one.sendall(raw)
            wait_for(lambda: caller_is_served(sidekey), 10, "a caller who comes again")
            assert all(caller_is_served(sidekey) for _ in range(5))
            assert kept.chat(headers=AUTH).status == 200, "on its old connection"
            assert sidekey.readiness() == 200
        assert sidekey.readiness() == 200


def test_idle_ones_give_way(plain_world: World, start) -> None:
    """Connections that are kept for later calls keep nobody out once they have been idle for a
    second; those that have been so for longest go first."""
    half = 4
    sidekey = start(plain_world.config(limits={"connections": 2 * half}), plain_world.env())
    with contextlib.ExitStack() as stack:

        def comes() -> bool:
            """Another one, who stays when he is served."""
            agent = Agent(sidekey.port)
            with contextlib.suppress(Closed, ConnectionError):
                if agent.chat().status == 200:
                    stack.enter_context(agent)
                    return True
            agent.close()
            return False

        kept = [stack.enter_context(Agent(sidekey.port)) for _ in range(2 * half)]
        for agent in kept:
            assert agent.chat().status == 200
        for count in range(1, half + 1):
            wait_for(comes, 20, "somebody has been idle for long enough")
            assert ended([agent.socket for agent in kept[:half]]) == count
            for agent in kept[half:]:
                assert agent.chat().status == 200


def served(sidekey: Sidekey) -> bool:
    with contextlib.suppress(Closed, ConnectionError), Agent(sidekey.port) as agent:
        return agent.chat().status == 200
    return False


def test_leavers(plain_world: World, plain_sidekey: Sidekey) -> None:
    """Thousands that come, say half a word and reset."""
    before = memory(plain_sidekey)
    files = processes.descriptors(plain_sidekey.pids()["ingress"])
    with others_are_served(plain_sidekey):
        for number in range(2000):
            with socket.create_connection(("127.0.0.1", plain_sidekey.port), 20) as one:
                one.sendall(head(plain_sidekey, 10)[: number % 150])
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    gently(plain_sidekey)
    ingress = plain_sidekey.pids()["ingress"]
    wait_for(lambda: processes.descriptors(ingress) <= files + 2, 20, "all are gone")
    bounded(plain_sidekey, before, SLACK)


# ---- what a Unix socket carries besides bytes ----

FOR_EVER = struct.pack("ii", 1, 2**30)  # seconds


def heavy_descriptor() -> tuple[socket.socket, socket.socket]:
    """Whoever closes the first last waits: it lingers, is full, and nobody reads the second."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        heavy = socket.create_connection(listener.getsockname())
        unread = listener.accept()[0]
    heavy.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, FOR_EVER)
    heavy.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            heavy.send(bytes(64 * 1024))
    return heavy, unread


def leave(heavy: socket.socket) -> None:
    """Its close, by a process that may wait."""
    heavy.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    heavy.close()


OLDER = [sys.executable, str(ROOT / "tests" / "fakes" / "older.py")]


@pytest.mark.parametrize("wrap", [[], OLDER], ids=["this kernel", "an older one"])
def test_descriptors_in_requests(world: World, start, socket_path: Path, wrap: list[str]) -> None:
    """Received by nobody, they were closed by ingress, which never came back."""
    sidekey = start(world.config(listen=[f"unix:{socket_path}"]), world.env(), wrap=wrap)
    ingress = sidekey.pids()["ingress"]
    with contextlib.ExitStack() as unread, Agent(unix=str(socket_path)) as agent:
        for line in [b"GET / HTTP/1.1\r\n", b"Host: localhost\r\n", b"A: b\r\n"]:
            heavy, other_end = heavy_descriptor()
            unread.enter_context(other_end)
            os.kill(ingress, signal.SIGSTOP)  # so that the last close is not this test's
            try:
                socket.send_fds(agent.socket, [line], [heavy.fileno()])
            except PermissionError:
                leave(heavy)
            else:
                heavy.close()
            os.kill(ingress, signal.SIGCONT)
        with Agent(unix=str(socket_path), timeout=5) as other:
            assert other.chat().status == 200
            reload(sidekey)
            time.sleep(0.3)  # ticks, if there are any, between calls and in them
            assert other.chat().status == 200
    assert sidekey.alive()


# ---- what an ingress that is not ours any more leaves in the listeners ----

PIDFD_GETFD = 438


def sockets_of(pid: int) -> Iterator[socket.socket]:
    """The TCP sockets of another process, as one of its own would have them."""
    there = os.pidfd_open(pid)
    for name in os.listdir(f"/proc/{pid}/fd"):
        fd = ctypes.CDLL(None).syscall(PIDFD_GETFD, there, int(name), 0)
        if fd >= 0 and stat.S_ISSOCK(os.fstat(fd).st_mode):
            with socket.socket(fileno=fd) as one:
                if one.family == socket.AF_INET:
                    yield one
        elif fd >= 0:
            os.close(fd)
    os.close(there)


def test_a_listener_that_lingers(sidekey: Sidekey) -> None:
    """What is accepted inherits it, and its close would hold up the next generation's ingress."""
    ingress, lingers = sidekey.pids()["ingress"], []
    for one in sockets_of(ingress):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, FOR_EVER)
    with Agent(sidekey.port) as agent:
        assert agent.chat().status == 200
        for one in sockets_of(ingress):
            if not one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                lingers.append(one.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)[:4])
    assert lingers == [bytes(4)]
