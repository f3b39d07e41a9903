# SPDX-License-Identifier: Apache-2.0
"""Goal: what other programs are configured with becomes a configuration that check accepts; what
could not be carried over is said, and no secret of a source is ever repeated."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml
from fakes.agent import Agent
from fakes.apibase import Act, ApiBase
from fakes.sidekey import Sidekey, environment, program
from fakes.wire import wait_for

SECRET = "sk-live-0123456789abcdefghijklmnop"
VAULT = "arn:aws:bedrock-agentcore:us-east-1:123456789012:token-vault/default/apikeycredentialprovider/"
SEED = "arn:aws:bedrock-agentcore:us-east-1:123456789012:credential-provider/"


def init(*arguments: str, env=None, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(program()), "init", *arguments],
        env=environment(env),
        capture_output=True,
        timeout=60,
        check=False,
        **options,
    )


class Made:
    """The outcome of one source: its configuration, and what was said."""

    def __init__(self, folder: Path, source, env=None) -> None:
        text = source if isinstance(source, str) else json.dumps(source)
        (folder / "source").write_text(text)
        done = init("--from", str(folder / "source"), env=env)
        self.status, self.text = done.returncode, done.stdout.decode()
        self.said = done.stderr.decode()
        self.config = yaml.safe_load(self.text) if self.text else {}
        self.targets = self.config.get("targets", {})
        self.models = self.config.get("models")
        if self.status == 0:
            self._check(folder, env)

    def _check(self, folder: Path, env) -> None:
        file = folder / "made.yaml"
        file.write_text(self.text)
        file.chmod(0o600)
        command = [str(program()), "check", "-c", str(file)]
        done = subprocess.run(
            command, env=environment(env), capture_output=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr.decode()


@pytest.fixture
def make(tmp_path: Path):
    def run(source, env=None, good: bool = True) -> Made:
        made = Made(tmp_path, source, env)
        assert (made.status == 0) == good, made.said
        return made

    return run


def entry(name: str, model: str, **params) -> dict:
    return {"model_name": name, "litellm_params": {"model": model, **params}}


# ---- LiteLLM ----

LITELLM = """\
model_list:
  - model_name: gpt-4o
    litellm_params:
      model: azure/gpt-4o-eu
      api_base: https://my-endpoint-europe.openai.azure.com/
      api_key: "os.environ/AZURE_API_KEY_EU"
      api_version: "2024-10-21"
      rpm: 6
    model_info: {id: eu, mode: chat}
  - model_name: gpt-4o
    litellm_params:
      model: azure/gpt-4o-ca
      api_base: https://my-endpoint-canada.openai.azure.com/
      api_key: os.environ/AZURE_API_KEY_CA
  - model_name: claude
    litellm_params:
      model: anthropic/claude-3-haiku-20240307
      api_key: SECRET
      temperature: 0.2
  - model_name: sonnet
    litellm_params:
      model: bedrock/us-west-2/us.anthropic.claude-sonnet-4-20250514-v1:0
      aws_role_name: arn:aws:iam::123456789012:role/invoke
      aws_session_name: litellm
  - model_name: "openai/*"
    litellm_params: {model: "openai/*", api_key: os.environ/OPENAI_API_KEY, timeout: 300}
  - model_name: local
    litellm_params: {model: hosted_vllm/facebook/opt-125m, api_base: "http://10.0.0.7:8000/v1"}
  - model_name: vertex
    litellm_params: {model: vertex_ai/gemini-pro, vertex_project: x}
  - model_name: llama
    litellm_params: {model: groq/llama3-8b-8192}
router_settings:
  routing_strategy: least-busy
  fallbacks: [{gpt-4o: [claude]}]
  model_group_alias: {gpt-4: gpt-4o, hidden: {model: llama, hidden: true}}
litellm_settings: {success_callback: [langfuse]}
general_settings:
  master_key: SECRET
  database_url: postgresql://user:SECRET@db/litellm
environment_variables: {LANGFUSE_KEY: SECRET}
""".replace("SECRET", SECRET)


def test_a_whole_litellm_config(make) -> None:
    made = make(LITELLM)
    assert made.targets == {
        "azure": {
            "provider": "azure",
            "apiBase": "https://my-endpoint-europe.openai.azure.com",
            "apiKey": "env:AZURE_API_KEY_EU",
            "query": {"api-version": "2024-10-21"},
        },
        "anthropic": {
            "provider": "anthropic",
            "apiBase": "https://api.anthropic.com",
            "apiKey": "env:NEW_ANTHROPIC_API_KEY",
        },
        "bedrock": {
            "provider": "bedrock",
            "region": "us-west-2",
            "aws": {
                "assumeRole": {
                    "roleArn": "arn:aws:iam::123456789012:role/invoke",
                    "sessionName": "litellm",
                }
            },
        },
        "openai": {
            "provider": "openai",
            "apiBase": "https://api.openai.com/v1",
            "apiKey": "env:OPENAI_API_KEY",
            "timeouts": {"firstByte": "300s"},
        },
        "hosted_vllm": {
            "provider": "openaiCompatible",
            "apiBase": "http://10.0.0.7:8000/v1",
            "allowPlaintext": True,
            "apiKey": "none",
        },
        "groq": {
            "provider": "openaiCompatible",
            "apiBase": "https://api.groq.com/openai/v1",
            "apiKey": "env:GROQ_API_KEY",
        },
    }
    assert made.models == [
        {"match": "gpt-4o", "target": "azure", "sendAs": "gpt-4o-eu"},
        {"match": "claude", "target": "anthropic", "sendAs": "claude-3-haiku-20240307"},
        {
            "match": "sonnet",
            "target": "bedrock",
            "sendAs": "us.anthropic.claude-sonnet-4-20250514-v1:0",
        },
        {"match": "local", "target": "hosted_vllm", "sendAs": "facebook/opt-125m"},
        {"match": "llama", "target": "groq", "sendAs": "llama3-8b-8192"},
        {"match": "gpt-4", "target": "azure", "sendAs": "gpt-4o-eu"},
        {"match": "hidden", "target": "groq", "sendAs": "llama3-8b-8192"},
        {"match": "openai/*", "target": "openai", "stripPrefix": "openai/"},
    ]
    assert made.config["defaultTarget"] == {"openai": "azure"}


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("model_list[0].litellm_params.rpm", "limit"),
        ("model_list[1].litellm_params.model", "API version"),
        ("model_list[2]", "not translated"),
        ("model_list[2].litellm_params.api_key", "NEW_ANTHROPIC_API_KEY"),
        ("model_list[2].litellm_params.temperature", "changes no request"),
        ("model_list[3]", "/bedrock"),
        ("model_list[5].litellm_params.api_base", "plain http"),
        ("model_list[6].litellm_params.model", "does not speak to"),
        ("router_settings.routing_strategy", "by their weight alone"),
        ("router_settings.fallbacks", "choose the other model"),
        ("litellm_settings.success_callback", "no counterpart"),
        ("general_settings.master_key", "sidekey token"),
        ("general_settings.database_url", "no counterpart"),
        ("environment_variables", "not shown"),
    ],
)
def test_what_litellm_has_and_sidekey_has_not_is_said(make, place, words) -> None:
    """On standard error with its line, and as a comment in the file."""
    made = make(LITELLM)
    lines = [line for line in made.said.splitlines() if f": {place}: " in line]
    assert len(lines) == 1 and words in lines[0], made.said
    assert lines[0].split(":")[1].isdigit()
    comments = [line for line in made.text.splitlines() if line.startswith("#")]
    assert any(f"- {place}: " in line for line in comments)
    assert SECRET not in made.text + made.said


NAMES = [
    ("gpt-4o", "gpt-4o", None, {}),
    ("claude-*", "anthropic/claude-*", None, {}),
    ("*", "openai/*", None, {}),
    ("my/claude-*", "anthropic/claude-*", None, {"stripPrefix": "my/"}),
    ("all-*", "openai/gpt-4o", None, {"sendAs": "gpt-4o"}),
    ("o", "azure/o_series/dep", "https://a.openai.azure.com", {"sendAs": "dep"}),
    ("p", "litellm_proxy/team/x", "https://proxy.example", {"sendAs": "team/x"}),
    ("c", "bedrock/converse/amazon.nova-pro-v1:0", None, {"sendAs": "amazon.nova-pro-v1:0"}),
]


@pytest.mark.parametrize(("name", "model", "base", "rule"), NAMES)
def test_names_of_litellm(make, name, model, base, rule) -> None:
    params = {"api_base": base} if base else {}
    made = make({"model_list": [entry(name, model, **params)]})
    (target,) = made.targets
    assert made.models == [{"match": name, "target": target, **rule}]


@pytest.mark.parametrize(
    ("name", "model"), [("claude-*", "openai/gpt-*"), ("a*b", "openai/x"), ("gpt", "openai/*")]
)
def test_patterns_that_no_rule_can_say_are_left_out(make, name, model) -> None:
    made = make({"model_list": [entry(name, model), entry("good", "gpt-4o")]})
    assert [rule["match"] for rule in made.models] == ["good"]
    assert "model_list[0].model_name: its pattern" in made.said


def test_every_model_that_is_left_out_is_said(make) -> None:
    """The reason once, and of the others which they are: nobody is to miss one later."""
    left = [entry(f"local-{n}", f"ollama/m{n}") for n in range(3)]
    nowhere = [entry("near", "hosted_vllm/a"), entry("far", "hosted_vllm/b")]
    made = make({"model_list": [*left, *nowhere, entry("good", "gpt-4o")]})
    assert made.said.count("does not speak to") == 1
    assert made.said.count("names no URL") == 1
    for n in (1, 2, 4):
        assert f"model_list[{n}]: was left out" in made.said
    assert made.said.count("model_list[5]") == 0


@pytest.mark.parametrize("wildcard", [True, False])
def test_a_model_that_is_left_out_may_be_another_rule_s(make, wildcard) -> None:
    """Of each by its name: prompts for a model of one's own would go to the provider."""
    left = [entry("local", "ollama/llama3"), entry("vertex", "vertex_ai/gemini-2.5-pro")]
    made = make({"model_list": [*left, entry("*" if wildcard else "gpt-4o", "openai/gpt-4o")]})
    for n, name in enumerate(("local", "vertex")):
        said = f"model_list[{n}].model_name: {name} was left out, and a rule with * may fit it"
        assert (said in made.said) == wildcard


def test_a_credential_of_the_list(make) -> None:
    values = {"api_key": "os.environ/TEAM_KEY", "api_base": "https://t.openai.azure.com"}
    made = make(
        {
            "model_list": [entry("m", "azure/d", litellm_credential_name="team")],
            "credential_list": [{"credential_name": "team", "credential_values": values}],
        }
    )
    assert made.targets["azure"]["apiKey"] == "env:TEAM_KEY"
    assert made.targets["azure"]["apiBase"] == "https://t.openai.azure.com"


ENDPOINT = "https://bedrock-runtime.us-west-2.amazonaws.com"


@pytest.mark.parametrize(
    ("params", "due"),
    [
        ({"aws_bedrock_runtime_endpoint": ENDPOINT, "aws_region_name": "eu-west-1"}, None),
        ({"aws_bedrock_runtime_endpoint": "https://b.example"}, "${AWS_REGION:-us-east-1}"),
        ({"aws_bedrock_runtime_endpoint": "https://b.example", "aws_region_name": "eu-west-1"},
         "eu-west-1"),
        ({"api_key": "os.environ/K", "aws_role_name": "arn:aws:iam::123456789012:role/x"},
         "${AWS_REGION:-us-east-1}"),
        ({"extra_headers": {"Authorization": SECRET}}, "${AWS_REGION:-us-east-1}"),
        ({"aws_role_name": "arn:aws:iam::123456789012:role/x"}, "${AWS_REGION:-us-east-1}"),
        ({"aws_bedrock_runtime_endpoint": ENDPOINT,
          "aws_role_name": "arn:aws:iam::123456789012:role/x"}, None),
    ],
)  # fmt: skip
def test_bedrock_with_an_endpoint_a_key_and_a_role(make, params, due) -> None:
    """The region of the endpoint's own name wins, and no two ways of proving who calls clash."""
    made = make({"model_list": [entry("m", "bedrock/x.y", **params)]})
    assert made.targets["bedrock"].get("region") == due
    assert SECRET not in made.text + made.said


def test_an_alias_of_a_pattern_is_left_out(make) -> None:
    router = {"model_group_alias": {"c": "b/*", "d": "a", "e": "nothing"}}
    source = [entry("b/*", "openai/*"), entry("a", "gpt-4o")]
    made = make({"model_list": source, "router_settings": router})
    assert [rule["match"] for rule in made.models] == ["a", "d", "b/*"]
    assert "model_group_alias.c: is an alias of no model" in made.said
    assert "model_group_alias.e: is an alias of no model" in made.said


def test_values_from_the_environment_stay_there(make) -> None:
    """apiBase, region and version: whether the variable is set now or not."""
    params = {"api_base": "os.environ/BASE", "api_version": "os.environ/VERSION"}
    source = {
        "model_list": [
            entry("a", "azure/d", **params),
            entry("b", "bedrock/x.y", aws_region_name="os.environ/REGION"),
        ]
    }
    made = make(source)
    assert made.targets["azure"]["apiBase"].startswith("${BASE:-")
    assert made.targets["azure"]["query"]["api-version"].startswith("${VERSION:-")
    assert made.targets["bedrock"]["region"] == "${REGION:-us-east-1}"
    assert "set BASE there" in made.said
    set_now = {"BASE": "http://10.1.1.1:8080", "VERSION": "2024-10-21", "REGION": "eu-west-1"}
    assert make(source, set_now).targets["azure"]["allowPlaintext"] is True


def test_headers_and_their_secrets(make) -> None:
    headers = {
        "X-Team": "research",
        "Authorization": f"Bearer {SECRET}",
        "X-Api-Key": "hunter2",
        "X-Trace": "0123456789abcdef0123456789abcdef",
        "X-From": "os.environ/FROM",
        "CF-Access-Client-Id": "os.environ/CF_ID",
        "CF-Access-Client-Secret": "deadbeefdeadbeef01234567",
        "Host": "evil.example",
        "bad name": "x",
    }
    made = make({"model_list": [entry("m", "openai/m", api_base="https://gw.example", extra_headers=headers)]})
    (target,) = made.targets.values()
    assert target["apiKey"] == "env:NEW_AUTHORIZATION"
    assert target["cloudflareAccess"] == {
        "clientId": "env:CF_ID",
        "clientSecret": "env:NEW_CF_ACCESS_CLIENT_SECRET",
    }
    assert target["headers"] == {
        "X-Team": "research",
        "X-Api-Key": "${env:NEW_X_API_KEY}",
        "X-Trace": "${env:NEW_X_TRACE}",
        "X-From": "${env:FROM}",
    }
    for secret in (SECRET, "hunter2", "0123456789abcdef", "deadbeef"):
        assert secret not in made.text + made.said


def test_headers_that_look_like_keys(make) -> None:
    """Names and dates of providers' own; a key in their place is one all the same."""
    headers = {
        "anthropic-beta": "context-1m-2025-08-07",
        "OpenAI-Organization": "org-AbCdEfGhIjKlMnOp12345678",
        "OpenAI-Project": SECRET,
    }
    made = make({"model_list": [entry("m", "openai/m", api_base="https://gw.example", extra_headers=headers)]})
    (target,) = made.targets.values()
    assert target["headers"] == {**headers, "OpenAI-Project": "${env:NEW_OPENAI_PROJECT}"}
    assert SECRET not in made.text + made.said


def test_a_literal_key_never_becomes_the_key_of_another_host(make) -> None:
    """Neither a variable that an SDK reads, nor one name for two secrets."""
    source = [
        entry("a", "openai/a", api_base="https://a.example", api_key="sk-aaaaaaaaaaaaaaaaaaa1"),
        entry("b", "openai/b", api_base="https://b.example", api_key="sk-bbbbbbbbbbbbbbbbbbb2"),
        entry("c", "openai/c", api_base="https://c.example", api_key="sk-aaaaaaaaaaaaaaaaaaa1"),
        entry("d", "openai/d", api_base="https://d.example"),
        entry("e", "openai/e"),
    ]
    keys = [t["apiKey"] for t in make({"model_list": source}).targets.values()]
    assert keys == [
        "env:NEW_OPENAI_API_KEY",
        "env:NEW_OPENAI_API_KEY_2",
        "env:NEW_OPENAI_API_KEY",
        "none",
        "env:OPENAI_API_KEY",
    ]


def test_an_agent_calls_through_what_was_made(make, start) -> None:
    with ApiBase(key="sk-the-real-key-0123456789") as api:
        made = make(
            {
                "model_list": [
                    entry("fast", "openai/gpt-x", api_base=api.base, api_key="os.environ/K")
                ]
            }
        )
        made.config.pop("listen"), made.config.pop("admin")
        sidekey: Sidekey = start(made.config, {"K": "sk-the-real-key-0123456789"})
        with Agent(sidekey.port) as agent:
            assert agent.chat({"model": "fast", "messages": []}).status == 200
            assert agent.chat({"model": "gpt-x", "messages": []}).code == "model_not_allowed"
        assert json.loads(api.last().body)["model"] == "gpt-x"


# ---- LiteLLM: several deployments of one name ----


def group(model: str, *members: dict, name: str = "m", **further) -> dict:
    entries = [entry(name, **{"model": model, **params}) for params in members]
    return {"model_list": entries, **further}


A, B = "https://a.example/v1", "https://b.example/v1"
BOTH = [{"apiBase": A}, {"apiBase": B}]
SPREADS = {
    "places": ("openai/x", [{"api_base": A}, {"api_base": B}], BOTH),
    "keys": (
        "openai/x",
        [{"api_base": A, "api_key": f"os.environ/K{n}"} for n in (1, 2)],
        [{"apiBase": A}, {"apiBase": A, "apiKey": "env:K2"}],
    ),
    "a host without a key": (
        "openai/x",
        [{"api_base": A, "api_key": "os.environ/K"}, {"api_base": B}],
        [{"apiBase": A}, {"apiBase": B, "apiKey": "none"}],
    ),
    "another provider of the same kind": (
        "openai/x",
        [{"api_base": A}, {"model": "groq/x"}],
        [{"apiBase": A}, {"apiBase": "https://api.groq.com/openai/v1", "apiKey": "env:GROQ_API_KEY"}],
    ),
    "regions": (
        "bedrock/x.y",
        [{"aws_region_name": "us-east-1"}, {"aws_region_name": "eu-west-1"}],
        [{"region": "us-east-1"}, {"region": "eu-west-1"}],
    ),
    "a region and an endpoint of one's own in it": (
        "bedrock/x.y",
        [{"aws_region_name": "us-east-1"}, {"aws_bedrock_runtime_endpoint": A, "aws_region_name": "us-east-1"}],
        [{"name": "d1", "region": "us-east-1"}, {"name": "d2", "apiBase": A, "region": "us-east-1"}],
    ),
    "a region that is known later, and a key": (
        "bedrock/x.y",
        [{"api_key": "os.environ/K1"}, {"aws_region_name": "eu-west-1", "api_key": "os.environ/K2"}],
        [{"name": "d1", "region": "${AWS_REGION:-us-east-1}"}, {"region": "eu-west-1", "apiKey": "env:K2"}],
    ),
    "weights": (
        "openai/x",
        [{"api_base": A, "weight": 2}, {"api_base": B, "weight": 1}],
        [{"apiBase": A, "weight": 2}, {"apiBase": B, "weight": 1}],
    ),
    "broken weights": (
        "openai/x",
        [{"api_base": A, "weight": 0.75}, {"api_base": B, "weight": "0.25"}],
        [{"apiBase": A, "weight": 3}, {"apiBase": B, "weight": 1}],
    ),
    "limits as shares": (
        "openai/x",
        [{"api_base": A, "rpm": 900, "tpm": 1}, {"api_base": B, "rpm": 600}],
        [{"apiBase": A, "weight": 3}, {"apiBase": B, "weight": 2}],
    ),
    "shares that no weights are": (
        "openai/x",
        [{"api_base": A, "tpm": 1_000_001}, {"api_base": B, "tpm": 10}],
        [{"apiBase": A, "weight": 100}, {"apiBase": B, "weight": 1}],
    ),
    "no share": (
        "openai/x",
        [{"api_base": A, "weight": 5}, {"api_base": B}],
        [{"apiBase": A, "weight": 1}, {"apiBase": B, "weight": 1}],
    ),
    "the same twice": (
        "openai/x",
        [{"api_base": A}, {"api_base": B}, {"api_base": A}],
        [{"apiBase": A, "weight": 2}, {"apiBase": B, "weight": 1}],
    ),
}


@pytest.mark.parametrize("name", SPREADS)
def test_deployments_of_one_name(make, name) -> None:
    model, members, due = SPREADS[name]
    made = make(group(model, *members))
    (target,) = made.targets.values()
    assert target["deployments"] == due
    assert "apiBase" not in target and "region" not in target
    assert made.models == [{"match": "m", "target": next(iter(made.targets)), "sendAs": model.split("/")[1]}]
    assert "differs" not in made.said


def test_deployments_that_are_all_the_same_are_none(make) -> None:
    (target,) = make(group("openai/x", {"api_base": A}, {"api_base": A})).targets.values()
    assert target["apiBase"] == A and "deployments" not in target


def test_names_with_the_same_deployments_share_a_target(make) -> None:
    members = ({"api_base": A}, {"api_base": B})
    whole = group("openai/x", *members, name="x")
    whole["model_list"] += group("openai/y", *members, name="y")["model_list"]
    whole["model_list"] += group("openai/z", members[0], name="z")["model_list"]
    made = make(whole)
    assert [t.get("deployments") for t in made.targets.values()] == [BOTH, None]
    assert [rule["target"] for rule in made.models] == ["openai", "openai", "openai-2"]


OTHERS = {
    "another provider": (entry("m", "anthropic/x"), "its provider"),
    "another model": (entry("m", "openai/y", api_base=B), "what its model is called"),
    "another header": (entry("m", "openai/x", api_base=B, headers={"X-A": "b"}), "its headers"),
    "another timeout": (entry("m", "openai/x", api_base=B, timeout=5), "its timeout"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_a_deployment_cannot_change_is_said(make, name) -> None:
    """And it neither stands in the way of the others, nor becomes a target."""
    other, words = OTHERS[name]
    whole = group("openai/x", {"api_base": A}, {"api_base": B})
    whole["model_list"].insert(1, other)
    made = make(whole)
    (target,) = made.targets.values()
    assert target["deployments"] == BOTH
    (line,) = [line for line in made.said.splitlines() if "model_list[1].litellm_params.model: " in line]
    assert words in line


@pytest.mark.parametrize(
    ("bases", "differ"),
    [
        (["https://a.openai.azure.com", "https://b.openai.azure.com/openai/v1"], True),
        (["https://a.openai.azure.com/openai/v1", "https://gw.example/azure"], False),
    ],
)
def test_the_two_apis_of_azure_are_not_mixed(make, bases, differ) -> None:
    made = make(group("azure/x", *[{"api_base": base} for base in bases]))
    assert ("Azure's two APIs" in made.said) == differ
    assert ("deployments" in made.targets["azure"]) != differ


def test_two_ways_of_proving_who_calls_are_not_mixed(make) -> None:
    made = make(group("bedrock/x.y", {"aws_region_name": "us-east-1"},
                      {"aws_region_name": "eu-west-1", "api_key": "os.environ/K"},
                      {"aws_region_name": "eu-west-1", "aws_profile_name": "p"}))  # fmt: skip
    assert "deployments" not in made.targets["bedrock"]
    assert "model_list[1].litellm_params.model: differs" in made.said
    assert "who signs its calls" in made.said


@pytest.mark.parametrize(
    ("model", "members"),
    [
        ("azure/x", [{"api_base": "os.environ/A"}, {"api_base": "os.environ/B"}]),
        ("azure/x", [{"api_base": "https://a.example"}, {"api_base": "os.environ/B"}]),
        ("bedrock/x.y", [{"aws_region_name": "us-east-1"}, {}]),
    ],
)
def test_what_may_be_the_same_place_is_not_called_twice(make, model, members) -> None:
    """With keys of their own, they are two whatever the variables say."""
    made = make(group(model, *members))
    assert "model_list[1].litellm_params.model: may be another deployment" in made.said
    (target,) = made.targets.values()
    assert "deployments" not in target
    keys = [{**m, "api_key": f"os.environ/K{n}"} for n, m in enumerate(members)]
    (target,) = make(group(model, *keys)).targets.values()
    assert len(target["deployments"]) == 2


def test_an_order_and_a_weight_of_nothing_are_said(make) -> None:
    made = make(group("openai/x", {"api_base": A, "order": 1}, {"api_base": B, "weight": 0}))
    assert "model_list[0].litellm_params.order: an order among deployments" in made.said
    assert "model_list[1].litellm_params.weight: is no share" in made.said
    alone = make(group("openai/x", {"api_base": A, "order": 1}))
    assert "an order among" not in alone.said


def test_more_deployments_than_a_target_takes(make) -> None:
    members = [{"api_base": f"https://h{n}.example"} for n in range(18)]
    made = make(group("openai/x", *members))
    assert [d["apiBase"] for d in made.targets["openai"]["deployments"]] == [m["api_base"] for m in members[:16]]
    assert "model_list[16].litellm_params.model: is one deployment of its name too many" in made.said


@pytest.mark.parametrize(("strategy", "is_said"), [("simple-shuffle", False), ("latency-based-routing", True)])
def test_a_strategy_that_is_not_sidekeys_is_said(make, strategy, is_said) -> None:
    source = group("openai/x", {"api_base": A}, {"api_base": B}, router_settings={"routing_strategy": strategy})
    assert ("router_settings.routing_strategy: " in make(source).said) == is_said


def test_an_agent_is_served_by_both_deployments_that_were_made(make, start) -> None:
    """By each in turn; and by the other, without an error, when the first throttles."""
    keys = {f"K{n}": f"sk-the-real-key-{n}-0123456789" for n in (1, 2)}
    with ApiBase(key=keys["K1"]) as first, ApiBase(key=keys["K2"]) as second:
        members = [
            {"api_base": api.base, "api_key": f"os.environ/{key}"}
            for api, key in zip((first, second), keys, strict=True)
        ]
        made = make(group("openai/gpt-x", *members, name="fast"))
        made.config.pop("listen"), made.config.pop("admin")
        sidekey: Sidekey = start(made.config, keys)
        wait_for(lambda: usable(sidekey) == 3, 10, "both deployments can be called")
        with Agent(sidekey.port) as agent:
            for _ in range(4):
                assert agent.chat({"model": "fast", "messages": []}).status == 200
            assert [len(api.executed) for api in (first, second)] == [2, 2]
            throttle = b'{"error": {"message": "slow down"}}'
            headers = (("Content-Type", "application/json"), ("Retry-After", "60"))
            first.script(Act(429, headers, throttle, unexecuted=True))
            for _ in range(4):
                assert agent.chat({"model": "fast", "messages": []}).status == 200
        assert [len(api.executed) for api in (first, second)] == [2, 6]
        assert len(first.requests) == 3, "it was asked once more, and throttled"
        for api in (first, second):
            assert {r.json()["model"] for r in api.requests} == {"gpt-x"}


def usable(sidekey: Sidekey) -> int:
    targets = json.loads(sidekey.admin("/readyz")[1])["targets"].values()
    return sum(t["state"] == "usable" and t["resolved"] for t in targets)


# ---- AgentCore ----


def harness(model: dict, **further) -> dict:
    return {"name": "research", "model": model, **further}


HARNESSES = {
    "lite_llm of the CLI": (
        {
            "provider": "lite_llm",
            "modelId": "litellm_proxy/team-haiku",
            "apiKeyArn": VAULT + "team",
            "apiBase": "https://litellm.example.com/",
        },
        {
            "litellm": {
                "provider": "litellm",
                "apiBase": "https://litellm.example.com",
                "apiKey": VAULT + "team",
            }
        },
        ["team-haiku", "litellm_proxy/team-haiku"],
    ),
    "liteLlmModelConfig of the API": (
        {"liteLlmModelConfig": {"modelId": "anthropic/claude-x", "apiKeyArn": SEED + "my-key"}},
        {
            "anthropic": {
                "provider": "anthropic",
                "apiBase": "https://api.anthropic.com",
                "apiKey": VAULT + "my-key",
            }
        },
        ["claude-x", "anthropic/claude-x"],
    ),
    "open_ai": (
        {"provider": "open_ai", "modelId": "gpt-4o", "apiKeyArn": VAULT + "o", "topP": 0.5},
        {
            "openai": {
                "provider": "openai",
                "apiBase": "https://api.openai.com/v1",
                "apiKey": VAULT + "o",
            }
        },
        ["gpt-4o"],
    ),
    "gemini": (
        {"geminiModelConfig": {"modelId": "gemini-2.5-pro", "apiKeyArn": VAULT + "g"}},
        {
            "gemini": {
                "provider": "gemini",
                "apiBase": "https://generativelanguage.googleapis.com/v1beta/openai",
                "apiKey": VAULT + "g",
            }
        },
        ["gemini-2.5-pro"],
    ),
    "bedrock": (
        {"provider": "bedrock", "modelId": "us.anthropic.claude-sonnet-4-20250514-v1:0"},
        {"bedrock": {"provider": "bedrock", "region": "${AWS_REGION:-us-east-1}"}},
        ["us.anthropic.claude-sonnet-4-20250514-v1:0"],
    ),
}


@pytest.mark.parametrize("name", HARNESSES)
def test_harnesses(make, name) -> None:
    model, targets, names = HARNESSES[name]
    made = make(harness(model))
    ours = {k.replace("litellm_proxy", "litellm"): v for k, v in made.targets.items()}
    assert ours == targets
    assert [rule["match"] for rule in made.models] == names
    assert all(rule.get("sendAs", rule["match"]) == names[0] for rule in made.models)


def test_a_harness_as_the_api_returns_it(make) -> None:
    """With its ARN, whose region is Bedrock's too; apiFormat chooses Bedrock's OpenAI interface."""
    model = {"bedrockModelConfig": {"modelId": "openai.gpt-oss-120b", "apiFormat": "responses"}}
    arn = "arn:aws:bedrock-agentcore:eu-west-1:123456789012:harness/research-0123456789"
    made = make({"harness": {"arn": arn, "model": model}})
    assert made.targets["bedrock"] == {
        "provider": "openai",
        "apiBase": "https://bedrock-mantle.eu-west-1.api.aws/openai/v1",
        "auth": "sigv4",
    }


def test_a_harness_that_gives_its_agent_secrets(make) -> None:
    params = {"extra_headers": {"CF-Access-Client-Id": "x.access", "CF-Access-Client-Secret": SECRET}}
    model = {
        "provider": "lite_llm",
        "modelId": "openai/m",
        "apiBase": "https://gw.example",
        "apiKeyArn": VAULT + "k",
        "additionalParams": {**params, "api_key": SECRET},
    }
    variables = {"OPENAI_API_KEY": SECRET, "PLAIN": "word", "HIDDEN": SECRET}
    made = make(harness(model, environmentVariables=variables, tools=[], skills=[]))
    assert made.targets["openai"]["cloudflareAccess"] == {
        "clientId": "env:NEW_CF_ACCESS_CLIENT_ID",
        "clientSecret": "env:NEW_CF_ACCESS_CLIENT_SECRET",
    }
    assert "environmentVariables.OPENAI_API_KEY: gives the agent" in made.said
    assert "PLAIN" not in made.said
    assert "model.additionalParams.api_key" in made.said
    assert SECRET not in made.text + made.said


# ---- agent-core blueprints ----

BLUEPRINT = """\
id: analysis-agent
name: Analysis Agent
version: "1.0.0"
prompt_ref: analysis-agent-system-v1
model:
MODEL
runtime: {type: agentcore, max_iterations: 10}
identity: {credentials: [{name: data, type: api_key, provider: DataServiceApiKey}]}
"""


def blueprint(model: dict) -> str:
    return BLUEPRINT.replace("MODEL", "\n".join(f"  {k}: {json.dumps(v)}" for k, v in model.items()))


BLUEPRINTS = {
    "litellm behind Access": (
        {
            "provider": "litellm",
            "model_id": "${ACTIVE_MODEL:-claude-sonnet-4-6}",
            "temperature": 0.2,
            "max_tokens": 4096,
            "base_url": "https://llm.example.com",
            "api_key_env": "GATEWAY_API_KEY",
            "extra_headers_env": {
                "CF-Access-Client-Id": "CF_ACCESS_CLIENT_ID",
                "CF-Access-Client-Secret": "CF_ACCESS_CLIENT_SECRET",
                "X-Team": "TEAM",
            },
        },
        "litellm",
        {
            "provider": "litellm",
            "apiBase": "https://llm.example.com",
            "apiKey": "env:GATEWAY_API_KEY",
            "cloudflareAccess": {
                "clientId": "env:CF_ACCESS_CLIENT_ID",
                "clientSecret": "env:CF_ACCESS_CLIENT_SECRET",
            },
            "headers": {"X-Team": "${env:TEAM?}"},
        },
        ["${ACTIVE_MODEL:-claude-sonnet-4-6}"],
    ),
    "Cloudflare's AI gateway": (
        {
            "provider": "litellm",
            "model_id": "gpt-4o",
            "base_url": "https://gateway.ai.cloudflare.com/v1/ACCOUNT/gw/openai",
            "api_key_env": "CF_GATEWAY_API_KEY",
        },
        "gateway",
        {
            "provider": "cloudflare",
            "apiBase": "https://gateway.ai.cloudflare.com/v1/ACCOUNT/gw/openai",
            "apiKey": "env:CF_GATEWAY_API_KEY",
        },
        ["gpt-4o"],
    ),
    "bedrock by default": (
        {"model_id": "us.anthropic.claude-sonnet-4-20250514-v1:0"},
        "bedrock",
        {"provider": "bedrock", "region": "${BEDROCK_REGION:-us-east-1}"},
        ["us.anthropic.claude-sonnet-4-20250514-v1:0"],
    ),
    "anthropic": (
        {"provider": "anthropic", "model_id": "claude-sonnet-4-5"},
        "anthropic",
        {
            "provider": "anthropic",
            "apiBase": "https://api.anthropic.com",
            "apiKey": "env:ANTHROPIC_API_KEY",
        },
        ["claude-sonnet-4-5"],
    ),
    "litellm without a proxy": (
        {"provider": "litellm", "model_id": "groq/llama3", "api_key_env": "G"},
        "groq",
        {
            "provider": "openaiCompatible",
            "apiBase": "https://api.groq.com/openai/v1",
            "apiKey": "env:G",
        },
        ["groq/llama3", "llama3"],
    ),
}


@pytest.mark.parametrize("name", BLUEPRINTS)
def test_blueprints(make, name) -> None:
    model, target, due, names = BLUEPRINTS[name]
    made = make(blueprint(model))
    assert made.targets == {target: due}
    assert [rule["match"] for rule in made.models] == names
    assert "model: the blueprint stays as it is" in made.said


@pytest.mark.parametrize("env", [{}, {"LLM_URL": "https://elsewhere.example/v1"}])
def test_a_blueprint_whose_place_has_a_default(make, env) -> None:
    """sidekey expands it as the blueprint's loader does."""
    base = "${LLM_URL:-https://llm.example/v1}"
    model = {"provider": "litellm", "model_id": "m", "base_url": base, "api_key_env": "K"}
    made = make(blueprint(model), env={**env, "K": SECRET})
    assert made.targets["litellm"]["apiBase"] == base
    assert "set LLM_URL there" in made.said
    for bad in ("${LLM_URL:-llm}", "${LLM_URL:-https://a:sk-proj-0123@b}", "${LLM_URL:-}x"):
        assert "sk-proj" not in make(blueprint({**model, "base_url": bad}), good=False).said


def test_a_blueprint_without_a_key(make) -> None:
    model = {"provider": "litellm", "model_id": "m", "base_url": "https://a.example"}
    headers = {"X-Good": "TEAM", "X-Odd": "not a name"}
    made = make(blueprint({**model, "extra_headers_env": headers}))
    (target,) = made.targets.values()
    assert (target["apiKey"], target["headers"]) == ("none", {"X-Good": "${env:TEAM?}"})
    assert "api_key_env: no key is named, so none is sent" in made.said
    assert "X-Odd: names no variable and was not carried over" in made.said


def test_a_blueprint_whose_model_is_known_later(make) -> None:
    model = {"provider": "litellm", "model_id": "${MODEL}", "base_url": "https://a.example"}
    made = make(blueprint({**model, "api_key_env": "K"}))
    assert made.models is None
    assert "model.model_id" in made.said


# ---- the environment ----


def test_without_a_source_the_keys_of_the_environment(tmp_path: Path) -> None:
    keys = ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "AZURE_OPENAI_API_KEY", "LITELLM_PROXY_API_KEY"]
    env = {
        **dict.fromkeys([*keys, "GEMINI_API_KEY", "AWS_BEARER_TOKEN_BEDROCK"], SECRET),
        "AZURE_OPENAI_ENDPOINT": "https://a.openai.azure.com/",
        "OPENAI_API_VERSION": "2024-10-21",
        "LITELLM_PROXY_API_BASE": "https://litellm.example",
        "AWS_REGION": "eu-west-1",
    }
    file = tmp_path / "sidekey.yaml"
    done = init("-o", str(file), env=env)
    assert done.returncode == 0 and done.stdout == b"", done.stderr
    targets = yaml.safe_load(file.read_text())["targets"]
    assert {name: t["apiKey"] for name, t in targets.items()} == {
        "openai": "env:OPENAI_API_KEY",
        "anthropic": "env:ANTHROPIC_API_KEY",
        "azure": "env:AZURE_OPENAI_API_KEY",
        "gemini": "env:GEMINI_API_KEY",
        "litellm": "env:LITELLM_PROXY_API_KEY",
        "bedrock": "env:AWS_BEARER_TOKEN_BEDROCK",
    }
    assert targets["azure"]["query"] == {"api-version": "2024-10-21"}
    assert SECRET not in file.read_text() + done.stderr.decode()
    command = [str(program()), "check", "-c", str(file)]
    assert subprocess.run(command, env=environment(env), timeout=60, check=False).returncode == 0


def test_a_target_that_no_call_would_reach_is_said() -> None:
    """Without `models`, a dialect's calls all go to the first that speaks it."""
    keys = ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "LITELLM_API_KEY"]
    env = {**dict.fromkeys(keys, SECRET), "LITELLM_API_BASE": "https://litellm.example"}
    done = init(env=env)
    for name in (b"gemini", b"litellm"):
        assert name + b": no call goes there" in done.stderr, done.stderr
        assert name + b": no call goes there" in done.stdout
    done = init(env={"OPENAI_API_KEY": SECRET, "ANTHROPIC_API_KEY": SECRET})
    assert done.returncode == 0 and done.stderr == b""


def test_a_token_of_claude_code_is_sent_as_it_sends_it(tmp_path: Path) -> None:
    """ANTHROPIC_AUTH_TOKEN goes behind Bearer, and not into x-api-key."""
    file = tmp_path / "sidekey.yaml"
    env = {"ANTHROPIC_AUTH_TOKEN": SECRET, "ANTHROPIC_BASE_URL": "https://gateway.example"}
    done = init("-o", str(file), env=env)
    assert done.returncode == 0, done.stderr
    (target,) = yaml.safe_load(file.read_text())["targets"].values()
    assert target["apiKey"] == "none"
    assert target["headers"] == {"Authorization": "Bearer ${env:ANTHROPIC_AUTH_TOKEN}"}
    command = [str(program()), "check", "-c", str(file)]
    assert subprocess.run(command, env=environment(env), timeout=60, check=False).returncode == 0
    done = init(env={**env, "ANTHROPIC_API_KEY": SECRET})
    assert b"apiKey: env:ANTHROPIC_API_KEY" in done.stdout


def test_a_key_of_the_environment_without_a_place() -> None:
    done = init(env={"AZURE_OPENAI_API_KEY": SECRET, "ANTHROPIC_API_KEY": SECRET})
    assert list(yaml.safe_load(done.stdout)["targets"]) == ["anthropic"]
    assert b"AZURE_OPENAI_API_KEY: is set, but no variable says where" in done.stderr
    assert b"AZURE_OPENAI_ENDPOINT" in done.stderr


def test_a_plain_address_of_the_environment() -> None:
    done = init(env={"OPENAI_API_KEY": SECRET, "OPENAI_BASE_URL": "http://10.0.0.9:8000/v1"})
    (target,) = yaml.safe_load(done.stdout)["targets"].values()
    assert target["apiBase"] == "http://10.0.0.9:8000/v1" and target["allowPlaintext"] is True
    assert b"OPENAI_BASE_URL: is plain http" in done.stderr


def test_sidekeys_own_address_is_no_upstream() -> None:
    """An environment made for an agent must not make sidekey call itself."""
    done = init(env={"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": "http://127.0.0.1:7717/v1"})
    assert b"apiBase: https://api.openai.com/v1" in done.stdout
    assert b"OPENAI_BASE_URL: is set to sidekey's own address" in done.stderr


def test_without_anything_an_example(tmp_path: Path) -> None:
    file = tmp_path / "sidekey.yaml"
    assert init("-o", str(file)).returncode == 0
    command = [str(program()), "check", "-c", str(file)]
    assert subprocess.run(command, env=environment(), timeout=60, check=False).returncode == 0
    assert "arn:aws:secretsmanager:" in file.read_text()


# ---- the file ----


def test_a_file_is_never_replaced_unasked(tmp_path: Path) -> None:
    file = tmp_path / "sidekey.yaml"
    file.write_text("mine")
    file.chmod(0o644)
    done = init("-o", str(file))
    assert done.returncode == 1 and b"--force" in done.stderr
    assert file.read_text() == "mine"
    assert init("-o", str(file), "--force").returncode == 0
    assert "targets:" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["sidekey.yaml"]


def test_a_dash_is_standard_output(tmp_path: Path) -> None:
    """As of --from, and of other programs that take -o."""
    done = init("-o", "-", cwd=tmp_path)
    assert done.returncode == 0 and b"targets:" in done.stdout
    assert os.listdir(tmp_path) == []


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    assert init("-o", str(tmp_path / "link")).returncode == 1
    assert not (tmp_path / "elsewhere").exists()


def test_standard_input_is_a_source() -> None:
    source = json.dumps({"model_list": [entry("m", "gpt-4o")]}).encode()
    done = init("--from", "-", input=source)
    assert done.returncode == 0 and b"match: m" in done.stdout


@pytest.mark.parametrize("arguments", [["x"], ["--force"], ["--nonsense"], ["--from"]])
def test_usage(arguments) -> None:
    done = init(*arguments)
    assert done.returncode == 2 and b"usage:" in done.stderr


# ---- hostile sources ----


def test_an_output_that_cannot_be_written_is_a_failure() -> None:
    with open("/dev/full", "wb") as full:
        command = [str(program()), "init"]
        done = subprocess.run(command, env=environment(), stdout=full, timeout=60, check=False)
    assert done.returncode == 1


BOMB = "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\nmodel_list: [*b]\n"
DEEP = "model_list: " + "[" * 5000 + "]" * 5000


@pytest.mark.parametrize(
    "source",
    [
        "",
        "[]",
        "just a text",
        "model_list: []",
        "model_list: {a: 1}",
        "model: x",
        "model: {model_id: [1]}",
        '{"model": {"provider": "bedrock"}}',
        '{"model": {"provider": "other", "modelId": "x"}}',
        '{"harnesses": [{"name": "a", "path": "app/a"}]}',
        blueprint({"provider": "vertex", "model_id": "gemini-2.5-pro"}),
        BOMB,
        DEEP,
        "model_list: [" + "{}," * 200_000 + "]",
        "x" * (2 << 20),
        "a: b: c",
        "model_list: [\x01]",
        "!!python/object/apply:os.system [id]",
    ],
    ids=lambda source: source[:24],
)
def test_nothing_that_can_be_used(make, source) -> None:
    made = make(source, good=False)
    assert made.status == 1 and made.text == ""
    assert made.said.startswith("sidekey init: ")


ODD = [
    {"model_name": SECRET, "litellm_params": {"model": "gpt-4o"}},
    {"model_name": "m", "litellm_params": {"model": SECRET}},
    {"model_name": "m", "litellm_params": {"model": f"openai/{SECRET}"}},
    {"model_name": "m", "litellm_params": SECRET},
    entry("m", "gpt-4o", api_key=[SECRET]),
    entry("m", "gpt-4o", api_key={"a": SECRET}),
    entry("m", "gpt-4o", api_key=f"os.environ/{SECRET}"),
    entry("m", "gpt-4o", api_base=f"https://user:{SECRET}@a.example"),
    entry("m", "gpt-4o", api_base=f"https://a.example/v1?key={SECRET}"),
    entry("m", "gpt-4o", api_base=f"https://a.example/{SECRET}/v1"),
    entry("m", "gpt-4o", api_base=SECRET),
    entry("m", "azure/d", api_base="https://a.example", api_version=SECRET),
    entry("m", "gpt-4o", organization=SECRET),
    entry("m", "gpt-4o", timeout=SECRET),
    entry("m", "gpt-4o", extra_headers=SECRET),
    entry("m", "gpt-4o", extra_headers={SECRET: "x"}),
    entry("m", "gpt-4o", extra_headers={"X-Team": [SECRET]}),
    entry("m", "gpt-4o", extra_headers={"X-Team": f"team {SECRET}"}),
    entry("m", "gpt-4o", **{SECRET: SECRET}),
    entry("m", "bedrock/x.y", aws_region_name=SECRET),
    entry("m", "bedrock/x.y", aws_role_name=SECRET),
    entry("m", "bedrock/x.y", aws_profile_name=SECRET),
    entry("m", "bedrock/x.y", aws_access_key_id=SECRET, aws_secret_access_key=SECRET),
    entry("m", "bedrock/x.y", aws_role_name="arn:aws:iam::123456789012:role/x", aws_external_id=SECRET),
    entry("m", f"bedrock/{SECRET}/x.y"),
    entry("m", "gpt-4o", custom_llm_provider=SECRET),
    entry("m\n  evil: 1\n#", "gpt-4o"),
    entry("m", "gpt-4o", api_base="https://a.example/\n  apiKey: x"),
    entry("${HOME}", "gpt-4o"),
    entry("m", "openai/${HOME}"),
    entry("m", "gpt-4o", extra_headers={"X-Team": "${HOME}"}),
    entry("m", "gpt-4o", extra_headers={"X-Team": "a\r\nb"}),
    "text",
    [1],
]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: json.dumps(odd)[:60])
def test_secrets_and_control_bytes_in_odd_places(make, odd) -> None:
    """The rest of the file is carried over all the same; nothing else comes out of it."""
    home = "/a/home/that/is/nobodys/business"
    good = entry("good", "groq/llama")
    further = {SECRET: SECRET, "router_settings": {"model_group_alias": {SECRET: "good"}}}
    made = make({"model_list": [odd, good], **further}, env={"HOME": home})
    assert {"match": "good", "target": "groq", "sendAs": "llama"} in made.models
    for text in (made.text, made.said):
        assert SECRET not in text and home not in text
    assert set(made.config) <= {"listen", "admin", "targets", "models", "defaultTarget"}
    assert all(t.get("apiKey") != "x" for t in made.targets.values())
    assert all(c.isprintable() or c == "\n" for c in made.said)


def test_many_notes_end(make) -> None:
    source = [entry(f"m{i}", "gpt-4o", api_key=f"sk-{i:020}") for i in range(300)]
    made = make({"model_list": source})
    assert made.said.endswith("… and more\n")
    assert "sk-0000" not in made.text + made.said
