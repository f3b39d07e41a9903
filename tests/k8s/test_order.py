# SPDX-License-Identifier: Apache-2.0
"""Goal: as a native sidecar sidekey is there before the agent and ends after it: by the manifest's
own command, probes, user, volumes and environment, in the hands of a kubelet that does no more
than they say."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml
from fakes.apibase import Act
from fakes.cloud import Cloud
from fakes.sidekey import ROOT
from fakes.wire import free_port, wait_for
from fakes.world import World
from kubelet import Kubelet
from rendering import K8S, build, container, render, templates, workload

pytestmark = pytest.mark.once

Run = Callable[..., Kubelet]
PROBER = ROOT / "tests" / "k8s" / "prober.py"
STRANDS = ROOT / ".cache" / "venv-agents" / "bin" / "python"
SOCKET = {"unix": "/run/sidekey/agent.sock", "mode": "0660", "group": 7717}
DRAIN_SECONDS = 25  # limits.drain, unless the configuration says otherwise


class Deployed:
    """A workload with sidekey in the tests' cloud: a store, a gateway behind mutual TLS, and the
    endpoint that gives a pod its identity."""

    def __init__(self, world: World, cloud: Cloud, folder: Path) -> None:
        self.world, self.cloud, self.folder = world, cloud, folder
        self.port, self.admin_port = free_port(), free_port()

    def configuration(self, **more) -> str:
        names = {"ca": "ca.crt", "clientCert": "tls.crt", "clientKey": "tls.key"}
        tls = {key: f"/etc/sidekey-tls/{name}" for key, name in names.items()}
        config = {
            "listen": [f"127.0.0.1:{self.port}"],
            "admin": [f"127.0.0.1:{self.admin_port}"],
            **self.world.config(self.world.target(tls=tls)),
            "secrets": {"failureTtl": "1s"},
            **more,
        }
        return yaml.safe_dump(config)

    def elsewhere(self) -> dict[str, dict[str, str]]:
        """The addresses that are others on this machine than in a cluster, by container."""
        return {
            "sidekey": {
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": self.cloud.container.uri,
                "AWS_ENDPOINT_URL_SECRETS_MANAGER": self.world.store.url,
            },
            "agent": {"OPENAI_BASE_URL": f"http://127.0.0.1:{self.port}/v1"},
        }

    def manifests(
        self, kind: str, has_init: bool, env: dict[str, str], socket: bool = False
    ) -> list[dict]:
        """The shipped ones, but for those addresses."""
        sidekey, agent = self.elsewhere().values()
        agent.update(env)
        pod = {"initContainers": [{"name": "sidekey"}], "containers": [{"name": "agent"}]}
        for one, given in ((pod["initContainers"][0], sidekey), (pod["containers"][0], agent)):
            one["env"] = [{"name": name, "value": value} for name, value in given.items()]
        if has_init:
            own = [{"name": n, "value": v} for n, v in agent.items() if n != "EXIT"]
            own.append({"name": "OPENAI_API_KEY", "value": "none"})
            pod["initContainers"].append({"name": "fetch", "env": own})
        patch = workload(kind, False)
        patch["spec"] = {"template": {"spec": pod}}
        listen = {"listen": [f"127.0.0.1:{self.port}", SOCKET]} if socket else {}
        literal = f"sidekey.yaml={self.configuration(**listen)}"
        return render(
            self.folder,
            ["identity-pod-identity", "client-tls", *(["unix-socket"] if socket else [])],
            [workload(kind, has_init)],
            configMapGenerator=[{"name": "sidekey", "behavior": "replace", "literals": [literal]}],
            patches=[{"patch": yaml.safe_dump(patch), "target": {"kind": kind}}],
        )

    def files(self, manifests: list[dict]) -> dict[str, dict[str, str]]:
        (config,) = [m["data"] for m in manifests if m["kind"] == "ConfigMap"]
        tls = {p.name: p.read_text() for p in (self.world.folder / "tls").iterdir()}
        return {
            "sidekey-config": config,
            "sidekey-identity": {"eks-pod-identity-token": self.cloud.container.token},
            "sidekey-tls": tls,
        }


@pytest.fixture
def deployed(tmp_path: Path) -> Iterator[Deployed]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    with World(tmp_path) as world, Cloud(world) as cloud:
        yield Deployed(world, cloud, tmp_path)


@pytest.fixture
def run_pod(deployed: Deployed) -> Iterator[Run]:
    with ExitStack() as stack:

        def run(
            kind: str = "Job",
            has_init: bool = False,
            watch=lambda event: None,
            socket: bool = False,
            **env: str,
        ) -> Kubelet:
            manifests = deployed.manifests(kind, has_init, env, socket)
            (pod,) = templates(manifests).values()
            kubelet = Kubelet(pod, deployed.folder / "pod", deployed.files(manifests), watch)
            return stack.enter_context(kubelet)

        yield run


def gone(pod: Kubelet) -> bool:
    """Whether no process is left of what ran in sidekey's container."""
    inside = pod.of("sidekey").root
    for root in Path("/proc").glob("[0-9]*/root"):
        try:
            if inside and os.readlink(root) == str(inside):
                return False
        except OSError:
            continue
    return True


@pytest.mark.parametrize("has_init", [False, True], ids=["alone", "with an init container"])
def test_the_agent_starts_when_sidekey_can_serve(
    deployed: Deployed, run_pod: Run, has_init: bool
) -> None:
    """The store comes up late; nothing of the pod runs before its secret has been fetched."""
    deployed.world.store.stop()
    refused = []

    def watch(event: tuple) -> None:
        if event == ("probe", "sidekey", False):
            refused.append(event)
            if len(refused) == 2:
                deployed.world.store.start()

    pod = run_pod(has_init=has_init, watch=watch)
    assert pod.run() == 0, pod.of("agent").text()
    others = ["fetch", "agent"] if has_init else ["agent"]
    started = pod.events.index(("probe", "sidekey", True))
    assert pod.events[0] == ("start", "sidekey")
    assert len(refused) >= 2 and all(pod.events.index(one) < started for one in refused)
    assert [e[1] for e in pod.events[started:] if e[0] == "start"] == others
    for name in others:
        assert "status 200" in pod.of(name).text()
    assert len(deployed.world.api.requests) == len(others)


@pytest.mark.parametrize("status", [0, 3])
def test_a_job_ends_with_its_agent(run_pod: Run, status: int) -> None:
    pod = run_pod(EXIT=str(status))
    assert pod.run() == status
    assert pod.events[-4:] == [
        ("start", "agent"),
        ("end", "agent", status),
        ("SIGTERM", "sidekey"),
        ("end", "sidekey", 0),
    ]
    wait_for(lambda: gone(pod), 5, "nothing is left of sidekey")


def test_a_deleted_pod_finishes_its_stream(deployed: Deployed, run_pod: Run) -> None:
    """The agent takes its time to end, and sidekey serves until it has."""
    deployed.world.api.script(Act(events=40, gap=0.1))
    pod = run_pod("Deployment", WORK="stream")
    wait_for(lambda: "piece" in pod.of("agent").text(), 20, "the stream flows")
    pod.delete()
    told = pod.of("agent").text().split("\n")
    assert told.index("told to end") < told.index("whole"), told
    assert pod.events[-4:] == [
        ("SIGTERM", "agent"),
        ("end", "agent", 0),
        ("SIGTERM", "sidekey"),
        ("end", "sidekey", 0),
    ]


def test_sigterm_drains_within_the_grace(deployed: Deployed, run_pod: Run) -> None:
    """A node that shuts down may tell all at once."""
    deployed.world.api.script(Act(events=40, gap=0.1))
    pod = run_pod("Deployment", WORK="stream")
    wait_for(lambda: "piece" in pod.of("agent").text(), 20, "the stream flows")
    pod.end_staying()
    assert pod.of("agent").wait(30) == 0
    assert "whole" in pod.of("agent").text()
    assert ("end", "sidekey", 0) in pod.events
    assert pod.grace > DRAIN_SECONDS


def test_a_second_sigterm_ends_at_once(deployed: Deployed, run_pod: Run) -> None:
    deployed.world.api.script(Act(events=2000, gap=0.1))
    pod = run_pod("Deployment", WORK="stream")
    wait_for(lambda: "piece" in pod.of("agent").text(), 20, "the stream flows")
    sidekey = pod.of("sidekey")
    sidekey.signal(signal.SIGTERM)
    wait_for(lambda: "drain" in sidekey.text(), 5, "it says that it drains")
    assert not sidekey.ended()
    sidekey.signal(signal.SIGTERM)
    assert sidekey.wait(DRAIN_SECONDS / 2) != -signal.SIGKILL
    wait_for(lambda: gone(pod), 5, "nothing is left of sidekey")


def test_a_dead_sidecar_comes_back(deployed: Deployed, run_pod: Run) -> None:
    pod = run_pod("Deployment", WORK="stream")
    sidekey = pod.of("sidekey")
    assert sidekey.probe("livenessProbe")
    sidekey.signal(signal.SIGKILL)
    wait_for(sidekey.ended, 5)
    assert not sidekey.probe("livenessProbe")
    wait_for(lambda: gone(pod), 10, "its roles end with it")
    pod.tick()
    end = pod.events.index(("end", "sidekey", -signal.SIGKILL))
    assert pod.events[end + 1] == ("start", "sidekey")
    assert pod.events[-1] == ("probe", "sidekey", True)
    assert sidekey.probe("livenessProbe")
    agent = pod.of("agent")
    agent.wait(20)
    agent.start()
    assert agent.wait(20) == 0
    assert agent.text().endswith("whole\n")


def test_a_swapped_configuration_is_seen(deployed: Deployed, run_pod: Run) -> None:
    """The volume is mounted whole, so `..data` leads to the new file."""
    pod = run_pod("Deployment", WORK="stream")
    sidekey, agent = pod.of("sidekey"), pod.of("agent")
    agent.wait(20)
    assert "status 200" in agent.text()
    models = [{"match": "o3-*", "target": "main"}]
    pod.volumes["sidekey-config"].change({"sidekey.yaml": deployed.configuration(models=models)})
    sidekey.signal(signal.SIGHUP)
    wait_for(lambda: '"generation":2' in sidekey.text(), 15, "a second generation")
    agent.start()
    agent.wait(20)
    assert "status 403" in agent.text()


def test_the_socket_is_the_groups(run_pod: Run) -> None:
    """By the manifest's group alone, and only to connect: the agent's mount is read-only."""
    pod = run_pod("Deployment", socket=True, WORK="none")
    root = pod.of("sidekey").root
    assert root
    (group,) = pod.spec["securityContext"]["supplementalGroups"]
    mine = pod.of("agent").spec["securityContext"]["runAsUser"]
    mounts = pod.of("agent").spec["volumeMounts"]
    (mount,) = [m for m in mounts if m["name"] == "sidekey-run"]
    assert mount["readOnly"] is True

    def outcome(who: str) -> str:
        asked = [{"how": "unix", "address": "agent.sock"}]
        done = subprocess.run(
            [sys.executable, str(PROBER), who],
            cwd=root / mount["mountPath"].lstrip("/"),
            input=json.dumps(asked) + "\n",
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        return json.loads(done.stdout)[0]

    assert outcome(f"{mine}:{group}") == "ok"
    assert outcome(f"{mine}") == "EACCES"
    assert outcome("2000") == "EACCES"


def test_the_example_gets_its_answer(deployed: Deployed) -> None:
    """The shipped agent, with the packages of its image; what this machine has elsewhere replaced
    in the environment of the shipped pod."""
    if not STRANDS.exists():
        pytest.skip("needs the packages of tests/clients/requirements.txt")
    manifests = build(K8S / "examples" / "strands-agent")
    (pod,) = templates(manifests).values()
    elsewhere = deployed.elsewhere()
    for name, changed in elsewhere.items():
        env = [e for e in container(pod, name)["env"] if e["name"] not in changed]
        container(pod, name)["env"] = env + [{"name": n, "value": v} for n, v in changed.items()]
    files = deployed.files(manifests)
    files["sidekey-config"] = {"sidekey.yaml": deployed.configuration()}
    mount = {"name": "sidekey-tls", "mountPath": "/etc/sidekey-tls", "readOnly": True}
    container(pod, "sidekey")["volumeMounts"].append(mount)
    pod["spec"]["volumes"].append({"name": "sidekey-tls"})
    agent = [str(STRANDS), str(K8S / "examples" / "strands-agent" / "agent.py")]
    with Kubelet(pod, deployed.folder / "pod", files, commands={"agent": agent}) as kubelet:
        assert kubelet.run() == 0, kubelet.of("agent").text()
        assert "the tool says 20" in kubelet.of("agent").text()  # the clock was asked
        for one in ("agent", "sidekey"):
            assert deployed.world.found_in(kubelet.of(one).log.read_bytes()) == []
    calls = deployed.world.api.requests
    assert len(calls) == 2 and "What time is it?" in calls[0].body.decode()
    assert {call.header("authorization") for call in calls} == {f"Bearer {deployed.world.key}"}
