# SPDX-License-Identifier: Apache-2.0
"""Goal: whether the way to the upstream is plain, TLS or mutual TLS, no process holds a secret that
root can read, live or freed, but for egress's one copy while a call lasts; nor after a rotation,
nor after a reload. (test_no_secret.py has the identities, and the search itself.)"""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes import processes
from fakes.agent import CHAT, HELLO, STREAM, Agent
from fakes.apibase import Act
from fakes.pki import server_context
from fakes.reload import reload, rewrite, wait_alone
from fakes.sidekey import ROLES, Sidekey
from fakes.toxic import HOUR, streams_until
from fakes.wire import Connection, Server, wait_for
from fakes.world import World

WAYS = ("plain", "TLS", "mutual TLS")
EVENT = b'data: {"id":"1","object":"chat.completion.chunk","choices":[]}\n\n'
CALLS = 3
TRIES = 10
BODY_BYTES = 16 * 1024 * 1024
SENT = ("API key", "Access client id", "Access client secret")  # as they are, in no other form
SYN_SENT = "02"  # in /proc/net/tcp
pytestmark = [pytest.mark.once, pytest.mark.usefixtures("root")]


@pytest.fixture(autouse=True)
def searchable(root) -> None:
    if not processes.has_secret_pages():
        pytest.skip("this kernel has no memfd_secret: root reads locked pages too")


@pytest.fixture(params=WAYS)
def way(request) -> str:
    return request.param


@pytest.fixture
def scene(way: str, tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, mtls=way != "plain")
    if way == "TLS":
        made.api.tls = server_context(made.authority.server())
    with made:
        yield made


def config(world: World, way: str, target: dict | None = None, **sections) -> dict:
    changes = {"tls": {"ca": str(world.ca)}} if way == "TLS" else {}
    return world.config(world.target(**changes, **(target or {})), **sections)


def work(sidekey: Sidekey) -> None:
    with Agent(sidekey.port) as agent:
        for body in (HELLO, STREAM) * CALLS:
            assert agent.chat(body).status == 200


def found(sidekey: Sidekey, traces: dict[str, bytes]) -> dict[str, list[str]]:
    pids = sidekey.pids()
    assert set(pids) == {"parent", *ROLES}
    all_of_it = {name: processes.search_memory(pid, traces) for name, pid in pids.items()}
    return {name: hits for name, hits in all_of_it.items() if hits}


def at_rest(sidekey: Sidekey, traces: dict[str, bytes]) -> None:
    """An agent has its answer a moment before egress is done with the call."""
    hits: dict[str, list[str]] = {}
    for _ in range(TRIES):
        hits = found(sidekey, traces)
        if not hits:
            return
        time.sleep(0.1)
    assert not hits


def test_at_rest(scene: World, way: str, start) -> None:
    sidekey = start(config(scene, way), scene.env())
    at_rest(sidekey, scene.traces())
    work(sidekey)
    at_rest(sidekey, scene.traces())
    work(sidekey)


def test_after_a_rotation(scene: World, way: str, start) -> None:
    """The old value, which the upstream refuses, is gone, and the new one no easier to find."""
    sidekey = start(config(scene, way), scene.env())
    work(sidekey)
    traces = {f"old {name}": trace for name, trace in scene.traces().items()}
    scene.key = scene.api.key = "sk-" + "7" * 48
    scene.store.put(scene.key_arn, scene.key)
    work(sidekey)
    at_rest(sidekey, {**traces, **scene.traces()})


def test_after_a_reload(scene: World, way: str, start) -> None:
    """To a configuration that no longer names the key, in processes that have never seen it; the
    parent, which has read both, stays the same."""
    sidekey = start(config(scene, way), scene.env())
    work(sidekey)
    traces = {f"old {name}": trace for name, trace in scene.traces().items()}
    scene.key = scene.api.key = "sk-" + "9" * 48
    changed = config(scene, way, hosts=["another"])
    changed["targets"]["main"]["apiKey"] = scene.store.create("another-key", scene.key)
    rewrite(sidekey, changed)
    parent = sidekey.pid
    reload(sidekey)
    wait_alone(sidekey)
    work(sidekey)
    assert sidekey.pid == parent
    at_rest(sidekey, {**traces, **scene.traces()})


# ---- during a call ----


def during(sidekey: Sidekey, scene: World, calls: int = 1) -> None:
    """One copy a call of what is sent, in egress alone; none of what is never sent."""
    traces = scene.traces()
    hits = found(sidekey, traces)
    assert set(hits) <= {"egress"}, hits
    for name in {hit.partition(" at 0x")[0] for hit in hits.get("egress", [])}:
        assert name in SENT, f"a call has no use for the {name}"
        assert processes.copies(sidekey.pids()["egress"], traces[name]) <= calls, name


def held_up(scene: World, way: str, start, reached: Callable[[], object], port=0, body=HELLO):
    """One call, looked at when that is reached, and broken off there. port: of the upstream, if
    that is another one."""
    base = scene.api.base.replace(str(scene.api.port), str(port or scene.api.port))
    changes = {"apiBase": base, "timeouts": {"connect": "60s"}}
    sidekey = start(config(scene, way, changes), scene.env())
    with Agent(sidekey.port) as agent:
        agent.begin("POST", CHAT, body)
        wait_for(reached, 20, "the call is held up where it was to be")
        during(sidekey, scene)
    at_rest(sidekey, scene.traces())


def is_dialled(port: int) -> bool:
    """Whether somebody in this network waits for an answer to a SYN to that port."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return any(f[2].endswith(f":{port:04X}") and f[3] == SYN_SENT for f in map(str.split, lines))


@contextlib.contextmanager
def full_listener() -> Iterator[int]:
    """A port at which a connection hangs: its queue is full, and the kernel says nothing."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        hangs = False
        while not hangs:
            one = stack.enter_context(socket.socket())
            one.settimeout(0.2)
            try:
                one.connect(listener.getsockname())
            except TimeoutError:
                one.close()
                hangs = True
        yield listener.getsockname()[1]


def test_while_it_dials(scene: World, way: str, start) -> None:
    with full_listener() as port:
        assert not is_dialled(port)
        held_up(scene, way, start, lambda: is_dialled(port), port)


def test_while_it_shakes_hands(scene: World, way: str, start) -> None:
    """An upstream that takes the connection, and does not answer the TLS hello."""
    if way == "plain":
        pytest.skip("without TLS nobody shakes hands")
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as stack:
        listener.settimeout(20)

        def greeted() -> bytes:
            peer = stack.enter_context(listener.accept()[0])
            peer.settimeout(20)
            return peer.recv(1)

        held_up(scene, way, start, greeted, listener.getsockname()[1])


class HeadReader(Server):
    """An upstream that reads the head of a request, and no more."""

    def __init__(self, **options) -> None:
        super().__init__(**options)
        self.head_read = threading.Event()

    async def _converse(self, connection: Connection) -> None:
        await connection.input.readuntil(b"\r\n\r\n")
        connection.transport.pause_reading()
        self.head_read.set()
        await asyncio.sleep(HOUR)


def test_while_it_sends(scene: World, way: str, start) -> None:
    """A body of which no buffer on the way can hold the whole."""
    with HeadReader(tls=scene.api.tls) as upstream:
        body = {**HELLO, "user": "x" * BODY_BYTES}
        held_up(scene, way, start, upstream.head_read.is_set, upstream.port, body)


def test_while_it_waits(scene: World, way: str, start) -> None:
    """For the first byte of the answer."""
    scene.api.always = Act(stall=HOUR)
    held_up(scene, way, start, lambda: scene.api.executed)


@pytest.mark.parametrize("calls", [1, 2], ids=["a call", "two calls"])
def test_while_answers_come(scene: World, way: str, start, calls: int) -> None:
    sidekey = start(config(scene, way), scene.env())
    work(sidekey)
    gate = threading.Event()
    scene.api.models["held"] = Act(play=streams_until(gate, EVENT))
    with contextlib.ExitStack() as stack:
        agents = [stack.enter_context(Agent(sidekey.port)) for _ in range(calls)]
        for agent in agents:
            agent.begin("POST", CHAT, {**STREAM, "model": "held"})
        answers = [agent.read_head() for agent in agents]
        assert {answer.status for answer in answers} == {200}
        during(sidekey, scene, calls)
        gate.set()
        for agent, answer in zip(agents, answers, strict=True):
            for _ in agent.pieces(answer):
                pass
    at_rest(sidekey, scene.traces())
