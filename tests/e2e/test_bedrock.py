# SPDX-License-Identifier: Apache-2.0
"""Goal: boto3 uses Bedrock with no AWS credential of its own. What it sends is signed in egress by
a key of one day, region and service, and the service finds nothing wrong with any signature."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import boto3
import botocore.config
import botocore.exceptions
import pytest
from fakes.agent import Agent
from fakes.awsservice import Fault, error, throttle
from fakes.bedrock import Bedrock, BedrockAgents
from fakes.iam import Role, role_arn
from fakes.sidekey import Sidekey
from fakes.sigv4 import Principal, Rejected
from fakes.sts import Sts
from fakes.wire import Request, wait_for
from fakes.world import World

MODEL = "amazon.nova-lite-v1:0"
PROFILE = (
    "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123def456"
)
HELLO = [{"role": "user", "content": [{"text": "hello"}]}]
BODY = json.dumps({"messages": HELLO})


@pytest.fixture
def aws(plain_world: World) -> Iterator[tuple[Bedrock, Sts]]:
    principals = plain_world.store.principals
    with Bedrock(principals=principals) as bedrock, Sts(principals=principals) as sts:
        yield bedrock, sts


@pytest.fixture
def bedrock(aws: tuple[Bedrock, Sts]) -> Bedrock:
    return aws[0]


@pytest.fixture
def sts(aws: tuple[Bedrock, Sts]) -> Sts:
    return aws[1]


def target(bedrock: Bedrock, **changes) -> dict:
    return {
        "provider": "bedrock",
        "apiBase": bedrock.url,
        "allowPlaintext": True,
        "region": bedrock.region,
        **changes,
    }


def environment(world: World, sts: Sts) -> dict[str, str]:
    return world.env(AWS_ENDPOINT_URL_STS=sts.url, AWS_REGION="us-east-1")


@pytest.fixture
def run(
    plain_world: World, bedrock: Bedrock, sts: Sts, start
) -> Callable[..., Sidekey]:
    """Serves the one target; keys of it may be given, and further sections."""

    def begin(changes: dict | None = None, **sections) -> Sidekey:
        config = {
            "targets": {"bedrock": target(bedrock, **(changes or {}))},
            **sections,
        }
        return start(config, environment(plain_world, sts))

    return begin


def client(sidekey: Sidekey, region="us-east-1", service="bedrock-runtime", token="x"):
    """The SDK as an agent has it: an address, and credentials that are worth nothing."""
    return boto3.client(
        service,
        endpoint_url=f"http://127.0.0.1:{sidekey.port}/bedrock",
        aws_access_key_id=token,
        aws_secret_access_key="x",
        region_name=region,
        config=botocore.config.Config(retries={"max_attempts": 3, "mode": "standard"}),
    )


def role_of(sts: Sts, name: str) -> dict:
    """A role of that name, as a target's own."""
    return {"aws": {"assumeRole": {"roleArn": sts.add(Role(role_arn(name))).arn}}}


def converse(sidekey: Sidekey, model: str = MODEL, token: str = "x") -> str:
    answer = client(sidekey, token=token).converse(modelId=model, messages=HELLO)
    return answer["output"]["message"]["content"][0]["text"]


def raw(sidekey: Sidekey, path: str = "/model/m/converse"):
    with Agent(sidekey.port) as agent:
        return agent.call("POST", path, {"messages": HELLO})


def error_of(sidekey: Sidekey) -> str | None:
    """What /readyz has against the target b."""
    return json.loads(sidekey.admin("/readyz")[1])["targets"]["b"].get("error")


# ---- every operation ----


def test_converse(run, bedrock: Bedrock, plain_world: World) -> None:
    sidekey = run()
    assert converse(sidekey) == f"I am {MODEL}"
    assert bedrock.requests[-1].target == "/model/amazon.nova-lite-v1%3A0/converse"
    assert bedrock.calls[-1].principal == plain_world.principal.arn
    wait_for(lambda: sidekey.calls(), 5, "the call is logged")
    call = sidekey.calls()[-1]
    assert (call["dialect"], call["operation"], call["model"]) == (
        "bedrock",
        "converse",
        MODEL,
    )
    assert (call["tokens_in"], call["tokens_out"]) == (7, 5)


def test_converse_stream_comes_piece_by_piece(run, bedrock: Bedrock) -> None:
    bedrock.gate.clear()
    sidekey = run()
    events = iter(
        client(sidekey).converse_stream(modelId=MODEL, messages=HELLO)["stream"]
    )
    assert "messageStart" in next(events)
    assert next(events)["contentBlockDelta"]["delta"]["text"] == "You "
    bedrock.gate.set()  # what is behind was not sent yet when this was read
    rest = list(events)
    assert rest[-1]["metadata"]["usage"]["outputTokens"] == 5
    wait_for(lambda: sidekey.calls(), 5, "the call is logged")
    call = sidekey.calls()[-1]
    assert (call["tokens_in"], call["tokens_out"]) == (7, 5)


def test_invoke(run, bedrock: Bedrock) -> None:
    sidekey = run()
    answer = client(sidekey).invoke_model(modelId=MODEL, body=BODY)
    assert json.loads(answer["body"].read()) == {"model": MODEL, "length": len(BODY)}
    assert bedrock.requests[-1].body == BODY.encode()


def test_invoke_with_response_stream(run) -> None:
    sdk = client(run())
    answer = sdk.invoke_model_with_response_stream(
        modelId=MODEL, body=BODY, accept="application/json", trace="ENABLED"
    )
    assert [e["chunk"]["bytes"] for e in answer["body"]] == [b'{"a":1}'] * 3


def test_count_tokens(run) -> None:
    answer = client(run()).count_tokens(
        modelId=MODEL, input={"converse": {"messages": HELLO}}
    )
    assert answer["inputTokens"] == 7


def apply_guardrail(sidekey: Sidekey) -> dict:
    return client(sidekey).apply_guardrail(
        guardrailIdentifier="arn:aws:bedrock:us-east-1:123456789012:guardrail/abc",
        guardrailVersion="1",
        source="INPUT",
        content=[{"text": {"text": "hello"}}],
    )


def test_guardrails_are_opt_in(run, bedrock: Bedrock) -> None:
    with pytest.raises(botocore.exceptions.ClientError, match="guardrails") as refused:
        apply_guardrail(run())
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    assert bedrock.requests == []
    assert apply_guardrail(run({"operations": ["guardrails"]}))["action"] == "NONE"
    assert "/guardrail/arn%3Aaws%3Abedrock" in bedrock.requests[-1].target


# ---- what is signed ----


@pytest.mark.parametrize(
    "model", [MODEL, PROFILE, "us.anthropic.claude-sonnet-4-20250514-v1:0"]
)
def test_ids_of_every_form(run, model: str) -> None:
    assert converse(run(), model) == f"I am {model}"


@pytest.mark.parametrize(
    "path",
    [
        "/bedrock/model/amazon.nova-lite-v1:0/converse",  # raw colons
        "/model/amazon.nova-lite-v1:0/converse",
        "/bedrock/model/amazon.nova-lite-v1%3a0/converse",  # lower-case hexadecimal
        "/bedrock/model/a~b_c.d-e%20f/converse",
        "/bedrock/model/m/converse?z=1&a=2&a=1&b&c=%2F%20",  # unsorted, twice, without a value
        "/bedrock/model/m/converse?X-Amz-Signature=0&%58-amz-Date=1&x-amz-security-token=t&q=1",
    ],
)
def test_raw_requests_are_signed_as_they_are_sent(
    run, bedrock: Bedrock, path: str
) -> None:
    sidekey = run()
    assert raw(sidekey, path).status == 200
    sent = bedrock.requests[-1].target
    assert sent.partition("?")[0] == path.removeprefix("/bedrock").partition("?")[0]
    assert "amz" not in sent.lower()


MANY = [(f"X-Amzn-Bedrock-{n}", "v") for n in range(100)]


@pytest.mark.parametrize(
    ("query", "headers"),
    [("&".join(f"q{n}=" for n in range(65)), []), ("", MANY)],
    ids=["members of a query", "header fields"],
)
def test_more_than_can_be_signed(run, bedrock: Bedrock, query: str, headers: list) -> None:
    """It is the request that is wrong, which no other try mends, and no credential."""
    sidekey = run()
    with Agent(sidekey.port) as agent:
        path = f"/model/m/converse?{query}"
        answer = agent.call("POST", path, {"messages": HELLO}, headers=headers)
    assert (answer.status, answer.code) == (400, "malformed_request")
    assert answer.header("x-should-retry") == "false"
    assert bedrock.requests == []


FORGED = [
    (
        "Authorization",
        "AWS4-HMAC-SHA256 Credential=AKIAFORGED/20200101/x/y/aws4_request",
    ),
    ("X-Amz-Date", "20200101T000000Z"),
    ("X-Amz-Security-Token", "forged"),
    ("X-Amz-Content-SHA256", "UNSIGNED-PAYLOAD"),
    ("X-Amz-Target", "AmazonBedrock.Delete"),
]
KEPT = [
    ("X-Amzn-Bedrock-Trace", "ENABLED"),
    ("X-Amzn-Bedrock-Request-Metadata", "one"),
    ("X-Amzn-Bedrock-Request-Metadata", "two  three"),
]


def test_the_agent_s_own_signature_goes_and_bedrock_s_headers_stay(
    run, bedrock: Bedrock
) -> None:
    sidekey = run()
    with Agent(sidekey.port) as agent:
        headers = [*FORGED, *KEPT]
        answer = agent.call(
            "POST", "/model/m/converse", {"messages": HELLO}, headers=headers
        )
    assert answer.status == 200
    request = bedrock.requests[-1]
    assert b"forged" not in request.raw_head.lower()
    assert b"20200101" not in request.raw_head
    assert request.header("x-amz-target") is None
    assert request.header("x-amz-content-sha256") is None
    assert request.all("x-amzn-bedrock-request-metadata") == ["one", "two  three"]
    signed = (request.header("authorization") or "").partition("SignedHeaders=")[2]
    assert signed.startswith(
        "content-type;host;x-amz-date;x-amzn-bedrock-request-metadata;x-amzn-"
    )


def test_the_region_is_the_configuration_s(plain_world: World, start) -> None:
    """An agent that thinks itself elsewhere, and an identity that does, change nothing."""
    with Bedrock("eu-west-1", principals=plain_world.store.principals) as bedrock:
        sidekey = start(
            {"targets": {"b": target(bedrock)}}, plain_world.env(AWS_REGION="us-west-2")
        )
        answer = client(sidekey, "ap-south-1").converse(modelId=MODEL, messages=HELLO)
    assert answer["stopReason"] == "end_turn"


def test_a_bedrock_api_key(plain_world: World, bedrock: Bedrock, start) -> None:
    bedrock.bearer = "ABSK" + "k" * 40
    arn = plain_world.store.create("bedrock-key", bedrock.bearer)
    sidekey = start({"targets": {"b": target(bedrock, apiKey=arn)}}, plain_world.env())
    assert converse(sidekey) == f"I am {MODEL}"
    assert bedrock.requests[-1].header("x-amz-date") is None


# ---- who signs ----


def test_store_and_bedrock_use_different_roles(
    plain_world: World, bedrock: Bedrock, sts: Sts, start
) -> None:
    world = plain_world
    reader = sts.add(Role(role_arn("reader")))
    config = {
        "targets": {
            "litellm": world.target(provider="litellm"),
            "bedrock": target(
                bedrock, operations=["converse", "guardrails"], **role_of(sts, "invoke")
            ),
        },
        "aws": {"assumeRole": {"roleArn": reader.arn}},
        "defaultTarget": "litellm",
    }
    sidekey = start(config, environment(world, sts))
    with Agent(sidekey.port) as agent:
        assert agent.chat().status == 200
    assert converse(sidekey) == f"I am {MODEL}"
    assert apply_guardrail(sidekey)["action"] == "NONE"
    assert {c.principal for c in bedrock.calls} == {
        "arn:aws:sts::123456789012:assumed-role/invoke/sidekey"
    }
    assert {c.principal for c in world.store.calls} == {
        "arn:aws:sts::123456789012:assumed-role/reader/sidekey"
    }


def test_no_identity_at_all(plain_world: World, bedrock: Bedrock, start) -> None:
    """A "no" of ours is a 4xx for this SDK, which would try a 5xx again."""
    env = {"AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nonexistent"}
    sidekey = start({"targets": {"b": target(bedrock)}}, env, wait=False)
    sidekey.wait_listening()
    wait_for(lambda: raw(sidekey).code == "credential_refused", 10)
    sdk = client(sidekey)
    with pytest.raises(
        botocore.exceptions.ClientError, match="no AWS identity to sign"
    ) as refused:
        sdk.converse(modelId=MODEL, messages=HELLO)
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    assert refused.value.response["ResponseMetadata"]["RetryAttempts"] == 0
    assert sidekey.readiness() == 503
    assert error_of(sidekey) == "NoIdentity"
    assert bedrock.requests == []


def test_readyz_says_why_nothing_signs(
    plain_world: World, bedrock: Bedrock, sts: Sts, start
) -> None:
    """And says it anew when the reason changes; the agent learns of it only what to do."""
    config = {
        "targets": {"b": target(bedrock, **role_of(sts, "invoke"))},
        "secrets": {"failureTtl": "1s"},
    }
    sts.fail(error("RegionDisabledException", 403))
    sidekey = start(config, environment(plain_world, sts), wait=False)
    sidekey.wait_listening()
    for kind in ("RegionDisabledException", "ExpiredToken", "ThrottlingException"):
        sts.fail(error(kind, 403))
        wait_for(lambda k=kind: error_of(sidekey) == k, 15, kind)
        assert sidekey.readiness() == 503
        assert kind.encode() not in raw(sidekey).body
    sts.fail(None)
    sidekey.wait_ready(30)
    assert error_of(sidekey) is None


def test_an_identity_that_comes_late(
    plain_world: World, bedrock: Bedrock, sts: Sts, start
) -> None:
    sts.stop()
    changes = role_of(sts, "invoke")
    env = environment(plain_world, sts)
    sidekey = start({"targets": {"b": target(bedrock, **changes)}}, env, wait=False)
    sidekey.wait_listening()
    answer = raw(sidekey)
    assert (answer.status, answer.code) == (503, "credential_unavailable")
    sts.start()
    sidekey.wait_ready(30)
    assert converse(sidekey) == f"I am {MODEL}"


def test_a_session_that_is_revoked_is_replaced_without_an_error(
    run, bedrock: Bedrock, sts: Sts
) -> None:
    sidekey = run(role_of(sts, "invoke"))
    assert converse(sidekey) == f"I am {MODEL}"
    sts.issuer.issued[-1].expired = True
    assert converse(sidekey) == f"I am {MODEL}"
    assert bedrock.outcomes() == ["ok", "ExpiredTokenException", "ok"]
    assert len(sts.issuer.issued) == 2


def test_the_type_decides_and_not_the_status(run, bedrock: Bedrock, sts: Sts) -> None:
    sidekey = run(role_of(sts, "invoke"))
    bedrock.fail(error("ExpiredTokenException", 400), 1)
    assert converse(sidekey) == f"I am {MODEL}"
    assert bedrock.outcomes() == ["ExpiredTokenException", "ok"]
    assert len(sts.issuer.issued) == 2


class Stranger(Bedrock):
    """A gateway that is nobody's but its owner's: it says that it does not know the first keys."""

    def identify(self, request: Request) -> Principal | None:
        principal = super().identify(request)
        if principal is next(p for p in self.principals.values() if p.token):
            raise Rejected("UnrecognizedClientException", "The security token is invalid.")
        return principal


@pytest.mark.parametrize(
    "fault", [throttle(), error("AccessDenied", 403)], ids=["down", "saying no"]
)
def test_an_upstream_s_refusal_takes_good_keys_from_nobody(
    plain_world: World, bedrock: Bedrock, sts: Sts, start, fault: Fault
) -> None:
    """While STS gives no others, the keys that AWS honours are used: by the other target, and for
    the store. The refused target's agents get its refusal, and no error once there are others."""
    world, role = plain_world, role_of(sts, "invoke")
    with Stranger(principals=world.store.principals) as stranger:
        config = {
            "targets": {
                "litellm": world.target(provider="litellm"),
                "a": target(stranger),
                "b": target(bedrock),
            },
            "models": [
                {"match": "stranger", "target": "a"},
                {"match": "m", "target": "b"},
            ],
            **role,
            "defaultTarget": "litellm",
            "secrets": {"ttl": "1s", "failureTtl": "1s"},
        }
        sidekey = start(config, environment(world, sts))
        sts.fail(fault)
        for n in range(4):
            answer = raw(sidekey, "/model/stranger/converse")
            kind = (answer.header("x-amzn-errortype") or "").partition(":")[0]
            assert (answer.status, kind) == (403, "UnrecognizedClientException"), n
            assert raw(sidekey, "/model/m/converse").status == 200, n
            threading.Event().wait(0.6)
        fetched = world.store.fetches()
        wait_for(lambda: world.store.fetches() > fetched, 10, "a refresh all the same")
        assert 0 < len(sts.calls) - 1 < 10, "attempts back off, whatever egress says"
        assert len(sts.issuer.issued) == 1
        assert stranger.outcomes() == ["UnrecognizedClientException"] * 4
        sts.fail(None)
        wait_for(lambda: len(sts.issuer.issued) == 2, 20, "other keys")
        wait_for(lambda: raw(sidekey, "/model/stranger/converse").status == 200, 5)
        assert raw(sidekey, "/model/m/converse").status == 200
        assert set(bedrock.outcomes()) == {"ok"}


def test_a_service_that_says_what_it_read(run, bedrock: Bedrock, sts: Sts) -> None:
    """AWS's complaint of a signature holds the canonical request, with the session's token."""
    sidekey = run(role_of(sts, "invoke"))
    token = str(sts.issuer.issued[-1].token)
    message = f"The canonical string should have been: x-amz-security-token:{token}"
    bedrock.fail(error("ValidationException", 400, message), times=1)
    with Agent(sidekey.port) as agent:
        answer = agent.call("POST", "/model/m/converse", {"messages": HELLO})
        assert answer.status == 400
        assert token.encode() not in bytes(agent.received)
    assert answer.json()["message"] == message.replace(token, "*" * len(token))
    wait_for(lambda: sidekey.records(slot="the AWS session's token"), 5)


def test_a_refused_model_asks_nobody_for_keys(run, bedrock: Bedrock, sts: Sts) -> None:
    """It is the identity that may not: another session of it would be refused as well."""
    bedrock.forbidden.add("secret-model")
    sidekey = run(role_of(sts, "invoke"))
    for _ in range(3):
        with pytest.raises(botocore.exceptions.ClientError, match="don't have access"):
            converse(sidekey, "secret-model")
    assert len(sts.issuer.issued) == 1
    assert bedrock.outcomes() == ["AccessDeniedException"] * 3


def test_keys_that_nothing_renews(run, bedrock: Bedrock, plain_world: World) -> None:
    plain_world.principal.expired = True
    sidekey = run()
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        converse(sidekey)
    assert refused.value.response["Error"]["Code"] == "ExpiredTokenException"
    assert bedrock.outcomes() == ["ExpiredTokenException"]
    told = (
        "an upstream refused our credentials, and the store has no newer ones; put a new version "
        "there if they were replaced or revoked"
    )
    wait_for(lambda: sidekey.records(msg=told), 10, "the log says so")


def test_sessions_end_under_load_without_an_error(
    run, bedrock: Bedrock, sts: Sts
) -> None:
    """Sessions are revoked again and again while calls run side by side."""
    sidekey = run(role_of(sts, "invoke"))
    errors: list[Exception] = []
    done = threading.Event()

    def work() -> None:
        sdk = client(sidekey)
        while not done.is_set():
            try:
                sdk.converse(modelId=MODEL, messages=HELLO)
            except botocore.exceptions.BotoCoreError as error:
                errors.append(error)
            except botocore.exceptions.ClientError as error:
                errors.append(error)

    with ExitStack() as stack:
        threads = [threading.Thread(target=work) for _ in range(4)]
        stack.callback(lambda: [t.join(30) for t in threads])
        stack.callback(done.set)
        for thread in threads:
            thread.start()
        for round_number in range(3):
            answered = bedrock.outcomes().count("ok")
            wait_for(lambda n=answered: bedrock.outcomes().count("ok") > n + 20, 30)
            # Egress may have another session replaced once a second.
            issued = len(sts.issuer.issued)
            sts.issuer.issued[-1].expired = True
            wait_for(
                lambda n=issued: len(sts.issuer.issued) > n, 30, f"round {round_number}"
            )
            threading.Event().wait(1.1)
    assert errors == []


# ---- the models' rules ----


def test_model_rules(run, bedrock: Bedrock) -> None:
    rules = [
        {"match": "allowed:*", "target": "bedrock", "sendAs": PROFILE},
        {"match": "eu/*", "target": "bedrock", "stripPrefix": "eu/"},
        {"match": "plain*", "target": "bedrock"},
    ]
    sidekey = run(models=rules)
    assert converse(sidekey, "allowed:1") == f"I am {PROFILE}"
    assert bedrock.requests[-1].target == (
        "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3A"
        "application-inference-profile%2Fabc123def456/converse"
    )
    assert converse(sidekey, "eu/amazon.nova-v1:0") == "I am amazon.nova-v1:0"
    count = len(bedrock.requests)
    for model in ("other", "ALLOWED:1x"[:4] + "x", "x/allowed:1"):
        with pytest.raises(botocore.exceptions.ClientError, match="no rule") as refused:
            converse(sidekey, model)
        assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
        assert refused.value.response["ResponseMetadata"]["RetryAttempts"] == 0
    assert len(bedrock.requests) == count
    assert raw(sidekey, "/model/pl%61in%3a1/converse").status == 200
    assert bedrock.requests[-1].target == "/model/pl%61in%3a1/converse", (
        "sent as it was written"
    )


def test_a_body_beyond_bedrock_s_limit(run, bedrock: Bedrock) -> None:
    sidekey = run()
    with pytest.raises(botocore.exceptions.ClientError, match="25000000") as refused:
        client(sidekey).invoke_model(modelId=MODEL, body=b"x" * 25_000_001)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert bedrock.requests == []


def test_callers_by_their_access_key_id(
    plain_world: World, bedrock: Bedrock, sts: Sts, start
) -> None:
    """The SDK sends a token where it has an access key id, and has models of its own."""
    tokens = {"NOVA": "sk-sidekey-" + "5e" * 32, "ANY": "sk-sidekey-" + "0f" * 32}
    callers = [
        {"name": "nova", "token": "env:NOVA", "models": ["amazon.nova*"]},
        {"name": "any", "token": "env:ANY"},
    ]
    config = {"targets": {"b": target(bedrock)}, "callers": callers}
    sidekey = start(config, {**environment(plain_world, sts), **tokens})
    assert converse(sidekey, MODEL, tokens["NOVA"]) == f"I am {MODEL}"
    assert converse(sidekey, PROFILE, tokens["ANY"]) == f"I am {PROFILE}"
    for token, model, why in ((tokens["NOVA"], PROFILE, "model"), ("x", MODEL, "token")):
        with pytest.raises(botocore.exceptions.ClientError, match=why) as refused:
            converse(sidekey, model, token)
        assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
        assert refused.value.response["ResponseMetadata"]["RetryAttempts"] == 0
    assert bedrock.outcomes() == ["ok", "ok"]
    assert not any(t.encode() in r.raw_head for t in tokens.values() for r in bedrock.requests)


# ---- agents and knowledge bases ----


def test_retrieve_is_at_a_host_of_its_own(
    plain_world: World, bedrock: Bedrock, sts: Sts, start
) -> None:
    with BedrockAgents(principals=plain_world.store.principals) as agents:
        endpoints = {"bedrockRuntime": bedrock.url, "bedrockAgentRuntime": agents.url}
        own = target(bedrock, operations=["converse", "knowledgeBases"], **role_of(sts, "invoke"))
        del own["apiBase"]
        config = {"targets": {"bedrock": own}, "aws": {"endpoints": endpoints}}
        sidekey = start(config, environment(plain_world, sts))
        sdk = client(sidekey, service="bedrock-agent-runtime")
        answer = sdk.retrieve(knowledgeBaseId="ABCDEFGHIJ", retrievalQuery={"text": "hello"})
        assert answer["retrievalResults"][0]["content"]["text"] == "a passage"
        assert converse(sidekey) == f"I am {MODEL}"
        with pytest.raises(botocore.exceptions.ClientError, match='"agents" is not enabled'):
            sdk.invoke_agent(agentId="A", agentAliasId="B", sessionId="cc", inputText="x")
        assert agents.outcomes() == bedrock.outcomes() == ["ok"]
        assert {c.principal for c in agents.calls} == {
            "arn:aws:sts::123456789012:assumed-role/invoke/sidekey"
        }
        wait_for(lambda: len(sidekey.calls()) >= 2, 5, "the calls are logged")
        assert [c["target"] for c in sidekey.calls()][:2] == ["bedrock.agents", "bedrock"]


# ---- OpenAI's wire format ----


def test_an_openai_client_on_bedrock(
    plain_world: World, bedrock: Bedrock, start
) -> None:
    import openai

    own = target(
        bedrock, provider="openai", auth="sigv4", apiBase=bedrock.url + "/openai/v1"
    )
    sidekey = start({"targets": {"b": own}}, plain_world.env())
    with openai.OpenAI(base_url=sidekey.base, api_key="none") as sdk:
        messages = [{"role": "user", "content": "hello"}]
        answer = sdk.chat.completions.create(
            model="openai.gpt-oss-20b", messages=messages
        )
    assert answer.choices[0].message.content == "You said: hello"
    assert bedrock.requests[-1].target == "/openai/v1/chat/completions"
    assert bedrock.outcomes() == ["ok"]
