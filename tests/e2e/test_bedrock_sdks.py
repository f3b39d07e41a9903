# SPDX-License-Identifier: Apache-2.0
"""Goal: what speaks to Bedrock, unmodified and with credentials that are worth nothing, has every
operation, each signed anew; a "no" of ours is the class that the SDK knows, and is asked once."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import boto3
import botocore.config
import botocore.exceptions
import openai
import pytest
from fakes.agent import HELLO
from fakes.awsservice import Fault, throttle
from fakes.bedrock_world import BedrockWorld, session
from fakes.sidekey import ROOT, SANITIZED, Sidekey
from fakes.sigv4 import read_claim
from fakes.wire import wait_for
from fakes.world import World

PYTHON = ROOT / ".cache" / "venv-agents" / "bin" / "python"
CLIENTS = ROOT / "tests" / "clients" / "bedrock.py"
NODE = ROOT / "tests" / "node"
MODEL = "us.anthropic.claude-sonnet-4-20250514-v1:0"
IN_PATH = "/model/us.anthropic.claude-sonnet-4-20250514-v1%3A0"
GUARDRAIL = "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aguardrail%2Fabc"
ASKED = [{"role": "user", "content": [{"text": "hello"}]}]
MODELS = [{"match": "us.anthropic.*", "target": "bedrock"}]
SAFE = ["converse", "converseStream", "invoke", "invokeStream"]

# They start slowly, and what they send does not depend on how sidekey was compiled.
pytestmark = pytest.mark.skipif(SANITIZED, reason="the same calls are made without sanitizers")


@pytest.fixture
def aws(plain_world: World) -> Iterator[BedrockWorld]:
    with BedrockWorld(plain_world) as made:
        yield made


def base(sidekey: Sidekey) -> str:
    return f"http://127.0.0.1:{sidekey.port}/bedrock"


def finish(command: list[str], cwd: Path, folder: Path) -> dict:
    env = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "NO_PROXY": "*"}
    done = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, timeout=80, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def node(tmp_path: Path):
    """Runs scenarios of the AWS SDK for JavaScript."""
    program = shutil.which("node")
    if not program or not (NODE / "node_modules" / "@aws-sdk").exists():
        pytest.skip("needs node and the packages of tests/node")
    script = str(NODE / "bedrock.mjs")
    return lambda sidekey, *names: finish([program, script, base(sidekey), *names], NODE, tmp_path)


@pytest.fixture
def python(tmp_path: Path):
    """Runs scenarios of agent frameworks."""
    if not PYTHON.exists():
        pytest.skip("needs the packages of tests/clients/requirements.txt")
    command = [str(PYTHON), str(CLIENTS)]
    return lambda sidekey, *names: finish([*command, base(sidekey), *names], tmp_path, tmp_path)


def boto(sidekey: Sidekey, service: str = "bedrock-runtime"):
    return boto3.client(
        service,
        endpoint_url=base(sidekey),
        aws_access_key_id="none",
        aws_secret_access_key="none",
        region_name="us-east-1",
        config=botocore.config.Config(retries={"max_attempts": 3, "mode": "standard"}),
    )


def logged(sidekey: Sidekey, count: int) -> list[tuple[str, int, str]]:
    """Operation, status and code of each call; there must be so many, and no more."""
    wait_for(lambda: len(sidekey.calls()) >= count, 5, "the calls are logged")
    found = [(c["operation"], c["status"], c["code"]) for c in sidekey.calls()]
    assert len(found) == count, found
    return found


# ---- the AWS SDK for JavaScript ----


def test_javascript_has_every_operation(aws: BedrockWorld, start, node) -> None:
    sidekey = start(aws.config(), aws.env())
    runtime = ["converse", "converseStream", "invoke", "invokeStream", "countTokens", "guardrail"]
    assert node(sidekey, *runtime, "retrieve", "agent") == {
        "converse": f"I am {MODEL}",
        "converseStream": "You said: hello ",
        "invoke": {"model": MODEL, "length": 59},
        "invokeStream": '{"a":1}' * 3,
        "countTokens": 7,
        "guardrail": "NONE",
        "retrieve": "a passage",
        "agent": "You said: hello big world",
    }
    assert [r.target for r in aws.runtime.requests] == [
        f"{IN_PATH}/converse",
        f"{IN_PATH}/converse-stream",
        f"{IN_PATH}/invoke",
        f"{IN_PATH}/invoke-with-response-stream",
        f"{IN_PATH}/count-tokens",
        f"/guardrail/{GUARDRAIL}/version/1/apply",
    ]
    assert [r.target for r in aws.agents.requests] == [
        "/knowledgebases/ABCDEFGHIJ/retrieve",
        "/agents/A1/agentAliases/B2/sessions/cc/text",
    ]
    assert aws.runtime.outcomes() + aws.agents.outcomes() == ["ok"] * 8
    assert aws.signers() == {session("invoke")}
    logged(sidekey, 8)


@pytest.mark.parametrize(
    ("scenario", "raised", "status", "why", "code"),
    [
        ("refusedModel", "AccessDeniedException", 403, "matches no rule", "model_not_allowed"),
        ("refusedGuardrail", "AccessDeniedException", 403, "guardrails", "operation_not_allowed"),
        ("refusedAgent", "AccessDeniedException", 403, "agents", "operation_not_allowed"),
        ("refusedRoute", "ResourceNotFoundException", 404, "/bedrock for an AWS SDK", "route_not_found"),
        ("refusedBody", "ValidationException", 413, "25000000", "body_too_large"),
        ("brokenUpstream", "ModelErrorException", 424, "lost", "upstream_broken"),
    ],
)
def test_javascript_takes_a_no_for_a_no(
    aws: BedrockWorld, start, node, scenario: str, raised: str, status: int, why: str, code: str
) -> None:
    config = aws.config(models=MODELS)
    config["targets"]["bedrock"]["operations"] = SAFE
    sidekey = start(config, aws.env())
    if scenario == "brokenUpstream":
        aws.runtime.fail(Fault("drop"))
    name, told, attempts, message = node(sidekey, scenario)[scenario]
    assert (name, told, attempts) == (raised, status, 1)
    assert why in message
    assert [c[1:] for c in logged(sidekey, 1)] == [(status, code)]
    assert len(aws.runtime.requests) == (scenario == "brokenUpstream")
    assert aws.agents.requests == []


def test_javascript_tries_again_what_may_pass(aws: BedrockWorld, start, node) -> None:
    """The service's own "slow down" is the agent's to retry: sidekey sends each call once."""
    sidekey = start(aws.config(), aws.env())
    aws.runtime.fail(throttle(), times=1)
    assert node(sidekey, "converse") == {"converse": f"I am {MODEL}"}
    assert aws.runtime.outcomes() == ["ThrottlingException", "ok"]
    assert [c[1] for c in logged(sidekey, 2)] == [400, 200]


def test_javascript_over_http2_is_told_what_to_do(aws: BedrockWorld, start, node) -> None:
    sidekey = start(aws.config(), aws.env())
    assert node(sidekey, "http2")["http2"] != "allowed"
    wait_for(lambda: sidekey.records(code="malformed_request"), 5, "the preface is logged")
    hint = "a client speaks HTTP/2 with prior knowledge; the AWS SDK for JavaScript needs "
    assert sidekey.records(level="warn", msg=hint + "requestHandler: new NodeHttpHandler()")
    assert aws.runtime.requests == []
    assert node(sidekey, "converse") == {"converse": f"I am {MODEL}"}, "and nothing is the worse"


# ---- boto3 ----


def ask_agent(sidekey: Sidekey):
    return boto(sidekey, "bedrock-agent-runtime").invoke_agent(
        agentId="A1", agentAliasId="B2", sessionId="cc", inputText="hello big world"
    )


def test_boto3_hears_an_agent_piece_by_piece(aws: BedrockWorld, start) -> None:
    aws.agents.gate.clear()
    sidekey = start(aws.config(), aws.env())
    answer = ask_agent(sidekey)
    events = iter(answer["completion"])
    said = [next(events)["chunk"]["bytes"], next(events)["chunk"]["bytes"]]
    aws.agents.gate.set()  # what is behind was not sent yet when these were read
    said += [event["chunk"]["bytes"] for event in events]
    assert b"".join(said) == b"You said: hello big world"
    assert aws.agents.requests[-1].target == "/agents/A1/agentAliases/B2/sessions/cc/text"
    assert aws.runtime.requests == []
    wait_for(lambda: sidekey.calls(), 5, "the call is logged")
    call = sidekey.calls()[-1]
    assert (call["target"], call["operation"]) == ("bedrock.agents", "agents")


def test_anthropic_s_sdk_invokes(aws: BedrockWorld, start, python) -> None:
    sidekey = start(aws.config(models=MODELS), aws.env())
    got, status, said = python(sidekey, "anthropic_sdk")["anthropic_sdk"]
    assert (got, status) == (MODEL, 403)
    assert "api_base" in said
    assert [r.target for r in aws.runtime.requests] == [f"/model/{MODEL}/invoke"]
    body = aws.runtime.last().json()
    assert body["anthropic_beta"] == ["context-1m-2025-08-07"]
    assert "anthropic_version" in body and "model" not in body
    refused = ("invoke", 403, "field_not_allowed")
    assert logged(sidekey, 2) == [("invoke", 200, ""), refused]


def test_boto3_takes_a_throttled_agent_s_word(aws: BedrockWorld, start) -> None:
    sidekey = start(aws.config(), aws.env())
    aws.agents.fail(throttle(), times=1)
    assert b"".join(e["chunk"]["bytes"] for e in ask_agent(sidekey)["completion"])
    assert aws.agents.outcomes() == ["ThrottlingException", "ok"]


def apply_guardrail(sidekey: Sidekey, source: str) -> dict:
    return boto(sidekey).apply_guardrail(
        guardrailIdentifier="gr-1",
        guardrailVersion="DRAFT",
        source=source,
        content=[{"text": {"text": "hello", "qualifiers": ["query"]}}],
    )


def test_boto3_and_guardrails(aws: BedrockWorld, start) -> None:
    """Alone, on what comes in and on what goes out; and as part of a call."""
    sidekey = start(aws.config(), aws.env())
    for source in ("INPUT", "OUTPUT"):
        answer = apply_guardrail(sidekey, source)
        assert (answer["action"], answer["usage"]["topicPolicyUnits"]) == ("NONE", 1)
        assert aws.runtime.last().json()["source"] == source
    assert aws.runtime.last().target == "/guardrail/gr-1/version/DRAFT/apply"
    guarded = {"guardrailIdentifier": "gr-1", "guardrailVersion": "1"}
    boto(sidekey).converse(modelId=MODEL, messages=ASKED, guardrailConfig=guarded)
    assert aws.runtime.last().json()["guardrailConfig"] == guarded
    boto(sidekey).invoke_model(modelId=MODEL, body=b"{}", **guarded)
    assert aws.runtime.last().header("x-amzn-bedrock-guardrailidentifier") == "gr-1"
    assert aws.runtime.outcomes() == ["ok"] * 4


# ---- one configuration ----


def test_litellm_and_bedrock_together(aws: BedrockWorld, start) -> None:
    """Chat is LiteLLM's and the rest Bedrock's; the store is read under one role, and Bedrock
    called under another: the one's keys sign nothing for the other."""
    world = aws.world
    litellm = world.target(provider="litellm")
    config = aws.config({"litellm": litellm}, defaultTarget={"openai": "litellm"})
    sidekey = start(config, aws.env())
    with openai.OpenAI(base_url=sidekey.base, api_key="none") as sdk:
        chat = sdk.chat.completions.create(model="team-haiku", messages=HELLO["messages"])
    assert chat.choices[0].message.content == "You said: hello"
    answer = boto(sidekey).converse(modelId=MODEL, messages=ASKED)
    assert answer["output"]["message"]["content"][0]["text"] == f"I am {MODEL}"
    assert apply_guardrail(sidekey, "INPUT")["action"] == "NONE"
    found = boto(sidekey, "bedrock-agent-runtime").retrieve(
        knowledgeBaseId="ABCDEFGHIJ", retrievalQuery={"text": "hello"}
    )
    assert found["retrievalResults"][0]["content"]["text"] == "a passage"
    ids = {"reader": set(), "invoke": set()}
    for issued in aws.sts.issuer.issued:
        ids[issued.arn.split("/")[1]].add(issued.access_key)
    at_store = {read_claim(r).access_key for r in world.store.requests}
    at_bedrock = {
        read_claim(r).access_key for r in [*aws.runtime.requests, *aws.agents.requests]
    }
    assert at_store and at_store <= ids["reader"]
    assert at_bedrock and at_bedrock <= ids["invoke"]
    assert world.principal.access_key not in at_store | at_bedrock
    assert len(world.api.requests) == 1
    assert [c["target"] for c in sidekey.calls()][:1] == ["litellm"]


# ---- agent frameworks ----


@pytest.mark.parametrize(
    ("name", "operation"), [("strands_plain", "converse"), ("strands_streamed", "converse-stream")]
)
def test_strands_calls_a_tool(aws: BedrockWorld, start, python, name: str, operation: str) -> None:
    sidekey = start(aws.config(models=MODELS), aws.env())
    steps, said = python(sidekey, name)[name]
    assert steps == [None, "weather", None, None]
    assert said.strip() == "the tool says sunny in Paris"
    assert [r.target for r in aws.runtime.requests] == [f"{IN_PATH}/{operation}"] * 2
    assert aws.runtime.outcomes() == ["ok"] * 2
    logged(sidekey, 2)


def test_litellm_s_bedrock_provider(aws: BedrockWorld, start, python) -> None:
    """Told of us by its call or by its environment; and it reads our refusal."""
    sidekey = start(aws.config(models=MODELS), aws.env())
    told = python(sidekey, "litellm", "litellm_by_environment", "litellm_refused")
    assert told["litellm"] == [f"I am {MODEL}", "You said: hello "]
    assert told["litellm_by_environment"] == f"I am {MODEL}"
    status, message = told["litellm_refused"]
    assert status == 403 and "matches no rule of `models`" in message
    paths = [r.target.rpartition("/")[2] for r in aws.runtime.requests]
    assert paths == ["converse", "converse-stream", "converse"]
    assert aws.runtime.outcomes() == ["ok"] * 3
    assert aws.signers() == {session("invoke")}
    assert logged(sidekey, 4)[-1] == ("converse", 403, "model_not_allowed")
