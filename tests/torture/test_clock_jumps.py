# SPDX-License-Identifier: Apache-2.0
"""Goal: a wall clock that is set, by much or little, ahead or back, ends no call and no stream, loses
no secret and keeps none too long; nothing that is measured goes below zero."""

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes.agent import CHAT, STREAM, Agent, Answer
from fakes.apibase import Act
from fakes.bedrock import Bedrock
from fakes.clock import Clock
from fakes.iam import Role, role_arn
from fakes.sidekey import ROOT, SANITIZED, Sidekey
from fakes.sts import Sts
from fakes.wire import wait_for
from fakes.world import World

SECONDS = 60 if SANITIZED else 30
DAY, YEAR = 24, 24 * 365
JUMPS = [1, DAY, YEAR, -1, -DAY, -YEAR]  # hours
TEST_SECONDS = 300  # no test of this file takes longer, so that nothing may be older
TOKEN = "sk-sidekey-" + "5e" * 32
CONVERSE = "/bedrock/model/amazon.nova-v1%3A0/converse"
TALK = {"messages": [{"role": "user", "content": [{"text": "hello"}]}]}


@pytest.fixture
def begin(plain_world: World, clock: Clock, start) -> Callable[..., Sidekey]:
    def run(config: dict, **env: str) -> Sidekey:
        return start(config, plain_world.env(**clock.env(), **env))

    return run


@pytest.fixture
def bedrock(plain_world: World) -> Iterator[Bedrock]:
    with Bedrock(principals=plain_world.store.principals) as made:
        yield made


def bedrock_target(bedrock: Bedrock, **changes) -> dict:
    base = {"provider": "bedrock", "apiBase": bedrock.url, "allowPlaintext": True}
    return {**base, "region": bedrock.region, **changes}


def chat(sidekey: Sidekey, headers=()) -> Answer:
    with Agent(sidekey.port) as agent:
        return agent.chat(None, headers)


def converse(sidekey: Sidekey) -> int:
    with Agent(sidekey.port) as agent:
        return agent.call("POST", CONVERSE, TALK).status


def refresh(sidekey: Sidekey) -> None:
    os.kill(sidekey.pid, signal.SIGUSR1)


def slots(sidekey: Sidekey) -> list[dict]:
    return list(json.loads(sidekey.admin("/readyz")[1])["slots"].values())


def is_sane(sidekey: Sidekey) -> None:
    """What is measured is what has passed, and never less than nothing."""
    for line in sidekey.admin("/metrics")[1].decode().splitlines():
        name, _, value = line.rpartition(" ")
        if line.startswith("#") or name.startswith("sidekey_certificate_expiry"):
            continue
        assert float(value) >= 0, line
        if "age_seconds" in name or name.endswith("_seconds_sum"):
            assert float(value) < TEST_SECONDS, line
    for slot in slots(sidekey):
        assert 0 <= slot.get("age_seconds", 0) < TEST_SECONDS, slot
        assert 0 <= slot.get("next_attempt_seconds", 0) <= 330, "ttl and its jitter"
    for record in sidekey.records():
        for name, value in record.items():
            if re.search(r"_(ms|s)$", name) and isinstance(value, int | float):
                assert 0 <= value < TEST_SECONDS * 1000, record


# ---- secrets ----


@pytest.mark.parametrize("hours", [1, YEAR, -DAY, -YEAR])
def test_a_secret_in_hand(plain_world: World, clock: Clock, begin, hours: float) -> None:
    """Its age is what has passed, whatever the clock says; a refusal's Date corrects what is
    signed for the store."""
    world = plain_world
    sidekey = begin(world.config(secrets={"failureTtl": "1s"}))
    assert chat(sidekey).status == 200
    world.store.stop()
    clock.set_wrong(hours)
    refresh(sidekey)
    wait_for(lambda: {s["state"] for s in slots(sidekey)} == {"stale"}, SECONDS, "it has failed")
    assert chat(sidekey).status == 200
    assert sidekey.readiness() == 200
    is_sane(sidekey)
    world.store.start()
    wait_for(lambda: {s["state"] for s in slots(sidekey)} == {"fresh"}, SECONDS, "as before")
    assert chat(sidekey).status == 200
    is_sane(sidekey)
    clock.set_wrong(0)
    refresh(sidekey)
    wait_for(lambda: world.store.outcomes()[-1] == "ok", SECONDS, "and back again")
    assert chat(sidekey).status == 200


@pytest.mark.parametrize("hours", [-YEAR, YEAR])
def test_a_secret_has_its_end(plain_world: World, clock: Clock, begin, hours: float) -> None:
    """A clock that was set back keeps no value beyond maxStale."""
    sidekey = begin(plain_world.config(secrets={"failureTtl": "1s"}))
    assert chat(sidekey).status == 200
    plain_world.store.stop()
    clock.set_wrong(hours)
    clock.forward(23)
    refresh(sidekey)
    assert chat(sidekey).status == 200
    clock.forward(2)
    wait_for(lambda: chat(sidekey).code == "credential_unavailable", SECONDS, "it is gone")
    plain_world.store.start()
    wait_for(lambda: chat(sidekey).status == 200, SECONDS, "it is there again")


# ---- signatures ----


@pytest.mark.parametrize("minutes", [20, -50])
def test_what_is_signed(bedrock: Bedrock, clock: Clock, begin, minutes: int) -> None:
    """A little off: the first refusal teaches it, and no agent sees one; there and back."""
    sidekey = begin({"targets": {"bedrock": bedrock_target(bedrock)}})
    assert converse(sidekey) == 200
    for wrong in (minutes, 0):
        clock.set_wrong(wrong / 60)
        assert [converse(sidekey) for _ in range(3)] == [200] * 3
    assert bedrock.outcomes().count("ok") == 7
    is_sane(sidekey)


@pytest.mark.parametrize("hours", [DAY, -YEAR])
def test_what_is_signed_on_another_day(
    plain_world: World, bedrock: Bedrock, clock: Clock, begin, hours: float
) -> None:
    """Far off: the store's word is taken for it, not an upstream's; or the clock is set right."""
    targets = {"bedrock": bedrock_target(bedrock), "main": plain_world.target()}
    sidekey = begin({"targets": targets, "secrets": {"failureTtl": "1s"}})
    assert converse(sidekey) == 200
    clock.set_wrong(hours)
    assert converse(sidekey) in (200, 403, 503)
    refresh(sidekey)
    wait_for(lambda: converse(sidekey) == 200, SECONDS, "the store has told the time")
    clock.set_wrong(0)
    wait_for(lambda: converse(sidekey) == 200, SECONDS, "that it is right an upstream may say")
    is_sane(sidekey)


@pytest.mark.parametrize("hours", [YEAR, -YEAR])
def test_an_assumed_role(
    plain_world: World, bedrock: Bedrock, clock: Clock, begin, hours: float
) -> None:
    """Keys that seem over, or good for a year, are acquired anew when they are refused; not again
    and again."""
    with Sts(principals=plain_world.store.principals) as sts:
        role = sts.add(Role(role_arn("invoke")))
        target = bedrock_target(bedrock, aws={"assumeRole": {"roleArn": role.arn}})
        config = {"targets": {"bedrock": target}, "secrets": {"failureTtl": "1s"}}
        sidekey = begin(config, AWS_ENDPOINT_URL_STS=sts.url)
        assert converse(sidekey) == 200
        clock.set_wrong(hours)
        wait_for(lambda: converse(sidekey) == 200, SECONDS, "with the clock as it is now")
        asked = len(sts.calls)
        time.sleep(1.5)
        assert len(sts.calls) - asked <= 3, "it is content with what it has"
        assert [converse(sidekey) for _ in range(3)] == [200] * 3
        clock.set_wrong(0)
        wait_for(lambda: converse(sidekey) == 200, SECONDS, "and as it was")
        assert plain_world.found_in(sidekey.output) == []


# ---- limits ----


def test_limits_count_what_passes(plain_world: World, clock: Clock, begin) -> None:
    """No clock that is set gives a caller more than its due, or less."""
    rules = {
        "requestsPerMinute": 4,
        "tokenBudget": {"tokens": 10_000, "period": "24h"},
    }
    callers = [{"name": "a", "token": "env:TOKEN", **rules}]
    sidekey = begin(plain_world.config(callers=callers), TOKEN=TOKEN)
    auth = [("Authorization", f"Bearer {TOKEN}")]
    for hours in (0, DAY, -YEAR, 0):
        clock.set_wrong(hours)
        assert chat(sidekey, auth).status == 200
    for hours in JUMPS:
        clock.set_wrong(hours)
        answer = chat(sidekey, auth)
        assert (answer.status, answer.code) == (429, "rate_limited")
        assert 1 <= int(answer.header("retry-after") or 0) <= 60
    is_sane(sidekey)


def test_a_budget_counts_what_passes(plain_world: World, clock: Clock, begin) -> None:
    budget = {"tokenBudget": {"tokens": 10, "period": "24h"}}
    callers = [{"name": "a", "token": "env:TOKEN", **budget}]
    sidekey = begin(plain_world.config(callers=callers), TOKEN=TOKEN)
    auth = [("Authorization", f"Bearer {TOKEN}")]
    assert chat(sidekey, auth).status == 200
    wait_for(lambda: chat(sidekey, auth).code == "budget_exceeded", SECONDS, "it is spent")
    for hours in (YEAR, -YEAR):
        clock.set_wrong(hours)
        answer = chat(sidekey, auth)
        assert (answer.status, answer.code) == (403, "budget_exceeded"), "and stays spent"
        year = time.gmtime(time.time() + hours * 3600 + DAY * 3600).tm_year
        assert str(year) in answer.json()["error"]["message"], "told by the caller's own clock"


# ---- what cools ----


def begin_spread(world: World, begin) -> Sidekey:
    """One upstream as two deployments that need no key, and that can both be called."""
    world.api.key = world.api.access = None
    names = ("127.0.0.1", "localhost")
    places = [{"apiBase": world.api.base.replace("127.0.0.1", name)} for name in names]
    target = {"apiKey": "none", "allowPlaintext": True, "deployments": places}
    sidekey = begin({"targets": {"main": target}})

    def can_be_called() -> bool:
        told = json.loads(sidekey.admin("/readyz")[1])["targets"].values()
        return all(t["state"] == "usable" and t["resolved"] for t in told)

    wait_for(can_be_called, SECONDS, "both have their addresses")
    return sidekey


def cooling(sidekey: Sidekey) -> list[int]:
    told = json.loads(sidekey.admin("/readyz")[1])["targets"].values()
    return [t["cooling_seconds"] for t in told if "cooling_seconds" in t]


def test_a_deployment_cools_as_long_as_it_was_told(plain_world: World, clock: Clock, begin) -> None:
    sidekey = begin_spread(plain_world, begin)
    throttled = (("Retry-After", "3"), ("Content-Type", "application/json"))
    plain_world.api.always = Act(429, throttled, b"{}", unexecuted=True)
    assert chat(sidekey).status == 429
    wait_for(lambda: len(cooling(sidekey)) == 2, SECONDS, "both cool")
    for hours in (YEAR, -YEAR):
        clock.set_wrong(hours)
        assert all(c <= 4 for c in cooling(sidekey))
    wait_for(lambda: not cooling(sidekey), SECONDS, "they have cooled")


def test_a_date_to_come_again(plain_world: World, clock: Clock, begin) -> None:
    """By a clock that is a year behind, a Retry-After with a date is a year away: nobody waits so
    long."""
    sidekey = begin_spread(plain_world, begin)
    clock.set_wrong(-YEAR)
    soon = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 1))
    headers = (("Retry-After", soon), ("Content-Type", "application/json"))
    plain_world.api.script(*[Act(429, headers, b"{}", unexecuted=True)] * 2)
    assert chat(sidekey).status == 429
    wait_for(lambda: len(cooling(sidekey)) == 2, SECONDS, "both cool")
    assert max(cooling(sidekey)) <= 60
    assert chat(sidekey).status == 200, "one is asked all the same"


# ---- calls ----


def test_a_stream_in_flight(plain_world: World, clock: Clock, begin) -> None:
    timeouts = {"idle": "5s", "firstByte": "5s"}
    sidekey = begin(plain_world.config(plain_world.target(timeouts=timeouts)))
    plain_world.api.script(Act(events=len(JUMPS) * 4, gap=0.05))
    with Agent(sidekey.port) as agent:
        agent.begin("POST", CHAT, STREAM)
        answer = agent.read_head()
        for number, _ in enumerate(agent.pieces(answer)):
            clock.set_wrong(JUMPS[number % len(JUMPS)])
            assert sidekey.admin("/healthz")[0] == 200
        assert answer.complete and answer.body.endswith(b"data: [DONE]\n\n")
    wait_for(lambda: sidekey.calls(), SECONDS, "it is logged")
    assert sidekey.calls()[0]["code"] == ""
    is_sane(sidekey)


def test_a_connection_that_waits(plain_world: World, clock: Clock, begin) -> None:
    """keepAlive and headerTimeout count what passes."""
    sidekey = begin(plain_world.config())
    with Agent(sidekey.port) as idle, Agent(sidekey.port) as slow:
        assert idle.chat().status == 200
        slow.send(b"GET /v1/models HTTP/1.1\r\nHost: %b\r\n" % slow.host.encode())
        for hours in JUMPS:
            clock.set_wrong(hours)
            assert idle.chat().status == 200
        slow.send(b"\r\n")
        assert slow.read().status == 200
    is_sane(sidekey)


def test_the_end_of_a_certificate(world: World, tmp_path: Path, start, monkeypatch) -> None:
    """Told by the clock as it is; and a clock that is set right again takes it back."""
    hooked = os.environ.get("SIDEKEY_TEST") or ROOT / "build" / "sidekey-test"
    monkeypatch.setenv("SIDEKEY", str(hooked))
    clock = Clock(tmp_path, world.store)
    sidekey = start(world.config(), world.env(**clock.env()))

    def left() -> float:
        page = sidekey.admin("/metrics")[1].decode()
        found = re.search(r"^sidekey_certificate_expiry_seconds\{.*\} (\S+)$", page, re.MULTILINE)
        assert found
        return float(found[1])

    first = left()
    for hours in JUMPS:
        clock.set_wrong(hours)
        assert abs(first - hours * 3600 - left()) < TEST_SECONDS
        assert chat(sidekey).status == 200
    clock.set_wrong(0)
    assert abs(first - left()) < TEST_SECONDS
