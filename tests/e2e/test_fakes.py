# SPDX-License-Identifier: Apache-2.0
"""Goal: the stand-ins are as strict as the other tests believe; real SDKs agree with them."""

import dataclasses
import ssl

import boto3
import botocore.config
import botocore.exceptions
import openai
import pytest
from fakes.agent import HELLO, Agent
from fakes.apibase import Act
from fakes.sigv4 import Rejected, canonical_path, canonical_query, verify
from fakes.wire import wait_for
from fakes.world import World, principal

pytestmark = pytest.mark.once
MESSAGES = HELLO["messages"]


def boto(world: World, **changes: str):
    given = {
        "aws_access_key_id": world.principal.access_key,
        "aws_secret_access_key": world.principal.secret_key,
        **changes,
    }
    once = botocore.config.Config(retries={"max_attempts": 1})
    return boto3.client(
        "secretsmanager",
        region_name="us-east-1",
        endpoint_url=world.store.url,
        config=once,
        **given,
    )


def sdk(world: World, key: str, pair: tuple[str, str], certificate: bool = True) -> openai.OpenAI:
    context = ssl.create_default_context(cadata=world.authority.pem.decode())
    if certificate:
        context.load_cert_chain(world.cert_path, world.key_path)
    headers = {"CF-Access-Client-Id": pair[0], "CF-Access-Client-Secret": pair[1]}
    return openai.OpenAI(
        base_url=world.api.base,
        api_key=key,
        default_headers=headers,
        max_retries=0,
        http_client=openai.DefaultHttpxClient(verify=context),
    )


def flip(value: str) -> str:
    return value[:-1] + ("2" if value.endswith("1") else "1")


def test_store_believes_boto3(world: World) -> None:
    assert boto(world).get_secret_value(SecretId=world.key_arn)["SecretString"] == world.key
    temporary = world.store.admit(principal(token="a/token+with=signs"))
    client = boto(
        world,
        aws_access_key_id=temporary.access_key,
        aws_secret_access_key=temporary.secret_key,
        aws_session_token=str(temporary.token),
    )
    assert client.get_secret_value(SecretId=world.key_arn)["SecretString"] == world.key


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"aws_secret_access_key": "w" * 40}, "InvalidSignatureException"),
        ({"aws_access_key_id": "AKIANOBODY"}, "UnrecognizedClientException"),
        ({"aws_session_token": "made-up"}, "UnrecognizedClientException"),
    ],
)
def test_store_refuses_what_is_not_signed_well(world: World, changes: dict, kind: str) -> None:
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        boto(world, **changes).get_secret_value(SecretId=world.key_arn)
    assert caught.value.response["Error"]["Code"] == kind
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


@pytest.mark.parametrize("where", ["body", "target", "x-amz-date", "host", "x-amz-target"])
def test_one_changed_byte_is_noticed(world: World, where: str) -> None:
    boto(world).get_secret_value(SecretId=world.key_arn)
    good = world.store.last()
    assert verify(good, world.store.principals, "us-east-1", "secretsmanager") == world.principal
    if where == "body":
        bad = dataclasses.replace(good, body=good.body + b" ")
    elif where == "target":
        bad = dataclasses.replace(good, target="/?x=1")
    else:
        swapped = [(n, flip(v) if n.lower() == where else v) for n, v in good.headers]
        bad = dataclasses.replace(good, headers=swapped)
    with pytest.raises(Rejected):
        verify(bad, world.store.principals, "us-east-1", "secretsmanager")


def test_a_header_that_is_not_signed_is_noticed(world: World) -> None:
    boto(world).get_secret_value(SecretId=world.key_arn)
    good = world.store.last()
    bad = dataclasses.replace(good, headers=[*good.headers, ("X-Amz-Extra", "1")])
    with pytest.raises(Rejected, match="not signed"):
        verify(bad, world.store.principals, "us-east-1", "secretsmanager")


def test_canonical_forms() -> None:
    assert canonical_path("/") == canonical_path("") == canonical_path("//") == "/"
    assert canonical_path("/a/./b/../c/") == "/a/c/"
    assert canonical_path("/model/x%3A0/converse") == "/model/x%253A0/converse"
    assert canonical_query("b=2&a=1&a=0&c") == "a=0&a=1&b=2&c="


def test_upstream_speaks_to_the_sdk(world: World) -> None:
    client = sdk(world, world.key, world.access)
    answer = client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    assert answer.choices[0].message.content == "You said: hello"
    assert len(list(client.responses.create(model="m", input="x", stream=True))) > 5


@pytest.mark.parametrize("what", ["key", "access", "certificate"])
def test_upstream_demands_everything(world: World, what: str) -> None:
    key = "sk-wrong" if what == "key" else world.key
    pair = ("wrong", "pair") if what == "access" else world.access
    with pytest.raises(openai.OpenAIError):
        sdk(world, key, pair, what != "certificate").models.list()
    if what == "certificate":
        # The client may know of the refusal before the server has written it down.
        wait_for(lambda: world.api.tls_failures, 10, "the handshake fails")
        assert all("CERTIFICATE" in why for why in world.api.tls_failures)
        assert world.api.application_bytes == 0


def test_acts(plain_world: World) -> None:
    plain_world.api.key = plain_world.api.access = None
    plain_world.api.script(Act(429, (("Retry-After", "1"),), b"{}"), Act(events=3, gap=0.01))
    with Agent(plain_world.api.port) as agent:
        assert agent.chat().status == 429
        assert len(agent.chat({**HELLO, "stream": True}).pieces) == 4
        assert agent.chat().status == 200
    assert plain_world.api.connections == 1
