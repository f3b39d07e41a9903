# SPDX-License-Identifier: Apache-2.0
"""Goal: what is not allowed is refused before the upstream hears of it, with a code and a reason."""

import pytest
from fakes.agent import CHAT, HELLO, Agent
from fakes.sidekey import Sidekey
from fakes.world import World


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("POST", "/v1/images/generations", 403, "operation_not_allowed"),
        ("POST", "/v1/files", 403, "operation_not_allowed"),
        ("POST", "/v1/batches", 403, "operation_not_allowed"),
        ("POST", "/v1/key/generate", 404, "route_not_found"),
        ("POST", "/key/generate", 404, "route_not_found"),
        ("GET", "/v1/organization/admin_api_keys", 404, "route_not_found"),
        ("POST", "/v1/model/new", 404, "route_not_found"),
        ("GET", "/", 404, "route_not_found"),
        ("GET", "/readyz", 404, "route_not_found"),
        ("GET", "/metrics", 404, "route_not_found"),
        ("POST", "/v1/nothing", 404, "route_not_found"),
    ],
)
def test_operations(world: World, agent: Agent, method, path, status, code) -> None:
    answer = agent.call(method, path, HELLO if method == "POST" else None)
    assert (answer.status, answer.code) == (status, code)
    assert answer.header("x-should-retry") == "false"
    error = answer.json()["error"]
    assert (
        error["code"] == code
        and error["message"]
        and set(error)
        == {
            "message",
            "type",
            "param",
            "code",
        }
    )
    assert not world.api.requests


def test_denied_fields(plain_world: World, start) -> None:
    """The operator's own list: names as agents may write them, in bodies and in queries."""
    sidekey = start(plain_world.config(deniedFields=["web_Search", "store"]), plain_world.env())
    with Agent(sidekey.port) as agent:
        assert agent.chat({**HELLO, "metadata": {"store": True}}).status == 200
        heard = len(plain_world.api.requests)
        for member in (b'"store":true', b'"STORE":0', b'"st\\u006fre":1', b'"web_search":{}'):
            body = b'{"model":"gpt-4o","messages":[],' + member + b"}"
            answer = agent.call("POST", CHAT, body, [("Content-Type", "application/json")])
            assert (answer.status, answer.code) == (403, "field_not_allowed"), member
        answer = agent.call("POST", f"{CHAT}?Store=1", HELLO)
        assert (answer.status, answer.code) == (403, "field_not_allowed")
        assert len(plain_world.api.requests) == heard


@pytest.mark.parametrize(
    "member",
    [
        {"api_base": "https://evil.example"},
        {"base_url": "https://evil.example"},
        {"API_Base": "https://evil.example"},
        {"api_key": "sk-mine"},
        {"extra_headers": {"x": "y"}},
        {"custom_llm_provider": "openai"},
        {"aws_region_name": "us-east-1"},
        {"vertex_project": "p"},
        {"model_list": []},
        {"fallbacks": ["other"]},
        {"models": ["other"]},
        {"user_config": {}},
        {"tags": ["free"]},
        {"timeout": 0.001},
        {"num_retries": 9},
        {"metadata": {"tags": ["free"]}},
        {"metadata": '{"tags": ["free"]}'},
    ],
    ids=lambda m: next(iter(m)),
)
def test_steering_members(world: World, agent: Agent, member: dict) -> None:
    answer = agent.chat({**HELLO, **member})
    assert (answer.status, answer.code) == (403, "field_not_allowed")
    assert next(iter(member)).lower() in answer.json()["error"]["message"].lower()
    assert not world.api.requests


@pytest.mark.parametrize(
    "query",
    [
        "model=other",
        "MODEL=other",
        "m%6Fdel=other",
        "limit=1&model=other",
        "limit=1;model=other",
        "model",
        "api_version=1",
        "models=other",
        "fallbacks=other",
        "user_config=x",
    ],
)
@pytest.mark.parametrize("way", ["chat", "form", "get"])
def test_steering_queries(plain_world: World, start, way: str, query: str) -> None:
    """LiteLLM takes the query's `model` before the body's, whatever the kind of body."""
    target = plain_world.target(operations=["chat", "audio", "models"])
    sidekey = start(plain_world.config(target), plain_world.env())
    part = b'--X\r\nContent-Disposition: form-data; name="model"\r\n\r\ngpt-4o\r\n--X--\r\n'
    kind = [("Content-Type", "multipart/form-data; boundary=X")]
    with Agent(sidekey.port) as agent:
        if way == "chat":
            answer = agent.call("POST", f"{CHAT}?{query}", HELLO)
        elif way == "form":
            answer = agent.call("POST", f"/v1/audio/transcriptions?{query}", part, kind)
        else:
            answer = agent.call("GET", f"/v1/models?{query}")
    assert (answer.status, answer.code) == (403, "field_not_allowed")
    assert "query" in answer.json()["error"]["message"]
    assert not plain_world.api.requests


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b'{"model":1}',
        b'{"model":["gpt-4o"]}',
        b'{"model":"a","model":"b"}',
        b'{"model":"a","Model":"b"}',
        b'{"model":"a","mod\\u0065l":"b"}',
        b'{"model":"gpt-4o"} trailing',
        b'{"model":"gpt-4o",}',
        b"{'model':'gpt-4o'}",
        b'\xef\xbb\xbf{"model":"gpt-4o"}',
        b'{"model":"\xff"}',
        b'{"model":"\xed\xa0\x80"}',
        b'{"model":"a\nb"}',
        b'{"model":"gpt-4o","n":01}',
        b'{"model":"gpt-4o","n":NaN}',
        b'{"x":' + b"[" * 100_000,
    ],
    ids=range(20),
)
def test_bodies_that_are_not_the_json_we_take(world: World, agent: Agent, body: bytes) -> None:
    answer = agent.chat(body, [("Content-Type", "application/json")])
    assert (answer.status, answer.code) == (400, "malformed_request")
    assert not world.api.requests


def test_a_response_is_cancelled_with_an_empty_object_or_nothing(
    world: World, sidekey: Sidekey, agent: Agent
) -> None:
    """LiteLLM's SDK sends {}, OpenAI's nothing. An upstream that does not read what were more could
    take it for the connection's next call."""
    path = "/v1/responses/resp_1/cancel"
    for body, sent in ((None, b""), ({}, b"{}")):
        assert agent.call("POST", path, body).code is None
        assert world.api.requests[-1].body == sent
    heard = len(world.api.requests)
    json = [("Content-Type", "application/json")]
    for body, kind in (
        (b"{ }", json),
        (b"[]", json),
        (b"{}", [("Content-Type", "text/plain")]),
        (b'{"a":1}', json),
    ):
        with Agent(sidekey.port) as other:
            answer = other.call("POST", path, body, kind)
            assert (answer.status, answer.code) == (400, "malformed_request"), body
    assert len(world.api.requests) == heard


@pytest.mark.parametrize(
    "kind",
    [
        [],
        [("Content-Type", "text/plain")],
        [("Content-Type", "application/json"), ("Content-Type", "application/json")],
        [("Content-Type", "application/json"), ("Content-Encoding", "gzip")],
    ],
    ids=["none", "text", "two", "compressed"],
)
def test_json_operations_take_json(world: World, agent: Agent, kind: list) -> None:
    answer = agent.chat(b'{"model":"gpt-4o","messages":[]}', kind)
    assert (answer.status, answer.code) == (400, "malformed_request")
    assert not world.api.requests


@pytest.mark.parametrize(
    "parameters",
    [
        "; charset=utf-8",
        ";charset=UTF-8",
        '; charset="utf-8"',
        '; CharSet="Utf-8" ;',
        "; odata=verbose",
        ";charset=utf-8;charset=UTF-8",
    ],
)
def test_json_in_utf_8(world: World, agent: Agent, parameters: str) -> None:
    kind = "application/json" + parameters
    assert agent.chat(b'{"model":"gpt-4o"}', [("Content-Type", kind)]).status == 200
    assert world.api.last().header("content-type") == kind


OTHER_CHARSETS = [
    "; charset=utf-16",
    ";CHARSET=UTF-16LE",
    '; charset="utf-16"',
    "; charset=utf-7",
    "; charset=iso-8859-1",
    "; charset=",
    "; charset",
    '; charset="utf-8',
    "; charset=utf-8-sig",
    "; charset = utf-16",
    "; charset=utf-8; charset=utf-16",
    "; a=b;charset=utf-16",
    '; a="b; charset=utf-16"',
    "; charset=utf-8, text/plain",
    "; charset*=utf-8''utf-16",
]


@pytest.mark.parametrize("path", [CHAT, "/v1/messages"])
def test_json_in_another_charset(plain_world: World, start, path: str) -> None:
    """What was read as UTF-8 here may be another body to who goes by the charset."""
    target = plain_world.target(provider="litellm")
    sidekey = start(plain_world.config(target), plain_world.env())
    for parameters in OTHER_CHARSETS:
        kind = [("Content-Type", "application/json" + parameters)]
        with Agent(sidekey.port) as agent:
            answer = agent.call("POST", path, b'{"model":"gpt-4o"}', kind)
        assert (answer.status, answer.code) == (400, "malformed_request"), parameters
        assert "UTF-8" in answer.json()["error"]["message"]
    assert not plain_world.api.requests


def test_websocket_is_refused_with_426(world: World, agent: Agent) -> None:
    headers = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", "13"),
    ]
    answer = agent.call("GET", "/v1/responses", headers=headers)
    assert (answer.status, answer.code) == (426, "upgrade_refused")
    assert not world.api.requests


def test_a_refused_call_does_not_end_the_connection(world: World, agent: Agent) -> None:
    assert agent.chat({**HELLO, "api_key": "x"}).status == 403
    assert agent.chat().status == 200


def test_body_too_large(world: World, start) -> None:
    sidekey = start(world.config(limits={"bodyBytes": "4KiB"}), world.env())
    with Agent(sidekey.port) as agent:
        answer = agent.chat({**HELLO, "pad": "x" * 8192})
        assert (answer.status, answer.code) == (413, "body_too_large")
        assert agent.at_end()
    assert not world.api.requests


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"headerBytes": "1KiB"}, "header_too_large"),
        ({"bodyBytes": 100}, "body_too_large"),
        ({"headerBytes": "2KiB", "bodyBytes": "1KiB", "bufferTotal": "256KiB"}, None),
    ],
)
def test_small_limits(world: World, start, limits: dict, code: str | None) -> None:
    sidekey = start(world.config(limits=limits), world.env())
    with Agent(sidekey.port) as agent:
        answer = agent.chat({**HELLO, "pad": "x" * 500}, [("X-Pad", "x" * 1000)])
    assert answer.code == code
    assert answer.status == {"header_too_large": 431, "body_too_large": 413, None: 200}[code]


@pytest.mark.parametrize("fields", [[70_000], [60_000] * 3])
def test_more_of_a_head_than_passes(world: World, start, fields: list[int]) -> None:
    """However much may be read, so much does not go to egress: no retry will change that."""
    sidekey = start(world.config(limits={"headerBytes": "1MiB"}), world.env())
    with Agent(sidekey.port) as agent:
        big = [("Anthropic-Beta", "x" * size) for size in fields]
        answer = agent.chat(headers=big)
        assert (answer.status, answer.code) == (431, "header_too_large")
        assert answer.header("x-should-retry") == "false"
        assert agent.chat(headers=[("X-Pad", "x" * sum(fields))]).status == 200
    assert len(world.api.requests) == 1


def test_chunked_body_too_large(world: World, start) -> None:
    sidekey = start(world.config(limits={"bodyBytes": "4KiB"}), world.env())
    with Agent(sidekey.port) as agent:
        agent.send(
            f"POST {CHAT} HTTP/1.1\r\nHost: {agent.host}\r\nContent-Type: application/json\r\n"
            "Transfer-Encoding: chunked\r\n\r\n2000\r\n".encode()
        )
        agent.send(b"x" * 0x2000)
        answer = agent.read()
        assert (answer.status, answer.code) == (413, "body_too_large")
    assert not world.api.requests


# ---- models ----


@pytest.fixture
def ruled(world: World, start) -> Sidekey:
    models = [
        {"match": "litellm_proxy/*", "target": "main", "stripPrefix": "litellm_proxy/"},
        {"match": "gpt-4o", "target": "main", "sendAs": "my-deployment"},
        {"match": "claude-*", "target": "main"},
    ]
    return start(world.config(models=models, defaultTarget="main"), world.env())


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("litellm_proxy/mistral", "mistral"),
        ("gpt-4o", "my-deployment"),
        ("claude-haiku", "claude-haiku"),
    ],
)
def test_model_rules(world: World, ruled: Sidekey, asked: str, sent: str) -> None:
    body = b'{"a": 1 ,"model" : "%b", "messages":[],"z":[1, 2]}'
    with Agent(ruled.port) as agent:
        answer = agent.chat(body % asked.encode(), [("Content-Type", "application/json")])
    assert answer.status == 200, answer.body
    assert world.api.last().body == body % sent.encode()


def test_the_largest_body_may_get_a_longer_name(world: World, start) -> None:
    """limits.bodyBytes is for what the agent sends, and not for what a rule makes of it."""
    long = "n" * 512
    models = [{"match": "gpt-4o", "target": "main", "sendAs": long}]
    sidekey = start(world.config(models=models, limits={"bodyBytes": "1KiB"}), world.env())
    body = b'{"model":"gpt-4o","messages":[],"user":"%b"}'
    body %= b"u" * (1024 - len(body) + 2)
    assert len(body) == 1024
    with Agent(sidekey.port) as agent:
        answer = agent.chat(body, [("Content-Type", "application/json")])
        assert answer.status == 200, answer.body
        assert world.api.last().body == body.replace(b"gpt-4o", long.encode())
        answer = agent.chat(body + b" ", [("Content-Type", "application/json")])
        assert (answer.status, answer.code) == (413, "body_too_large")


@pytest.mark.parametrize("asked", ["gpt-4", "GPT-4o", "gpt-4o-mini", "xclaude-", ""])
def test_model_that_matches_nothing(world: World, ruled: Sidekey, asked: str) -> None:
    with Agent(ruled.port) as agent:
        answer = agent.chat({**HELLO, "model": asked})
    assert (answer.status, answer.code) == (403, "model_not_allowed")
    assert not world.api.requests


@pytest.mark.parametrize("name", [b"MODEL", b"Model", b"\\u004dodel"])
def test_a_model_that_not_every_upstream_sees(
    world: World, ruled: Sidekey, name: bytes
) -> None:
    """The rules hold for it; and one that minds case would take its default, which no rule knows."""
    with Agent(ruled.port) as agent:
        for model, verdict in (
            (b"claude-x", (400, "malformed_request")),
            (b"gpt-5", (403, "model_not_allowed")),
        ):
            body = b'{"%b":"%b","messages":[]}' % (name, model)
            answer = agent.chat(body, [("Content-Type", "application/json")])
            assert (answer.status, answer.code) == verdict, answer.body
    assert not world.api.requests


@pytest.mark.parametrize("name", [b"MODEL", b"Model", b"\\u004dodel"])
def test_without_rules_a_model_s_name_is_the_upstream_s_affair(
    world: World, agent: Agent, name: bytes
) -> None:
    body = b'{"%b":"claude-x","messages":[]}' % name
    assert agent.chat(body, [("Content-Type", "application/json")]).status == 200
    assert world.api.last().body == body


def test_call_without_a_model_goes_to_the_default_target(world: World, ruled: Sidekey) -> None:
    with Agent(ruled.port) as agent:
        assert agent.call("GET", "/v1/models").status == 200
