# SPDX-License-Identifier: Apache-2.0
"""Goal: with the egress lock's rules in a pod's network namespace, sidekey's user leaves the pod
and nobody else does, by no protocol and no trick. The pod and the world around it are network
namespaces of the test's own; the rules are loaded by the very files of the lock's image."""

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
from fakes.sidekey import ROOT

pytestmark = pytest.mark.once

LOCK = ROOT / "k8s" / "egress-lock"
PROBER = ROOT / "tests" / "k8s" / "prober.py"
SIDEKEY, AGENT, OTHER, ROOT_USER = 65532, 1000, 2000, 0
NODE4, NODE6 = "192.0.2.254", "2001:db8:1::254"
POD4, POD6 = "192.0.2.1", "2001:db8:1::1"


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


def command(*words: str | Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(w) for w in words], capture_output=True, text=True, timeout=30, check=False
    )


class Network:
    """The pod's namespace, and one that holds every address of the world."""

    def __init__(self) -> None:
        mark = secrets.token_hex(3)
        self.pod, self.world = f"sk-pod-{mark}", f"sk-world-{mark}"
        self.servers: list[subprocess.Popen] = []

    def ip(self, *words: str) -> None:
        done = command("ip", *words)
        if done.returncode:
            raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")

    def __enter__(self) -> Self:
        try:
            self._make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _make(self) -> None:
        self.ip("netns", "add", self.pod)
        self.ip("netns", "add", self.world)
        self.ip("-n", self.pod, "link", "add", "eth0", "type", "veth", "peer", "name", "node0")
        self.ip("-n", self.pod, "link", "set", "node0", "netns", self.world)
        self.address(self.pod, "eth0", POD4, "24")
        self.address(self.pod, "eth0", POD6, "64")
        self.address(self.world, "node0", NODE4, "24")
        self.address(self.world, "node0", NODE6, "64")
        for space, device in ((self.pod, "eth0"), (self.world, "node0")):
            self.ip("-n", space, "link", "set", "lo", "up")
            self.ip("-n", space, "link", "set", device, "up")
        pings = "echo 0 2147483647 >/proc/sys/net/ipv4/ping_group_range"  # as runtimes set it
        command(*self.inside(self.pod, "sh", "-c", pings))
        self.ip("-n", self.pod, "route", "add", "default", "via", NODE4)
        self.ip("-n", self.pod, "-6", "route", "add", "default", "via", NODE6)
        for place in {p["address"] for p in (*FAR.values(), *CLOSED.values())}:
            self.address(self.world, "lo", place, "128" if ":" in place else "32")
        self.serve(self.world, [*FAR.values(), *CLOSED.values()])
        self.serve(self.pod, list(LOOPBACK.values()), SIDEKEY)

    def address(self, space: str, device: str, address: str, length: str) -> None:
        no_dad = ["nodad"] if ":" in address else []
        self.ip("-n", space, "address", "add", f"{address}/{length}", "dev", device, *no_dad)

    def inside(self, space: str, *words: str | Path) -> list[str]:
        return ["ip", "netns", "exec", space, *(str(w) for w in words)]

    def serve(self, space: str, places: list[dict], uid: int = ROOT_USER) -> subprocess.Popen:
        server = subprocess.Popen(
            self.inside(space, sys.executable, PROBER, str(uid), "serve"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.servers.append(server)
        assert server.stdin and server.stdout
        server.stdin.write(json.dumps(places) + "\n")
        server.stdin.flush()
        assert server.stdout.readline() == "listening\n"
        return server

    def stop(self, server: subprocess.Popen) -> None:
        self.servers.remove(server)
        server.communicate(timeout=10)

    def attempt(self, uid: int, places: dict[str, dict], space: str = "") -> dict[str, str]:
        """How each try of this user ended."""
        done = subprocess.run(
            self.inside(space or self.pod, sys.executable, PROBER, str(uid)),
            input=json.dumps(list(places.values())) + "\n",
            capture_output=True,
            text=True,
            timeout=45,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return dict(zip(places, json.loads(done.stdout), strict=True))

    def lock(self, root: Path) -> subprocess.CompletedProcess:
        """As the init container does: the image's files, its entry point, NET_ADMIN alone."""
        powers = "-all,+net_admin,+sys_chroot"  # the latter for this test, to be in the image
        entry = ["chroot", root, "/nft", "-f", "/egress-lock.nft"]
        keep = ["setpriv", f"--bounding-set={powers}", "--inh-caps=-all", "--no-new-privs"]
        return command(*self.inside(self.pod, *keep, *entry))

    def __exit__(self, *_) -> None:
        for server in list(self.servers):
            self.stop(server)
        for space in (self.pod, self.world):
            command("ip", "netns", "del", space)


def reached(outcome: dict[str, str]) -> set[str]:
    return {name for name, how in outcome.items() if how == "ok"}


@pytest.fixture(scope="module")
def image(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("image")
    done = command(LOCK / "rootfs.sh", root)
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture(scope="module")
def open_network() -> Iterator[Network]:
    os.environ["PATH"] += ":/usr/sbin:/sbin"  # where ip and nft are, for whoever has not the path
    if os.geteuid() != 0:
        pytest.skip("needs root")
    for tool in ("ip", "nft", "setpriv", "chroot"):
        if not shutil.which(tool):
            pytest.skip(f"needs {tool}")
    try:
        network = Network().__enter__()
    except OSError as error:
        pytest.skip(f"this machine makes no network namespaces: {error}")
    try:
        done = command(*network.inside(network.pod, "nft", "add", "table", "inet", "probe"))
        if done.returncode:
            pytest.skip(f"this kernel has no nftables: {done.stderr.strip()}")
        yield network
    finally:
        network.__exit__()


@pytest.fixture(scope="module")
def network(open_network: Network, image: Path) -> Network:
    """Locked, after it was shown that everything answers while it is not."""
    everything = {**FAR, **CLOSED, **LOOPBACK}
    for uid in (SIDEKEY, AGENT):
        assert reached(open_network.attempt(uid, everything)) == set(everything)
    tricks = open_network.attempt(AGENT, {name: TRICKS[name] for name in STOPPED_BY_RULES})
    assert set(tricks.values()) <= {"ok", *UNABLE}, tricks
    done = open_network.lock(image)
    assert done.returncode == 0, done.stderr
    return open_network


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
