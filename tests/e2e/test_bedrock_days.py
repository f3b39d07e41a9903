# SPDX-License-Identifier: Apache-2.0
"""Goal: the key that egress signs with is of one day, region and service, it is there when the day
begins, and the secret key that it is made of never leaves the keeper."""

import hashlib
import hmac
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes import processes
from fakes.agent import Agent
from fakes.bedrock import Bedrock
from fakes.clock import Clock
from fakes.iam import Role, role_arn
from fakes.sidekey import ROOT, SANITIZED, Sidekey
from fakes.sts import Sts
from fakes.wire import wait_for
from fakes.world import World

SECONDS = 30 if SANITIZED else 10
REST_SECONDS = 1.0
DAY = 86400
HELLO = {"messages": [{"role": "user", "content": [{"text": "hello"}]}]}


@pytest.fixture
def bedrock(plain_world: World) -> Iterator[Bedrock]:
    with Bedrock(principals=plain_world.store.principals) as made:
        yield made


def config(bedrock: Bedrock, **changes) -> dict:
    base = {"provider": "bedrock", "apiBase": bedrock.url, "allowPlaintext": True}
    return {"targets": {"bedrock": {**base, "region": bedrock.region, **changes}}}


def converse(sidekey: Sidekey):
    with Agent(sidekey.port) as agent:
        return agent.call("POST", "/bedrock/model/amazon.nova-v1%3A0/converse", HELLO)


def day_signed(bedrock: Bedrock) -> str:
    return (bedrock.requests[-1].header("authorization") or "").split("/")[1]


@pytest.fixture
def begin(
    plain_world: World, bedrock: Bedrock, start, tmp_path: Path, monkeypatch
) -> Callable:
    """Starts the test build, whose clock and Bedrock's are then put forward together."""
    hooked = os.environ.get("SIDEKEY_TEST") or ROOT / "build" / "sidekey-test"
    monkeypatch.setenv("SIDEKEY", str(hooked))

    def run() -> tuple[Sidekey, Clock]:
        clock = Clock(tmp_path, bedrock)
        return start(config(bedrock), plain_world.env(**clock.env())), clock

    return run


def test_midnight_is_no_event(bedrock: Bedrock, begin) -> None:
    sidekey, clock = begin()
    to_the_eve = DAY - 600 - time.time() % DAY  # 23:50
    clock.forward((to_the_eve + DAY) / 3600)
    wait_for(lambda: converse(sidekey).status == 200, SECONDS)
    today = time.strftime("%Y%m%d", time.gmtime(bedrock.now()))
    tomorrow = time.strftime("%Y%m%d", time.gmtime(bedrock.now() + DAY))
    wait_for(lambda: sidekey.records(msg="a key to sign with", day=tomorrow), SECONDS)
    assert converse(sidekey).status == 200
    assert day_signed(bedrock) == today, "the key ahead is not used before its day"
    clock.forward(11 / 60)
    assert converse(sidekey).status == 200
    assert day_signed(bedrock) == tomorrow


def test_a_clock_that_slept(bedrock: Bedrock, begin) -> None:
    sidekey, clock = begin()
    assert converse(sidekey).status == 200
    clock.forward(73)
    wait_for(lambda: converse(sidekey).status == 200, SECONDS)
    assert day_signed(bedrock) == time.strftime("%Y%m%d", time.gmtime(bedrock.now()))
    assert set(bedrock.outcomes()) == {"ok"}


@pytest.mark.parametrize("minutes", [20, -20])
def test_a_clock_that_is_off(
    plain_world: World, bedrock: Bedrock, start, minutes: int
) -> None:
    """The first refusal's Date teaches it, and that call is sent again."""
    bedrock.clock_offset = minutes * 60.0
    sidekey = start(config(bedrock), plain_world.env())
    assert [converse(sidekey).status for _ in range(3)] == [200] * 3
    assert bedrock.outcomes() == ["InvalidSignatureException", "ok", "ok", "ok"]


def test_a_date_that_nobody_would_believe(
    plain_world: World, bedrock: Bedrock, start
) -> None:
    """Keys of other days are not to be had by a lie about the time."""
    bedrock.clock_offset = 30.0 * DAY
    sidekey = start(config(bedrock), plain_world.env())
    assert converse(sidekey).status == 403
    days = {r["day"] for r in sidekey.records(msg="a key to sign with")}
    now = time.time()
    assert days <= {
        time.strftime("%Y%m%d", time.gmtime(now + d * DAY)) for d in (-1, 0, 1)
    }


# ---- memory ----


def chain(secret: str, day: str, region: str, service: str) -> dict[str, bytes]:
    """Every key between the secret key and the one that signs."""
    key, found = ("AWS4" + secret).encode(), {}
    found["AWS4 and the secret key"] = key
    for part in (day, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        found[f"key after {part}"] = key
    return found


@pytest.mark.once
@pytest.mark.usefixtures("root")
def test_no_key_in_any_memory(plain_world: World, bedrock: Bedrock, start) -> None:
    if not processes.has_secret_pages():
        pytest.skip("this kernel has no memfd_secret: root reads locked pages too")
    world = plain_world
    with Sts(principals=world.store.principals) as sts:
        role = sts.add(Role(role_arn("invoke")))
        env = world.env(AWS_ENDPOINT_URL_STS=sts.url)
        own = {"aws": {"assumeRole": {"roleArn": role.arn}}}
        sidekey = start(config(bedrock, **own), env)
        assert [converse(sidekey).status for _ in range(3)] == [200] * 3
        session = sts.issuer.issued[-1]
    day = day_signed(bedrock)
    time.sleep(REST_SECONDS)
    traces = {
        **world.traces(),
        **chain(session.secret_key, day, "us-east-1", "bedrock"),
        "session secret": session.secret_key.encode(),
        "session token": str(session.token).encode(),
    }
    for name, pid in sidekey.pids().items():
        assert processes.search_memory(pid, traces) == [], name
    assert not any(trace in sidekey.output for trace in traces.values())
    assert converse(sidekey).status == 200, "and it still works"


def test_a_store_of_another_year(plain_world: World, bedrock: Bedrock, start) -> None:
    """What it says of the time is held against Bedrock's word and this machine's clock."""
    plain_world.store.clock_offset = 400.0 * DAY
    both = {"secrets": {"failureTtl": "1s"}, **config(bedrock)}
    both["targets"]["main"] = plain_world.target()
    sidekey = start(both, plain_world.env())
    wait_for(
        lambda: len(sidekey.records(msg="a key to sign with")) == 2,
        SECONDS,
        "the store has told the time",
    )
    assert [converse(sidekey).status for _ in range(3)] == [200] * 3
    assert bedrock.outcomes() == ["InvalidSignatureException", "ok", "ok", "ok"]
