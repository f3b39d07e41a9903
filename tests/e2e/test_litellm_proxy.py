# SPDX-License-Identifier: Apache-2.0
"""Goal: an agent calls through a real LiteLLM proxy with no virtual key of its own, and neither a
rotated key nor one that may not use a model is more to it than LiteLLM's own answer.

Virtual keys proper are rows in Postgres, read through Prisma, whose engine is a download that no
package registry has. In their place stands LiteLLM's `custom_auth` hook with a file of keys
(tests/clients/virtual_keys.py); which models a key may use, and how that is refused, is decided by
LiteLLM's own checks all the same.
"""

import json
import os
import secrets
import subprocess
import threading
from collections.abc import Callable, Iterator

import boto3
import botocore.config
import botocore.exceptions
import openai
import pytest
from fakes.agent import HELLO, Agent
from fakes.apibase import ApiBase
from fakes.bedrock import Bedrock
from fakes.litellm_proxy import SONNET, TAGGED, VENV, LiteLlmProxy, installed
from fakes.sidekey import SANITIZED, Sidekey
from fakes.wire import wait_for
from fakes.world import World, principal

HAIKU, OPUS = "team-haiku", "team-opus"
MESSAGES = [{"role": "user", "content": "hello big world"}]
ASKED = [{"role": "user", "content": [{"text": "hello"}]}]
SAID = "You said: hello big world"
FUNCTION = {"name": "weather", "parameters": {"type": "object", "properties": {}}}
TOOLS = [{"type": "function", "function": FUNCTION}]
PROVIDER_KEY = "provider-key-0123456789abcdef"
CALLERS, ROTATIONS = 3, 3

pytestmark = [
    pytest.mark.timeout(180),  # the proxy starts within the first test
    pytest.mark.skipif(SANITIZED, reason="the same calls are made without sanitizers"),
    pytest.mark.skipif(not installed(), reason="needs tests/clients/requirements-proxy.txt"),
]


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiteLlmProxy]:
    """One for all tests, since it takes seconds to start; keys are a test's own."""
    signer = principal()
    signs = {
        "AWS_ACCESS_KEY_ID": signer.access_key,
        "AWS_SECRET_ACCESS_KEY": signer.secret_key,
    }
    folder = tmp_path_factory.mktemp("litellm")
    with (
        ApiBase(PROVIDER_KEY) as api,
        Bedrock(principals={signer.access_key: signer}) as bedrock,
        LiteLlmProxy(folder, api, bedrock, signs) as made,
    ):
        yield made


# What LiteLLM will not take from a client itself, unless its administrator says so.
BANNED = """
import json
from litellm.proxy.auth.auth_utils import _BANNED_REQUEST_BODY_PARAMS
from litellm.types.router import _server_owned_wif_litellm_params
print(json.dumps([*_BANNED_REQUEST_BODY_PARAMS, *_server_owned_wif_litellm_params]))
"""


def test_what_litellm_bans_is_refused_here(plain_world: World, start) -> None:
    """In a body and in a query: a LiteLLM whose administrator has allowed it would obey."""
    offline = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    said = subprocess.run(
        [VENV / "bin" / "python", "-c", BANNED], env=offline, capture_output=True, check=True
    )
    names = json.loads(said.stdout.splitlines()[-1])
    assert len(names) > 100 and "user_config" in names
    sidekey = start(plain_world.config(), plain_world.env())
    with Agent(sidekey.port) as agent:
        for name in names:
            assert agent.chat({**HELLO, name: "x"}).code == "field_not_allowed", name
            assert agent.call("GET", f"/v1/models?{name}=x").code == "field_not_allowed", name
        assert agent.chat().status == 200
    assert len(plain_world.api.requests) == 1


class Team:
    """A virtual key in the store, and what the proxy lets it use."""

    def __init__(self, world: World, proxy: LiteLlmProxy) -> None:
        self.world, self.proxy = world, proxy
        self.models = [HAIKU, "team-sonnet", SONNET]
        self.keys = [self.new_key()]
        self.arn = world.store.create("virtual-key", self.key)
        proxy.admit({self.key: self.models})
        for service in (proxy.api, proxy.bedrock):
            service.requests.clear()

    @staticmethod
    def new_key() -> str:
        return "sk-" + secrets.token_urlsafe(24)

    @property
    def key(self) -> str:
        return self.keys[-1]

    def rotate(self) -> None:
        """The store has the new one first; then the old one is revoked, at once."""
        self.keys.append(self.new_key())
        self.world.store.put(self.arn, self.key)
        self.proxy.admit({self.key: self.models})

    def targets(self) -> dict:
        both = {"apiKey": self.arn, "allowPlaintext": True}
        return {
            "litellm": {"provider": "litellm", "apiBase": self.proxy.url, **both},
            "bedrock": {"provider": "bedrock", "apiBase": self.proxy.url + "/bedrock", **both},
        }

    def fetches(self) -> int:
        return self.world.store.fetches(self.arn)

    def chats(self) -> list:
        """What came to the provider; the proxy asks it for its models on its own account."""
        return [r for r in self.proxy.api.requests if r.path.endswith("/chat/completions")]


@pytest.fixture
def team(plain_world: World, proxy: LiteLlmProxy) -> Iterator[Team]:
    made = Team(plain_world, proxy)
    yield made
    everything = b"".join(r.raw_head + r.body for r in proxy.api.requests + proxy.bedrock.requests)
    assert not any(key.encode() in everything for key in made.keys), "keys go to the proxy alone"


@pytest.fixture
def sidekey(team: Team, start: Callable[..., Sidekey]) -> Iterator[Sidekey]:
    made = start({"targets": team.targets()}, team.world.env())
    yield made
    assert not any(key.encode() in made.output for key in team.keys)


@pytest.fixture
def sdk(sidekey: Sidekey) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=sidekey.base, api_key="none") as made:
        yield made


def say(sdk: openai.OpenAI, model: str = HAIKU) -> str | None:
    answer = sdk.chat.completions.create(model=model, messages=MESSAGES)
    return answer.choices[0].message.content


# ---- everyday calls ----


def test_plain(team: Team, sidekey: Sidekey, sdk: openai.OpenAI) -> None:
    raw = sdk.chat.completions.with_raw_response.create(model=HAIKU, messages=MESSAGES)
    assert raw.parse().choices[0].message.content == SAID
    assert raw.headers["x-litellm-call-id"]
    assert "x-litellm-model-api-base" not in raw.headers
    (asked,) = team.chats()
    assert asked.header("authorization") == f"Bearer {PROVIDER_KEY}"
    wait_for(lambda: sidekey.calls(), 5, "the call is logged")
    call = sidekey.calls()[-1]
    assert (call["target"], call["model"], call["status"]) == ("litellm", HAIKU, 200)
    assert (call["tokens_in"], call["tokens_out"]) == (7, 5)


def test_streamed(team: Team, sdk: openai.OpenAI) -> None:
    stream = sdk.chat.completions.create(model=HAIKU, messages=MESSAGES, stream=True)
    pieces = [c.choices[0].delta.content or "" for c in stream if c.choices]
    assert "".join(pieces) == SAID and len(pieces) > 3
    assert len(team.chats()) == 1


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_tool_call(team: Team, sdk: openai.OpenAI, streamed: bool) -> None:
    ask = {"model": HAIKU, "messages": MESSAGES, "tools": TOOLS}
    if streamed:
        chunks = sdk.chat.completions.create(**ask, stream=True)
        parts = [p for c in chunks if c.choices for p in c.choices[0].delta.tool_calls or []]
        name = "".join(p.function.name or "" for p in parts)
        arguments = "".join(p.function.arguments or "" for p in parts)
        call = {"id": parts[0].id, "function": {"name": name, "arguments": arguments}}
    else:
        call = sdk.chat.completions.create(**ask).choices[0].message.tool_calls[0].model_dump()
    assert call["function"]["name"] == "weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "Paris"}
    calls = [{"type": "function", "id": call["id"], "function": call["function"]}]
    result = {"role": "tool", "tool_call_id": call["id"], "content": "sunny"}
    messages = [*MESSAGES, {"role": "assistant", "content": None, "tool_calls": calls}, result]
    answer = sdk.chat.completions.create(model=HAIKU, messages=messages, tools=TOOLS)
    assert answer.choices[0].message.content == "You said: the tool says sunny"
    assert len(team.chats()) == 2


def test_models_are_the_key_s(team: Team, sdk: openai.OpenAI) -> None:
    assert sorted(m.id for m in sdk.models.list()) == sorted(team.models)


# ---- what the proxy refuses ----


@pytest.mark.parametrize("model", [OPUS, "nobody-knows"])
def test_a_model_that_the_key_may_not_use(team: Team, sdk: openai.OpenAI, model: str) -> None:
    """LiteLLM's own words; the key is as good as before, so nobody asks for another."""
    assert say(sdk) == SAID
    fetched = team.fetches()
    for _ in range(3):
        with pytest.raises(openai.PermissionDeniedError) as refused:
            say(sdk, model)
        assert refused.value.type == "key_model_access_denied"
        assert refused.value.param == "model"
        assert "x-sidekey-error" not in refused.value.response.headers
    assert say(sdk) == SAID
    assert team.fetches() == fetched
    assert len(team.chats()) == 2


def test_a_key_that_nothing_replaces(team: Team, sdk: openai.OpenAI) -> None:
    """One look at the store, which has nothing newer: then LiteLLM's own 401."""
    assert say(sdk) == SAID
    fetched = team.fetches()
    team.proxy.admit({})
    with pytest.raises(openai.AuthenticationError) as refused:
        say(sdk)
    assert refused.value.type == "token_not_found_in_db"
    assert "x-sidekey-error" not in refused.value.response.headers
    assert team.fetches() == fetched + 1
    team.proxy.admit({team.key: team.models})
    assert say(sdk) == SAID, "and a key that is good again is used again"


# ---- what an agent tries ----


KEY_HEADERS = [  # wherever this proxy looks for a key; the first one goes before all others
    "x-litellm-api-key",
    "Authorization",
    "API-Key",
    "x-api-key",
    "x-goog-api-key",
    "Ocp-Apim-Subscription-Key",
]


def test_an_agent_that_brings_another_s_key(team: Team, sidekey: Sidekey) -> None:
    """A key that it found somewhere is good at the proxy, and worth nothing here."""
    found = Team.new_key()
    team.proxy.admit({team.key: team.models, found: [OPUS]})
    ask = {"model": OPUS, "messages": MESSAGES}
    for name in KEY_HEADERS:
        value = f"Bearer {found}" if name == "Authorization" else found
        with Agent(team.proxy.port) as agent:
            assert agent.chat(ask, [(name, value)]).status == 200, f"{name} is a way in"
        with Agent(sidekey.port) as agent:
            answer = agent.chat(ask, [(name, value)])
        assert answer.status == 403, name
        assert answer.json()["error"]["type"] == "key_model_access_denied"
    assert len(team.chats()) == len(KEY_HEADERS)


STEERING = ["api_base", "base_url", "aws_bedrock_runtime_endpoint", "aws_sts_endpoint"]


def test_an_agent_that_wants_the_proxy_to_call_it(team: Team, sidekey: Sidekey) -> None:
    chat = {"model": HAIKU, "messages": MESSAGES}
    with ApiBase() as own:
        for name in STEERING:
            for path, body in (
                ("/v1/chat/completions", chat),
                (f"/bedrock/model/{SONNET}/converse", {"messages": ASKED}),
                (f"/bedrock/model/{SONNET}/invoke", {"messages": ASKED}),
            ):
                with Agent(sidekey.port) as agent:
                    answer = agent.call("POST", path, {**body, name: own.url})
                assert answer.code == "field_not_allowed", (name, path)
        assert own.connections == 0
    assert team.chats() == []


TAGS = [
    {"tags": ["dear"]},
    {"metadata": {"tags": ["dear"]}},
    {"metadata": {"t\\u0061gs": ["dear"]}},
]


def test_an_agent_that_wants_another_deployment(team: Team, sidekey: Sidekey) -> None:
    """Whoever has a key may ask the proxy itself for it; through sidekey it gets the usual one."""
    team.proxy.admit({team.key: [TAGGED]})
    ask = {"model": TAGGED, "messages": MESSAGES}
    headers = [("Authorization", f"Bearer {team.key}"), ("Content-Type", "application/json")]

    def asked() -> list[str]:
        return [json.loads(r.body)["model"] for r in team.chats()]

    for tags in TAGS:
        body = json.dumps({**ask, **tags}).replace("\\\\u", "\\u").encode()
        with Agent(team.proxy.port) as agent:
            assert agent.call("POST", "/v1/chat/completions", body, headers).status == 200
        assert asked()[-1] == "dear-1", "it would obey"
        with Agent(sidekey.port) as agent:
            answer = agent.call("POST", "/v1/chat/completions", body, headers)
        assert (answer.status, answer.code) == (403, "field_not_allowed"), tags
    with Agent(sidekey.port) as agent:
        assert agent.chat({**ask, "metadata": {"tags": "dear"}}).status == 200
    assert asked() == ["dear-1"] * len(TAGS) + ["default-1"]


# ---- a new key ----


def test_a_rotated_key(team: Team, sdk: openai.OpenAI) -> None:
    sdk.max_retries = 0
    assert say(sdk) == SAID
    fetched = team.fetches()
    team.rotate()
    assert say(sdk) == SAID
    assert team.fetches() == fetched + 1
    team.rotate()
    stream = sdk.chat.completions.create(model=HAIKU, messages=MESSAGES, stream=True)
    assert "".join(c.choices[0].delta.content or "" for c in stream if c.choices) == SAID
    assert len(team.chats()) == 3, "none was carried out twice"


def test_keys_are_rotated_under_load(team: Team, sidekey: Sidekey) -> None:
    """The SDK may not try again here: an error of any kind is an error at the agent."""
    said: list[list[str | None]] = [[] for _ in range(CALLERS)]
    errors: list[Exception] = []
    over = threading.Event()

    def work(own_said: list[str | None]) -> None:
        with openai.OpenAI(base_url=sidekey.base, api_key="none", max_retries=0) as own:
            while not over.is_set():
                try:
                    own_said.append(say(own))
                except openai.OpenAIError as error:
                    errors.append(error)

    def go_on() -> None:
        """Until each caller is past the call that it had under way: it is sent again only once,
        so no call may meet two rotations."""
        sofar = [len(s) for s in said]
        wait_for(
            lambda: errors or all(len(s) > n + 1 for s, n in zip(said, sofar, strict=True)),
            60,
            "answers go on",
        )

    threads = [threading.Thread(target=work, args=(s,)) for s in said]
    for thread in threads:
        thread.start()
    try:
        for _ in range(ROTATIONS):
            go_on()
            fetched = team.fetches()
            team.rotate()
            wait_for(lambda n=fetched: team.fetches() > n or errors, 60, "the store is asked")
        go_on()
    finally:
        over.set()
        for thread in threads:
            thread.join(60)
    answers = [text for own_said in said for text in own_said]
    assert errors == []
    assert set(answers) == {SAID}
    assert len(team.chats()) == len(answers), "each was carried out once"


# ---- its /bedrock pass-through ----


def boto(sidekey: Sidekey):
    return boto3.client(
        "bedrock-runtime",
        endpoint_url=f"http://127.0.0.1:{sidekey.port}/bedrock",
        aws_access_key_id="none",
        aws_secret_access_key="none",
        region_name="us-east-1",
        config=botocore.config.Config(retries={"max_attempts": 3, "mode": "standard"}),
    )


def converse(sidekey: Sidekey, model: str) -> str:
    answer = boto(sidekey).converse(modelId=model, messages=ASKED)
    return answer["output"]["message"]["content"][0]["text"]


@pytest.mark.parametrize("model", ["team-sonnet", SONNET])
def test_bedrock_through_the_proxy(team: Team, sidekey: Sidekey, model: str) -> None:
    """boto3's signature goes, the virtual key comes, and the proxy signs for Bedrock."""
    bedrock = team.proxy.bedrock
    already = len(bedrock.calls)
    assert converse(sidekey, model) == f"I am {SONNET}"
    streamed = boto(sidekey).converse_stream(modelId=model, messages=ASKED)
    deltas = [e["contentBlockDelta"] for e in streamed["stream"] if "contentBlockDelta" in e]
    assert "".join(d["delta"]["text"] for d in deltas) == "You said: hello "
    body = json.dumps({"messages": ASKED, "max_tokens": 9, "anthropic_version": "x"})
    answer = boto(sidekey).invoke_model(modelId=model, body=body, contentType="application/json")
    assert json.loads(answer["body"].read())["model"] == SONNET
    assert [c.outcome for c in bedrock.calls[already:]] == ["ok"] * 3
    assert "none/" not in bedrock.last().header("authorization")
    wait_for(lambda: len(sidekey.calls()) == 3, 5, "the calls are logged")
    assert {(c["target"], c["model"]) for c in sidekey.calls()} == {("bedrock", model)}
    assert [c.get("tokens_out") for c in sidekey.calls()[:2]] == [5, 5]


def test_bedrock_s_models_may_have_names_of_ours(team: Team, start) -> None:
    rules = [{"match": "sonnet", "target": "bedrock", "sendAs": SONNET}]
    sidekey = start({"targets": team.targets(), "models": rules}, team.world.env())
    assert converse(sidekey, "sonnet") == f"I am {SONNET}"
    with pytest.raises(botocore.exceptions.ClientError, match="matches no rule") as refused:
        converse(sidekey, "team-sonnet")
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    assert len(team.proxy.bedrock.requests) == 1


def test_bedrock_and_a_model_that_the_key_may_not_use(team: Team, sidekey: Sidekey) -> None:
    """The refusal is LiteLLM's, in LiteLLM's form: botocore has the status and the words."""
    assert converse(sidekey, SONNET) == f"I am {SONNET}"
    fetched = team.fetches()
    for _ in range(3):
        with Agent(sidekey.port) as agent:
            path = f"/bedrock/model/{OPUS}/converse"
            answer = agent.call("POST", path, {"messages": ASKED})
        assert answer.status == 403 and answer.code is None
        assert answer.json()["error"]["type"] == "key_model_access_denied"
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        converse(sidekey, OPUS)
    told = refused.value.response["ResponseMetadata"]
    assert (told["HTTPStatusCode"], told["RetryAttempts"]) == (403, 0)
    assert team.fetches() == fetched
    assert len(team.proxy.bedrock.requests) == 1


def test_bedrock_and_a_rotated_key(team: Team, sidekey: Sidekey, sdk: openai.OpenAI) -> None:
    """One secret for both targets: who looks first looks for both."""
    assert converse(sidekey, SONNET) == f"I am {SONNET}"
    team.rotate()
    assert converse(sidekey, SONNET) == f"I am {SONNET}"
    fetched = team.fetches()
    assert say(sdk) == SAID
    assert team.fetches() == fetched
    assert len(team.proxy.bedrock.requests) == 2
