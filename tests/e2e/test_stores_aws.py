# SPDX-License-Identifier: Apache-2.0
"""Goal: each service of AWS is looked for where it is: at the host of the ARN's own partition and
region, or at the endpoint that somebody named, such as a VPC's; and nowhere else."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.session import get_session
from fakes.agent import chat
from fakes.cloud import Cloud
from fakes.dns import NameServer
from fakes.wire import Server, wait_for
from fakes.world import World

ACCOUNT = "123456789012"


def secret(partition: str, region: str) -> str:
    return f"arn:{partition}:secretsmanager:{region}:{ACCOUNT}:secret:key-AbCdEf"


def parameter(partition: str, region: str) -> str:
    return f"arn:{partition}:ssm:{region}:{ACCOUNT}:parameter/key"


def provider(partition: str, region: str) -> str:
    vault = "token-vault/default/apikeycredentialprovider/key"
    return f"arn:{partition}:bedrock-agentcore:{region}:{ACCOUNT}:{vault}"


@pytest.fixture
def names(root) -> Iterator[NameServer]:
    """A name server that knows no name, and what it was asked."""
    if subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("needs the right to make a mount namespace")
    try:
        server = NameServer({}, host="127.0.77.54")
    except OSError as why:
        pytest.skip(f"port 53 of a loopback address cannot be had: {why}")
    with server:
        yield server


@pytest.fixture
def wrap(names: NameServer, tmp_path: Path) -> list[str]:
    config = tmp_path / "resolv.conf"
    config.write_text(f"nameserver {names.host}\noptions timeout:1 attempts:1\n")
    command = f'mount --bind {config} /etc/resolv.conf && exec "$@"'
    return ["unshare", "-m", "sh", "-c", command, "sh"]


EVERYWHERE = [
    secret("aws", "eu-west-1"),
    secret("aws-cn", "cn-north-1"),
    secret("aws-us-gov", "us-gov-west-1"),
    secret("aws-eusc", "eusc-de-east-1"),
    secret("aws-iso", "us-iso-east-1"),
    secret("aws-iso-b", "us-isob-east-1"),
    secret("aws-iso-e", "eu-isoe-west-1"),
    secret("aws-iso-f", "us-isof-south-1"),
    parameter("aws", "us-west-2"),
    parameter("aws-cn", "cn-northwest-1"),
    # A provider's secret is in the store of its region.
    provider("aws", "us-west-2"),
    secret("aws", "us-west-2"),
]
IN_AMERICA = [
    secret("aws", "us-east-1"),
    secret("aws-us-gov", "us-gov-east-1"),
    parameter("aws", "ca-central-1"),
    parameter("aws-us-gov", "us-gov-west-1"),
]
# Where botocore's own clients can be made for dual stack.
DUAL = [arn for arn in EVERYWHERE if arn.split(":")[1] in ("aws", "aws-cn", "aws-us-gov")]
HOSTS = [
    (False, False, EVERYWHERE),
    (True, False, IN_AMERICA),
    (False, True, DUAL),
    (True, True, IN_AMERICA),
]


def host_by_botocore(arn: str, fips: bool, dual: bool) -> str:
    """Where the SDK would ask for it, by AWS's own rules."""
    service, region = arn.split(":")[2:4]
    name = "bedrock-agentcore-control" if service == "bedrock-agentcore" else service
    config = Config(use_fips_endpoint=fips, use_dualstack_endpoint=dual, signature_version=UNSIGNED)
    client = get_session().create_client(name, region_name=region, config=config)
    resolver, model = client._ruleset_resolver, client.meta.service_model
    operation = model.operation_model(model.operation_names[0])
    return str(urlsplit(resolver.construct_endpoint(operation, {}, {}).url).hostname)


@pytest.mark.parametrize(("fips", "dual", "arns"), HOSTS, ids=["plain", "FIPS", "dual", "both"])
def test_host_of_a_service(
    names: NameServer, wrap, plain_world: World, start, fips: bool, dual: bool, arns: list[str]
) -> None:
    """The names that are asked for are the SDK's, and no other."""
    headers = {f"X-{n}": f"${{{arn}}}" for n, arn in enumerate(arns)}
    target = plain_world.target(apiKey="env:KEY", headers=headers)
    del target["cloudflareAccess"]
    said = {True: "true", False: "false"}
    env = {
        "KEY": plain_world.key,
        "AWS_USE_FIPS_ENDPOINT": said[fips],
        "AWS_USE_DUALSTACK_ENDPOINT": said[dual],
        "AWS_ACCESS_KEY_ID": "AKIAX",
        "AWS_SECRET_ACCESS_KEY": "x",
    }
    due = {host_by_botocore(arn, fips, dual) for arn in arns}
    start(plain_world.config(target), env, wrap=wrap, wait=False).wait_listening()
    wait_for(lambda: names.questions >= due, 10, f"{due}")
    assert names.questions == due


# ---- endpoints that are named ----


class Nobody(Server):
    """Whoever comes here was led astray."""

    async def handle(self, request, connection) -> None:
        connection.answer_json(500, {})


@pytest.mark.parametrize("how", ["configuration", "variable", "one variable for all"])
@pytest.mark.parametrize("kind", ["ssm", "agentcore"])
def test_endpoint_that_is_named(cloud: Cloud, begin, how: str, kind: str) -> None:
    """The configuration wins over the service's own variable, and that over the one for all."""
    if kind == "ssm":
        reference, url = cloud.ssm.create("/llm/key", cloud.world.key), cloud.ssm.url
        key, name = "ssm", "AWS_ENDPOINT_URL_SSM"
    else:
        cloud.agentcore.manage("open_ai", cloud.world.store, cloud.world.key)
        reference, url = cloud.agentcore.arn("open_ai"), cloud.agentcore.url
        key, name = "agentcoreControl", "AWS_ENDPOINT_URL_BEDROCK_AGENTCORE_CONTROL"
    with Nobody() as nobody:
        env, aws = {**cloud.keys(), name: url, "AWS_ENDPOINT_URL": nobody.url}, {}
        if how == "configuration":
            env[name], aws = nobody.url, {"endpoints": {key: url}}
        elif how == "one variable for all":
            env.update({name: "", "AWS_ENDPOINT_URL": url})
        target = cloud.world.target(apiKey=reference)
        assert chat(begin(env, aws, target)).status == 200
        assert nobody.connections == 0


def test_variables_that_are_to_be_ignored(cloud: Cloud, begin) -> None:
    """The environment's endpoints are switched off; those of the configuration are not."""
    with Nobody() as nobody:
        env = {
            **cloud.keys(),
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": nobody.url,
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        }
        aws = {"endpoints": {"secretsmanager": cloud.world.store.url}}
        assert chat(begin(env, aws)).status == 200
        assert nobody.connections == 0


def test_binary_secret_is_refused(cloud: Cloud, begin) -> None:
    """It cannot be a key, and its base64 form must not become one by mistake."""
    arn = cloud.world.store.create("binary", b"\0\1\2 not a text")
    sidekey = begin(cloud.keys(), target=cloud.world.target(apiKey=arn), wait=False)
    wait_for(lambda: chat(sidekey).code == "credential_refused", 10, sidekey.text())
    wait_for(lambda: arn in sidekey.text(), 5, "the log names it")
    assert not cloud.world.api.requests
