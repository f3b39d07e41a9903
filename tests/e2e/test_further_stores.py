# SPDX-License-Identifier: Apache-2.0
"""Goal: a key comes from a parameter, or from the secret behind a credential provider; and from
no secret that the provider's ARN does not stand for."""

import json
import signal

import pytest
from fakes.agent import chat
from fakes.agentcore import AgentCore
from fakes.sidekey import Sidekey
from fakes.ssm import Ssm
from fakes.wire import wait_for
from fakes.world import World

QUICK = {"secrets": {"failureTtl": "1s"}}


def target_of(world: World, arn: str) -> dict:
    target = world.target(apiKey=arn)
    del target["cloudflareAccess"]
    world.api.access = None
    return target


def slot(sidekey: Sidekey) -> dict:
    return json.loads(sidekey.admin("/readyz")[1])["slots"]["main.apiKey"]


@pytest.fixture
def agentcore(plain_world: World):
    with AgentCore() as made:
        made.admit(plain_world.principal)
        yield made


def env_of(world: World, agentcore: AgentCore) -> dict[str, str]:
    return world.env(AWS_ENDPOINT_URL_BEDROCK_AGENTCORE_CONTROL=agentcore.url)


def test_a_parameter(plain_world: World, start) -> None:
    world = plain_world
    with Ssm() as ssm:
        ssm.admit(world.principal)
        arn = ssm.create("/llm/key", world.key)
        sidekey = start(world.config(target_of(world, arn)), world.env(AWS_ENDPOINT_URL_SSM=ssm.url))
        assert chat(sidekey).status == 200
        assert len(ssm.calls) == 1 and not world.store.calls
        world.api.key = "sk-rotated-" + "8" * 30
        ssm.put(arn, world.api.key)
        sidekey.process.send_signal(signal.SIGUSR1)
        wait_for(lambda: chat(sidekey).status == 200, 10, "the new key")
        wait_for(lambda: sidekey.records(msg="secret", version_id="2"), 5, "its version")


@pytest.mark.parametrize("service", ["bedrock-agentcore", "acps"])
def test_a_managed_provider(plain_world: World, start, agentcore: AgentCore, service: str) -> None:
    world = plain_world
    secret = agentcore.manage("open_ai", world.store, world.key)
    target = target_of(world, agentcore.arn("open_ai", service))
    sidekey = start(world.config(target), env_of(world, agentcore))
    assert chat(sidekey).status == 200
    sidekey.process.send_signal(signal.SIGUSR1)
    wait_for(lambda: world.store.fetches(secret) == 2, 10, "the refresh")
    assert len(agentcore.calls) == 1, "where the secret is, is remembered"


def test_an_answer_that_is_another_s(plain_world: World, start) -> None:
    """A status of 200 and JSON, but not what was asked for."""
    world = plain_world
    with Ssm() as ssm:
        ssm.admit(world.principal)
        ssm.get = lambda asked, principal: {"Parameters": []}
        target = target_of(world, ssm.create("/llm/key", world.key))
        env = world.env(AWS_ENDPOINT_URL_SSM=ssm.url)
        sidekey = start(world.config(target), env, wait=False)
        wait_for(lambda: sidekey.records(error_type="UnusableAnswer"), 10, "the log")
        assert sidekey.readiness() == 503
        assert chat(sidekey).status == 503


def test_a_provider_that_is_named_twice(plain_world: World, start, agentcore: AgentCore) -> None:
    """What two slots name alike is one document, asked for once; another provider is another."""
    world = plain_world
    arns = {}
    for name, value in (("open_ai", world.key), ("other", "another-0123456789")):
        agentcore.manage(name, world.store, value)
        arns[name] = agentcore.arn(name)
    headers = {"X-Again": f"${{{arns['open_ai']}}}", "X-Other": f"${{{arns['other']}}}"}
    target = {**target_of(world, arns["open_ai"]), "headers": headers}
    assert chat(start(world.config(target), env_of(world, agentcore))).status == 200
    sent = world.api.last()
    assert (sent.header("x-again"), sent.header("x-other")) == (world.key, "another-0123456789")
    assert len(agentcore.calls) == 2


def test_an_external_provider(plain_world: World, start, agentcore: AgentCore) -> None:
    world = plain_world
    arn = world.store.create("mine", {"token": world.key, "api_key_value": "wrong"})
    agentcore.point("mine", arn, "token")
    target = target_of(world, agentcore.arn("mine"))
    assert chat(start(world.config(target), env_of(world, agentcore))).status == 200


def of_a_secret_that_goes(world: World, start, agentcore: AgentCore) -> Sidekey:
    secret = agentcore.manage("open_ai", world.store, world.key)
    target = target_of(world, agentcore.arn("open_ai"))
    sidekey = start(world.config(target), env_of(world, agentcore))
    assert chat(sidekey).status == 200
    del world.store.secrets[secret]
    return sidekey


def test_a_secret_that_is_gone_is_looked_for_anew(
    plain_world: World, start, agentcore: AgentCore
) -> None:
    """The provider was made again, with another secret: no agent's error, and none in the log."""
    world, sidekey = plain_world, of_a_secret_that_goes(plain_world, start, agentcore)
    world.api.key = "sk-made-again-" + "5" * 20
    agentcore.manage("open_ai", world.store, world.api.key)
    assert chat(sidekey).status == 200
    assert len(agentcore.calls) == 2
    assert not sidekey.records(msg="a secret could not be fetched")


def test_a_secret_that_stays_gone_is_asked_for_twice(
    plain_world: World, start, agentcore: AgentCore
) -> None:
    """Once as it is remembered, once as the provider says now; then failureTtl counts."""
    world, sidekey = plain_world, of_a_secret_that_goes(plain_world, start, agentcore)
    sidekey.process.send_signal(signal.SIGUSR1)
    wait_for(lambda: slot(sidekey).get("error") == "ResourceNotFoundException", 5, "the type")
    assert len(agentcore.calls) == 2 and len(world.store.calls) == 3
    sidekey.process.send_signal(signal.SIGUSR1)
    wait_for(lambda: len(world.store.calls) == 4, 5, "what was said just now is not doubted")
    assert len(agentcore.calls) == 3


@pytest.mark.parametrize(
    "elsewhere",
    [
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:k-AbCdEf",
        "arn:aws:secretsmanager:us-east-1:210987654321:secret:k-AbCdEf",
        "arn:aws:ssm:us-east-1:123456789012:parameter/k",
        "file:/etc/passwd",
    ],
)
def test_a_provider_chooses_nothing_else(
    plain_world: World, start, agentcore: AgentCore, elsewhere: str
) -> None:
    world = plain_world
    agentcore.point("sly", elsewhere, "token")
    target = target_of(world, agentcore.arn("sly"))
    sidekey = start(world.config(target, **QUICK), env_of(world, agentcore), wait=False)
    sidekey.wait_listening()
    wait_for(lambda: slot(sidekey).get("error") == "UnusableProvider", 10, "the refusal")
    wait_for(lambda: sidekey.records(error_type="UnusableProvider"), 5, "the log")
    assert "secret" in sidekey.records(error_type="UnusableProvider")[0]["why"]
    assert chat(sidekey).code == "credential_refused"
    assert not world.store.calls and not world.api.requests


def test_the_control_plane_says_no(plain_world: World, start, agentcore: AgentCore) -> None:
    world = plain_world
    target = target_of(world, agentcore.arn("nobody"))
    sidekey = start(world.config(target, **QUICK), env_of(world, agentcore), wait=False)
    sidekey.wait_listening()
    wait_for(lambda: slot(sidekey).get("error") == "ResourceNotFoundException", 10, "the type")
    assert chat(sidekey).code == "credential_refused"
