# SPDX-License-Identifier: Apache-2.0
"""A pod's network namespace, and one that holds every address of the world around it; made by
root, of veth pairs, and gone with the test."""

import contextlib
import ctypes
import json
import os
import secrets
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
from fakes.egress_lock import entry_point
from fakes.sidekey import ROOT

PROBER = ROOT / "tests" / "k8s" / "prober.py"
NODE4, NODE6 = "192.0.2.254", "2001:db8:1::254"
POD4, POD6 = "192.0.2.1", "2001:db8:1::1"
CLONE_NEWNET = 0x40000000


def command(*words: str | Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(w) for w in words], capture_output=True, text=True, timeout=30, check=False
    )


class Network:
    """`with Network(addresses) as network:`; the addresses are those of the world."""

    def __init__(self, addresses: set[str]) -> None:
        self.addresses = addresses
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
        for one in self.addresses:
            self.address(self.world, "lo", one, "128" if ":" in one else "32")

    def address(self, space: str, device: str, address: str, length: str) -> None:
        no_dad = ["nodad"] if ":" in address else []
        self.ip("-n", space, "address", "add", f"{address}/{length}", "dev", device, *no_dad)

    def inside(self, space: str, *words: str | Path) -> list[str]:
        return ["ip", "netns", "exec", space, *(str(w) for w in words)]

    @contextlib.contextmanager
    def within(self, space: str) -> Iterator[None]:
        """What this thread opens meanwhile is of that namespace."""
        libc = ctypes.CDLL(None, use_errno=True)
        task = f"/proc/self/task/{threading.get_native_id()}/ns/net"
        with open(task) as home, open(f"/run/netns/{space}") as there:
            assert libc.setns(there.fileno(), CLONE_NEWNET) == 0
            try:
                yield
            finally:
                assert libc.setns(home.fileno(), CLONE_NEWNET) == 0

    def serve(self, space: str, places: list[dict], uid: int = 0) -> subprocess.Popen:
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
        keep = ["setpriv", f"--bounding-set={powers}", "--inh-caps=-all", "--no-new-privs"]
        return command(*self.inside(self.pod, *keep, "chroot", root, *entry_point()))

    def __exit__(self, *_) -> None:
        for server in list(self.servers):
            self.stop(server)
        for space in (self.pod, self.world):
            command("ip", "netns", "del", space)


def reached(outcome: dict[str, str]) -> set[str]:
    return {name for name, how in outcome.items() if how == "ok"}


def open_network(addresses: set[str]) -> Network:
    """Entered; or the test is skipped, where the machine cannot have one, with the reason."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"  # where ip and nft are, for whoever has not the path
    if os.geteuid() != 0:
        pytest.skip("needs root")
    for tool in ("ip", "nft", "setpriv", "chroot"):
        if not shutil.which(tool):
            pytest.skip(f"needs {tool}")
    try:
        network = Network(addresses).__enter__()
    except OSError as error:
        pytest.skip(f"this machine makes no network namespaces: {error}")
    done = command(*network.inside(network.pod, "nft", "add", "table", "inet", "probe"))
    if done.returncode:
        network.__exit__()
        pytest.skip(f"this kernel has no nftables: {done.stderr.strip()}")
    return network
