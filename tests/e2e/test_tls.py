# SPDX-License-Identifier: Apache-2.0
"""Goal: the key is sent to nobody but the configured apiBase, proven by TLS on both sides."""

import json
import os
import select
import signal
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from fakes.agent import CHAT, HELLO, Agent
from fakes.apibase import Act, ApiBase
from fakes.pki import Authority, Pair, server_context
from fakes.sidekey import Sidekey
from fakes.talkative import ENDLESS, UPDATES, Talkative
from fakes.wire import wait_for
from fakes.world import World

OTHER = Authority("another CA")
ALERT = b"\x15"  # a record's kind
SERVERS = {
    "wrong CA": lambda world: OTHER.server(),
    "expired": lambda world: world.authority.server(expired=True),
    "wrong host": lambda world: world.authority.server("somewhere-else.example"),
    "client certificate as server's": lambda world: world.authority.client("127.0.0.1"),
}


def assert_untrusted(api: ApiBase, sidekey: Sidekey) -> None:
    with Agent(sidekey.port) as agent:
        answer = agent.chat()
    assert (answer.status, answer.code) == (502, "upstream_untrusted"), answer.body
    assert answer.header("x-should-retry") == "false"
    time.sleep(0.2)
    assert api.connections > 0
    assert api.application_bytes == 0
    assert not api.requests


@pytest.mark.parametrize("wrong", SERVERS.keys())
def test_server_that_is_not_the_one(world: World, start, wrong: str) -> None:
    context = server_context(SERVERS[wrong](world), world.authority)
    with ApiBase(world.key, world.access, tls=context) as api:
        sidekey = start(world.config(world.target(apiBase=api.base)), world.env())
        assert_untrusted(api, sidekey)


def test_missing_client_certificate(world: World, start) -> None:
    target = world.target(tls={"ca": str(world.ca)})
    assert_untrusted(world.api, start(world.config(target), world.env()))


@pytest.mark.parametrize("expired", [False, True], ids=["of another CA", "expired"])
def test_client_certificate_that_is_refused(
    world: World, start, tmp_path: Path, expired: bool
) -> None:
    pair = world.authority.client(expired=True) if expired else OTHER.client()
    cert, key = pair.write(tmp_path / "other", "tls")
    tls = {"ca": str(world.ca), "clientCert": str(cert), "clientKey": str(key)}
    assert_untrusted(world.api, start(world.config(world.target(tls=tls)), world.env()))


def test_plain_http_where_tls_is_due(world: World, start) -> None:
    with ApiBase(world.key, world.access) as api:
        base = api.base.replace("http:", "https:")
        sidekey = start(world.config(world.target(apiBase=base)), world.env())
        with Agent(sidekey.port) as agent:
            answer = agent.chat()
        assert (answer.status, answer.code) == (502, "upstream_untrusted")
        assert not api.requests


def test_plain_http_must_be_allowed(world: World, start) -> None:
    with ApiBase(world.key, world.access) as api:
        target = world.target(apiBase=api.base)
        del target["tls"]
        sidekey = start(world.config(target), world.env(), wait=False)
        sidekey.expected_death = True
        assert sidekey.wait_end(10) == 2
        assert "allowPlaintext" in sidekey.text()
        assert api.connections == 0


def test_server_name_is_checked_in_place_of_the_host(world: World, start) -> None:
    """tls.serverName is for SNI and verification; Host stays apiBase's."""
    names = []
    context = server_context(world.authority.server("litellm.internal"), world.authority)
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    with ApiBase(world.key, world.access, tls=context) as api:
        tls = {**world.target()["tls"], "serverName": "litellm.internal"}
        sidekey = start(world.config(world.target(apiBase=api.base, tls=tls)), world.env())
        with Agent(sidekey.port) as agent:
            assert agent.chat().status == 200
        assert api.last().header("host") == f"127.0.0.1:{api.port}"
        assert set(names) == {"litellm.internal"}


def test_client_certificate_is_shown(world: World, sidekey: Sidekey, agent: Agent) -> None:
    assert agent.chat().status == 200
    assert world.api.last().peer == "sidekey"


def test_client_certificate_below_another(world: World, start, tmp_path: Path) -> None:
    """The upstream knows the root alone: what is between is shown to it."""
    middle = world.authority.intermediate("middle")
    pair = middle.client("below")
    tls = {"ca": str(world.ca)}
    for name, cert in (("chain", pair.cert + middle.pem), ("leaf", pair.cert)):
        tls["clientCert"], tls["clientKey"] = map(str, Pair(cert, pair.key).write(tmp_path, name))
        sidekey = start(world.config(world.target(tls=tls)), world.env())
        with Agent(sidekey.port) as agent:
            assert agent.chat().status == (200 if name == "chain" else 502)
    assert [r.peer for r in world.api.requests] == ["below"]


def test_client_certificate_from_a_reference(world: World, start) -> None:
    """The certificate and key may come from the store, as one secret with two members."""
    pair = {"cert": world.client.cert.decode(), "key": world.client.key.decode()}
    arn = world.store.create("client-certificate", pair)
    tls = {
        "ca": str(world.ca),
        "clientCert": f"{arn}:cert::",
        "clientKey": f"{arn}:key::",
    }
    sidekey = start(world.config(world.target(tls=tls)), world.env())
    with Agent(sidekey.port) as agent:
        assert agent.chat().status == 200


def test_connections_are_kept(world: World, sidekey: Sidekey) -> None:
    for _ in range(3):
        with Agent(sidekey.port) as agent:
            for _ in range(5):
                assert agent.chat().status == 200
    assert len(world.api.requests) == 15
    assert world.api.connections == 1


def test_client_certificate_is_rotated_on_disk(world: World, start, tmp_path: Path) -> None:
    """A new pair on disk is used for new connections; calls go on all the while."""
    cert, key = world.authority.client("before").write(tmp_path / "pair", "tls")
    tls = {"ca": str(world.ca), "clientCert": str(cert), "clientKey": str(key)}
    sidekey = start(world.config(world.target(tls=tls)), world.env())
    with Agent(sidekey.port) as agent:
        assert agent.chat().status == 200
    world.authority.client("after").write(tmp_path / "pair", "tls")
    os.kill(sidekey.pid, signal.SIGUSR1)  # now, and not at the next look in some seconds

    def uses_the_new_one() -> bool:
        with Agent(sidekey.port) as agent:
            assert agent.chat().status == 200
        return world.api.requests[-1].peer == "after"

    wait_for(uses_the_new_one, 15, "the new certificate")
    assert world.api.requests[0].peer == "before"


def test_pair_that_does_not_match_is_told_once(world: World, start, tmp_path: Path) -> None:
    """What was there before stays in use, and the next pair that matches is taken."""
    cert, key = world.authority.client("before").write(tmp_path / "pair", "tls")
    tls = {"ca": str(world.ca), "clientCert": str(cert), "clientKey": str(key)}
    sidekey = start(world.config(world.target(tls=tls)), world.env())
    world.api.always = Act(close_after=True)
    key.write_bytes(world.authority.client("another").key)
    for _ in range(3):
        os.kill(sidekey.pid, signal.SIGUSR1)
        wait_for(lambda: sidekey.records(level="error"), 15, "the log")
        with Agent(sidekey.port) as agent:
            assert agent.chat().status == 200
    assert [r["target"] for r in sidekey.records(level="error")] == ["main"]
    assert "the key of another certificate" in sidekey.records(level="error")[0]["why"]
    wait_for(lambda: standing(sidekey) == ("usable", "ClientKeyMismatch"), 5, "what was refused")
    world.authority.client("after").write(tmp_path / "pair", "tls")
    os.kill(sidekey.pid, signal.SIGUSR1)

    def uses_the_new_one() -> bool:
        with Agent(sidekey.port) as agent:
            assert agent.chat().status == 200
        return world.api.requests[-1].peer == "after"

    wait_for(uses_the_new_one, 15, "the pair that matches")
    assert {r.peer for r in world.api.requests} == {"before", "after"}
    assert len(sidekey.records(level="error")) == 1
    assert standing(sidekey) == ("usable", None)


def test_key_under_a_passphrase_is_refused(world: World, start, tmp_path: Path) -> None:
    """There is nobody to ask: the pair is not used, and nothing waits at a terminal."""
    cert, key = world.authority.client("before").write(tmp_path / "pair", "tls")
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    locked = serialization.BestAvailableEncryption(b"a passphrase")
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    key.write_bytes(private.private_bytes(*form, locked))
    tls = {"ca": str(world.ca), "clientCert": str(cert), "clientKey": str(key)}
    sidekey = start(world.config(world.target(tls=tls)), world.env(), wait=False)
    sidekey.wait_listening()
    wait_for(lambda: sidekey.records(level="error"), 15, "the log")
    assert "under a passphrase" in sidekey.records(level="error")[0]["why"]
    wait_for(lambda: says(sidekey, "UnusableClientKey"), 15, "/readyz says it")
    with Agent(sidekey.port) as agent:
        answer = agent.chat()
    assert (answer.status, answer.code) == (502, "upstream_untrusted")
    assert not world.api.requests and not world.api.connections


def standing(sidekey: Sidekey) -> tuple[str, str | None]:
    target = json.loads(sidekey.admin("/readyz")[1])["targets"]["main"]
    return target["state"], target.get("error")


def says(sidekey: Sidekey, error: str) -> bool:
    """Nothing but that is wrong with the target."""
    slots = json.loads(sidekey.admin("/readyz")[1])["slots"].values()
    return standing(sidekey) == ("unusable", error) and {s["state"] for s in slots} == {"fresh"}


WORTHLESS = b"-----BEGIN NOTHING-----\n"
MATERIAL = {  # which file is no good, what it holds, and what /readyz calls that
    "a CA that is no PEM": ("ca", lambda _: WORTHLESS, "UnusableCa"),
    "a certificate that is no PEM": ("clientCert", lambda _: WORTHLESS, "UnusableClientCert"),
    "a key that is no PEM": ("clientKey", lambda _: WORTHLESS, "UnusableClientKey"),
    "the key of another": ("clientKey", lambda w: w.authority.client().key, "ClientKeyMismatch"),
    "a chain without end": ("clientCert", lambda w: 150 * w.client.cert, "ClientCertTooLong"),
}


@pytest.mark.parametrize("name", MATERIAL)
def test_material_that_cannot_be_used(world: World, start, tmp_path: Path, name: str) -> None:
    """No outage of a store, nor anything to be tried again: somebody has to correct it."""
    which, made, error = MATERIAL[name]
    good = {"ca": world.ca, "clientCert": world.cert_path, "clientKey": world.key_path}
    tls = {}
    for part, path in good.items():
        (tmp_path / part).write_bytes(path.read_bytes())
        tls[part] = str(tmp_path / part)
    (tmp_path / which).write_bytes(made(world))
    sidekey = start(world.config(world.target(tls=tls)), world.env(), wait=False)
    sidekey.wait_listening()
    wait_for(lambda: says(sidekey, error), 15, "/readyz says what it is")
    assert sidekey.readiness() == 503
    with Agent(sidekey.port) as agent:
        answer = agent.chat()
    assert (answer.status, answer.code) == (502, "upstream_untrusted")
    assert answer.header("x-should-retry") == "false"
    assert f"tls.{which}" in answer.json()["error"]["message"], "what to change"
    assert world.found_in(answer.body) == []
    assert not world.api.connections
    (tmp_path / which).write_bytes(good[which].read_bytes())
    os.kill(sidekey.pid, signal.SIGUSR1)
    sidekey.wait_ready()
    assert standing(sidekey) == ("usable", None)
    with Agent(sidekey.port) as agent:
        assert agent.chat().status == 200


@pytest.mark.parametrize("days", [20, 10.5, 0.5])
def test_end_of_the_client_certificate_is_told(
    world: World, start, tmp_path: Path, days: float
) -> None:
    cert, key = world.authority.client(days=days).write(tmp_path / "pair", "tls")
    tls = {"ca": str(world.ca), "clientCert": str(cert), "clientKey": str(key)}
    sidekey = start(world.config(world.target(tls=tls)), world.env())
    os.kill(sidekey.pid, signal.SIGUSR1)  # read again: the same one is not told again
    with Agent(sidekey.port) as agent:
        assert agent.chat().status == 200
    wait_for(lambda: sidekey.calls(), 5, "the log")
    told = [r for r in sidekey.records(level="warn") if "client certificate ends" in r["msg"]]
    expected = {20: [], 10.5: [("main", 10)], 0.5: [("main", 0)]}[days]
    assert [(r["target"], r["days_left"]) for r in told] == expected


@pytest.mark.parametrize("messages", ENDLESS)
def test_others_are_served_while_a_server_goes_on_with_the_handshake(
    plain_world: World, start, tmp_path: Path, messages: str
) -> None:
    world = plain_world
    with Talkative(*world.authority.server().write(tmp_path, "server"), messages, 60_000) as server:
        sidekey = start(world.beside(server.port), world.env())
        with Agent(sidekey.port, timeout=60) as agent, Agent(sidekey.port) as other:
            agent.begin("POST", CHAT, {**HELLO, "model": "long"})
            assert server.speaks.wait(60)
            assert other.chat().status == 200
            assert not select.select([agent.socket], [], [], 0)[0], "and before that one"
            assert agent.read().body == b"{}"
        if messages == "hello requests":
            wait_for(lambda: server.reply, 10, "what is said to that")
            assert server.reply[:1] == ALERT, "and no second hello, with all of its arithmetic"


@pytest.mark.parametrize(("count", "status"), [(1000, 200), (60_000, 502)])
def test_keys_are_updated_only_so_often(
    plain_world: World, start, tmp_path: Path, count: int, status: int
) -> None:
    world = plain_world
    with Talkative(*world.authority.server().write(tmp_path, "server"), UPDATES, count) as server:
        sidekey = start(world.beside(server.port), world.env())
        with Agent(sidekey.port, timeout=60) as agent:
            answer = agent.call("POST", CHAT, {**HELLO, "model": "long"})
    assert (answer.status, answer.code) == (status, None if status == 200 else "upstream_broken")
