# SPDX-License-Identifier: Apache-2.0
"""Goal: a body of InvokeModel is each model's own, passes as it is, and is no way around what holds
for the bodies of every other operation."""

import gzip
import hashlib
import json
from collections.abc import Callable, Iterator

import pytest
from fakes.agent import Agent, Answer
from fakes.bedrock import Bedrock
from fakes.sidekey import Sidekey
from fakes.world import World

INVOKE = "/model/ok/invoke"
INVOKE_STREAM = "/bedrock/model/ok/invoke-with-response-stream"
CONVERSE = "/model/ok/converse"
JSON = [("Content-Type", "application/json")]
RULES = {
    "models": [
        {"match": "ok", "target": "bedrock"},
        {"match": "mine", "target": "bedrock", "sendAs": "theirs"},
    ],
    "deniedFields": ["inference_geo", "top_k"],
}
SAID = [{"role": "user", "content": "hello"}]
# As each vendor's page of Bedrock's user guide has it, and the SDKs send it.
BODIES = {
    "claude": {
        "anthropic_version": "bedrock-2023-05-31",
        "anthropic_beta": ["context-1m-2025-08-07"],
        "max_tokens": 9,
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
        "messages": SAID,
        "metadata": {"user_id": "u"},
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "tools": [{"name": "t", "input_schema": {"type": "object"}}, {"type": "bash_20250124"}],
        "tool_choice": {"type": "auto"},
        "stop_sequences": ["x"],
        "context_management": {"edits": []},
        "amazon-bedrock-guardrailConfig": {"tagSuffix": "x"},
    },
    "titan": {"inputText": "hello", "textGenerationConfig": {"maxTokenCount": 9}},
    "titan embeddings": {"inputText": "hello", "dimensions": 512, "embeddingTypes": ["binary"]},
    "titan images": {"taskType": "TEXT_IMAGE", "textToImageParams": {"text": "a"}},
    "nova": {"schemaVersion": "messages-v1", "messages": SAID, "inferenceConfig": {"topK": 1}},
    "llama": {"prompt": "hello", "max_gen_len": 9, "temperature": 0.5, "images": ["AA=="]},
    "command": {"message": "hello", "chat_history": [], "documents": [], "tools": [{"name": "t"}]},
    "cohere embed": {"texts": ["hello"], "input_type": "search_query", "truncate": "NONE"},
    "cohere rerank": {"query": "q", "documents": ["d"], "top_n": 1, "api_version": 2},
    "mistral": {"prompt": "<s>[INST] hello [/INST]", "max_tokens": 9, "stop": ["x"]},
    "jamba": {"messages": SAID, "n": 1, "frequency_penalty": 0},
    "stability": {"prompt": "a", "mode": "image-to-image", "strength": 0.5, "seed": 1},
    "gpt-oss": {"model": "ok", "messages": SAID, "stream": False, "max_completion_tokens": 9},
    "deepseek": {"prompt": "hello", "max_tokens": 9},
}


@pytest.fixture
def bedrock(plain_world: World) -> Iterator[Bedrock]:
    with Bedrock(principals=plain_world.store.principals) as made:
        yield made


@pytest.fixture
def run(plain_world: World, bedrock: Bedrock, start) -> Callable[..., Sidekey]:
    def begin(rules: dict = RULES, **sections) -> Sidekey:
        target = {
            "provider": "bedrock",
            "apiBase": bedrock.url,
            "allowPlaintext": True,
            "region": bedrock.region,
        }
        return start({"targets": {"bedrock": target}, **rules, **sections}, plain_world.env())

    return begin


def ask(sidekey: Sidekey, path: str, body: bytes | dict, headers=()) -> Answer:
    with Agent(sidekey.port) as agent:
        return agent.call("POST", path, body, headers)


@pytest.mark.parametrize("path", [INVOKE, INVOKE_STREAM])
def test_bodies_of_the_models_pass_as_they_are(run, bedrock: Bedrock, path: str) -> None:
    sidekey = run()
    for name, body in BODIES.items():
        raw = json.dumps(body, indent=1).encode()
        answer = ask(sidekey, path, raw, JSON)
        assert answer.status == 200, (name, answer.body)
        assert bedrock.requests[-1].body == raw, name


@pytest.mark.parametrize(
    "kind",
    [None, "application/json; charset=UTF-8", "application/octet-stream", "Application/JSON"],
)
def test_no_type_is_needed(run, bedrock: Bedrock, kind: str | None) -> None:
    """boto3 names none unless it is told one; JavaScript's and Go's SDKs call the bytes bytes."""
    headers = [] if kind is None else [("Content-Type", kind)]
    assert ask(run(), INVOKE, b' \n{"prompt": "hello"}\n', headers).status == 200
    assert bedrock.requests[-1].body == b' \n{"prompt": "hello"}\n'


def test_nothing_at_all(run, bedrock: Bedrock) -> None:
    """The API's model of an InvokeModel does not ask for a body."""
    sidekey = run()
    assert ask(sidekey, INVOKE, b"").status == 200
    with Agent(sidekey.port) as agent:
        assert agent.call("POST", INVOKE).status == 200
    assert [r.body for r in bedrock.requests] == [b"", b""]


REFUSED = {
    "an address": (b'{"api_base":"http://evil.example"}', 403, "field_not_allowed"),
    "escaped": (b'{"ap\\u0069_base":"http://evil.example"}', 403, "field_not_allowed"),
    "in capitals": (b'{"AWS_Region_Name":"x"}', 403, "field_not_allowed"),
    "behind blanks": (b' \r\n\t{"fallbacks":[]}', 403, "field_not_allowed"),
    "tags": (b'{"metadata":{"tags":["dear"]}}', 403, "field_not_allowed"),
    "the operator's": (b'{"inference_geo":"us"}', 403, "field_not_allowed"),
    "another model": (b'{"model":"other"}', 403, "model_not_allowed"),
    "a tool's": (b'{"tools":[{"model":"other"}]}', 403, "model_not_allowed"),
    "a renamed one": (b'{"tools":[{"model":"mine"}]}', 403, "model_not_allowed"),
    "that few read": (b'{"Model":"ok"}', 400, "malformed_request"),
    "two models": (b'{"model":"ok","model":"ok"}', 400, "malformed_request"),
    "no name": (b'{"model":{}}', 400, "malformed_request"),
    "tools twice": (b'{"tools":[],"tools":[]}', 400, "malformed_request"),
    "broken": (b'{"prompt":', 400, "malformed_request"),
    "more behind it": (b'{"prompt":1}{"api_base":1}', 400, "malformed_request"),
    "a list": (b'[{"api_base":1}]', 400, "malformed_request"),
    "no JSON": (b"hello", 400, "malformed_request"),
    "blanks": (b"  ", 400, "malformed_request"),
    "a mark": (b'\xef\xbb\xbf{"api_base":1}', 400, "malformed_request"),
    "UTF-16": ('{"api_base":1}'.encode("utf-16-be"), 400, "malformed_request"),
    "UTF-16 of the other kind": ('{"api_base":1}'.encode("utf-16-le"), 400, "malformed_request"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_is_refused_as_in_converse(run, bedrock: Bedrock, what: str) -> None:
    body, status, code = REFUSED[what]
    sidekey = run()
    said = set()
    for path in (CONVERSE, INVOKE, INVOKE_STREAM):
        answer = ask(sidekey, path, body, JSON)
        assert (answer.status, answer.code) == (status, code), path
        assert answer.header("x-should-retry") == "false"
        said.add(answer.json()["message"])
    assert len(said) == 1, said
    untyped = ask(sidekey, INVOKE, body)
    assert (untyped.status, untyped.code) == (status, code), "without a Content-Type"
    assert not bedrock.requests


def test_api_version_is_cohere_s_own(run, bedrock: Bedrock) -> None:
    """Elsewhere it picks an API of Azure's, and the operator's own word holds here too."""
    body = BODIES["cohere rerank"]
    assert ask(run(), INVOKE, body).status == 200
    denied = run(deniedFields=["api_version"])
    for sidekey, path in ((run(), CONVERSE), (denied, INVOKE), (denied, INVOKE_STREAM)):
        assert ask(sidekey, path, body).code == "field_not_allowed", path
    assert len(bedrock.requests) == 1


def test_the_model_of_path_and_body_is_one(run, bedrock: Bedrock) -> None:
    """A body may repeat the path's, which AWS's examples for gpt-oss do; rules rename both."""
    sidekey = run()
    answer = ask(sidekey, "/model/mine/invoke", {"model": "mine", "messages": SAID})
    assert answer.status == 200
    assert bedrock.requests[-1].target == "/model/theirs/invoke"
    assert bedrock.requests[-1].json() == {"model": "theirs", "messages": SAID}


def test_a_model_in_the_body_where_no_rule_decides(run, bedrock: Bedrock) -> None:
    sidekey = run(rules={})
    for path in (CONVERSE, INVOKE):
        assert ask(sidekey, path, {"model": "other"}).status == 200
    assert ask(sidekey, INVOKE, {"tools": [{"model": "other"}]}).status == 200
    assert ask(sidekey, INVOKE, {"api_base": "x"}).code == "field_not_allowed"


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ([("Content-Encoding", "gzip")], "compressed"),
        ([("Content-Encoding", "gzip"), *JSON], "compressed"),
        ([("Content-Type", "application/json; charset=utf-16")], "UTF-8"),
        ([*JSON, *JSON], "Content-Type"),
        ([("Content-Type", "application/x-www-form-urlencoded")], "Content-Type"),
        ([("Content-Type", "multipart/form-data; boundary=x")], "Content-Type"),
    ],
)
def test_what_others_would_read_otherwise(run, bedrock: Bedrock, headers: list, why: str) -> None:
    """LiteLLM reads a form, whatever the path is, where Content-Type says so."""
    body = b'{"prompt": "a&api_base=b&c"}'
    for path in (INVOKE, INVOKE_STREAM):
        coded = gzip.compress(body) if why == "compressed" else body
        answer = ask(run(), path, coded, headers)
        assert (answer.status, answer.code) == (400, "malformed_request")
        assert why in answer.json()["message"]
    assert not bedrock.requests


def test_callers_with_models(run, bedrock: Bedrock) -> None:
    digest = "sha256:" + hashlib.sha256(b"a worthless token").hexdigest()
    callers = [{"name": "a", "token": digest, "models": ["ok"]}]
    sidekey = run(rules={}, callers=callers)
    token = [("Authorization", "Bearer a worthless token")]
    assert ask(sidekey, INVOKE, {"prompt": "hello", "model": "ok"}, token).status == 200
    for body in ({"model": "mine"}, {"tools": [{"model": "mine"}]}):
        assert ask(sidekey, INVOKE, body, token).code == "model_not_allowed"
    assert len(bedrock.requests) == 1


def test_large_bodies(run, bedrock: Bedrock) -> None:
    """Bedrock's largest, here in chunks: nothing of it is lost, nor does it pass unread."""
    sidekey = run(limits={"bodyBytes": "32MiB"})
    filler = b"x" * 24_000_000

    def chunked(body: bytes) -> Answer:
        with Agent(sidekey.port, timeout=60) as agent:
            lines = [f"POST {INVOKE} HTTP/1.1", f"Host: {agent.host}"]
            lines += ["Transfer-Encoding: chunked", "", ""]
            agent.send("\r\n".join(lines).encode())
            agent.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
            return agent.read()

    good = b'{"prompt": "' + filler + b'"}'
    assert chunked(good).status == 200
    assert bedrock.requests[-1].body == good
    assert chunked(good[:-1] + b', "api_base": "x"}').code == "field_not_allowed"
    assert len(bedrock.requests) == 1
