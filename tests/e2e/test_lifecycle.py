# SPDX-License-Identifier: Apache-2.0
"""Goal: sidekey starts, drains and ends as an orchestrator expects, and fails as a whole."""

import json
import os
import select
import signal
import socket
import stat
import tempfile
import threading
import time
from pathlib import Path

import httpx2
import openai
import pytest
from fakes import processes
from fakes.agent import CHAT, HELLO, STREAM, Agent, Closed
from fakes.apibase import Act
from fakes.sidekey import ROLES, SANITIZED, Sidekey, run
from fakes.wire import wait_for
from fakes.world import World


def turns_away(port: int) -> bool:
    """Whether a new caller learns at once that there is nothing to be had here."""
    try:
        with Agent(port, timeout=0.5) as late:
            return late.chat().code == "shutting_down"
    except TimeoutError:
        return False  # left waiting
    except (OSError, Closed):
        return True


def test_sigterm_drains_a_stream(world: World, sidekey: Sidekey) -> None:
    world.api.script(Act(events=30, gap=0.1))
    with Agent(sidekey.port) as agent:
        agent.begin("POST", CHAT, STREAM)
        answer = agent.read_head()
        pieces = agent.pieces(answer)
        next(pieces)
        os.kill(sidekey.pid, signal.SIGTERM)
        time.sleep(0.1)
        wait_for(lambda: turns_away(sidekey.port), 1.5, "new callers are turned away")
        for _ in pieces:
            pass
        assert answer.body.endswith(b"data: [DONE]\n\n") and answer.complete
    assert sidekey.wait_end(3) == 0


def test_sigterm_ends_at_once_when_idle(world: World, sidekey: Sidekey) -> None:
    with Agent(sidekey.port) as agent:
        assert agent.chat().status == 200  # and the connection stays open, idle
        began = time.monotonic()
        assert sidekey.stop(5) == 0
        assert SANITIZED or time.monotonic() - began < 1
        assert agent.at_end()


def test_drain_has_an_end(world: World, start) -> None:
    sidekey = start(world.config(limits={"drain": "1s"}), world.env())
    world.api.script(Act(events=500, gap=0.1))
    with Agent(sidekey.port) as agent:
        agent.begin("POST", CHAT, STREAM)
        agent.read_head()
        began = time.monotonic()
        assert sidekey.stop(10) == 0
        assert 0.8 < time.monotonic() - began < 5
    wait_for(lambda: world.api.last().gone_at is not None, 1)


def terminate(sidekey: Sidekey) -> None:
    """One signal more than were told of; two that are pending would be one."""
    before = len(sidekey.records(msg="draining"))
    os.kill(sidekey.pid, signal.SIGTERM)
    wait_for(lambda: len(sidekey.records(msg="draining")) > before, 10, "it was heard")


def test_second_sigterm_means_now(world: World, sidekey: Sidekey) -> None:
    """And yet each call that it cuts off is in the log."""
    world.api.script(Act(events=500, gap=0.1), Act(stall=60))
    agents = [Agent(sidekey.port) for _ in range(2)]
    agents[0].begin("POST", CHAT, STREAM)
    head = agents[0].read_head()
    agents[1].begin("POST", CHAT, HELLO)
    wait_for(lambda: len(world.api.executed) == 2, 10, "both calls are under way")
    terminate(sidekey)
    assert not sidekey.calls()
    began = time.monotonic()
    assert sidekey.stop(10) == 0
    assert SANITIZED or time.monotonic() - began < 3
    cut = {c["request_id"]: c for c in sidekey.calls()}
    assert sorted(c["status"] for c in cut.values()) == [0, 200]
    assert all(c["code"] == "shutting_down" for c in cut.values()), cut
    assert cut[head.header("x-sidekey-request-id")]["bytes_out"] > 0
    for agent in agents:
        agent.close()


def test_second_sigterm_does_not_wait_for_one_that_hangs(world: World, sidekey: Sidekey) -> None:
    """Whoever owns ingress cannot keep the program alive by not ending its calls."""
    world.api.script(Act(stall=60))
    hangs = sidekey.pids()["ingress"]
    with Agent(sidekey.port) as agent:
        agent.begin("POST", CHAT, HELLO)
        wait_for(lambda: world.api.executed, 10, "a call is under way")
        os.kill(hangs, signal.SIGSTOP)
        terminate(sidekey)
        assert sidekey.stop(20) == 0, "before limits.drain, 25 s, is over"
    assert not Path(f"/proc/{hangs}").exists()


@pytest.mark.parametrize("role", ["ingress", "keeper"])
def test_a_role_that_hangs_does_not_hold_up_the_end(world: World, start, role: str) -> None:
    """Whether it has to drain first or only to end: it is killed."""
    sidekey = start(world.config(limits={"drain": "0s"}), world.env())
    hangs = sidekey.pids()[role]
    os.kill(hangs, signal.SIGSTOP)
    assert sidekey.stop(30) == 0
    assert not Path(f"/proc/{hangs}").exists()


@pytest.mark.parametrize("role", ["resolver", "keeper", "egress"])
def test_a_role_that_hangs_is_not_healthy(world: World, sidekey: Sidekey, role: str) -> None:
    """For liveness probes, which have the container restarted."""
    assert sidekey.admin("/healthz")[0] == 200
    hangs = sidekey.pids()[role]
    os.kill(hangs, signal.SIGSTOP)
    try:
        wait_for(lambda: sidekey.admin("/healthz")[0] == 503, 30, "its silence is noticed")
    finally:
        os.kill(hangs, signal.SIGCONT)
    wait_for(lambda: sidekey.admin("/healthz")[0] == 200, 30, "and its coming back")


def test_nothing_is_left_running(world: World, sidekey: Sidekey) -> None:
    pids = sidekey.pids()
    assert set(pids) == {"parent", *ROLES}
    assert sidekey.stop() == 0
    for name, pid in pids.items():
        assert not Path(f"/proc/{pid}").exists(), name


@pytest.mark.parametrize("role", ROLES)
def test_death_of_a_role_ends_the_program(world: World, sidekey: Sidekey, role: str) -> None:
    sidekey.expected_death = True
    pids = sidekey.pids()
    os.kill(pids[role], signal.SIGKILL)
    assert sidekey.wait_end(5) > 0
    told = sidekey.records(process=role, signal="KILL")
    assert told and told[0]["level"] == "error", sidekey.text()
    for name, pid in pids.items():
        assert not Path(f"/proc/{pid}").exists(), name


TO_PARENT, DRAINED = 4, b"\5\0"  # a role's descriptor, and a message (box/spawn.h, box/msg.h)


@pytest.mark.usefixtures("root")
def test_drained_unasked(world: World, sidekey: Sidekey) -> None:
    """Whoever owns ingress cannot have sidekey live on with nobody to take a call."""
    sidekey.expected_death = True
    with processes.take_socket(sidekey.pids()["ingress"], TO_PARENT) as parent:
        parent.send(DRAINED)
    assert sidekey.wait_end(10) == 1
    told = sidekey.records(msg="a process broke the protocol", process="ingress")
    assert told and told[0]["why"] == "it sent a message of a type that it may not send"


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("role", ROLES)
def test_a_role_that_hangs_up(world: World, sidekey: Sidekey, role: str) -> None:
    """One that lives and cannot be told anything any more is as good as dead."""
    sidekey.expected_death = True
    with processes.take_socket(sidekey.pids()[role], TO_PARENT) as parent:
        parent.shutdown(socket.SHUT_WR)
    assert sidekey.wait_end(10) == 1
    assert sidekey.records(process=role, signal="KILL"), sidekey.text()


def test_death_of_the_parent_ends_the_roles(world: World, sidekey: Sidekey) -> None:
    sidekey.expected_death = True
    pids = sidekey.pids()
    os.kill(sidekey.pid, signal.SIGKILL)
    sidekey.wait_end(5)
    for name, pid in pids.items():
        wait_for(lambda p=pid: not Path(f"/proc/{p}").exists(), 5, f"{name} is gone")


@pytest.mark.usefixtures("root")
def test_stop_and_continue(world: World, sidekey: Sidekey) -> None:
    """A stopped and continued process resumes its system call, which the filter must know."""
    for signal_number in (signal.SIGSTOP, signal.SIGCONT):
        for pid in sidekey.pids().values():
            os.kill(pid, signal_number)
        time.sleep(0.3)
    with Agent(sidekey.port) as agent:
        assert agent.chat().status == 200


def test_sigusr1_refreshes(world: World, sidekey: Sidekey) -> None:
    before = world.store.fetches(world.key_arn)
    os.kill(sidekey.pid, signal.SIGUSR1)
    wait_for(lambda: world.store.fetches(world.key_arn) > before, 5, "a fresh fetch")
    with Agent(sidekey.port) as agent:
        assert agent.chat().status == 200


# ---- health ----


def test_health_verb(world: World, start) -> None:
    world.store.stop()
    config = world.config(secrets={"failureTtl": "1s"})
    sidekey = start(config, world.env(), wait=False)
    sidekey.wait_listening()
    file = ["-c", str(sidekey.folder / "sidekey.yaml")]
    wait_for(lambda: run("health", *file).returncode == 0)
    assert run("health", *file, "--ready").returncode == 1
    assert run("health", *file, "--started").returncode == 1
    world.store.start()
    sidekey.wait_ready(15)
    assert run("health", *file, "--ready").returncode == 0
    assert run("health", *file, "--started").returncode == 0
    assert sidekey.stop() == 0
    assert run("health", *file).returncode == 1


def test_admin_port(world: World, sidekey: Sidekey) -> None:
    assert sidekey.admin("/healthz")[0] == 200
    status, body = sidekey.admin("/readyz")
    told = json.loads(body)
    assert status == 200
    assert all(s["state"] == "fresh" for s in told["slots"].values()) and told["slots"]
    assert "main" in told["targets"]
    assert "sandbox" in told and "generation" in told
    assert b"arn:" not in body, "no references"
    assert sidekey.admin("/nothing")[0] == 404
    with Agent(sidekey.admin_port) as agent:
        assert agent.chat().status in (404, 405), "the admin port relays no call"
    assert not world.api.requests


def test_liveliness_on_the_agent_s_port(agent: Agent) -> None:
    answer = agent.call("GET", "/health/liveliness")
    assert (answer.status, answer.body) == (200, b'"I\'m alive!"')


# ---- a Unix socket ----


@pytest.fixture
def short_folder():
    """A socket's path may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="sk") as folder:
        yield Path(folder)


def test_unix_socket(world: World, start, short_folder: Path) -> None:
    path = short_folder / "agent.sock"
    start(world.config(listen=[f"unix:{path}"]), world.env())
    mode = path.stat().st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600
    for host in ("localhost", "sidekey", "whatever.example:80"):
        with Agent(unix=str(path), host=host) as agent:
            assert agent.chat().status == 200
            assert agent.chat(STREAM).complete
    with Agent(unix=str(path), host="bad host") as agent:
        assert agent.chat().status == 400


def test_unix_socket_with_a_mode(world: World, start, short_folder: Path) -> None:
    path = short_folder / "agent.sock"
    listen = [{"unix": str(path), "mode": "0660", "group": os.getgid()}]
    sidekey = start(world.config(listen=listen), world.env())
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert sidekey.stop() == 0
    assert not path.exists(), "it is removed at the end"


def test_sdk_over_a_unix_socket(world: World, start, short_folder: Path) -> None:
    path = short_folder / "agent.sock"
    start(world.config(listen=[f"unix:{path}"]), world.env())
    transport = httpx2.HTTPTransport(uds=str(path))
    with httpx2.Client(transport=transport) as http:
        client = openai.OpenAI(base_url="http://localhost/v1", api_key="none", http_client=http)
        assert [m.id for m in client.models.list()] == ["gpt-4o", "small-embedder"]


def test_stale_socket_is_replaced(world: World, start, short_folder: Path) -> None:
    path = short_folder / "agent.sock"
    left_over = socket.socket(socket.AF_UNIX)
    left_over.bind(str(path))
    left_over.close()
    start(world.config(listen=[f"unix:{path}"]), world.env())
    with Agent(unix=str(path)) as agent:
        assert agent.chat().status == 200


def takes_nobody(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as one:
        return one.connect_ex(str(path)) != 0


def test_a_successor_keeps_its_socket(world: World, start, short_folder: Path) -> None:
    """It is there before the one that drains has ended."""
    path = short_folder / "agent.sock"
    first = start(world.config(listen=[f"unix:{path}"]), world.env())
    world.api.script(Act(events=20, gap=0.1))
    with Agent(unix=str(path)) as agent:
        agent.begin("POST", CHAT, STREAM)
        answer = agent.read_head()
        os.kill(first.pid, signal.SIGTERM)
        wait_for(lambda: takes_nobody(path), 5, "it drains")
        start(world.config(listen=[f"unix:{path}"]), world.env())
        for _ in agent.pieces(answer):
            pass
        assert answer.complete
    assert first.wait_end(5) == 0
    with Agent(unix=str(path)) as agent:
        assert agent.chat().status == 200


# ---- limits of time ----


def test_slow_head_is_not_waited_for(world: World, start) -> None:
    sidekey = start(world.config(limits={"headerTimeout": "500ms"}), world.env())
    with Agent(sidekey.port) as agent:
        agent.send(b"GET /v1/models HTTP/1.1\r\nHost: ")
        began = time.monotonic()
        while agent._more():
            pass
        assert time.monotonic() - began < 4


def test_idle_connection_is_closed(world: World, start) -> None:
    sidekey = start(world.config(limits={"keepAlive": "500ms"}), world.env())
    with Agent(sidekey.port) as agent:
        assert agent.chat().status == 200
        assert agent.at_end(4)


def test_an_upstream_connection_is_not_used_beyond_its_time(world: World, start) -> None:
    """libcurl counts whole seconds, and used it for the one that had begun, too."""
    sidekey = start(world.config(world.target(timeouts={"poolIdle": "1s"})), world.env())
    with Agent(sidekey.port) as agent:
        assert agent.chat().status == 200
        before = world.api.connections
        time.sleep(1.1)  # idle is what nothing happens on: there is nothing to wait for
        assert agent.chat().status == 200
        assert world.api.connections == before + 1


def test_an_upstream_connection_that_may_hardly_wait(world: World, start) -> None:
    """Less than libcurl's second: each call has a connection of its own."""
    sidekey = start(world.config(world.target(timeouts={"poolIdle": "100ms"})), world.env())
    with Agent(sidekey.port) as agent:
        assert agent.chat().status == 200
        before = world.api.connections
        time.sleep(0.2)
        assert agent.chat().status == 200
        assert world.api.connections == before + 1


def test_connections_have_a_limit(world: World, start) -> None:
    """Beyond limits.connections somebody is told so or waits; those that are in work on."""
    sidekey = start(world.config(limits={"connections": 4}), world.env())
    world.api.models["held"] = Act(stall=600)
    agents = [Agent(sidekey.port) for _ in range(4)]
    for agent in agents:
        agent.begin("POST", CHAT, {**HELLO, "model": "held"})
    wait_for(lambda: len(world.api.executed) == 4, 10, "all are at work")
    outcomes: list[object] = []

    def late() -> None:
        try:
            with Agent(sidekey.port, timeout=1) as agent:
                outcomes.append(agent.chat().code)
        except (OSError, Closed) as error:
            outcomes.append(type(error))

    thread = threading.Thread(target=late)
    thread.start()
    thread.join(5)
    assert outcomes and outcomes[0] is not None, "the fifth got through"
    assert not select.select([agent.socket for agent in agents], [], [], 0)[0]
    for agent in agents:
        agent.close()
