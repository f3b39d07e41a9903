# SPDX-License-Identifier: Apache-2.0
"""Goal: with the egress lock's rules in a pod's network namespace, sidekey's user leaves the pod
and nobody else does, by no protocol and no trick. The pod and the world around it are network
namespaces of the test's own; the rules are loaded by the very files of the lock's image."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.egress_lock import lock_image
from network import NODE4, POD4, POD6, Network, command, open_network, reached

pytestmark = pytest.mark.once

SIDEKEY, AGENT, OTHER, ROOT_USER = 65532, 1000, 2000, 0


def at(how: str, address: str, port: int) -> dict:
    return {"how": how, "address": address, "port": port}


STORE = at("tcp", "198.51.100.1", 443)
API_BASE = at("tcp", "203.0.113.1", 4000)
# Where sidekey may go and the agent may not.
FAR = {
    "store": STORE,
    "store over IPv6": at("tcp", "2001:db8::1", 443),
    "apiBase": API_BASE,
    "DNS": at("udp", "198.51.100.53", 53),
    "DNS over TCP": at("tcp", "198.51.100.53", 53),
    "DNS over IPv6": at("udp", "2001:db8::53", 53),
    "DNS on the node": at("udp", "169.254.20.10", 53),
    "Pod Identity": at("tcp", "169.254.170.23", 80),
    "Pod Identity over IPv6": at("tcp", "fd00:ec2::23", 80),
}
# Where nobody may go.
CLOSED = {
    "metadata": at("tcp", "169.254.169.254", 80),
    "metadata over IPv6": at("tcp", "fd00:ec2::254", 80),
    "ECS credentials": at("tcp", "169.254.170.2", 80),
    "Pod Identity, another port": at("tcp", "169.254.170.23", 2703),
    "QUIC": at("udp", "203.0.113.1", 443),
}
LOOPBACK = {
    "sidekey": at("tcp", "127.0.0.1", 7717),
    "sidekey over IPv6": at("tcp", "::1", 7717),
}
# How an agent might try to get round it, each to a place that answers.
TRICKS = {
    "ping": at("echo", NODE4, 0),
    "raw IP": at("raw", API_BASE["address"], 0),
    "raw frames": at("packet", API_BASE["address"], 0),
    "IPv4 in IPv6": at("tcp", f"::ffff:{API_BASE['address']}", API_BASE["port"]),
    "bound to loopback": {**API_BASE, "how": "by_loopback"},
    "sidekey's uid": {**API_BASE, "how": "as_sidekey"},
    "sidekey's uid in a user namespace": {**API_BASE, "how": "named_sidekey"},
}
# What of it the rules stop, and nothing else would.
STOPPED_BY_RULES = {"ping", "IPv4 in IPv6", "sidekey's uid in a user namespace"}
UNABLE = {"no user namespaces", "EACCES"}


@pytest.fixture(scope="module")
def image(tmp_path_factory) -> Path:
    return lock_image(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def unlocked() -> Iterator[Network]:
    """Where every place answers."""
    network = open_network({p["address"] for p in (*FAR.values(), *CLOSED.values())})
    try:
        network.serve(network.world, [*FAR.values(), *CLOSED.values()])
        network.serve(network.pod, list(LOOPBACK.values()), SIDEKEY)
        yield network
    finally:
        network.__exit__()


@pytest.fixture(scope="module")
def network(unlocked: Network, image: Path) -> Network:
    """Locked, after it was shown that everything answers while it is not."""
    everything = {**FAR, **CLOSED, **LOOPBACK}
    for uid in (SIDEKEY, AGENT):
        assert reached(unlocked.attempt(uid, everything)) == set(everything)
    tricks = unlocked.attempt(AGENT, {name: TRICKS[name] for name in STOPPED_BY_RULES})
    assert set(tricks.values()) <= {"ok", *UNABLE}, tricks
    done = unlocked.lock(image)
    assert done.returncode == 0, done.stderr
    return unlocked


def test_sidekey_leaves_the_pod(network: Network) -> None:
    assert reached(network.attempt(SIDEKEY, FAR)) == set(FAR)


def test_sidekey_reaches_no_metadata(network: Network) -> None:
    assert reached(network.attempt(SIDEKEY, CLOSED)) == set()


@pytest.mark.parametrize("uid", [AGENT, OTHER, ROOT_USER])
def test_nobody_else_leaves_the_pod(network: Network, uid: int) -> None:
    everything = {**FAR, **CLOSED}
    assert reached(network.attempt(uid, everything)) == set()


def test_the_agent_is_refused_at_once(network: Network) -> None:
    """An agent that waits for a time-out looks broken; one that is refused says so."""
    tcp = {name: place for name, place in {**FAR, **CLOSED}.items() if place["how"] == "tcp"}
    assert set(network.attempt(AGENT, tcp).values()) == {"ECONNREFUSED"}
    assert "timeout" not in network.attempt(AGENT, FAR).values()


def test_the_agent_reaches_sidekey(network: Network) -> None:
    assert reached(network.attempt(AGENT, LOOPBACK)) == set(LOOPBACK)


@pytest.mark.parametrize("trick", TRICKS)
def test_no_trick_leads_out(network: Network, trick: str) -> None:
    outcome = network.attempt(AGENT, {trick: TRICKS[trick]})[trick]
    if outcome == "no user namespaces":
        pytest.skip("this kernel gives ordinary users no user namespaces")
    assert outcome not in ("ok", "nothing")


def test_the_agent_cannot_take_the_lock_away(network: Network) -> None:
    nft = ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", "--no-new-privs", "nft"]
    for words in (["flush", "ruleset"], ["delete", "table", "inet", "sidekey"]):
        done = command(*network.inside(network.pod, *nft, *words))
        assert done.returncode != 0, done.stdout
    assert reached(network.attempt(AGENT, {"store": STORE})) == set()


def test_who_calls_the_agent_is_answered(network: Network) -> None:
    places = {"IPv4": at("tcp", POD4, 8080), "IPv6": at("tcp", POD6, 8080)}
    server = network.serve(network.pod, list(places.values()), AGENT)
    try:
        assert reached(network.attempt(ROOT_USER, places, network.world)) == set(places)
    finally:
        network.stop(server)


def test_a_restart_of_sidekey_keeps_it(network: Network) -> None:
    """The rules are the namespace's, not a process's."""
    network.stop(network.servers[1])
    assert reached(network.attempt(AGENT, {**LOOPBACK, **FAR})) == set()
    network.serve(network.pod, list(LOOPBACK.values()), SIDEKEY)
    assert reached(network.attempt(AGENT, {**LOOPBACK, **FAR})) == set(LOOPBACK)


def test_it_may_be_loaded_again(network: Network, image: Path) -> None:
    """The kubelet may run an init container twice."""
    for _ in range(2):
        assert network.lock(image).returncode == 0
    rules = command(*network.inside(network.pod, "nft", "list", "table", "inet", "sidekey"))
    assert rules.stdout.count("chain output") == 1
    assert reached(network.attempt(AGENT, FAR)) == set()
    assert reached(network.attempt(SIDEKEY, FAR)) == set(FAR)


def test_refusals_are_counted(network: Network) -> None:
    network.attempt(AGENT, {"store": STORE})
    told = command(*network.inside(network.pod, "nft", "-j", "list", "counters"))
    (refused,) = [c["counter"] for c in json.loads(told.stdout)["nftables"] if "counter" in c]
    assert refused["name"] == "refused" and refused["packets"] > 0


def test_a_broken_rule_stops_the_pod(network: Network, image: Path, tmp_path: Path) -> None:
    """nft loads the whole file or nothing, and its exit status is the init container's."""
    broken = tmp_path / "image"
    shutil.copytree(image, broken)
    rules = broken / "egress-lock.nft"
    rules.write_text(rules.read_text().replace("policy drop;", "policy drop; wrong"))
    assert network.lock(broken).returncode != 0
    assert reached(network.attempt(AGENT, FAR)) == set()
