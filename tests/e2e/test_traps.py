# SPDX-License-Identifier: Apache-2.0
"""Goal: none of the measured traps of libcurl (reference/performance.md 1.5) bites here."""

import statistics
import time
from pathlib import Path

import certifi
import pytest
from fakes import processes
from fakes.agent import HELLO, STREAM, Agent
from fakes.apibase import Act, ApiBase
from fakes.sidekey import Sidekey
from fakes.wire import wait_for
from fakes.world import World

# What parsing a bundle of 145 certificates for each connection costs is 16 ms; the cure, 1.2 ms.
NEW_CONNECTION_SECONDS = 0.006
NEW_CONNECTIONS = 40


@pytest.mark.once
@pytest.mark.usefixtures("root")
def test_ca_bundle_is_not_parsed_for_each_connection(world: World, start, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.crt"
    public = Path(certifi.where()).read_bytes()
    assert public.count(b"BEGIN CERTIFICATE") > 100
    bundle.write_bytes(public + b"\n" + world.authority.pem)
    tls = {**world.target()["tls"], "ca": str(bundle)}
    sidekey = start(world.config(world.target(tls=tls)), world.env())
    world.api.always = Act(close_after=True)
    egress = sidekey.pids()["egress"]
    costs = []
    with Agent(sidekey.port) as agent:
        assert agent.chat().status == 200
        for _ in range(NEW_CONNECTIONS):
            before = processes.cpu_seconds(egress)
            assert agent.chat().status == 200
            costs.append(processes.cpu_seconds(egress) - before)
    assert world.api.connections == NEW_CONNECTIONS + 1
    assert statistics.median(costs) < NEW_CONNECTION_SECONDS
    assert statistics.fmean(costs) < NEW_CONNECTION_SECONDS


@pytest.mark.parametrize("mtls", [False, True], ids=["plain", "TLS"])
def test_no_silent_second_post(tmp_path: Path, start, mtls: bool) -> None:
    """An upstream that reads a request on a reused connection and closes: asked once, no more."""
    with World(tmp_path, mtls) as world:
        sidekey = start(world.config(), world.env())
        with Agent(sidekey.port) as agent:
            assert agent.chat().status == 200
            world.api.script(Act(close_unanswered=True))
            answer = agent.chat({**HELLO, "user": "the second"})
            assert (answer.status, answer.code) == (502, "upstream_broken"), answer.body
            assert answer.header("x-should-retry") == "false"
            time.sleep(0.3)
            second = [r for r in world.api.requests if b"the second" in r.body]
            assert len(second) == 1
            assert second[0].connection == world.api.requests[0].connection, "it was reused"
            assert agent.chat().status == 200, "and the next call is well"


def test_no_silent_second_post_with_a_large_body(plain_world: World, plain_agent: Agent) -> None:
    assert plain_agent.chat().status == 200
    plain_world.api.script(Act(close_unanswered=True))
    answer = plain_agent.chat({**HELLO, "pad": "x" * 3_000_000})
    assert (answer.status, answer.code) == (502, "upstream_broken")
    time.sleep(0.3)
    assert len(plain_world.api.requests) == 2


@pytest.mark.parametrize("mtls", [False, True], ids=["plain", "TLS"])
def test_connection_closed_while_idle_is_no_error(tmp_path: Path, start, mtls: bool) -> None:
    """With TLS the close begins with an alert, which libcurl 7.88 takes for a sign of life."""
    with World(tmp_path, mtls) as world:
        sidekey = start(world.config(), world.env())
        with Agent(sidekey.port) as agent:
            for calls in range(1, 4):
                assert agent.chat().status == 200
                world.api.close_idle()
                time.sleep(0.2)
                assert len(world.api.requests) == world.api.connections == calls


def test_no_expect_on_large_bodies(world: World, agent: Agent) -> None:
    body = {**HELLO, "pad": "x" * 2 * 1024 * 1024}
    assert agent.chat().status == 200
    began = time.monotonic()
    assert agent.chat(body).status == 200
    assert time.monotonic() - began < 0.9  # libcurl would wait 1 s for a 100
    assert world.api.last().header("expect") is None
    assert len(world.api.last().body) > 2 * 1024 * 1024


def test_the_agent_s_expect_is_answered_here(world: World, agent: Agent) -> None:
    body = b'{"model":"gpt-4o","messages":[]}'
    agent.send(
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {agent.host}\r\nExpect: 100-continue\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    )
    wait_for(lambda: agent._more() and agent.buffer.startswith(b"HTTP/1.1 100 "), 5)
    agent.send(body)
    assert agent.read().status == 200
    assert world.api.last().header("expect") is None


def test_key_files_are_not_needed_again(world: World, sidekey: Sidekey) -> None:
    world.api.always = Act(close_after=True)
    with Agent(sidekey.port) as agent:
        assert agent.chat().status == 200
        for file in (world.cert_path, world.key_path, world.ca):
            file.unlink()
        for _ in range(3):
            assert agent.chat().status == 200
    assert world.api.connections == 4


def two_identities(world: World, folder: Path) -> dict:
    targets = {}
    for name in ("alpha", "beta"):
        cert, key = world.authority.client(name).write(folder / name, "tls")
        tls = {"ca": str(world.ca), "clientCert": str(cert), "clientKey": str(key)}
        targets[name] = world.target(tls=tls, headers={"X-Team": name}, required=True)
    models = [{"match": f"{name}-*", "target": name} for name in targets]
    return {"targets": targets, "models": models}


def test_two_identities_never_share_a_connection(world: World, start, tmp_path: Path) -> None:
    """The same host and port, another client certificate: another connection, always."""
    sidekey = start(two_identities(world, tmp_path), world.env())
    with Agent(sidekey.port) as one, Agent(sidekey.port) as two:
        for turn in range(12):
            agent = (one, two)[turn % 2]
            model = ("alpha-1", "beta-1")[turn // 2 % 2]
            assert agent.chat({**HELLO, "model": model}).status == 200
    users: dict[int, set[str]] = {}
    for request in world.api.requests:
        assert request.peer == request.header("x-team") == request.json()["model"][:-2]
        users.setdefault(request.connection, set()).add(request.peer)
    assert all(len(names) == 1 for names in users.values())
    assert {n for names in users.values() for n in names} == {"alpha", "beta"}


def test_two_identities_share_no_tls_session(world: World, start, tmp_path: Path) -> None:
    """Without kept connections the same holds: no session of one is resumed by the other."""
    world.api.always = Act(close_after=True)
    sidekey = start(two_identities(world, tmp_path), world.env())
    with Agent(sidekey.port) as agent:
        for turn in range(8):
            model = ("alpha-1", "beta-1")[turn % 2]
            assert agent.chat({**HELLO, "model": model}).status == 200
    for request in world.api.requests:
        assert request.peer == request.header("x-team")


def test_environment_proxies_are_not_used(plain_world: World, start) -> None:
    with ApiBase() as proxy:
        env = plain_world.env(
            http_proxy=proxy.url, HTTP_PROXY=proxy.url, HTTPS_PROXY=proxy.url, ALL_PROXY=proxy.url
        )
        sidekey = start(plain_world.config(), env)
        with Agent(sidekey.port) as agent:
            assert agent.chat().status == 200
        assert proxy.connections == 0


@pytest.mark.once
@pytest.mark.usefixtures("root")
def test_paused_agent_holds_the_upstream_back(plain_world: World, plain_sidekey: Sidekey) -> None:
    """An agent that does not read costs bounded memory, and gets every byte in the end."""
    body = b'{"pad":"' + b"y" * 24_000_000 + b'"}'
    plain_world.api.script(Act(200, (("Content-Type", "application/json"),), body))
    before = {n: processes.memory(p) for n, p in plain_sidekey.pids().items()}
    with Agent(plain_sidekey.port) as agent:
        agent.begin("POST", "/v1/chat/completions", STREAM)
        time.sleep(1)
        for name, pid in plain_sidekey.pids().items():
            assert processes.memory(pid) - before[name] < 6_000_000, name
        assert agent.read().body == body
