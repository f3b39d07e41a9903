# SPDX-License-Identifier: Apache-2.0
"""Goal: what the Terraform module makes is a task that ECS takes, in both layouts, and that keeps
the agent from sidekey's part of it."""

import json
import re
import subprocess
from pathlib import Path

import boto3
import pytest
from botocore.session import Session
from botocore.validate import ParamValidator
from fakes.sidekey import ROOT, run
from moto import mock_aws
from terraform import (
    EXTERNAL_ID,
    EXTERNAL_ID_ARN,
    MODULE,
    REGION,
    Account,
    example,
    module,
)

pytestmark = pytest.mark.once
FILES = {"litellm": "task.json", "env": "task-env.json"}
CHECKOV = ROOT / ".cache" / "venv-checkov" / "bin" / "checkov"
SHAPE = Session().get_service_model("ecs").operation_model("RegisterTaskDefinition").input_shape


def definition(account: Account) -> dict:
    """The resource as the call of ECS that the provider makes of it."""
    (row,) = account.resources["aws_ecs_task_definition.this"]
    (platform,) = row["runtime_platform"]
    made = {
        "family": row["family"],
        "networkMode": row["network_mode"],
        "requiresCompatibilities": row["requires_compatibilities"],
        "cpu": str(row["cpu"]),
        "memory": str(row["memory"]),
        "runtimePlatform": {
            "operatingSystemFamily": platform["operating_system_family"],
            "cpuArchitecture": platform["cpu_architecture"],
        },
        "executionRoleArn": row["execution_role_arn"],
        "taskRoleArn": row["task_role_arn"],
        "containerDefinitions": json.loads(row["container_definitions"]),
    }
    if row.get("volume"):
        made["volumes"] = row["volume"]
    return made


def faults(shape, value, at: str = "") -> list[str]:
    """Members that botocore's model does not know, and words: its validator passes over both."""
    found = []
    if shape.type_name == "structure":
        for name, inner in value.items():
            known = name in shape.members
            found += (
                faults(shape.members[name], inner, f"{at}.{name}") if known else [f"{at}.{name}"]
            )
    elif shape.type_name == "list":
        for i, inner in enumerate(value):
            found += faults(shape.member, inner, f"{at}[{i}]")
    elif getattr(shape, "enum", None) and value not in shape.enum:
        found.append(f"{at}: {value!r}")
    return found


def model_faults(made: dict) -> list[str]:
    report = ParamValidator().validate(made, SHAPE)
    return ([report.generate_report()] if report.has_errors() else []) + faults(SHAPE, made)


VARIANTS = {
    "reader": ("litellm", {}),
    "env": ("env", {}),
    "EC2": ("litellm", {"launch_type": "EC2", "architecture": "ARM64"}),
    "writable": (
        "env",
        {"agent": {"image": "a", "command": ["run"], "writable": ["/tmp", "/work"]}},
    ),
}


@pytest.fixture(params=VARIANTS.values(), ids=VARIANTS.keys())
def account(request) -> Account:
    name, changes = request.param
    return Account(name, **changes)


def test_ecs_takes_it(account: Account) -> None:
    made = definition(account)
    assert model_faults(made) == []
    with mock_aws():
        ecs = boto3.client(
            "ecs", REGION, aws_access_key_id="AKIAMOTO", aws_secret_access_key="m" * 40
        )
        kept = ecs.register_task_definition(**made)["taskDefinition"]
        assert [c["name"] for c in kept["containerDefinitions"]] == ["sidekey", "agent"]


@pytest.mark.parametrize(
    "change",
    [
        {"portMapping": []},
        {"stopTimeout": "30"},
        {"linuxParameters": {"capability": {}}},
        {"dependsOn": [{"containerName": "a", "condition": "READY"}]},
    ],
    ids=["unknown member", "wrong type", "unknown below", "unknown word"],
)
def test_the_model_would_say_so(change: dict) -> None:
    made = definition(Account("litellm"))
    made["containerDefinitions"][0] |= change
    assert model_faults(made)


def test_settings_of_both_containers(account: Account) -> None:
    for container in account.containers.values():
        assert container["essential"] and container["readonlyRootFilesystem"]
        assert not container["privileged"] and container["portMappings"] == []
        assert container["linuxParameters"]["capabilities"] == {"drop": ["ALL"]}
        assert container["logConfiguration"]["options"]["mode"] == "non-blocking"
        assert 2 <= container["stopTimeout"] <= 120
    users = {name: c["user"].split(":")[0] for name, c in account.containers.items()}
    assert users["sidekey"] == "65532" and users["agent"] not in ("0", "65532")
    (row,) = account.resources["aws_ecs_task_definition.this"]
    assert not {"pid_mode", "ipc_mode"} & set(row)
    options = [c.get("dockerSecurityOptions") for c in account.containers.values()]
    on_ec2 = row["requires_compatibilities"] == ["EC2"]
    assert options == [["no-new-privileges"] if on_ec2 else None] * 2
    assert all(
        s["enable_execute_command"] is False for s in account.resources["aws_ecs_service.this"]
    )


def test_agent_waits_for_sidekey(account: Account) -> None:
    sidekey, agent = account.containers["sidekey"], account.containers["agent"]
    assert agent["dependsOn"] == [{"containerName": "sidekey", "condition": "HEALTHY"}]
    assert sidekey["healthCheck"]["command"] == ["CMD", "/sidekey", "health", "--started"]
    assert "dependsOn" not in sidekey


def test_only_sidekey_is_given_anything(account: Account) -> None:
    sidekey, agent = account.containers["sidekey"], account.containers["agent"]
    assert sidekey["secrets"] and not agent.get("secrets")
    text = json.dumps(account.resources["aws_ecs_task_definition.this"])
    assert EXTERNAL_ID not in text
    assert EXTERNAL_ID_ARN not in json.dumps(agent)
    mounted = {m["sourceVolume"] for m in agent["mountPoints"]}
    assert not mounted & {m["sourceVolume"] for m in sidekey.get("mountPoints", [])}


def test_in_the_reader_layout_no_key_is_injected() -> None:
    (only,) = Account("litellm").containers["sidekey"]["secrets"]
    assert only == {"name": "SIDEKEY_EXTERNAL_ID", "valueFrom": EXTERNAL_ID_ARN}


@pytest.mark.parametrize(("name", "file"), FILES.items())
def test_file_for_those_without_terraform(name: str, file: str) -> None:
    kept = json.loads((ROOT / "deploy" / "ecs" / file).read_text())
    assert kept == definition(Account(name))


@pytest.mark.parametrize("name", FILES)
def test_sidekey_takes_its_configuration(name: str) -> None:
    """As the container has it: by its environment alone."""
    container = Account(name).containers["sidekey"]
    env = {row["name"]: row["value"] for row in container["environment"]}
    env |= {row["name"]: "a-value-of-sixteen-bytes" for row in container["secrets"]}
    env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/v2/credentials/x"
    done = run("check", env=env)
    assert done.returncode == 0, done.stdout


def test_what_is_said_of_a_role_is_kept() -> None:
    """A user's own endpoints stay beside what the module adds; an API key's target is not touched."""
    config = json.loads(example("litellm"))["config"]
    config["aws"] = {"endpoints": {"sts": "https://sts.example"}, "credentials": "auto"}
    config["targets"]["second"] = {"provider": "bedrock", "region": REGION, "apiKey": "env:KEY"}
    made = module("litellm", config=config)["locals"]["config"]
    assert made["aws"]["endpoints"] == {"sts": "https://sts.example"}
    assert made["aws"]["credentials"] == "container"
    assert "aws" not in made["targets"]["second"] and "aws" not in made["targets"]["litellm"]
    assert made["targets"]["bedrock"]["aws"]["assumeRole"]["roleArn"].endswith("agent-invoke")


PARTIAL = "arn:aws:secretsmanager:us-east-1:123456789012:secret:litellm-proxy"
REFUSED = [
    ({"config": {}}, "targets is missing"),
    ({"config": {"targets": {"a": {"apiKey": PARTIAL}}}}, "whole ARN"),
    ({"agent": {"image": "a", "user": "65532"}}, "neither root nor"),
    ({"agent": {"image": "a", "user": "0:0"}}, "neither root nor"),
    ({"layout": "shared"}, "Use reader or env"),
    ({"stop_timeout": 300}, "2 to 120"),
    ({"further_endpoints": ["sns"]}, "Use ssm"),
    ({"name": "an agent"}, "letters, digits"),
    ({"no_such": 1}, "no_such is no variable"),
]


@pytest.mark.parametrize(("changes", "said"), REFUSED)
def test_bad_variable_is_refused(changes: dict, said: str) -> None:
    (only,) = module("litellm", **changes)["wrong"]
    assert said in only


# ---- the network ----


@pytest.mark.parametrize(
    ("name", "services"),
    [
        ("litellm", {"secretsmanager", "sts", "logs", "ecr.api", "ecr.dkr", "bedrock-runtime"}),
        ("env", {"secretsmanager", "logs", "ecr.api", "ecr.dkr"}),
    ],
)
def test_endpoints(name: str, services: set[str]) -> None:
    account = Account(name)
    assert set(account.endpoints) == services
    for policy in account.endpoints.values():
        for statement in policy["Statement"]:
            assert statement["Condition"]["ArnEquals"]["aws:PrincipalArn"]
    (gateway,) = account.resources["aws_vpc_endpoint.s3"]
    (statement,) = json.loads(gateway["policy"])["Statement"]
    assert statement["Action"] == "s3:GetObject" and "starport-layer" in statement["Resource"]


def test_without_endpoints_none_is_made() -> None:
    account = Account("litellm", endpoints=False)
    assert not account.endpoints and not account.resources["aws_vpc_endpoint.s3"]


def test_nothing_comes_in_and_little_goes_out() -> None:
    resources = Account("litellm").resources
    (entry,) = resources["aws_vpc_security_group_ingress_rule.endpoints"]
    assert entry["security_group_id"] == "sg-endpoints"
    assert entry["referenced_security_group_id"] == "sg-task"
    out = [r for at, rows in resources.items() if "egress_rule" in at for r in rows]
    assert {r["security_group_id"] for r in out} == {"sg-task"}
    assert {(r["from_port"], r["to_port"]) for r in out} == {(443, 443)}
    assert [r["cidr_ipv4"] for r in out if "cidr_ipv4" in r] == ["203.0.113.10/32"]


# ---- the source ----


def test_every_variable_is_described_and_used() -> None:
    source = "".join(p.read_text() for p in MODULE.glob("*.tf"))
    declared = re.findall(r'^variable "(\w+)"', source, re.MULTILINE)
    assert declared
    for name in declared:
        assert re.search(rf"\bvar\.{name}\b", source.replace(f'variable "{name}"', "")), name
    assert len(re.findall(r"^  description = ", source, re.MULTILINE)) >= len(declared)


def test_checkov_finds_nothing(tmp_path: Path) -> None:
    if not CHECKOV.exists():
        pytest.skip("needs the packages of tests/ecs/checkov.txt in .cache/venv-checkov")
    done = subprocess.run(
        [str(CHECKOV), "-d", str(MODULE), "--framework", "terraform", "-o", "json"]
        + ["--skip-download", "--quiet"],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=80,
        check=False,
    )
    found = json.loads(done.stdout)
    assert found["summary"]["passed"] > 30 and found["summary"]["parsing_errors"] == 0
    failed = [(c["check_id"], c["resource"]) for c in found["results"]["failed_checks"]]
    assert failed == [], done.stderr
