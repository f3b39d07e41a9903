# SPDX-License-Identifier: Apache-2.0
"""Goal: under load nothing fails, and after it nothing is left behind."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fakes import load, processes
from fakes.agent import CHAT, HELLO, Agent
from fakes.apibase import Act
from fakes.sidekey import SANITIZED, Sidekey
from fakes.wire import wait_for
from fakes.world import World

CALLS, CONNECTIONS, STREAMS = 10_000, 64, 1_000
BURST = 600  # the rings hold the calls of a few hundred
GROWTH_BYTES = 1_500_000
LOADS = 4
SETTLE_SECONDS = 1.0
pytestmark = [pytest.mark.timeout(240), pytest.mark.usefixtures("root")]


def drive(*arguments: object) -> dict:
    command = [sys.executable, str(Path(load.__file__)), *(str(a) for a in arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def both(sidekey: Sidekey) -> None:
    calls = drive("requests", sidekey.port, CALLS, CONNECTIONS)
    assert calls["outcomes"] == {"ok": CALLS}
    streams = drive("streams", sidekey.port, STREAMS)
    assert streams["outcomes"] == {"ok": STREAMS}
    print(f"\n{CALLS} calls in {calls['seconds']:.1f} s, streams in {streams['seconds']:.1f} s")
    time.sleep(SETTLE_SECONDS)


def measure(sidekey: Sidekey, what) -> dict[str, int]:
    return {name: what(pid) for name, pid in sidekey.pids().items()}


def test_calls_and_streams(plain_world: World, start) -> None:
    """The same load again: what it leaves is what the one before left. Where a heap ends after a
    thousand connections is luck, by some MiB; a leak would grow each time."""
    limits = {"connections": STREAMS + 100}
    sidekey = start(plain_world.config(limits=limits), plain_world.env())
    # Long enough that all of them are open at the same time.
    plain_world.api.models["slow-stream"] = Act(events=8, gap=0.5)
    files_idle = measure(sidekey, processes.descriptors)
    both(sidekey)
    assert len(plain_world.api.requests) == CALLS + STREAMS, "one request for each call"
    files, memory = (measure(sidekey, w) for w in (processes.descriptors, processes.memory))
    for _ in range(LOADS):
        both(sidekey)
        for name, count in measure(sidekey, processes.descriptors).items():
            assert count <= files[name] + 4, name
        now = measure(sidekey, processes.memory)
        grown = {name: now[name] - memory[name] for name in now}
        if SANITIZED or max(grown.values()) < GROWTH_BYTES:
            break
        memory = now
    else:
        pytest.fail(f"bytes more than after the load before, each time: {grown}")
    assert files["ingress"] <= files_idle["ingress"] + 2, "the agents are gone"
    levels = {r.get("level") for r in sidekey.records()}
    assert "error" not in levels, sidekey.text()[-4000:]


def test_a_burst_while_egress_is_held_up(plain_world: World, start) -> None:
    """More calls begin at once than the rings to egress hold: they wait, and nothing breaks."""
    sidekey = start(plain_world.config(limits={"connections": BURST + 10}), plain_world.env())
    pids = sidekey.pids()
    os.kill(pids["egress"], signal.SIGSTOP)
    with contextlib.ExitStack() as ends:
        ends.callback(os.kill, pids["egress"], signal.SIGCONT)
        agents = [ends.enter_context(Agent(sidekey.port)) for _ in range(BURST)]
        for agent in agents:
            agent.begin("POST", CHAT, HELLO)
        with Agent(sidekey.port) as last:
            assert last.call("GET", "/health/liveliness").status == 200, "ingress has read them all"
        os.kill(pids["egress"], signal.SIGCONT)
        assert {agent.read().status for agent in agents} == {200}
    assert sidekey.pids() == pids, "nobody died of it"


def test_no_idle_work(plain_sidekey: Sidekey) -> None:
    """Nothing polls: a quiet second costs next to no CPU."""
    time.sleep(1)
    before = measure(plain_sidekey, processes.cpu_seconds)
    time.sleep(2)
    for name, spent in measure(plain_sidekey, processes.cpu_seconds).items():
        assert spent - before[name] < 0.02, name


@pytest.mark.parametrize("locked", [512 * 1024, 64 * 1024])
def test_many_targets(plain_world: World, start, locked: int) -> None:
    """There is room for the secrets of 200 targets where that much may be locked; where it may
    not, the log says what is missing."""
    targets = {f"t{n}": plain_world.target(required=True) for n in range(200)}
    wrap = ["prlimit", f"--memlock={locked}:{locked}"]
    config = {"targets": targets, "defaultTarget": "t199"}
    sidekey = start(config, plain_world.env(), wait=False, wrap=wrap)
    if locked == 512 * 1024:
        sidekey.wait_ready()
        with Agent(sidekey.port) as agent:
            assert agent.chat().status == 200
    else:
        wait_for(lambda: "RLIMIT_MEMLOCK" in sidekey.text(), 10, "what to change")
        assert sidekey.readiness() == 503
