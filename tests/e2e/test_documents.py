# SPDX-License-Identifier: Apache-2.0
"""Goal: what stands in one secret is asked for once and changes together; what cannot be used is
refused with its reason, and hurts no neighbour."""

import json
import signal

import pytest
from fakes.agent import chat
from fakes.sidekey import Sidekey
from fakes.wire import wait_for
from fakes.world import World

BROKEN_KEY = "sk-first-line\nX-Injected: second-line"


def slots(sidekey: Sidekey) -> dict:
    return json.loads(sidekey.admin("/readyz")[1])["slots"]


def all_in_one(world: World) -> str:
    """The key and the Access pair as three JSON keys of one secret."""
    values = {"key": world.key, "id": world.access[0], "secret": world.access[1]}
    return world.store.create("all", values)


def target_of(world: World, arn: str, **changes) -> dict:
    pair = {"clientId": f"{arn}:id::", "clientSecret": f"{arn}:secret::"}
    return world.target(**{"apiKey": f"{arn}:key::", "cloudflareAccess": pair, **changes})


def test_one_question_for_all_keys(plain_world: World, start) -> None:
    world = plain_world
    arn = all_in_one(world)
    sidekey = start(world.config(target_of(world, arn)), world.env())
    assert chat(sidekey).status == 200
    assert [c.asked for c in world.store.calls] == [arn]
    for asked in (2, 3):
        sidekey.process.send_signal(signal.SIGUSR1)
        wait_for(lambda n=asked: len(world.store.calls) >= n, 10, "the refresh")
    wait_for(lambda: {s["state"] for s in slots(sidekey).values()} == {"fresh"}, 10)
    assert len(world.store.calls) == 3, "each refresh of three slots is one question"


def test_another_version_is_another_document(plain_world: World, start) -> None:
    world = plain_world
    arn = all_in_one(world)
    world.store.put(arn, {"key": "sk-newer-one", "id": world.access[0], "secret": world.access[1]})
    target = target_of(world, arn, apiKey=f"{arn}:key:AWSPREVIOUS:")
    assert chat(start(world.config(target), world.env())).status == 200
    assert len(world.store.calls) == 2


def test_the_keys_of_a_secret_rotate_together(plain_world: World, start) -> None:
    world = plain_world
    arn = all_in_one(world)
    sidekey = start(world.config(target_of(world, arn)), world.env())
    assert chat(sidekey).status == 200
    world.api.key, world.api.access = "sk-rotated-key-0123", ("rotated.access", "f" * 64)
    values = {"key": world.api.key, "id": world.api.access[0], "secret": world.api.access[1]}
    world.store.put(arn, values)
    assert chat(sidekey).status == 200, "all three are new"
    assert len(world.store.calls) == 2
    assert {s["version"] for s in slots(sidekey).values()} == {2}


def test_a_key_that_is_missing_hurts_no_neighbour(plain_world: World, start) -> None:
    world = plain_world
    arn = all_in_one(world)
    header = {"X-Optional": f"${{{arn}:not-there::?}}"}
    sidekey = start(world.config(target_of(world, arn, headers=header)), world.env())
    assert chat(sidekey).status == 200
    assert world.api.last().header("x-optional") is None
    wait_for(lambda: sidekey.records(error_type="UnusableSecret"), 5, "the log")
    record = sidekey.records(error_type="UnusableSecret")[0]
    assert record["slot"] == "main.headers.X-Optional" and "no such JSON key" in record["why"]
    states = {name: s["state"] for name, s in slots(sidekey).items()}
    assert states.pop("main.headers.X-Optional") == "missing"
    assert set(states.values()) == {"fresh"}


@pytest.mark.parametrize(
    ("value", "kind", "why"),
    [
        (BROKEN_KEY, "BadCharacter", "control byte"),
        ("sk-\0-nul", "BadCharacter", "control byte"),
        ({"key": "sk-\0-nul"}, "BadCharacter", "control byte"),
        ("sk-\x01-start", "BadCharacter", "control byte"),
        ("", "EmptyValue", "empty"),
        ("\n", "EmptyValue", "empty"),
        ("k" * 20000, "ValueTooLong", "16 KiB"),
        (b"binary", "UnusableSecret", "binary"),
        ({"a": "1", "b": "2"}, "UnusableSecret", "several members"),
    ],
    ids=["two lines", "a NUL", "a NUL in a member", "another control byte", "empty"]
    + ["a newline alone", "long", "binary", "two members"],
)
def test_a_value_that_no_header_can_have(plain_world: World, start, value, kind, why) -> None:
    world = plain_world
    if isinstance(value, bytes):
        arn = world.store.create("bad", "x")
        world.store._answer = lambda *_: {"VersionId": "v", "SecretBinary": "YmluYXJ5"}
    else:
        arn = world.store.create("bad", value)
    target = world.target(apiKey=arn)
    del target["cloudflareAccess"]
    config = world.config(target, secrets={"failureTtl": "1s"})
    sidekey = start(config, world.env(), wait=False)
    sidekey.wait_listening()
    wait_for(lambda: sidekey.records(error_type=kind), 10, "the log")
    assert why in sidekey.records(error_type=kind)[0]["why"]
    assert slots(sidekey)["main.apiKey"]["error"] == kind
    answer = chat(sidekey)
    assert (answer.status, answer.code) == (503, "credential_refused")
    assert answer.header("x-should-retry") == "false", "it heals when somebody stores another"
    assert not world.api.requests
    assert "second-line" not in sidekey.text()


@pytest.mark.parametrize("bad", ["sk-\0-nul", "two\nlines"])
def test_a_bad_version_leaves_the_good_one_in_use(plain_world: World, start, bad: str) -> None:
    """No agent notices; the operator does."""
    world = plain_world
    sidekey = start(world.config(), world.env())
    assert chat(sidekey).status == 200
    world.store.put(world.key_arn, bad)
    sidekey.process.send_signal(signal.SIGUSR1)
    wait_for(lambda: slots(sidekey)["main.apiKey"]["state"] == "stale", 10, "it is refused")
    slot = slots(sidekey)["main.apiKey"]
    assert (slot["error"], slot["version"]) == ("BadCharacter", 1)
    wait_for(lambda: sidekey.records(slot="main.apiKey", level="warn"), 5, "the alarm")
    assert chat(sidekey).status == 200
    world.api.key = "sk-good-again-0123456789"
    world.store.put(world.key_arn, world.api.key)
    sidekey.process.send_signal(signal.SIGUSR1)
    wait_for(lambda: slots(sidekey)["main.apiKey"]["state"] == "fresh", 10, "it is mended")
    assert slots(sidekey)["main.apiKey"]["version"] == 2 and chat(sidekey).status == 200


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("\ufeffsk-behind-a-mark", "EF BB BF"),
        ('{"key": "sk-in-an-object", "key": "sk-twice"}', "…:secret:NAME:MEMBER::"),
    ],
    ids=["a byte-order mark", "a whole object"],
)
def test_a_value_that_is_hardly_a_key(plain_world: World, start, value, words) -> None:
    """It may be meant for some header, so it is used; but it is no riddle why it is refused."""
    world = plain_world
    world.api.key = None
    arn = world.store.create("odd", value)
    sidekey = start(world.config(world.target(apiKey=arn)), world.env())
    sidekey.process.send_signal(signal.SIGUSR1)
    wait_for(lambda: world.store.fetches(arn) == 2, 10, "the refresh")
    assert chat(sidekey).status == 200
    told = sidekey.records(slot="main.apiKey", level="warn")
    assert len(told) == 1 and words in told[0]["msg"] and told[0]["reference"] == arn
    assert "behind-a-mark" not in sidekey.text() and "in-an-object" not in sidekey.text()


def test_one_trailing_newline_is_taken_off(plain_world: World, start) -> None:
    world = plain_world
    target = world.target(apiKey=world.store.create("newline", world.key + "\r\n"))
    assert chat(start(world.config(target), world.env())).status == 200


def test_a_client_key_from_the_store_keeps_its_lines(world: World, start) -> None:
    arn = world.store.create("tls-key", world.key_path.read_text())
    tls = {"ca": str(world.ca), "clientCert": str(world.cert_path), "clientKey": arn}
    sidekey = start(world.config(world.target(tls=tls)), world.env())
    assert chat(sidekey).status == 200
