# SPDX-License-Identifier: Apache-2.0
"""Goal: an agent that reads slowly gets all of its answer, however long that takes; one that has
not read for ten minutes is cut off, and its upstream let go. What sidekey itself answers waits for
half a minute."""

import array
import fcntl
import socket
import termios
import time
from collections.abc import Iterator

import pytest
from fakes import processes
from fakes.agent import CHAT, HELLO, Agent
from fakes.apibase import Act
from fakes.clock import Clock
from fakes.sidekey import SANITIZED, Sidekey
from fakes.toxic import RESET
from fakes.wire import wait_for
from fakes.world import World
from test_toxic_clients import connections, many_targets

SECONDS = 30 if SANITIZED else 15
MIB = 1024 * 1024
SIZE = 24 * MIB
TAKEN = 6 * MIB  # at a time: more than the kernel keeps, so that sidekey sees it go
MINUTE = 1 / 60


@pytest.fixture
def sidekey(plain_world: World, clock: Clock, start) -> Sidekey:
    return start(plain_world.config(), plain_world.env(**clock.env()))


@pytest.fixture
def slow(plain_world: World, sidekey: Sidekey) -> Iterator[Agent]:
    """An agent whose answer is on its way, and held up by it."""
    answer = b'{"pad":"' + b"y" * SIZE + b'"}'
    plain_world.api.models["large"] = Act(
        200, (("Content-Type", "application/json"),), answer
    )
    with Agent(sidekey.port) as agent:
        agent.begin("POST", CHAT, {**HELLO, "model": "large"})
        assert agent.read_head().status == 200
        agent.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        settle(agent)
        yield agent


def waiting(agent: Agent) -> int:
    """Bytes that the kernel has for it."""
    count = array.array("i", [0])
    fcntl.ioctl(agent.socket, termios.FIONREAD, count)
    return count[0]


def settle(agent: Agent) -> None:
    """Until nothing moves: sidekey has sent what the kernel takes."""
    seen = []

    def is_still() -> bool:
        seen.append(waiting(agent))
        time.sleep(0.1)
        return seen[-1] > 0 and seen[-4:] == [seen[-1]] * 4

    wait_for(is_still, SECONDS)


def pass_time(sidekey: Sidekey, clock: Clock, minutes: float) -> None:
    clock.forward(minutes * MINUTE)
    for _ in range(3):  # it looks at its clock in each round
        sidekey.admin("/healthz")


def take(agent: Agent, count: int) -> int:
    got = 0
    while got < count:
        piece = agent.socket.recv(min(MIB, count - got))
        if not piece:
            break
        got += len(piece)
    return got


def test_a_slow_reader_gets_all_of_it(
    plain_world: World, sidekey: Sidekey, clock: Clock, slow: Agent
) -> None:
    left = SIZE + len(b'{"pad":""}') - len(slow.buffer)
    while left > 0:
        pass_time(sidekey, clock, 9)
        got = take(slow, min(left, TAKEN))
        assert got > 0
        left -= got
        if left > 0:
            settle(slow)
    wait_for(lambda: sidekey.calls(), SECONDS)
    assert [(c["status"], c["code"]) for c in sidekey.calls()] == [(200, "")]


def test_one_that_does_not_read_is_cut_off(
    plain_world: World, sidekey: Sidekey, clock: Clock, slow: Agent
) -> None:
    (upstream,) = [c for c in plain_world.api.open if not c.writable.is_set()]
    pass_time(sidekey, clock, 9)
    assert not sidekey.calls()
    pass_time(sidekey, clock, 2)
    wait_for(lambda: sidekey.calls(), SECONDS)
    assert [(c["status"], c["code"]) for c in sidekey.calls()] == [(200, "client_gone")]
    wait_for(upstream.left.is_set, SECONDS, "the upstream is let go")
    with Agent(sidekey.port) as other:
        assert other.chat().status == 200


def settled(pid: int) -> int:
    """Its descriptors, once those who have left are gone."""
    seen = [0]

    def is_still() -> bool:
        seen.append(processes.descriptors(pid))
        time.sleep(0.1)
        return seen[-3:] == [seen[-1]] * 3

    wait_for(is_still, SECONDS)
    return seen[-1]


def test_a_page_that_is_not_read(plain_world: World, clock: Clock, start) -> None:
    sidekey = start({"targets": many_targets(plain_world)}, plain_world.env(**clock.env()))
    ingress, port = sidekey.pids()["ingress"], sidekey.admin_port
    before = settled(ingress)
    says = f"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    with connections(port, 1, says, narrow=True) as (one,):
        assert one.recv(100).startswith(b"HTTP/1.1 200 ")
        pass_time(sidekey, clock, 20 / 60)
        assert settled(ingress) == before + 1, "it is waited for"
        pass_time(sidekey, clock, 35 / 60)
        wait_for(lambda: processes.descriptors(ingress) == before, SECONDS, "it is over")
