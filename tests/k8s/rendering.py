# SPDX-License-Identifier: Apache-2.0
"""Renders k8s/ with kubectl's kustomize, for workloads of each kind, and hands the result to
judges that are not ours."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml
from fakes.sidekey import ROOT

K8S = ROOT / "k8s"
VENV = ROOT / ".cache" / "venv-k8s" / "bin"
PODSECURITY = ROOT / ".cache" / "podsecurity" / "podsecurity"
JUDGE = ROOT / "tests" / "k8s" / "judge.py"
# The first with native sidecars, and the newest that the package knows.
VERSIONS = ("1.29", "1.37")
KINDS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")
IDENTITIES = ("identity-pod-identity", "identity-irsa", "skip-containers")
UNHARMFUL = {
    "runAsUser": 1000,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}
# What somebody's agent looks like before: it has a key, and a power that it should not have.
AGENT = {
    "name": "agent",
    "image": "sidekey-agent:0.1.0",
    "env": [
        {"name": "OPENAI_API_KEY", "valueFrom": {"secretKeyRef": {"name": "old", "key": "k"}}},
        {"name": "ANTHROPIC_BASE_URL", "value": "https://api.anthropic.com"},
        {"name": "COLOUR", "value": "blue"},
    ],
    "securityContext": {"capabilities": {"add": ["NET_RAW"]}, "allowPrivilegeEscalation": True},
}
FETCH = {"name": "fetch", "image": "fetch:1", "securityContext": UNHARMFUL}


def workload(kind: str, has_init: bool) -> dict:
    """A workload as its owner wrote it, without a word of sidekey."""
    name = f"{kind.lower()}-{'init' if has_init else 'plain'}"
    spec: dict = {"containers": [AGENT]}
    if has_init:
        spec["initContainers"] = [FETCH]
    if kind.endswith("Job"):
        spec["restartPolicy"] = "Never"
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": spec}
    within: dict = {"template": template}
    if kind == "CronJob":
        within = {"schedule": "0 4 * * *", "jobTemplate": {"spec": within}}
    elif kind != "Job":
        within["selector"] = {"matchLabels": labels}
    if kind == "StatefulSet":
        within["serviceName"] = name
    group = "batch/v1" if kind.endswith("Job") else "apps/v1"
    return {"apiVersion": group, "kind": kind, "metadata": {"name": name}, "spec": within}


WORKLOADS = [workload(kind, has_init) for kind in KINDS for has_init in (False, True)]


def build(folder: Path) -> list[dict]:
    """What `kubectl apply -k` would send."""
    kubectl = VENV / "kubectl"
    if not kubectl.exists():
        pytest.skip("needs the packages of tests/k8s/requirements.txt")
    done = subprocess.run(
        [str(kubectl), "kustomize", str(folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return list(yaml.safe_load_all(done.stdout))


def render(folder: Path, components=(), workloads=WORKLOADS, **more) -> list[dict]:
    """The workloads with k8s/base, the sidecar and further components."""
    k8s = os.path.relpath(K8S.resolve(), folder.resolve())
    (folder / "workloads.yaml").write_text(yaml.safe_dump_all(workloads))
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": ["workloads.yaml", f"{k8s}/base"],
        "components": [f"{k8s}/components/{name}" for name in ("sidecar", *components)],
        **more,
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return build(folder)


def template(manifest: dict) -> dict | None:
    """The pod template in it, if it has one."""
    spec = manifest.get("spec", {})
    return spec.get("jobTemplate", {}).get("spec", spec).get("template")


def templates(manifests: list[dict]) -> dict[str, dict]:
    """By the name of the workload."""
    return {m["metadata"]["name"]: t for m in manifests if (t := template(m))}


def container(pod: dict, name: str) -> dict:
    spec = pod["spec"]
    return next(c for c in spec.get("initContainers", []) + spec["containers"] if c["name"] == name)


def faults(manifests: list[dict]) -> list[str]:
    """What the schemas of Kubernetes say against them."""
    done = subprocess.run(
        [str(VENV / "python"), str(JUDGE), *VERSIONS],
        input=json.dumps(manifests),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) == len(manifests)
    return [fault for one in found for fault in one]


def forbidden(pods: list[dict], level: str = "restricted") -> list[str]:
    """What Pod Security says against them, each with its place in the list."""
    if not PODSECURITY.exists():
        pytest.skip("needs .cache/podsecurity, which deploy/deps.sh builds")
    done = subprocess.run(
        [str(PODSECURITY), level],
        input="".join(json.dumps(pod) + "\n" for pod in pods),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == len(pods)
    return [f"{i}: {reason}" for i, reasons in enumerate(lines) for reason in reasons]
