# SPDX-License-Identifier: Apache-2.0
"""Goal: k8s/, rendered by kustomize for each kind of workload, is what Kubernetes and restricted
Pod Security accept, puts sidekey first, and leaves the agent nothing that is secret."""

import copy
import os
from pathlib import Path

import pytest
import yaml
from fakes.sidekey import run
from rendering import (
    AGENT,
    FETCH,
    IDENTITIES,
    K8S,
    KINDS,
    WORKLOADS,
    build,
    container,
    faults,
    forbidden,
    render,
    template,
    templates,
    workload,
)

pytestmark = pytest.mark.once

EXTRAS = ("client-tls", "bedrock", "network-policy", "pod-monitor")
FORMS = {
    f"{identity or 'no identity'}{', socket' if socket else ''}": (
        *filter(None, [identity]),
        *(["unix-socket", *EXTRAS] if socket else []),
    )
    for identity in (None, *IDENTITIES)
    for socket in (False, True)
}
TOKEN_DIRS = ("/var/run/secrets/", "/run/secrets/")
AGENTS_MOUNTS = {"/tmp", "/run/sidekey"}
EXAMPLES = sorted(p.parent.name for p in K8S.glob("examples/*/kustomization.yaml"))
AWS_IDENTITY = {
    "identity-pod-identity": "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "identity-irsa": "AWS_WEB_IDENTITY_TOKEN_FILE",
}
# Where a field is planted that Kubernetes does not know.
PLACES = {
    "Deployment": ("spec", "template", "spec", "initContainers", 0),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    "NetworkPolicy": ("spec", "egress", 0),
    "PodMonitor": ("spec", "podMetricsEndpoints", 0),
}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory) -> dict[str, list[dict]]:
    return {
        name: render(tmp_path_factory.mktemp("form"), components)
        for name, components in FORMS.items()
    }


@pytest.fixture(params=FORMS)
def form(request, rendered) -> list[dict]:
    return rendered[request.param]


def example(name: str) -> list[dict]:
    return build(K8S / "examples" / name)


# ---- what the judges say ----


def test_kubernetes_accepts_them(rendered) -> None:
    everything = [manifest for form in rendered.values() for manifest in form]
    assert {m["kind"] for m in everything} >= {*KINDS, "ServiceAccount", "ConfigMap"}
    assert {m["kind"] for m in everything} >= {"NetworkPolicy", "PodMonitor"}
    assert faults(everything) == []


def test_an_unknown_field_is_found(rendered) -> None:
    """Else the test above would say nothing."""
    planted = []
    for kind, path in PLACES.items():
        form = rendered["identity-irsa, socket"]
        manifest = copy.deepcopy(next(m for m in form if m["kind"] == kind))
        place = manifest
        for step in path:
            place = place[step]
        place[f"planted{kind}"] = "yes"
        planted.append(manifest)
    found = faults(planted)
    for kind in PLACES:
        assert any(f"planted{kind}" in fault for fault in found), found


def test_a_wrong_type_is_found(rendered) -> None:
    manifest = copy.deepcopy(next(m for m in rendered["no identity"] if m["kind"] == "Job"))
    template(manifest)["spec"]["initContainers"][0]["startupProbe"]["periodSeconds"] = "soon"
    assert "soon" in faults([manifest])[0]


def test_restricted_pod_security(rendered) -> None:
    pods = [pod for form in rendered.values() for pod in templates(form).values()]
    assert len(pods) == len(FORMS) * len(WORKLOADS)
    assert forbidden(pods) == []


@pytest.mark.parametrize(
    ("of", "change", "says"),
    [
        ("sidekey", {"allowPrivilegeEscalation": True}, "allowPrivilegeEscalation"),
        ("sidekey", {"capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]}}, "NET_ADMIN"),
        ("agent", {"runAsUser": 0}, "runAsUser=0"),
        ("agent", {"privileged": True}, "privileged"),
        ("agent", {"seccompProfile": {"type": "Unconfined"}}, "seccompProfile"),
    ],
)
def test_pod_security_sees_a_planted_weakness(rendered, of: str, change: dict, says: str) -> None:
    pod = copy.deepcopy(templates(rendered["no identity"])["job-init"])
    container(pod, of)["securityContext"].update(change)
    assert says in forbidden([pod])[0]


def test_the_lock_needs_more_than_restricted(tmp_path: Path) -> None:
    manifests = render(tmp_path, ["identity-pod-identity", "egress-lock"])
    assert faults(manifests) == []
    pods = list(templates(manifests).values())
    for level in ("restricted", "baseline"):
        assert len({line.split(":")[0] for line in forbidden(pods, level)}) == len(pods)
    assert all("egress-lock" in line for line in forbidden(pods, "baseline"))
    assert forbidden(pods, "privileged") == []
    for pod in pods:
        del pod["spec"]["initContainers"][0]
    assert forbidden(pods) == []


# ---- sidekey's place ----


def test_sidekey_is_first_and_native(form: list[dict]) -> None:
    pods = templates(form)
    assert len(pods) == len(WORKLOADS)
    for name, pod in pods.items():
        first, *rest = pod["spec"]["initContainers"]
        assert (first["name"], first["restartPolicy"]) == ("sidekey", "Always")
        assert rest == ([FETCH] if name.endswith("-init") else [])
        assert [c["name"] for c in pod["spec"]["containers"]] == ["agent"]
        assert "readinessProbe" not in first and "lifecycle" not in first


def test_a_cronjob_gets_what_a_deployment_gets(form: list[dict]) -> None:
    pods = templates(form)
    for variant in ("plain", "init"):
        cron, other = (copy.deepcopy(pods[f"{k}-{variant}"]) for k in ("cronjob", "job"))
        for pod in (cron, other):
            del pod["metadata"]["labels"]["app"]
        assert cron == other


@pytest.mark.parametrize(
    ("components", "order"),
    [
        (["identity-irsa", "egress-lock"], ["egress-lock", "sidekey", "fetch"]),
        (["egress-lock", "identity-irsa"], ["sidekey", "egress-lock", "fetch"]),
    ],
    ids=["listed last", "listed earlier"],
)
def test_the_lock_is_on_before_foreign_code_runs(tmp_path: Path, components, order) -> None:
    pods = templates(render(tmp_path, components, [workload(kind, True) for kind in KINDS]))
    for pod in pods.values():
        assert [c["name"] for c in pod["spec"]["initContainers"]] == order


def test_a_workload_can_be_left_out(tmp_path: Path) -> None:
    other = workload("Deployment", True)
    other["metadata"]["labels"] = {"sidekey": "none"}
    every = ["identity-irsa", "unix-socket", "client-tls", "bedrock", "egress-lock"]
    manifests = render(tmp_path, every, [other, workload("CronJob", False)])
    assert next(m for m in manifests if m["kind"] == "Deployment") == other
    assert "sidekey" in str(templates(manifests)["cronjob-plain"])


# ---- what the agent has, and has not ----


def test_the_agent_mounts_nothing_of_sidekeys(form: list[dict]) -> None:
    for pod in templates(form).values():
        mounts = container(pod, "agent")["volumeMounts"]
        assert {m["mountPath"] for m in mounts} <= AGENTS_MOUNTS
        own = {v["name"]: v for v in pod["spec"]["volumes"]}
        for mount in mounts:
            assert "emptyDir" in own[mount["name"]]
            assert mount["mountPath"] == "/tmp" or mount["readOnly"] is True


def test_only_sidekey_has_a_token(form: list[dict]) -> None:
    for pod in templates(form).values():
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False
        tokens = {v["name"] for v in spec["volumes"] if "projected" in v or "secret" in v}
        for one in spec["initContainers"] + spec["containers"]:
            mounts = one.get("volumeMounts", [])
            assert one["name"] == "sidekey" or not tokens & {m["name"] for m in mounts}
            assert one["name"] == "sidekey" or not any(
                m["mountPath"].startswith(TOKEN_DIRS) for m in mounts
            )


def test_the_agent_has_no_secret_in_its_environment(form: list[dict]) -> None:
    for pod in templates(form).values():
        agent = container(pod, "agent")
        env = {e["name"]: e for e in agent["env"]}
        assert "envFrom" not in agent
        assert all(set(e) == {"name", "value"} for e in agent["env"])
        assert env["OPENAI_API_KEY"]["value"] == "none"
        assert env["ANTHROPIC_BASE_URL"]["value"] == "http://127.0.0.1:7717"
        assert env["COLOUR"]["value"] == "blue"
        for name, entry in env.items():
            assert not name.endswith("_KEY") or entry["value"] == "none"
            assert "TOKEN" not in name and name != "AWS_ROLE_ARN"


def test_the_agent_is_another_user_without_powers(form: list[dict]) -> None:
    for pod in templates(form).values():
        spec, agent = pod["spec"], container(pod, "agent")
        rights = agent["securityContext"]
        assert container(pod, "sidekey")["securityContext"]["runAsUser"] == 65532
        assert rights["runAsUser"] == 1000 and rights["runAsGroup"] == 1000
        assert rights["capabilities"] == {"drop": ["ALL"]}
        assert rights["allowPrivilegeEscalation"] is False
        assert not any(
            spec[n] for n in ("shareProcessNamespace", "hostPID", "hostIPC", "hostNetwork")
        )
        for one in (agent, container(pod, "sidekey")):
            assert one["securityContext"]["readOnlyRootFilesystem"] is True
    assert AGENT["securityContext"]["capabilities"] == {"add": ["NET_RAW"]}


@pytest.mark.parametrize("identity", AWS_IDENTITY)
def test_the_identity_is_sidekeys(rendered, identity: str) -> None:
    for pod in templates(rendered[identity]).values():
        sidekey = container(pod, "sidekey")
        file = next(e["value"] for e in sidekey["env"] if e["name"] == AWS_IDENTITY[identity])
        mount = next(m for m in sidekey["volumeMounts"] if m["name"] == "sidekey-identity")
        volume = next(v for v in pod["spec"]["volumes"] if v["name"] == "sidekey-identity")
        (source,) = volume["projected"]["sources"]
        assert file == f"{mount['mountPath']}/{source['serviceAccountToken']['path']}"
        skipped = pod["metadata"]["annotations"]["eks.amazonaws.com/skip-containers"]
        assert skipped.split(",") == ["agent", "sidekey"]
        assert pod["metadata"]["labels"]["eks.amazonaws.com/skip-pod-identity-webhook"] == "true"


def test_the_webhook_passes_the_agent_by(rendered) -> None:
    for pod in templates(rendered["skip-containers"]).values():
        assert pod["metadata"]["annotations"] == {"eks.amazonaws.com/skip-containers": "agent"}


def test_the_account_gives_nothing(form: list[dict]) -> None:
    account = next(m for m in form if m["kind"] == "ServiceAccount")
    assert account["automountServiceAccountToken"] is False
    assert "annotations" not in account["metadata"]
    for pod in templates(form).values():
        assert pod["spec"]["serviceAccountName"] == account["metadata"]["name"]


# ---- what the policies select ----


def test_policies_and_monitor_find_the_pods(rendered) -> None:
    form = rendered["identity-irsa, socket"]
    policy = next(m for m in form if m["kind"] == "NetworkPolicy")["spec"]
    monitor = next(m for m in form if m["kind"] == "PodMonitor")["spec"]
    for pod in templates(form).values():
        labels = pod["metadata"]["labels"].items()
        assert policy["podSelector"]["matchLabels"].items() <= labels
        assert monitor["selector"]["matchLabels"].items() <= labels
        ports = {p["name"]: p["containerPort"] for p in container(pod, "sidekey")["ports"]}
        assert ports[monitor["podMetricsEndpoints"][0]["port"]] == 7718
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["ingress"][0]["ports"] == [{"protocol": "TCP", "port": 7718}]
    blocks = [to["ipBlock"] for rule in policy["egress"] for to in rule["to"] if "ipBlock" in to]
    wide = [b for b in blocks if b["cidr"] in ("0.0.0.0/0", "::/0")]
    assert "169.254.0.0/16" in wide[0]["except"] and "fd00:ec2::/32" in wide[1]["except"]


# ---- what the binary says to it ----


@pytest.mark.parametrize("probe", ["startupProbe", "livenessProbe"])
def test_a_probe_is_a_verb_of_the_program(form: list[dict], probe: str) -> None:
    expected = {"startupProbe": ["health", "--started"], "livenessProbe": ["health"]}[probe]
    for pod in templates(form).values():
        program, *verb = container(pod, "sidekey")[probe]["exec"]["command"]
        assert (program, verb) == ("/sidekey", expected)
    told = run(expected[0], "--help")
    assert told.returncode == 0
    assert all(word in told.stdout for word in expected[1:])


def configuration(manifests: list[dict]) -> str:
    """As sidekey finds it in the pod: the ConfigMap that its volume names, whole."""
    (pod, *_) = templates(manifests).values()
    volume = next(v for v in pod["spec"]["volumes"] if v["name"] == "sidekey-config")
    mounts = container(pod, "sidekey")["volumeMounts"]
    mount = next(m for m in mounts if m["name"] == "sidekey-config")
    assert mount == {"name": "sidekey-config", "mountPath": "/etc/sidekey", "readOnly": True}
    assert set(volume["configMap"]) == {"name"}
    maps = {m["metadata"]["name"]: m["data"] for m in manifests if m["kind"] == "ConfigMap"}
    return maps[volume["configMap"]["name"]]["sidekey.yaml"]


def environment(manifests: list[dict]) -> dict[str, str]:
    (pod, *_) = templates(manifests).values()
    given = container(pod, "sidekey").get("env", [])
    return {e["name"]: e.get("value", "a-pod") for e in given}


def check(tmp_path: Path, manifests: list[dict]) -> str:
    """The volume is laid out as the kubelet does it, so that `..data` is swapped in one step."""
    folder = tmp_path / "etc"
    (folder / "..2026").mkdir(parents=True)
    (folder / "..2026" / "sidekey.yaml").write_text(configuration(manifests))
    os.symlink("..2026", folder / "..data")
    os.symlink("..data/sidekey.yaml", folder / "sidekey.yaml")
    told = run("check", "-c", str(folder / "sidekey.yaml"), env=environment(manifests))
    assert told.returncode == 0, told.stdout
    return told.stdout


@pytest.mark.parametrize(
    ("identity", "says"), [("identity-irsa", "webIdentity"), ("identity-pod-identity", "container")]
)
def test_the_configuration_passes_check(rendered, tmp_path: Path, identity, says) -> None:
    assert says in check(tmp_path, rendered[identity])


def test_a_socket_configuration_passes_check(tmp_path: Path) -> None:
    """The line that components/unix-socket tells its user to write."""
    note = (K8S / "components/unix-socket/kustomization.yaml").read_text()
    line = note.partition("configuration needs")[2].splitlines()[0].strip()
    base = yaml.safe_load((K8S / "base" / "sidekey.yaml").read_text())
    text = yaml.safe_dump({**base, **yaml.safe_load(line)})
    generator = [{"name": "sidekey", "behavior": "replace", "literals": [f"sidekey.yaml={text}"]}]
    manifests = render(tmp_path, ["unix-socket"], configMapGenerator=generator)
    check(tmp_path, manifests)
    (pod, *_) = templates(manifests).values()
    assert yaml.safe_load(line)["listen"][0]["group"] in (
        pod["spec"]["securityContext"]["supplementalGroups"]
    )


def test_a_changed_configuration_rolls_the_pods(tmp_path: Path) -> None:
    generator = [{"name": "sidekey", "behavior": "replace", "literals": ["sidekey.yaml=other"]}]
    before = configuration(render(tmp_path))
    manifests = render(tmp_path, configMapGenerator=generator)
    assert before != configuration(manifests) == "other"


def test_agents_of_one_namespace_are_told_apart(tmp_path: Path) -> None:
    """The pod follows its account and its configuration to their new names."""
    manifests = render(tmp_path, [], [workload("CronJob", True)], namePrefix="red-")
    configuration(manifests)
    account = next(m for m in manifests if m["kind"] == "ServiceAccount")
    pod = templates(manifests)["red-cronjob-init"]
    assert pod["spec"]["serviceAccountName"] == account["metadata"]["name"] == "red-agent"


# ---- the examples ----


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_holds(name: str, tmp_path: Path) -> None:
    manifests = example(name)
    assert faults(manifests) == []
    (space,) = [m for m in manifests if m["kind"] == "Namespace"]
    level = space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
    assert forbidden(list(templates(manifests).values()), level) == []
    assert not [m for m in manifests if m["kind"] == "Secret"]
    assert "secretKeyRef" not in str(manifests) and "secretRef" not in str(manifests)
    check(tmp_path, manifests)


def test_there_is_an_example() -> None:
    assert "strands-agent" in EXAMPLES
