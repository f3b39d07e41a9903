# SPDX-License-Identifier: Apache-2.0
"""Goal: whoever copies the commands of deploy/ecs/README.md, in their order, ends with a task that
ECS has started and with roles that are the ones of policy/iam."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from fakes.moto import moto_server
from fakes.sidekey import ROOT

pytestmark = [pytest.mark.once, pytest.mark.timeout(150)]
GUIDE = ROOT / "deploy" / "ecs" / "README.md"
CLI = ROOT / ".cache" / "venv-ecs" / "bin"
ACCOUNT, REGION = "123456789012", "eu-west-1"
# What the guide itself says is not run, since there is no Terraform in any registry that we use.
NOT_RUN = ("terraform ",)
KEYS = {"aws_access_key_id": "AKIAMOTO", "aws_secret_access_key": "m" * 40}


def client(name: str, url: str):
    return boto3.client(name, REGION, endpoint_url=url, **KEYS)


@pytest.fixture
def moto() -> Iterator[str]:
    with moto_server() as url:
        yield url


def commands() -> str:
    """The blocks of the guide that are to be run, as one script."""
    blocks = re.findall(r"^```sh\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    kept = [b for b in blocks if not b.startswith(NOT_RUN)]
    assert len(kept) == len(blocks) - 1
    return "set -euo pipefail\n" + "".join(kept)


def network(url: str) -> dict[str, str]:
    """What the guide says is at hand."""
    ec2 = client("ec2", url)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    # Private DNS of the endpoints needs it, in the guide as well.
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="task", Description="task", VpcId=vpc)["GroupId"]
    client("ecs", url).create_cluster(clusterName="agents")
    return {"CLUSTER": "agents", "SUBNET": subnet, "GROUP": group}


def test_guide(moto: str, tmp_path: Path) -> None:
    if not (CLI / "aws").exists():
        pytest.skip("needs the packages of tests/ecs/requirements.txt in .cache/venv-ecs")
    for folder in ("deploy/ecs", "policy/iam"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    env = {
        "PATH": f"{CLI}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "NO_PROXY": "*",
        "AWS_ENDPOINT_URL": moto,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": KEYS["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": KEYS["aws_secret_access_key"],
        "AWS_PAGER": "",
        "ACCOUNT": ACCOUNT,
        "REGION": REGION,
        **network(moto),
    }
    done = subprocess.run(
        ["bash", "-c", commands()],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    kept = client("secretsmanager", moto).get_secret_value(SecretId="agent/external-id")
    trust = client("iam", moto).get_role(RoleName="agent-reader")["Role"]
    (statement,) = trust["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Condition"]["StringEquals"]["sts:ExternalId"] == [kept["SecretString"]]
    assert re.fullmatch("[0-9a-f]{64}", kept["SecretString"])
    made = client("ecs", moto).describe_task_definition(taskDefinition="agent")["taskDefinition"]
    sidekey = made["containerDefinitions"][0]
    assert sidekey["secrets"][0]["valueFrom"] == kept["ARN"]
    start = client("iam", moto).get_role_policy(RoleName="agent-execution", PolicyName="start")
    assert kept["ARN"] in json.dumps(start["PolicyDocument"])
    assert client("ecs", moto).list_tasks(cluster="agents")["taskArns"]
    left = "".join(p.read_text() for p in (tmp_path / "build").rglob("*") if p.is_file())
    assert kept["SecretString"] not in left
    assert kept["SecretString"] not in json.dumps(made, default=str)
