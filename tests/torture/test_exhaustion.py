# SPDX-License-Identifier: Apache-2.0
"""Goal: a process without a free descriptor says so or waits, burns no CPU, and is whole again when
there are descriptors."""

import os
import resource
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from fakes import processes
from fakes.agent import Agent, chat
from fakes.apibase import Act
from fakes.reload import IN_FORCE, hang_up, rewrite, wait_alone, wait_told
from fakes.sidekey import Sidekey
from fakes.wire import wait_for
from fakes.world import World

pytestmark = pytest.mark.usefixtures("root")
HEAL_SECONDS = 30
NO_DESCRIPTOR = "there is no descriptor for a new connection"
QUICK = {"failureTtl": "1s"}


def settled(pid: int) -> set[int]:
    """Its descriptors, once those of connections that have ended are closed."""
    seen: list[set[int]] = []

    def same() -> bool:
        seen.append({int(name) for name in os.listdir(f"/proc/{pid}/fd")})
        return len(seen) > 20 and all(each == seen[-1] for each in seen[-20:])

    wait_for(same, HEAL_SECONDS, "its descriptors stay the same")
    return seen[-1]


def limit_with(pid: int, spare: int) -> int:
    """The limit under which a process has so many descriptors left to open."""
    taken = settled(pid)
    number = 0
    while spare > 0 or number in taken:
        spare -= number not in taken
        number += 1
    return number


@contextmanager
def squeezed(pid: int, spare: int = 0) -> Iterator[None]:
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit_with(pid, spare), before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def is_calm(sidekey: Sidekey) -> None:
    """No process turns in circles: one that does takes the whole second."""
    pids = sidekey.pids()
    before = {name: processes.cpu_seconds(pid) for name, pid in pids.items()}
    time.sleep(1)
    for name, pid in pids.items():
        assert processes.cpu_seconds(pid) - before[name] < 0.5, name


def is_whole(sidekey: Sidekey) -> None:
    wait_for(lambda: chat(sidekey).status == 200, HEAL_SECONDS, "calls are served again")
    assert sidekey.readiness() == 200


def shortages(sidekey: Sidekey) -> list[dict]:
    return [r for r in sidekey.records(role="ingress") if r["msg"].startswith(NO_DESCRIPTOR)]


# ---- ingress ----


def test_callers_wait_for_ingress(plain_world: World, start) -> None:
    sidekey = start(plain_world.config(), plain_world.env())
    with ExitStack() as stack:
        stack.enter_context(squeezed(sidekey.pids()["ingress"]))
        agents = [stack.enter_context(Agent(sidekey.port)) for _ in range(20)]
        for agent in agents:
            agent.begin("POST", "/v1/chat/completions", {"model": "gpt-4o", "messages": []})
        wait_for(lambda: shortages(sidekey), what="the log tells of it")
        is_calm(sidekey)
        assert len(shortages(sidekey)) == 1, "once, and not for each that waits"
        assert not plain_world.api.requests
        stack.enter_context(lifted(sidekey, "ingress"))
        assert [agent.read().status for agent in agents] == [200] * 20
    is_whole(sidekey)


@contextmanager
def lifted(sidekey: Sidekey, role: str) -> Iterator[None]:
    """Descriptors are there again, before the block that took them has ended."""
    pid = sidekey.pids()[role]
    hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
    yield


def test_an_idle_connection_makes_room(plain_world: World, start) -> None:
    sidekey = start(plain_world.config(), plain_world.env())
    with Agent(sidekey.port) as longest, Agent(sidekey.port) as other:
        assert longest.chat().status == 200
        time.sleep(1.1)  # an idle connection is one that has been so for a second
        assert other.chat().status == 200
        with squeezed(sidekey.pids()["ingress"], 1):
            assert chat(sidekey).status == 200
            assert longest.at_end(), "and it was the one that was idle for longest"
            assert other.chat().status == 200
    is_whole(sidekey)


def test_a_call_needs_no_further_descriptor(plain_world: World, start) -> None:
    sidekey = start(plain_world.config(), plain_world.env())
    with Agent(sidekey.port) as agent, squeezed(sidekey.pids()["ingress"], 1):
        assert [agent.chat().status for _ in range(3)] == [200] * 3


# ---- egress ----


def test_egress_has_no_place_for_an_upstream(plain_world: World, start) -> None:
    sidekey = start(plain_world.config(), plain_world.env())
    with squeezed(sidekey.pids()["egress"]), ExitStack() as stack:
        agents = [stack.enter_context(Agent(sidekey.port)) for _ in range(8)]
        for _ in range(3):
            answers = [agent.chat() for agent in agents]
            assert {(a.status, a.code) for a in answers} == {(503, "overloaded")}
            assert {a.header("x-should-retry") for a in answers} == {"true"}
        is_calm(sidekey)
        assert not plain_world.api.requests
    is_whole(sidekey)
    assert not sidekey.records(level="error"), sidekey.text()


def test_a_stream_goes_on_while_others_are_refused(plain_world: World, start) -> None:
    sidekey = start(plain_world.config(), plain_world.env())
    plain_world.api.script(Act(events=10, gap=0.1))
    with Agent(sidekey.port) as agent:
        agent.begin("POST", "/v1/chat/completions", {"model": "gpt-4o", "stream": True})
        answer = agent.read_head()
        with squeezed(sidekey.pids()["egress"]):
            assert chat(sidekey).status == 503
            assert b"".join(agent.pieces(answer)).endswith(b"[DONE]\n\n")
    is_whole(sidekey)


def test_a_certificate_arrives_all_the_same(world: World, start) -> None:
    """The CA bundle comes as a descriptor, for which egress keeps a place."""
    sidekey = start(world.config(secrets={**QUICK, "ttl": "1s"}), world.env())
    assert chat(sidekey).status == 200
    with squeezed(sidekey.pids()["egress"]):
        renewed = world.authority.client("renewed")
        renewed.write(world.folder / "tls", "tls")
        world.api.peer = "renewed"
        world.api.close_idle()
        is_calm(sidekey)
    wait_for(lambda: chat(sidekey).status == 200, HEAL_SECONDS, "the new certificate is used")


# ---- the keeper, the resolver ----


def test_the_keeper_cannot_dial_its_store(plain_world: World, start) -> None:
    sidekey = start(plain_world.config(secrets=QUICK), plain_world.env())
    before = plain_world.store.fetches()
    with squeezed(sidekey.pids()["keeper"]):
        plain_world.store.close_idle()
        os.kill(sidekey.pid, signal.SIGUSR1)
        failure = "a secret could not be fetched"
        wait_for(lambda: sidekey.records(msg=failure), HEAL_SECONDS, "the log tells of it")
        is_calm(sidekey)
        assert chat(sidekey).status == 200, "with the value that it has"
        assert plain_world.store.fetches() == before
    wait_for(lambda: plain_world.store.fetches() >= before + 2, HEAL_SECONDS, "both are fetched")
    is_whole(sidekey)


def test_the_resolver_keeps_what_it_knows(plain_world: World, start) -> None:
    base = plain_world.api.base.replace("127.0.0.1", "localhost")
    sidekey = start(plain_world.config(plain_world.target(apiBase=base)), plain_world.env())
    assert chat(sidekey).status == 200
    with squeezed(sidekey.pids()["resolver"]):
        plain_world.api.stop()
        assert chat(sidekey).code == "upstream_unreachable", "for which it is asked again"
        is_calm(sidekey)
        plain_world.api.start()
        is_whole(sidekey)
    is_whole(sidekey)


# ---- the parent ----


@pytest.mark.parametrize("spare", [0, 1, 6, 12, 18, 22, 24, 26])
def test_a_reload_that_cannot_begin(plain_world: World, start, spare: int) -> None:
    """However far it comes: the old generation serves on, and no descriptor is left over."""
    sidekey = start(plain_world.config(), plain_world.env())
    idle = processes.descriptors(sidekey.pid)
    rewrite(sidekey, plain_world.config(log={"level": "debug"}))
    with squeezed(sidekey.pid, spare):
        for _ in range(3):
            said = len(sidekey.records(role="parent", level="error"))
            hang_up(sidekey)
            wait_for(
                lambda n=said: len(sidekey.records(role="parent", level="error")) > n,
                HEAL_SECONDS,
                "the log tells why not",
            )
            assert chat(sidekey).status == 200
    wait_alone(sidekey)
    wait_for(lambda: processes.descriptors(sidekey.pid) == idle, what="nothing is left over")
    hang_up(sidekey)
    wait_told(sidekey, IN_FORCE)
    assert chat(sidekey).status == 200


@pytest.mark.once
@pytest.mark.parametrize("limit", [3, 4, 6, 9, 12, 16, 20, 24, 32, 48])
def test_a_start_with_little(plain_world: World, start, limit: int) -> None:
    """It serves, or it ends and says why; it does not hang, and is no crash."""
    if shutil.which("prlimit") is None:
        pytest.skip("needs prlimit, of util-linux")
    wrap = ["prlimit", f"--nofile={limit}:{limit}"]
    sidekey = start(plain_world.config(), plain_world.env(), wait=False, wrap=wrap)
    wait_for(lambda: not sidekey.alive() or sidekey.readiness() == 200, HEAL_SECONDS, "an end")
    if sidekey.alive():
        assert chat(sidekey).status in (200, 502, 503)
        warned = [r for r in sidekey.records(level="warn") if "limits.connections" in r["msg"]]
        assert warned[0]["descriptors"] == limit
        return
    sidekey.expected_death = True
    assert sidekey.wait_end() in (1, 2), sidekey.text()
    assert sidekey.text(), "without a word"
    assert '"signal"' not in sidekey.text(), sidekey.text()
    assert plain_world.found_in(sidekey.output) == []
