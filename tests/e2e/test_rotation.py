# SPDX-License-Identifier: Apache-2.0
"""Goal: a rotated key is no agent's error, and a refusal that no new key cures is passed on."""

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from fakes import load
from fakes.agent import HELLO, STREAM, Agent, Closed
from fakes.apibase import Act
from fakes.secretsmanager import Fault, error
from fakes.sidekey import SANITIZED, Sidekey
from fakes.wire import wait_for
from fakes.world import World

JSON = (("Content-Type", "application/json"),)
HTML = (("Content-Type", "text/html; charset=utf-8"),)
LOGIN = "https://team.cloudflareaccess.com/cdn-cgi/access/login/api.example.com?kid=1"
RATE, SECONDS, STREAMS = (40 if SANITIZED else 200), 6, 50
HELD_SECONDS = 3


def new_key() -> str:
    return "sk-" + secrets.token_hex(24)


def rotate_key(world: World) -> None:
    """The store has the new version first; then the old one is revoked, at once."""
    key = new_key()
    world.store.put(world.key_arn, key)
    world.api.key = key


def rotate_access(world: World) -> None:
    pair = (world.access[0], secrets.token_hex(32))
    world.store.put(world.access_arn, {"client_id": pair[0], "client_secret": pair[1]})
    world.api.access = pair


def denial(status: int = 401, kind: str = "auth_error", pad: int = 0) -> Act:
    error = {"message": "no" + "!" * pad, "type": kind, "param": "model", "code": str(status)}
    return Act(status, JSON, json.dumps({"error": error}).encode())


def chat(sidekey: Sidekey, **members):
    with Agent(sidekey.port) as agent:
        return agent.chat({**HELLO, **members})


def drive(*arguments: object) -> subprocess.Popen:
    command = [sys.executable, str(Path(load.__file__)), *(str(a) for a in arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def outcomes(driver: subprocess.Popen) -> dict[str, int]:
    said, _ = driver.communicate(timeout=80)
    assert driver.returncode == 0
    return json.loads(said)["outcomes"]


@contextmanager
def looping(sidekey: Sidekey, model: str, status: int):
    """A caller that asks for the same model again and again, though it is refused each time."""
    over, seen = threading.Event(), []

    def run() -> None:
        with Agent(sidekey.port) as agent:
            while not over.is_set():
                seen.append(agent.chat({**HELLO, "model": model}).status)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        wait_for(lambda: len(seen) > 3, 15, "the loop is refused")
        yield
    finally:
        over.set()
        thread.join(15)
    # A call is sent again once: one that two rotations meet may end with the key's refusal.
    assert status in seen and set(seen) <= {status, 401}


# ---- nobody notices ----


@pytest.mark.timeout(120)
@pytest.mark.parametrize("rotate", [rotate_key, rotate_access], ids=["key", "Access pair"])
def test_rotation_under_load(plain_world: World, start, rotate) -> None:
    world = plain_world
    sidekey = start(world.config(), world.env())
    world.api.models["slow-stream"] = Act(events=2 * SECONDS, gap=0.5)
    asked = len(world.store.calls)
    total = RATE * SECONDS
    streams = drive("streams", sidekey.port, STREAMS)
    wait_for(lambda: len(world.api.executed) == STREAMS, 20, "the streams are open")
    calls = drive("paced", sidekey.port, total, RATE)
    wait_for(lambda: len(world.api.executed) > STREAMS + total // 4, 30, "the load is on")
    rotate(world)
    assert outcomes(calls) == {"ok": total}
    assert outcomes(streams) == {"ok": STREAMS}
    assert len(world.api.requests) > len(world.api.executed), "some were refused"
    numbered = [r.json()["user"] for r in world.api.executed if "user" in r.json()]
    assert len(numbered) == len(set(numbered)) == total, "each was carried out once"
    assert len(world.api.executed) == total + STREAMS
    slots = 3
    assert 1 <= len(world.store.calls) - asked <= slots, "one look, at each slot once"


ACCESS_REFUSALS = {
    "login": Act(302, (("Location", LOGIN),)),
    "its 403 page": Act(403, HTML, b"<html>Forbidden</html>"),
    "its 401 page": Act(401, HTML, b"<html>Unauthorized</html>"),
    "JSON": denial(403),
}


@pytest.mark.parametrize("name", ACCESS_REFUSALS)
def test_access_pair_is_rotated(plain_world: World, start, name: str) -> None:
    world = plain_world
    sidekey = start(world.config(), world.env())
    world.api.refusals[403] = ACCESS_REFUSALS[name]
    assert chat(sidekey).status == 200
    rotate_access(world)
    assert chat(sidekey).status == 200
    assert len(world.api.requests) == len(world.api.executed) + 1
    assert chat(sidekey).status == 200
    assert len(world.api.requests) == len(world.api.executed) + 1


def test_an_access_pair_among_headers_is_rotated(plain_world: World, start) -> None:
    """Without `cloudflareAccess`: the login page says whose refusal it is."""
    world = plain_world
    target = world.target()
    pair = target.pop("cloudflareAccess")
    target["headers"] = {
        **target.get("headers", {}),
        "CF-Access-Client-Id": f"${{{pair['clientId']}}}",
        "CF-Access-Client-Secret": f"${{{pair['clientSecret']}}}",
    }
    sidekey = start(world.config(target), world.env())
    world.api.refusals[403] = ACCESS_REFUSALS["login"]
    assert chat(sidekey).status == 200
    rotate_access(world)
    assert chat(sidekey).status == 200
    assert len(world.api.requests) == len(world.api.executed) + 1


def test_all_secrets_at_once(plain_world: World, plain_sidekey: Sidekey) -> None:
    assert chat(plain_sidekey).status == 200
    rotate_access(plain_world)
    rotate_key(plain_world)
    assert chat(plain_sidekey).status == 200


def test_client_certificate_is_rotated_by_reference(world: World, start) -> None:
    """A new pair in the store, and an upstream that lets in only that: 403, a look, once more."""

    def pair(name: str) -> dict[str, str]:
        made = world.authority.client(name)
        return {"cert": made.cert.decode(), "key": made.key.decode()}

    arn = world.store.create("client-certificate", pair("before"))
    tls = {"ca": str(world.ca), "clientCert": f"{arn}:cert::", "clientKey": f"{arn}:key::"}
    sidekey = start(world.config(world.target(tls=tls)), world.env())
    world.api.models["slow"] = Act(events=8, gap=0.3)
    with Agent(sidekey.port) as old:
        old.begin("POST", "/v1/chat/completions", {**STREAM, "model": "slow"})
        old_answer = old.read_head()
        world.store.put(arn, pair("after"))
        world.api.peer = "after"
        assert chat(sidekey).status == 200
        assert [r.peer for r in world.api.requests] == ["before", "before", "after"]
        assert b"".join(old.pieces(old_answer)).endswith(b"[DONE]\n\n"), "the old call went on"
    assert not sidekey.records(level="error"), "a pair that comes in two halves is no mismatch"


def test_large_body_is_sent_again_whole(plain_world: World, plain_sidekey: Sidekey) -> None:
    plain_world.store.put(plain_world.key_arn, key := new_key())
    plain_world.api.key = key
    assert chat(plain_sidekey, pad=secrets.token_hex(10_000_000)).status == 200
    first, second = plain_world.api.requests
    assert first.body == second.body and len(first.body) > 20_000_000
    ours = {"authorization"}
    assert [h for h in first.headers if h[0].lower() not in ours] == [
        h for h in second.headers if h[0].lower() not in ours
    ]


def test_a_version_that_is_here_needs_no_look(plain_world: World, start) -> None:
    """Refused with a version that was replaced while the call was on its way."""
    world = plain_world
    sidekey = start(world.config(secrets={"ttl": "1s"}), world.env())
    world.api.script(Act(401, JSON, b'{"error":{"type":"auth_error"}}', stall=4))
    with Agent(sidekey.port) as agent:
        agent.begin("POST", "/v1/chat/completions", HELLO)
        wait_for(lambda: world.api.requests, 5, "the call is at the upstream")
        world.store.put(world.key_arn, key := new_key())
        wait_for(lambda: sidekey.records(msg="secret", version=2), 10, "the ttl's refresh")
        world.store.stop()
        world.api.key = key
        assert agent.read().status == 200
    assert not sidekey.records(msg="refused calls were sent again with newer secrets")


# ---- passed on ----


def test_without_a_new_version(plain_world: World, plain_sidekey: Sidekey) -> None:
    """The upstream's own bytes, and the store is asked once in two seconds, and then less."""
    world = plain_world
    refused = denial(401, "token_not_found_in_db")
    world.api.refusals[401] = refused
    world.api.key = "revoked"
    end = time.monotonic() + 7
    with Agent(plain_sidekey.port) as agent:
        while time.monotonic() < end:
            answer = agent.chat()
            assert (answer.status, answer.code) == (401, None)
            assert answer.body == refused.body
            assert answer.header("x-should-retry") is None
    assert not world.api.executed
    at = [c.at for c in world.store.calls if c.asked == world.key_arn]
    assert 3 <= len(at) <= 4, "at the start, at once, and after 2 s and 4 s more"
    assert all(later - sooner > 1.5 for sooner, later in pairwise(at[1:]))


@pytest.mark.parametrize("who", ["key", "team", "user", "org", "project"])
def test_litellm_s_model_denial_never_asks(plain_world: World, plain_sidekey, who: str) -> None:
    refused = denial(401, f"{who}_model_access_denied")
    plain_world.api.models["secret-model"] = refused
    asked = len(plain_world.store.calls)
    for _ in range(3):
        answer = chat(plain_sidekey, model="secret-model")
        assert (answer.status, answer.body) == (401, refused.body)
    assert len(plain_world.store.calls) == asked
    assert len(plain_world.api.requests) == 3


@pytest.mark.parametrize("status", [401, 403])
def test_a_loop_on_a_denied_model_delays_nobody(plain_world: World, start, status: int) -> None:
    """Not even when the denial looks like that of a revoked key, and the caller never stops."""
    world = plain_world
    sidekey = start(world.config(), world.env())
    world.api.models["secret-model"] = denial(status)
    with looping(sidekey, "secret-model", status), Agent(sidekey.port) as agent:
        assert agent.chat().status == 200
        for _ in range(3):
            rotate_key(world)
            assert agent.chat().status == 200, "at once, though a look has just been in vain"


def test_many_denied_models_are_asked_for_slowly(plain_world: World, start) -> None:
    """A hostile agent that never asks for the same model twice: one look a second at most."""
    world = plain_world
    sidekey = start(world.config(), world.env())
    world.api.always = denial(401)
    asked, began = len(world.store.calls), time.monotonic()
    with ExitStack() as stack:
        agents = [stack.enter_context(Agent(sidekey.port)) for _ in range(20)]
        for turn in range(3):
            for number, agent in enumerate(agents):
                body = {**HELLO, "model": f"m-{turn}-{number}"}
                agent.begin("POST", "/v1/chat/completions", body)
            assert {agent.read().status for agent in agents} == {401}
    looks, slots = time.monotonic() - began + 1, 3
    assert len(world.store.calls) - asked <= looks * slots


def test_sent_again_once(plain_world: World, plain_sidekey: Sidekey) -> None:
    world = plain_world
    world.store.put(world.key_arn, "sk-new-and-wrong-too")
    world.api.key = "sk-something-else"
    answer = chat(plain_sidekey)
    assert answer.status == 401
    assert len(world.api.requests) == 2
    assert world.api.last().header("authorization") == "Bearer sk-new-and-wrong-too"


def test_nothing_is_sent_again_once_bytes_were_relayed(plain_world: World, start) -> None:
    world = plain_world
    sidekey = start(world.config(), world.env())
    world.api.script(Act(events=6, gap=0.2, break_after=4))
    asked = len(world.store.calls)
    with Agent(sidekey.port) as agent:
        agent.begin("POST", "/v1/chat/completions", STREAM)
        answer = agent.read_head()
        rotate_key(world)
        with pytest.raises(Closed):
            b"".join(agent.pieces(answer))
    assert len(world.api.requests) == 1
    assert len(world.store.calls) == asked


def test_a_refusal_too_long_to_be_one(plain_world: World, plain_sidekey: Sidekey) -> None:
    refused = denial(401, pad=200_000)
    plain_world.api.models["verbose"] = refused
    asked = len(plain_world.store.calls)
    answer = chat(plain_sidekey, model="verbose")
    assert (answer.status, answer.body) == (401, refused.body)
    assert len(plain_world.store.calls) == asked


@pytest.mark.once
def test_a_refusal_that_never_ends_is_not_held(plain_world: World, plain_sidekey) -> None:
    plain_world.api.script(Act(401, JSON, b"x" * 100, drip=0.1))
    with Agent(plain_sidekey.port) as agent:
        agent.begin("POST", "/v1/chat/completions", HELLO)
        answer = agent.read_head()
        assert len(plain_world.api.requests) == 1
        assert len(agent.buffer) < 90, "the rest of it comes as it comes"
        assert b"".join(agent.pieces(answer)) == b"x" * 100


def test_a_refusal_that_breaks_off(plain_world: World, plain_sidekey: Sidekey) -> None:
    head = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 900\r\n\r\n"
    plain_world.api.script(Act(raw=head + b'{"error": ')) # a word is held until it ends
    with Agent(plain_sidekey.port) as agent:
        agent.begin("POST", "/v1/chat/completions", HELLO)
        answer = agent.read_head()
        assert answer.status == 401
        with pytest.raises(Closed):
            b"".join(agent.pieces(answer))
        assert agent.received.endswith(b'\r\n\r\n{"error": ')
    assert len(plain_world.api.requests) == 1


# ---- a store that does not help ----


def test_slow_store(plain_world: World, plain_sidekey: Sidekey) -> None:
    plain_world.store.fail(Fault("stall"))
    plain_world.api.key = "revoked"
    began = time.monotonic()
    assert chat(plain_sidekey).status == 401
    assert time.monotonic() - began > HELD_SECONDS - 0.5
    assert len(plain_world.api.requests) == 1
    wait_for(
        lambda: [r for r in plain_sidekey.records(level="warn") if "in time" in r["msg"]],
        5,
        "the log says why",
    )


@pytest.mark.parametrize("stuck", ["Access pair", "key"])
def test_what_is_here_is_used_though_the_rest_is_slow(
    plain_world: World, plain_sidekey: Sidekey, stuck: str
) -> None:
    """Of two secrets one has been rotated, and the store is silent of the other."""
    world = plain_world
    arn, rotate = {
        "Access pair": (world.access_arn, rotate_key),
        "key": (world.key_arn, rotate_access),
    }[stuck]
    world.store.fail(Fault("stall", only=arn))
    rotate(world)
    assert chat(plain_sidekey).status == 200
    assert len(world.api.executed) == 1
    assert [r for r in plain_sidekey.records(level="warn") if "in time" in r["msg"]] == []


@pytest.mark.parametrize(
    "fault", [Fault("stall"), Fault("drop"), Fault("truncate"), error("InternalServiceError", 500)]
)
def test_a_question_that_gets_lost(plain_world: World, plain_sidekey: Sidekey, fault) -> None:
    """The store's first answers do not come, or are none: it is asked once more within the 3 s."""
    world = plain_world
    documents = 2
    world.store.fail(fault, documents)
    rotate_key(world)
    assert chat(plain_sidekey).status == 200
    assert len(world.api.executed) == 1 and not world.store.faults
    assert [r for r in plain_sidekey.records(level="warn") if "fetched" in r["msg"]] == []


def test_a_look_meets_a_question_that_got_lost(plain_world: World, plain_sidekey: Sidekey) -> None:
    """SIGUSR1 asks, and is not answered; the rotation comes while that is waited for."""
    world = plain_world
    documents, asked = 2, len(world.store.calls)
    world.store.fail(Fault("stall"), documents)
    os.kill(plain_sidekey.pid, signal.SIGUSR1)
    wait_for(lambda: len(world.store.calls) == asked + documents, 10, "it is asked")
    rotate_key(world)
    assert chat(plain_sidekey).status == 200
    assert len(world.api.executed) == 1


def test_store_down(plain_world: World, plain_sidekey: Sidekey) -> None:
    plain_world.store.stop()
    plain_world.api.key = "revoked"
    for _ in range(3):
        assert chat(plain_sidekey).status == 401
    assert len(plain_world.api.requests) == 3


def test_agent_goes_while_its_call_is_held(plain_world: World, plain_sidekey: Sidekey) -> None:
    world = plain_world
    world.store.fail(Fault("stall"))
    asked = len(world.store.calls)
    old, world.api.key = world.api.key, "revoked"
    for number in range(1, 4):
        with Agent(plain_sidekey.port) as agent:
            agent.begin("POST", "/v1/chat/completions", HELLO)
            wait_for(lambda n=number: len(world.api.requests) == n, 10, "the refusal")
            wait_for(lambda: len(world.store.calls) > asked, 10, "the look")
    wait_for(lambda: len(plain_sidekey.calls()) == 3, 10, "the calls have ended")
    assert not world.api.executed
    world.api.key = old
    world.store.fail(None)
    assert chat(plain_sidekey).status == 200
    assert len(world.api.executed) == 1, "nothing is sent for who is gone"
