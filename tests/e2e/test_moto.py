# SPDX-License-Identifier: Apache-2.0
"""Goal: what was written after AWS's documents also works with somebody else's reading of them.

moto differs from AWS: it checks no signature, gives out any role to anybody, and answers 404
where AWS says ResourceNotFoundException with 400.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from fakes.agent import chat
from fakes.cloud import jwt
from fakes.moto import moto_server
from fakes.wire import wait_for
from fakes.world import World

pytestmark = pytest.mark.once
REGION, ROLE = "us-east-1", "arn:aws:iam::123456789012:role/llm"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAMOTO", "AWS_SECRET_ACCESS_KEY": "m" * 40}
QUICK = {"secrets": {"ttl": "1s", "failureTtl": "1s"}}


def client(name: str, url: str):
    return boto3.client(
        name,
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
    )


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """The address of a server of its own."""
    with moto_server() as url:
        yield url


@pytest.fixture
def secret(moto: str, plain_world: World) -> Iterator[str]:
    """The world's key, as a secret in moto."""
    manager = client("secretsmanager", moto)
    arn = manager.create_secret(Name="key", SecretString=plain_world.key)["ARN"]
    yield arn
    manager.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)


def config(world: World, reference: str, **sections) -> dict:
    target = world.target(apiKey=reference)
    del target["cloudflareAccess"]
    world.api.access = None
    return world.config(target, **QUICK, **sections)


def env(moto: str, **extra: str) -> dict[str, str]:
    return {"AWS_ENDPOINT_URL": moto, "AWS_REGION": REGION, **extra}


def test_environment(plain_world: World, start, moto: str, secret: str) -> None:
    assert chat(start(config(plain_world, secret), env(moto, **KEYS))).status == 200


def test_role_on_top(plain_world: World, start, moto: str, secret: str) -> None:
    role = {"roleArn": ROLE, "externalId": "env:EXTERNAL", "narrow": True}
    settings = config(plain_world, secret, aws={"assumeRole": role})
    assert chat(start(settings, env(moto, EXTERNAL="ext-1", **KEYS))).status == 200


def test_web_identity(plain_world: World, start, moto: str, secret: str, tmp_path: Path) -> None:
    token = tmp_path / "projected" / "token"
    token.parent.mkdir()
    token.write_text(jwt())
    given = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(token), "AWS_ROLE_ARN": ROLE}
    sidekey = start(config(plain_world, secret), env(moto, **given))
    assert chat(sidekey).status == 200
    assert "assumed-role/llm/sidekey" in sidekey.text()


@pytest.mark.parametrize("name", ["/llm/key", "key"])
def test_parameter(plain_world: World, start, moto: str, name: str) -> None:
    store = client("ssm", moto)
    store.put_parameter(Name=name, Value=plain_world.key, Type="SecureString", Overwrite=True)
    arn = store.get_parameter(Name=name)["Parameter"]["ARN"]
    assert chat(start(config(plain_world, arn), env(moto, **KEYS))).status == 200


@pytest.mark.parametrize("suffix", ["::", ":AWSPREVIOUS:", "::{id}"], ids=["key", "stage", "id"])
def test_json_key_with_a_version(plain_world: World, start, moto: str, suffix: str) -> None:
    manager = client("secretsmanager", moto)
    name = f"json{len(suffix)}"
    wanted = json.dumps({"apiKey": plain_world.key, "other": "x"})
    made = manager.create_secret(Name=name, SecretString=wanted)
    if suffix != "::":
        newer = json.dumps({"apiKey": "sk-a-newer-one-not-wanted"})
        manager.put_secret_value(SecretId=name, SecretString=newer)
    reference = f"{made['ARN']}:apiKey" + suffix.format(id=made["VersionId"])
    assert chat(start(config(plain_world, reference), env(moto, **KEYS))).status == 200


def test_rotation_between_two_calls(plain_world: World, start, moto: str, secret: str) -> None:
    sidekey = start(config(plain_world, secret), env(moto, **KEYS))
    assert chat(sidekey).status == 200
    plain_world.api.key = "sk-rotated-" + "4" * 30
    manager = client("secretsmanager", moto)
    manager.put_secret_value(SecretId=secret, SecretString=plain_world.api.key)
    wait_for(lambda: chat(sidekey).status == 200, 10, "the new key")


def test_secret_that_is_not_there(plain_world: World, start, moto: str) -> None:
    """The type says so, whichever status comes with it."""
    arn = f"arn:aws:secretsmanager:{REGION}:123456789012:secret:nowhere-AbCdEf"
    sidekey = start(config(plain_world, arn), env(moto, **KEYS), wait=False)
    sidekey.wait_listening()
    wait_for(lambda: chat(sidekey).code == "credential_refused", 10, "a refusal")
    wait_for(lambda: "ResourceNotFoundException" in sidekey.text(), 10, "the log says why")
