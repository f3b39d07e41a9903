# SPDX-License-Identifier: Apache-2.0
"""Goal: whether the way to the upstream is plain, TLS or mutual TLS, no process holds a secret that
root can read, live or freed, but for egress's one copy while a call lasts; nor after a rotation,
nor after a reload. (test_no_secret.py has the identities, and the search itself.)"""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import processes
from fakes.agent import CHAT, HELLO, STREAM, Agent
from fakes.apibase import Act
from fakes.pki import server_context
from fakes.reload import reload, rewrite, wait_alone
from fakes.sidekey import ROLES, Sidekey
from fakes.toxic import streams_until
from fakes.world import World

WAYS = ("plain", "TLS", "mutual TLS")
EVENT = b'data: {"id":"1","object":"chat.completion.chunk","choices":[]}\n\n'
CALLS = 3
TRIES = 10
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


def config(world: World, way: str, **sections) -> dict:
    changes = {"tls": {"ca": str(world.ca)}} if way == "TLS" else {}
    return world.config(world.target(**changes), **sections)


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


def test_during_a_call(scene: World, way: str, start) -> None:
    """One copy of what is sent, in egress alone; none of what is never sent."""
    sidekey = start(config(scene, way), scene.env())
    work(sidekey)
    gate = threading.Event()
    scene.api.models["held"] = Act(play=streams_until(gate, EVENT))
    traces = scene.traces()
    with Agent(sidekey.port) as agent:
        agent.begin("POST", CHAT, {**STREAM, "model": "held"})
        answer = agent.read_head()
        assert answer.status == 200
        egress = sidekey.pids()["egress"]
        sent = {n: traces[n] for n in ("API key", "Access client id", "Access client secret")}
        copies = {name: processes.copies(egress, trace) for name, trace in sent.items()}
        assert all(n <= 1 for n in copies.values()), copies
        assert set(found(sidekey, traces)) <= {"egress"}
        unsent = {n: t for n, t in traces.items() if n not in sent}
        assert processes.search_memory(egress, unsent) == []
        gate.set()
        for _ in agent.pieces(answer):
            pass
    at_rest(sidekey, traces)
