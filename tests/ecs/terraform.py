# SPDX-License-Identifier: Apache-2.0
"""The module of deploy/ecs/terraform, evaluated (hcl.py), and who holds which of its policies."""

import functools
import json
import subprocess
from pathlib import Path

import pytest
from evaluator import Request, decide
from fakes.sidekey import ROOT

PYTHON = ROOT / ".cache" / "venv-ecs" / "bin" / "python"
MODULE = ROOT / "deploy" / "ecs" / "terraform"
ACCOUNT, REGION = "123456789012", "us-east-1"
EXTERNAL_ID = "replace-with-your-external-id"
EXTERNAL_ID_ARN = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:agent/external-id-AbCdEf"


def role_arn(role: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/agent-{role}"


def stand_ins(layout: str) -> dict:
    """What AWS would answer, under the names that the module gives to its resources."""
    count = 1 if layout == "reader" else 0
    partition = {"partition": "aws", "dns_suffix": "amazonaws.com"}
    roles = {role: {"arn": role_arn(role), "id": role, "name": role} for role in ROLES}
    return {
        "data": {
            "aws_caller_identity": {"current": {"account_id": ACCOUNT}},
            "aws_partition": {"current": partition},
        },
        "aws_iam_role": {
            **{role: roles[role] for role in ("task", "execution")},
            **{role: [roles[role]] * count for role in ("reader", "invoke")},
        },
        "random_password": {"external_id": [{"result": EXTERNAL_ID}] * count},
        "aws_secretsmanager_secret": {
            "external_id": [{"arn": EXTERNAL_ID_ARN, "id": EXTERNAL_ID_ARN}] * count
        },
        "aws_security_group": {"task": {"id": "sg-task"}, "endpoints": [{"id": "sg-endpoints"}]},
        "aws_vpc_endpoint": {"s3": [{"prefix_list_id": "pl-s3"}]},
        "aws_ecs_task_definition": {"this": {"arn": "arn:task"}},
    }


ROLES = ("task", "execution", "reader", "invoke")


def evaluate(folder: Path, variables: dict, objects: dict) -> dict:
    if not PYTHON.exists():
        pytest.skip("needs the packages of tests/ecs/requirements.txt in .cache/venv-ecs")
    done = subprocess.run(
        [str(PYTHON), str(Path(__file__).with_name("hcl.py")), str(folder)],
        input=json.dumps({"variables": variables, "objects": objects}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@functools.cache
def example(name: str) -> str:
    """The variables that an example gives to the module, as JSON (which a cache can hold)."""
    given = evaluate(MODULE / "examples" / name, {}, {})["modules"]["agent"]
    assert given.pop("source") == "../.."
    return json.dumps(given)


@functools.cache
def _module(name: str, changes: str) -> str:
    variables = {**json.loads(example(name)), **json.loads(changes)}
    layout = variables.get("layout", "reader")
    return json.dumps(evaluate(MODULE, variables, stand_ins(layout)))


def module(example_name: str, /, **changes) -> dict:
    """The module as an example calls it, with some variables changed."""
    return json.loads(_module(example_name, json.dumps(changes)))


class Account:
    """The principals and policies of a task, as they are after `terraform apply`."""

    def __init__(self, name: str, **changes) -> None:
        made = module(name, **changes)
        assert made["wrong"] == []
        self.locals, self.resources = made["locals"], made["resources"]
        self.identity: dict[str, list[dict]] = {role: [] for role in ROLES}
        for at, rows in self.resources.items():
            if at.startswith("aws_iam_role_policy."):
                for row in rows:
                    self.identity[row["role"]].append(json.loads(row["policy"]))
        self.trust = {
            role: json.loads(row["assume_role_policy"])
            for role in ROLES
            for row in self.resources[f"aws_iam_role.{role}"]
        }
        rows = self.resources["aws_vpc_endpoint.interface"]
        self.endpoints = {
            row["service_name"].split(".", 3)[3]: json.loads(row["policy"]) for row in rows
        }
        self.containers = {
            c["name"]: c
            for row in self.resources["aws_ecs_task_definition.this"]
            for c in json.loads(row["container_definitions"])
        }

    def may(self, who: str, action: str, resource: str, endpoint: str | None = None, **context):
        """who: a role of the module, or the ARN of another principal with all rights."""
        everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        own = self.identity.get(who, [{"Version": "2012-10-17", "Statement": [everything]}])
        request = Request(
            role_arn(who) if who in ROLES else who,
            action,
            resource,
            {k.replace("__", ":"): v for k, v in context.items()},
        )
        trust = self.trust.get(resource.rpartition("agent-")[2]) if action in TAKES_TRUST else None
        way = self.endpoints[endpoint] if endpoint else None
        return decide(request, own, resource=trust, endpoint=way)


TAKES_TRUST = ("sts:AssumeRole",)
