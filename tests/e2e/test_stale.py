# SPDX-License-Identifier: Apache-2.0
"""Goal: a store that is away for a day is no agent's trouble; after maxStale its values are gone."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes.agent import STREAM, Agent, chat
from fakes.apibase import Act
from fakes.clock import Clock
from fakes.secretsmanager import Fault
from fakes.sidekey import ROOT, Sidekey, program
from fakes.wire import wait_for
from fakes.world import World

HEAL_SECONDS = 60  # a second failure in a row is not asked again for 20 s or more


@pytest.fixture
def begin(start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable:
    """Starts the test build, whose clocks can be put forward."""
    hooked = os.environ.get("SIDEKEY_TEST") or ROOT / "build" / "sidekey-test"
    monkeypatch.setenv("SIDEKEY", str(hooked))

    def run(world: World, target: dict | None = None, **more) -> tuple[Sidekey, Clock]:
        clock = Clock(tmp_path, world.store)
        return start(world.config(target, **more), world.env(**clock.env())), clock

    return run


def states(sidekey: Sidekey) -> set[str]:
    slots = json.loads(sidekey.admin("/readyz")[1])["slots"]
    return {s["state"] for s in slots.values()}


def answers(sidekey: Sidekey, status: int, code: str | None) -> None:
    wait_for(lambda: (a := chat(sidekey)).status == status and a.code == code, HEAL_SECONDS)


@pytest.mark.once
def test_a_day_without_the_store(plain_world: World, begin) -> None:
    world = plain_world
    sidekey, clock = begin(world)
    assert chat(sidekey).status == 200
    world.store.stop()
    for hours in (1, 10, 12):
        clock.forward(hours)
        wait_for(lambda: states(sidekey) == {"stale"}, HEAL_SECONDS, "the refresh has failed")
        assert chat(sidekey).status == 200
        assert sidekey.readiness() == 200
    clock.forward(2)
    answers(sidekey, 503, "credential_unavailable")
    assert chat(sidekey).header("x-should-retry") == "true"
    assert sidekey.readiness() == 503
    told = sidekey.records(level="error", role="keeper")
    assert told and all("maxStale" in r["msg"] for r in told)
    world.store.start()
    sidekey.wait_ready(HEAL_SECONDS)
    assert chat(sidekey).status == 200


@pytest.mark.once
def test_a_no_keeps_the_value_for_a_day(plain_world: World, begin) -> None:
    world = plain_world
    sidekey, clock = begin(world)
    world.store.denied.add(world.principal.arn)
    clock.forward(23)
    wait_for(lambda: states(sidekey) == {"stale"}, HEAL_SECONDS, "the denial is known")
    assert chat(sidekey).status == 200
    clock.forward(2)
    answers(sidekey, 503, "credential_refused")
    assert chat(sidekey).header("x-should-retry") == "false"
    world.store.denied.clear()
    sidekey.wait_ready(HEAL_SECONDS)
    assert chat(sidekey).status == 200


@pytest.mark.once
def test_the_end_of_a_value_is_no_attempt(plain_world: World, begin) -> None:
    """maxStale passes before the store is asked again: the metric counts questions alone."""
    world = plain_world
    sidekey, _ = begin(world, secrets={"ttl": "1s", "maxStale": "3s", "failureTtl": "60s"})
    world.store.denied.add(world.principal.arn)
    wait_for(lambda: states(sidekey) == {"missing"}, HEAL_SECONDS, "maxStale has passed")
    counted = 'sidekey_secret_refreshes_total{slot="main.apiKey",result="denied"} 1\n'
    assert counted in sidekey.admin("/metrics")[1].decode()


@pytest.mark.once
def test_a_store_that_never_ends_an_answer(plain_world: World, begin) -> None:
    """The value goes at maxStale though the refresh that is under way has not failed yet."""
    world = plain_world
    sidekey, clock = begin(world)
    world.store.fail(Fault("stall"))
    asked = len(world.store.calls)
    clock.forward(23)
    wait_for(lambda: len(world.store.calls) > asked, HEAL_SECONDS, "a refresh is under way")
    clock.forward(2)
    answers(sidekey, 503, "credential_unavailable")
    assert not sidekey.records(msg="a secret could not be fetched"), "it goes on"
    world.store.fail(None)
    sidekey.wait_ready(HEAL_SECONDS + 10)


def test_a_stream_outlives_its_secret(plain_world: World, begin) -> None:
    world = plain_world
    sidekey, clock = begin(
        world, world.target(timeouts={"idle": "20h"}), secrets={"maxStale": "2h"}
    )
    world.api.models["gpt-4o"] = Act(events=12, gap=0.4)
    with Agent(sidekey.port) as agent:
        agent.begin("POST", "/v1/chat/completions", STREAM)
        answer = agent.read_head()
        world.store.stop()
        clock.forward(3)
        answers(sidekey, 503, "credential_unavailable")
        assert b"".join(agent.pieces(answer)).endswith(b"[DONE]\n\n")


def test_client_certificate_is_gone_at_max_stale(world: World, begin) -> None:
    """The same holds for TLS material: a deleted key is used for a day, and no longer."""
    sidekey, clock = begin(world)
    assert chat(sidekey).status == 200
    world.key_path.unlink()
    clock.forward(23)
    wait_for(lambda: "stale" in states(sidekey), HEAL_SECONDS, "the file is missed")
    assert chat(sidekey).status == 200
    clock.forward(2)
    answers(sidekey, 503, "credential_unavailable")
    world.key_path.write_bytes(world.client.key)
    sidekey.wait_ready(HEAL_SECONDS)
    assert chat(sidekey).status == 200


def test_end_of_a_certificate_comes_nearer(world: World, begin) -> None:
    """Two warnings in a certificate's life, two weeks and a day before its end."""
    sidekey, clock = begin(world)  # it lives for 30 days

    def told() -> list[int]:
        ours = [r for r in sidekey.records(role="keeper") if "client certificate" in r["msg"]]
        return [r["days_left"] for r in ours]

    for days, expected in ((15, []), (2, [12]), (5, [12]), (7.5, [12, 0])):
        clock.forward(24 * days)
        wait_for(lambda e=expected: told() == e, HEAL_SECONDS, f"the warnings {expected}")
        sidekey.wait_ready(HEAL_SECONDS)
    cert = world.authority.client(days=60)
    cert.write(world.folder / "tls", "tls")
    clock.forward(1)
    sidekey.wait_ready(HEAL_SECONDS)
    assert told() == [12, 0]


def test_the_program_itself_has_no_such_clock() -> None:
    assert b"SIDEKEY_TEST_CLOCK" not in program().read_bytes()
