# SPDX-License-Identifier: Apache-2.0
"""Goal: behind the egress lock the main job works: the real program, in a pod's network namespace
and by the manifest, gets its identity, its secret and its answer, each from another host; the
agent beside it reaches none of the three, and doctor finds nothing weak in either place."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from fakes.containercredentials import ContainerCredentials
from fakes.egress_lock import lock_image
from fakes.iam import Issuer
from fakes.pki import server_context
from fakes.sidekey import program
from fakes.world import World
from kubelet import Kubelet
from network import Network, open_network, reached
from rendering import container, render, templates, workload

pytestmark = pytest.mark.once

SIDEKEY, AGENT = 65532, 1000
STORE, API_BASE, IDENTITY = "198.51.100.1", "203.0.113.1", "169.254.170.23"
PORTS = {STORE: 443, API_BASE: 4000, IDENTITY: 80}
PLACES = {a: {"how": "connect", "address": a, "port": port} for a, port in PORTS.items()}
TOKEN = "a-projected-token"


def put(server, address: str, tls=None) -> None:
    server.host, server.port, server.tls = address, PORTS[address], tls


@pytest.fixture
def network() -> Iterator[Network]:
    made = open_network(set(PORTS))
    try:
        yield made
    finally:
        made.__exit__()


@pytest.fixture
def world(network: Network, tmp_path: Path) -> Iterator[World]:
    """Each on the host, and the port, where the manifests look for it."""
    made = World(tmp_path)
    authority, principals = made.authority, made.store.principals
    identity = ContainerCredentials(Issuer(principals), TOKEN)
    put(made.store, STORE, server_context(authority.server(STORE)))
    put(made.api, API_BASE, server_context(authority.server(API_BASE), authority))
    put(identity, IDENTITY)
    with network.within(network.world):
        for server in (made.store, made.api, identity):
            server.start()
    yield made
    for server in (made.store, made.api, identity):
        server.stop()


def pod_of(world: World, folder: Path) -> tuple[dict, dict[str, dict[str, str]]]:
    """The template, and what its volumes hold."""
    names = {"ca": "ca.crt", "clientCert": "tls.crt", "clientKey": "tls.key"}
    tls = {key: f"/etc/sidekey-tls/{name}" for key, name in names.items()}
    endpoint = {"secretsmanager": f"https://{STORE}"}
    config = world.config(world.target(tls=tls), aws={"endpoints": endpoint})
    manifests = render(
        folder, ["identity-pod-identity", "client-tls", "egress-lock"], [workload("Job", False)]
    )
    (pod,) = templates(manifests).values()
    for entry in container(pod, "sidekey")["env"]:
        if entry["name"] == "AWS_CONTAINER_CREDENTIALS_FULL_URI":
            assert entry["value"].startswith(f"http://{IDENTITY}/")
            entry["value"] = f"http://{IDENTITY}/creds"  # the stand-in's path
    lock, *pod["spec"]["initContainers"] = pod["spec"]["initContainers"]
    assert lock["name"] == "egress-lock"  # its work is done by Network.lock
    listeners = {"listen": ["127.0.0.1:7717"], "admin": ["127.0.0.1:7718"]}
    return pod, {
        "sidekey-config": {"sidekey.yaml": yaml.safe_dump({**listeners, **config})},
        "sidekey-identity": {"eks-pod-identity-token": TOKEN},
        "sidekey-tls": {p.name: p.read_text() for p in (world.folder / "tls").iterdir()},
    }


def doctor_in(kubelet: Kubelet) -> subprocess.CompletedProcess:
    sidekey = kubelet.of("sidekey")
    return subprocess.run(
        sidekey.enter(["/sidekey", "doctor"]),
        env=sidekey.env,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def doctor_as_agent(kubelet: Kubelet, root: Path) -> subprocess.CompletedProcess:
    """In the agent's place: its network, processes, files, user and environment."""
    (root / "proc").mkdir(parents=True)
    shutil.copy(program(), root / "sidekey")
    (root / "sidekey").chmod(0o755)
    reach = [word for a, port in PORTS.items() for word in ("--reach", f"{a}:{port}")]
    own = ["unshare", "--pid", "--fork", f"--mount-proc={root}/proc", "setpriv", "--no-new-privs"]
    change = ["/usr/sbin/chroot", f"--userspec={AGENT}:{AGENT}", "--groups=", str(root)]
    return subprocess.run(
        [*kubelet.inside, *own, *change, "/sidekey", "doctor", "--as-agent", *reach],
        env=kubelet.of("agent").env,
        capture_output=True,
        text=True,
        timeout=45,
        check=False,
    )


def test_the_main_job_behind_the_lock(network: Network, world: World, tmp_path: Path) -> None:
    assert reached(network.attempt(AGENT, PLACES)) == set(PLACES)
    locked = network.lock(lock_image(tmp_path / "lock"))
    assert locked.returncode == 0, locked.stderr
    pod, files = pod_of(world, tmp_path)
    kubelet = Kubelet(pod, tmp_path / "pod", files, inside=network.inside(network.pod))
    bundle = tmp_path / "pod" / "sidekey" / "etc" / "ssl" / "certs" / "ca-certificates.crt"
    bundle.parent.mkdir(parents=True)
    bundle.write_bytes(world.authority.pem)  # the image's, by which the store is verified
    with kubelet:
        assert reached(network.attempt(AGENT, PLACES)) == set()
        assert reached(network.attempt(SIDEKEY, PLACES)) == set(PLACES)
        for told in (doctor_in(kubelet), doctor_as_agent(kubelet, tmp_path / "agent")):
            assert told.returncode == 0 and "0 weak" in told.stdout, told.stdout + told.stderr
        assert kubelet.run() == 0, kubelet.of("agent").text()
    assert "status 200" in kubelet.of("agent").text()
    (call,) = world.api.requests
    assert call.header("authorization") == f"Bearer {world.key}"
    for name in ("agent", "sidekey"):
        assert world.found_in(kubelet.of(name).log.read_bytes()) == []
