# SPDX-License-Identifier: Apache-2.0
"""Goal: the name of a model decides where a call goes and under which name, in every dialect; a
caller sees only the models that it may name."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from fakes.agent import HELLO, Agent
from fakes.apibase import Act
from fakes.four import KINDS, Four
from fakes.sidekey import Sidekey, run
from fakes.wire import wait_for

OK = Act(200, (("Content-Type", "application/json"),), b'{"ok":true}')


@pytest.fixture
def four() -> Iterator[Four]:
    with Four() as made:
        for api in made.apis.values():
            api.always = OK
        yield made


@pytest.fixture
def sidekey(four: Four, start) -> Sidekey:
    return start(four.config(), four.env)


def test_one_agent_switches_between_four_upstreams(four: Four, sidekey: Sidekey) -> None:
    """The prefixed ids of llm.md 4.1, on one connection; each key goes to its own upstream."""
    asked = [
        ("litellm_proxy/claude-haiku", "litellm", "/chat/completions", "claude-haiku"),
        ("openai/gpt-4o", "openai", "/v1/chat/completions", "gpt-4o"),
        ("azure/dep-1", "azure", "/openai/deployments/dep-1/chat/completions", "dep-1"),
        (
            "my-gpt",
            "azure",
            "/openai/deployments/deployment-7/chat/completions",
            "deployment-7",
        ),
        (
            "litellm_proxy/anthropic/claude-x",
            "litellm",
            "/chat/completions",
            "anthropic/claude-x",
        ),
    ]
    with Agent(sidekey.port) as agent:
        for model, name, path, sent in asked:
            assert agent.chat({**HELLO, "model": model}).status == 200
            seen = four.apis[name].last()
            assert seen.path == path
            assert json.loads(seen.body)["model"] == sent
        body = {**HELLO, "model": "anthropic/claude-x", "max_tokens": 5}
        assert agent.call("POST", "/v1/messages", body).status == 200
        assert four.apis["anthropic"].last().path == "/v1/messages"
        assert json.loads(four.apis["anthropic"].last().body)["model"] == "claude-x"
    assert four.apis["azure"].last().target.endswith("?api-version=2024-10-21")
    assert [len(a.requests) for a in four.apis.values()] == [2, 1, 2, 1]


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages?beta=true"])
def test_anthropic_s_version_is_the_agent_s(four: Four, sidekey: Sidekey, path: str) -> None:
    """It is demanded: 2023-06-01 stands in where the client forgot it, and nowhere else."""
    body = {**HELLO, "model": "claude-x"}
    with Agent(sidekey.port) as agent:
        assert agent.call("POST", path, body, [("anthropic-version", "2026-10-21")]).status == 200
        assert four.apis["anthropic"].last().all("anthropic-version") == ["2026-10-21"]
        assert agent.call("POST", path, body).status == 200
        assert four.apis["anthropic"].last().all("anthropic-version") == ["2023-06-01"]
    assert four.apis["anthropic"].last().target == path


# ---- Azure's paths ----


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("my-gpt", "deployment-7"),
        ("my%2Dgpt", "deployment-7"),
    ],
)
def test_the_deployment_in_the_path_is_the_model(four, sidekey: Sidekey, asked, sent) -> None:
    with Agent(sidekey.port) as agent:
        path = f"/openai/deployments/{asked}/chat/completions?api-version=2023-05-15&a=b&API-Version=1&api%2Dversion=2"
        assert agent.call("POST", path, {"messages": []}).status == 200
    want = f"/openai/deployments/{sent}/chat/completions?a=b&api-version=2024-10-21"
    assert four.apis["azure"].last().target == want
    wait_for(lambda: sidekey.calls())
    assert sidekey.calls()[0]["model"] == "my-gpt"


def test_without_a_fixed_version_the_agent_s_passes(four: Four, start) -> None:
    del four.targets["azure"]["query"]
    sidekey = start(four.config(), four.env)
    with Agent(sidekey.port) as agent:
        path = "/openai/deployments/my-gpt/embeddings?api-version=2023-05-15"
        assert agent.call("POST", path, {"input": "a"}).status == 200
    want = "/openai/deployments/deployment-7/embeddings?api-version=2023-05-15"
    assert four.apis["azure"].last().target == want


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/openai/deployments/secret/chat/completions", {}, 403, "model_not_allowed"),
        ("/openai/deployments/%73ecret/chat/completions", {}, 403, "model_not_allowed"),
        (
            "/openai/deployments/deployment-7/chat/completions",
            {},
            403,
            "model_not_allowed",
        ),
        ("/openai/deployments/My-GPT/chat/completions", {}, 403, "model_not_allowed"),
        (
            "/openai/deployments/my-gpt/chat/completions",
            {"model": "x"},
            403,
            "model_not_allowed",
        ),
        (
            "/openai/deployments/my-gpt/chat/completions",
            {"model": "gpt-4o"},
            403,
            "model_not_allowed",
        ),
        (
            "/openai/deployments/my-gpt%2Fx/chat/completions",
            {},
            400,
            "malformed_request",
        ),
        (
            "/openai/deployments/..%2Fmy-gpt/chat/completions",
            {},
            400,
            "malformed_request",
        ),
        ("/openai/deployments/%ff/chat/completions", {}, 400, "malformed_request"),
        (
            "/openai/deployments/my-gpt/chat/completions",
            {"Api_Base": "x"},
            403,
            "field_not_allowed",
        ),
        # A rule that leads to a target of another dialect does not make it speak Azure's.
        (
            "/openai/deployments/gpt-4o/chat/completions",
            {},
            403,
            "operation_not_allowed",
        ),
        (
            "/openai/deployments/my-gpt/images/generations",
            {},
            403,
            "operation_not_allowed",
        ),
        ("/openai/deployments/my-gpt", {}, 404, "route_not_found"),
    ],
)
def test_deployments_that_may_not_be_named(four, sidekey: Sidekey, path, body, status, code):
    with Agent(sidekey.port) as agent:
        answer = agent.call("POST", path, {"messages": [], **body})
    assert (answer.status, answer.code) == (status, code), answer.body
    assert not any(four.heard().values())


def test_path_and_body_may_name_the_same_model(four: Four, sidekey: Sidekey) -> None:
    """As Azure's own SDK does."""
    with Agent(sidekey.port) as agent:
        path = "/openai/deployments/my-gpt/chat/completions"
        assert agent.call("POST", path, {"model": "my-gpt", "messages": []}).status == 200
    seen = four.apis["azure"].last()
    assert seen.path == "/openai/deployments/deployment-7/chat/completions"
    assert json.loads(seen.body)["model"] == "deployment-7"


# ---- what a prefix stands for ----

TOKEN = "t" * 40
TWO_NAMES = "team-a,gpt-5"  # LiteLLM calls each of them


def form_of(**fields: str) -> tuple[bytes, list[tuple[str, str]]]:
    parts = (
        f'--xYz\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    kind = "multipart/form-data; boundary=xYz"
    return ("".join(parts) + "--xYz--\r\n").encode(), [("Content-Type", kind)]


def named_everywhere(agent: Agent, model: str, headers: list) -> list:
    """The answers to calls that name it in the body, in a form and in the path."""
    form, kind = form_of(model=model, file="x")
    path = f"/v1/models/{quote(model, safe='')}"
    return [
        agent.chat({**HELLO, "model": model}, headers),
        agent.call("POST", "/v1/audio/transcriptions", form, kind + headers),
        agent.call("GET", path, None, headers),
    ]


@pytest.mark.parametrize("by_caller", [False, True])
def test_a_prefix_is_of_one_name(four: Four, start, by_caller: bool) -> None:
    four.targets["litellm"]["operations"] = ["chat", "audio", "models"]
    caller = {"name": "some", "token": "env:TOKEN", "models": ["team-*"]}
    config = four.config(defaultTarget={"openai": "litellm"})
    if by_caller:
        del config["models"]
        config["callers"] = [caller]
    sidekey = start(config, {**four.env, "TOKEN": TOKEN})
    headers = [("Authorization", f"Bearer {TOKEN}")]
    with Agent(sidekey.port) as agent:
        assert [a.status for a in named_everywhere(agent, "team-a:b@c", headers)] == [200] * 3
        heard = len(four.apis["litellm"].requests)
        for model in (TWO_NAMES, "team-a, gpt-5", "team-a ", "team-?model=gpt-5", "team-#"):
            for answer in named_everywhere(agent, model, headers):
                assert (answer.status, answer.code) == (403, "model_not_allowed"), answer.body
                assert "A * stands for" in answer.json()["error"]["message"]
        answer = agent.chat({**HELLO, "model": "team-a\nteam-b"}, headers)
        assert (answer.status, answer.code) == (403, "model_not_allowed")
    assert len(four.apis["litellm"].requests) == heard


def test_an_exact_rule_is_what_the_operator_wrote(four: Four, start) -> None:
    models = [{"match": "team-*", "target": "openai"}, {"match": TWO_NAMES, "target": "litellm"}]
    with Agent(start(four.config(models=models), four.env).port) as agent:
        assert agent.chat({**HELLO, "model": TWO_NAMES}).status == 200
    assert json.loads(four.apis["litellm"].last().body)["model"] == TWO_NAMES


# ---- models of tools ----

RENAMED = {"match": "nice", "target": "openai", "sendAs": "gpt-image-1"}
TOOL_RULES = [
    {"match": "gpt-4o", "target": "openai"},
    {"match": "img-*", "target": "openai"},
    {"match": "mine/*", "target": "openai", "stripPrefix": "mine/"},
    {"match": "far", "target": "litellm"},
    {"match": "same", "target": "openai", "sendAs": "same"},
    RENAMED,
]


@pytest.fixture
def tooled(four: Four, start) -> Iterator[Agent]:
    with Agent(start(four.config(models=TOOL_RULES), four.env).port) as agent:
        yield agent


def ask_with(agent: Agent, tools: str, path: str = "/v1/responses"):
    body = f'{{"model":"gpt-4o","input":"x","tools":{tools},"z":1}}'.encode()
    answer = agent.call("POST", path, body, [("Content-Type", "application/json")])
    return body, answer


@pytest.mark.parametrize(
    "tools",
    [
        "[]",
        "null",
        '[ {"type":"web_search"} , 7, "model", [], {} ]',
        '[{"type":"image_generation","model":"img-1"}]',
        '[{"type":"image_generation", "mod\\u0065l" : "same"}, {"model":"gpt-4o"}]',
        '[{"type":"function","name":"f","parameters":{"properties":{"model":{"type":"x"}}}}]',
    ],
)
def test_tools_whose_models_may_be_used(four: Four, tooled: Agent, tools: str) -> None:
    for path in ("/v1/responses", "/v1/chat/completions"):
        body, answer = ask_with(tooled, tools, path)
        assert answer.status == 200, answer.body
        assert four.apis["openai"].last().body == body


@pytest.mark.parametrize(
    ("tools", "code", "said"),
    [
        ('[{"type":"image_generation","model":"gpt-image-1"}]', "model_not_allowed", "no rule"),
        ('[{},{"model":"img-1"},{"a":[{}],"model":"o3"}]', "model_not_allowed", '"o3"'),
        ('[{"mod\\u0065l":"o3"}]', "model_not_allowed", '"o3"'),
        ('[{"model":"img-1,o3"}]', "model_not_allowed", "A * stands for"),
        ('[{"model":"nice"}]', "model_not_allowed", "renames it"),
        ('[{"model":"mine/x"}]', "model_not_allowed", "renames it"),
        ('[{"model":"far"}]', "model_not_allowed", "another target"),
        ('[{"Model":"img-1"}]', "malformed_request", 'A tool in the body has a "model" with'),
        ('[{"model":"img-1","model":"o3"}]', "malformed_request", "twice"),
        ('[{"model":null}]', "malformed_request", "not a string"),
        ('[{"model":["img-1"]}]', "malformed_request", "not a string"),
        ('[{"model\\u0000":"o3"}]', "malformed_request", "A tool in the body"),
        ('[{"type":"image_generation"}]', "model_not_allowed", "name one in it"),
        ('[{}, { "size":"1x1", "type" : "image_generation" }]', "model_not_allowed", "name one in"),
        ('[{"t\\u0079pe":"image\\u005fgeneration"}]', "model_not_allowed", "name one in it"),
        ('[{"type":"image_generation","Type":"function"}]', "model_not_allowed", "name one in it"),
        ('[{"type":"image_generation","type":"x"}]', "model_not_allowed", "name one in it"),
        ('[],"tools":[{"model":"o3"}]', "malformed_request", '"tools" twice'),
        ('[{"model":"o3"}],"Tools":[]', "malformed_request", '"tools" twice'),
    ],
)
def test_tools_whose_models_may_not_be_used(four, tooled: Agent, tools, code, said) -> None:
    for path in ("/v1/responses", "/v1/chat/completions", "/v1/responses/compact"):
        _, answer = ask_with(tooled, tools, path)
        assert answer.code == code, answer.body
        assert said in answer.json()["error"]["message"]
    assert not any(four.heard().values())


def test_only_so_many_tools_have_models(four: Four, start) -> None:
    """A body full of them, each held against all rules, would make all others wait."""
    others = [{"match": f"other-{i}*", "target": "openai"} for i in range(4000)]
    sidekey = start(four.config(models=[*others, *TOOL_RULES]), four.env)
    named = [{"type": "image_generation", "model": "img-1"}]
    body = {"model": "gpt-4o", "tools": [*named * 128, {"type": "function"}]}
    with Agent(sidekey.port) as agent:
        assert agent.call("POST", "/v1/responses", body).status == 200
        agent.begin("POST", "/v1/responses", {**body, "tools": named * 600_000})
        assert sidekey.admin("/healthz")[0] == 200
        answer = agent.read()
    assert answer.code == "malformed_request"
    assert "More than 128" in answer.json()["error"]["message"]


def test_a_tool_s_model_is_the_caller_s(four: Four, start) -> None:
    caller = {"name": "some", "token": "env:TOKEN", "models": ["claude-*", "gpt-4o"]}
    config = {**four.config(callers=[caller])}
    del config["models"]
    sidekey = start(config, {**four.env, "TOKEN": TOKEN})
    with Agent(sidekey.port) as agent:
        for model, code in (("claude-x", None), ("o3", "model_not_allowed")):
            body = {"model": "gpt-4o", "tools": [{"type": "image_generation", "model": model}]}
            answer = agent.call("POST", "/v1/responses", body, [("x-api-key", TOKEN)])
            assert answer.code == code, answer.body
            body = {**HELLO, "model": "claude-x", "tools": [{"type": "advisor", "model": model}]}
            answer = agent.call("POST", "/v1/messages", body, [("x-api-key", TOKEN)])
            assert answer.code == code, answer.body


def test_where_any_model_may_be_used_a_tool_need_not_name_its_own(four: Four, start) -> None:
    rules = [{"match": "*", "target": "openai"}]
    sidekey = start(four.config(models=rules), four.env)
    with Agent(sidekey.port) as agent:
        body, answer = ask_with(agent, '[{"type":"image_generation"}]')
        assert answer.status == 200, answer.body
        assert four.apis["openai"].last().body == body


def test_without_rules_a_tool_has_any_model(four: Four, start) -> None:
    config = four.config()
    del config["models"]
    with Agent(start(config, four.env).port) as agent:
        assert ask_with(agent, '[{"model":"o3"}, {"Model":null}]')[1].status == 200


# ---- the list of models ----


def listed(agent: Agent, path: str = "/v1/models") -> list[str]:
    answer = agent.call("GET", path)
    assert answer.status == 200, answer.body
    return [m["id"] for m in answer.json()["data"]]


def upstream_list(*ids: str, **more) -> Act:
    body = json.dumps({"object": "list", "data": [{"id": i, "x": [1]} for i in ids], **more})
    return Act(200, (("Content-Type", "application/json"),), body.encode())


def test_only_what_may_be_used_is_shown(four: Four, sidekey: Sidekey) -> None:
    four.apis["openai"].always = upstream_list("gpt-4o", "gpt-5-secret", "o9")
    with Agent(sidekey.port) as agent:
        shown = listed(agent)
        assert shown == [
            "openai/gpt-4o",
            "gpt-4o",
            "openai/gpt-5-secret",
            "openai/o9",
            "my-gpt",
        ]
        for model in shown:
            assert agent.chat({**HELLO, "model": model}).status == 200


def test_exact_rules_hide_all_else(four: Four, start) -> None:
    models = [{"match": "mine", "target": "openai", "sendAs": "gpt-4o"}]
    sidekey = start(four.config(models=models), four.env)
    four.apis["openai"].always = upstream_list("gpt-4o", "gpt-5-secret", has_more=False)
    with Agent(sidekey.port) as agent:
        answer = agent.call("GET", "/models?limit=5")
        assert answer.body == (
            b'{"object": "list", "data": [{"id": "mine", "x": [1]}], "has_more": false}'
        )
        assert four.apis["openai"].last().target == "/v1/models?limit=5"
        assert agent.call("GET", "/v1/models/mine").status == 200
        assert four.apis["openai"].last().target == "/v1/models/gpt-4o"
        for hidden in ("gpt-4o", "gpt-5-secret", "mine2", "Mine", "%6dine%32"):
            answer = agent.call("GET", f"/v1/models/{hidden}")
            assert (answer.status, answer.code) == (403, "model_not_allowed")
    assert len(four.apis["openai"].requests) == 2


@pytest.mark.parametrize(
    "act",
    [
        Act(
            200,
            (("Content-Type", "application/json"),),
            b'{"data":{"id":"gpt-5-secret"}}',
        ),
        Act(
            200,
            (("Content-Type", "application/json"),),
            b'{"data":[{"id":"gpt-5-secret"}',
        ),
        Act(200, (("Content-Type", "application/json"),), b'{"models":["gpt-5-secret"]}'),
        Act(200, (("Content-Type", "application/json"),), b'["gpt-5-secret"]'),
        Act(200, (("Content-Type", "text/plain"),), b"gpt-5-secret"),
        Act(
            200,
            (("Content-Type", "application/json"), ("Content-Encoding", "gzip")),
            b"\x1f\x8b",
        ),
        Act(
            200,
            (("Content-Type", "application/json"),),
            b'{"data":["gpt-5-secret' * 200_000,
        ),
        Act(  # its end comes with a piece of a frame before it
            200,
            (("Content-Type", "application/json"),),
            b'{"models":["' + b"gpt-5-secret" * 11_000 + b'"]}',
        ),
    ],
    ids=["object", "cut", "no data", "array", "text", "gzip", "4 MB", "130 KB"],
)
def test_a_list_that_cannot_be_read_is_not_shown(four, sidekey: Sidekey, act: Act) -> None:
    four.apis["openai"].script(act)
    with Agent(sidekey.port) as agent:
        answer = agent.call("GET", "/v1/models")
        assert (answer.status, answer.code) == (502, "upstream_invalid")
        assert b"gpt-5-secret" not in answer.body
        message = answer.json()["error"]["message"]
        assert "models" in message or "compressed" in message
        assert agent.chat({**HELLO, "model": "gpt-4o"}).status == 200, "the connection goes on"


def test_errors_of_the_list_are_the_upstream_s(four: Four, sidekey: Sidekey) -> None:
    four.apis["openai"].script(Act(429, (("Content-Type", "application/json"),), b'{"error":{}}'))
    with Agent(sidekey.port) as agent:
        answer = agent.call("GET", "/v1/models")
    assert (answer.status, answer.code, answer.body) == (429, None, b'{"error":{}}')


def test_a_list_in_small_pieces(four: Four, sidekey: Sidekey) -> None:
    act = upstream_list("gpt-4o")
    act.drip = 0.001
    four.apis["openai"].script(act)
    with Agent(sidekey.port) as agent:
        assert listed(agent)[:2] == ["openai/gpt-4o", "gpt-4o"]


def test_without_rules_the_list_is_the_upstream_s(four: Four, start) -> None:
    act = upstream_list("gpt-4o", "gpt-5")
    four.apis["openai"].always = act
    sidekey = start(
        {"targets": {"openai": four.targets["openai"]}},
        {"KEY_OPENAI": four.env["KEY_OPENAI"]},
    )
    with Agent(sidekey.port) as agent:
        assert agent.call("GET", "/v1/models").body == act.body


# ---- sidekey route ----


@pytest.fixture
def route(four: Four, tmp_path: Path):
    """Runs the verb on the same configuration, without a key in the environment."""
    path = tmp_path / "route.yaml"
    path.write_text(json.dumps(four.config()))
    path.chmod(0o600)
    return lambda *arguments, **options: run("route", "-c", str(path), *arguments, **options)


def told(done) -> tuple[int, dict]:
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize(
    ("method", "path", "model", "target", "rule"),
    [
        ("POST", "/v1/chat/completions", "openai/gpt-4o", "openai", "models[2]"),
        ("POST", "/chat/completions", "azure/dep", "azure", "models[1]"),
        ("POST", "/v1/messages", "claude-x", "anthropic", "models[6]"),
        ("POST", "/openai/deployments/my-gpt/embeddings", None, "azure", "models[4]"),
        ("GET", "/v1/models?limit=2&key=mine", None, "openai", "the default target"),
    ],
)
def test_route_tells_what_then_happens(
    four, sidekey, route, method, path, model, target, rule
) -> None:
    """The URL that is printed is the one that the upstream then sees."""
    more = ["--model", model] if model else []
    status, says = told(route("--json", method, path, *more))
    assert (status, says["verdict"], says["target"]) == (0, "allowed", target)
    assert says["rule"].startswith(rule)
    with Agent(sidekey.port) as agent:
        body = {"messages": [], **({"model": model} if model else {})} if method == "POST" else None
        agent.call(method, path, body)
    api = four.apis[target]
    assert says["url"] == api.url + api.last().target
    assert KINDS[target][1] in says["added"]
    assert "authorization" in says["dropped"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["POST", "/v1/chat/completions", "--model", "nobody's"], "model_not_allowed"),
        (["POST", "/v1/chat/completions"], "model_not_allowed"),
        (["POST", "/v1/nothing"], "route_not_found"),
        (["PUT", "/v1/models"], "operation_not_allowed"),
        (["GET", "/v1/../models"], "malformed_request"),
        (["GET", "/v1/models HTTP/1.1\r\nX: y"], "malformed_request"),
        (["GET", "http://evil.example/v1/models"], "malformed_request"),
    ],
)
def test_route_tells_refusals_as_they_would_come(route, arguments, code) -> None:
    status, says = told(route("--json", *arguments))
    assert (status, says["verdict"]) == (1, code)
    assert says["status"] in (400, 403, 404) and says["why"] and "url" not in says


@pytest.mark.parametrize(
    ("model", "verdict"),
    [
        ("openai/whisper-1", "allowed"),
        ("nobody's", "model_not_allowed"),
        (None, "model_not_allowed"),
        ("a\r\n--sidekey\r\nb", "malformed_request"),
    ],
)
def test_route_makes_up_a_form(four: Four, tmp_path: Path, model, verdict) -> None:
    """For an operation that takes one, which the target's list has to allow first."""
    config = four.config()
    openai = {**config["targets"]["openai"], "operations": ["audio"]}
    path = tmp_path / "form.yaml"
    path.write_text(json.dumps({**config, "targets": {**config["targets"], "openai": openai}}))
    more = ["--model", model] if model else []
    form = ["POST", "/v1/audio/transcriptions", *more]
    assert told(run("route", "-c", str(path), "--json", *form))[1]["verdict"] == verdict


def test_route_needs_no_secret_and_prints_none(four: Four, route) -> None:
    arguments = ["POST", "/v1/messages", "--model", "claude-x"]
    with_keys, without = route(*arguments, env=four.env), route(*arguments)
    assert with_keys.stdout == without.stdout and with_keys.returncode == 0
    assert not any(key in with_keys.stdout for key in four.env.values())
    assert "rule       models[6]: match claude-*" in with_keys.stdout


@pytest.mark.parametrize("arguments", [[], ["GET"], ["GET", "/", "more"], ["--nothing"]])
def test_route_s_usage(arguments: list) -> None:
    done = run("route", *arguments)
    assert done.returncode == 2 and "usage: sidekey route" in done.stdout
