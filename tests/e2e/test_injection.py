# SPDX-License-Identifier: Apache-2.0
"""Goal: the upstream sees exactly what the configuration says, and nothing of the agent's own."""

import json
from collections import Counter

import pytest
from fakes.agent import CHAT, HELLO, Agent
from fakes.apibase import NOT_FOR_AGENTS, Act
from fakes.wire import wait_for
from fakes.world import TEAM, World

TOKEN = "agent-token-0123456789"
# What an agent might send to be taken for somebody, or to steer the gateway.
NOT_FOR_UPSTREAMS = [
    ("Authorization", f"Bearer {TOKEN}"),
    ("x-api-key", TOKEN),
    ("api-key", TOKEN),
    ("x-goog-api-key", TOKEN),
    ("x-litellm-api-key", TOKEN),
    ("x-litellm-tags", TOKEN),
    ("x-pass-authorization", TOKEN),
    ("Ocp-Apim-Subscription-Key", TOKEN),
    ("Cookie", f"CF_Authorization={TOKEN}"),
    ("Proxy-Authorization", f"Basic {TOKEN}"),
    ("CF-Access-Client-Id", TOKEN),
    ("CF-Access-Client-Secret", TOKEN),
    ("Cf-Access-Jwt-Assertion", TOKEN),
    ("cf-aig-authorization", f"Bearer {TOKEN}"),
    ("cf-aig-cache-key", TOKEN),
    ("X-Amz-Security-Token", TOKEN),
    ("X-Amz-Date", "20261121T000000Z"),
    ("OpenAI-Organization", TOKEN),
    ("OpenAI-Project", TOKEN),
    ("X-Forwarded-For", "203.0.113.7"),
    ("X-Forwarded-Host", "evil.example"),
    ("Forwarded", "for=203.0.113.7"),
    ("X-Real-IP", "203.0.113.7"),
    ("X-Team", "somebody-else"),
    ("x-unheard-of", TOKEN),
    ("Accept-Encoding", "gzip, br"),
    ("TE", "trailers"),
    ("Keep-Alive", "timeout=5"),
]
PASSING = [
    ("Accept", "application/json"),
    ("User-Agent", "agent/1.0"),
    ("x-stainless-lang", "python"),
    ("OpenAI-Beta", "assistants=v2"),
    ("x-client-request-id", "abc-123"),
    ("Idempotency-Key", "one-of-a-kind"),
    ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
]


def injected(world: World) -> dict[str, str]:
    return {
        "authorization": f"Bearer {world.key}",
        "cf-access-client-id": world.access[0],
        "cf-access-client-secret": world.access[1],
        "x-team": TEAM,
    }


def test_exactly_these_headers(world: World, agent: Agent) -> None:
    assert agent.chat(headers=PASSING + NOT_FOR_UPSTREAMS).status == 200
    seen = world.api.last()
    length = str(len(json.dumps(HELLO)))
    assert {n.lower(): v for n, v in seen.headers} == {
        **injected(world),
        **{n.lower(): v for n, v in PASSING},
        "host": f"{world.api.host}:{world.api.port}",
        "content-type": "application/json",
        "content-length": length,
        "accept-encoding": "identity",
    }
    assert max(Counter(seen.names()).values()) == 1, "a header came twice"
    assert TOKEN.encode() not in seen.raw_head + seen.body


def test_nothing_is_added_to_a_bare_request(world: World, agent: Agent) -> None:
    assert agent.call("GET", "/v1/models").status == 200
    wanted = {"host", "accept-encoding", *injected(world)}
    assert set(world.api.last().names()) <= wanted | {"accept"}
    assert wanted <= set(world.api.last().names())


def test_a_nominated_header_is_hop_by_hop(world: World, agent: Agent) -> None:
    named = [
        ("Connection", "keep-alive, x-client-request-id"),
        ("x-client-request-id", "abc"),
    ]
    assert agent.chat(headers=named).status == 200
    assert world.api.last().header("x-client-request-id") is None


def test_so_is_one_that_the_upstream_nominates(world: World, agent: Agent) -> None:
    hops = (("Connection", "keep-alive, x-hop"), ("X-Hop", "1"), ("X-End", "2"))
    world.api.script(Act(200, (("Content-Type", "application/json"), *hops), b"{}"))
    answer = agent.chat()
    assert (answer.status, answer.header("x-hop"), answer.header("x-end")) == (200, None, "2")


PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("parents", "passes"),
    [
        ([PARENT], True),
        (["01" + PARENT[2:] + "-more"], True),
        ([], False),
        (["garbage"], False),
        ([""], False),
        ([PARENT.upper()], False),
        ([PARENT + "-more"], False),
        (["ff" + PARENT[2:]], False),
        (["00-" + "0" * 32 + PARENT[35:]], False),
        ([PARENT[:36] + "0" * 16 + "-01"], False),
        ([PARENT, PARENT], False),
        ([PARENT, "garbage"], False),
    ],
)
def test_only_a_valid_trace_goes_on(world: World, agent: Agent, parents: list, passes) -> None:
    """And a state with its parent alone, whatever stands in it."""
    fields = [("traceparent", parent) for parent in parents] + [("tracestate", "a=b")]
    assert agent.chat(headers=fields).status == 200
    seen = {n.lower(): v for n, v in world.api.last().headers}
    wanted = (parents[0], "a=b") if passes else (None, None)
    assert (seen.get("traceparent"), seen.get("tracestate")) == wanted


def test_a_trace_that_is_hop_by_hop_ends_here(world: World, agent: Agent) -> None:
    fields = [("Connection", "traceparent"), ("traceparent", PARENT), ("tracestate", "a=b")]
    assert agent.chat(headers=fields).status == 200
    assert not {n.lower() for n in world.api.last().names()} & {"traceparent", "tracestate"}


def test_the_body_is_byte_for_byte_the_agent_s(world: World, agent: Agent) -> None:
    body = b'{ "messages":[ ],\t"model" : "gpt\\u002d4o" ,"x":1.50, "\xc3\xa9":"\\u00e9\xf0\x9f\x98\x80"}\n'
    answer = agent.chat(body, [("Content-Type", "application/json")])
    assert answer.status == 200, answer.body
    assert world.api.last().body == body


def test_a_chunked_body_arrives_whole(world: World, agent: Agent) -> None:
    body = json.dumps({**HELLO, "pad": "x" * 300_000}).encode()
    head = (
        f"POST {CHAT} HTTP/1.1\r\nHost: {agent.host}\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    agent.send(head.encode())
    for at in range(0, len(body), 7001):
        piece = body[at : at + 7001]
        agent.send(b"%X\r\n%b\r\n" % (len(piece), piece))
    agent.send(b"0\r\n\r\n")
    assert agent.read().status == 200
    assert world.api.last().body == body
    assert world.api.last().header("content-length") == str(len(body))


def test_the_answer_is_byte_for_byte_the_upstream_s(world: World, agent: Agent) -> None:
    body = b'{"error" : {"message":"no\\u0021", "code":"context_length_exceeded"}, "z":\t1.0}\n'
    headers = (
        ("Content-Type", "application/json; charset=utf-8"),
        ("x-request-id", "up-1"),
    )
    world.api.script(Act(400, headers, body))
    answer = agent.chat()
    assert (answer.status, answer.body) == (400, body)
    assert answer.header("content-type") == "application/json; charset=utf-8"
    assert "up-1" in [v for n, v in answer.headers if n.lower() == "x-request-id"]
    assert answer.code is None
    assert len(world.api.requests) == 1


@pytest.mark.parametrize("status", [400, 404, 409, 422, 429, 500, 503])
def test_upstream_errors_are_relayed_once(world: World, agent: Agent, status: int) -> None:
    world.api.script(Act(status, (("Content-Type", "application/json"),), b'{"error":{}}'))
    answer = agent.chat()
    assert (answer.status, answer.code) == (status, None)
    assert len(world.api.requests) == 1


def test_what_gateways_add_stays_outside(world: World, agent: Agent) -> None:
    for answer in (agent.chat(), agent.chat({**HELLO, "stream": True})):
        assert not answer.names() & {n.lower() for n, _ in NOT_FOR_AGENTS}
        assert answer.header("openai-processing-ms") == "1"
        assert answer.header("x-sidekey-request-id")
        assert "access-control-allow-origin" not in answer.names()


def test_the_target_is_the_configuration_s(world: World, agent: Agent) -> None:
    """A query member that carries a key is dropped, however it is written; the rest passes."""
    hidden = f"key={TOKEN}&KEY={TOKEN}&k%65y={TOKEN}&%61pi%2Dkey={TOKEN}"
    assert agent.call("GET", f"/v1/models?limit=2&{hidden}").status == 200
    assert world.api.last().target == "/v1/models?limit=2"


def test_one_line_in_the_log_for_each_call(world: World, sidekey, agent: Agent) -> None:
    agent.chat()
    agent.call("POST", "/v1/images/generations", HELLO)
    wait_for(lambda: len(sidekey.calls()) == 2)
    good, refused = sidekey.calls()
    assert good["operation"] == "chat" and good["target"] == "main" and good["status"] == 200
    assert good["model"] == "gpt-4o" and good["dialect"] == "openai" and good["caller"] == "local"
    assert good["upstream_request_id"].startswith("req-")
    assert refused["code"] == "operation_not_allowed" and refused["status"] == 403


def test_nothing_in_the_log_acts_on_a_terminal(world: World, sidekey, agent: Agent) -> None:
    """Names and ids are in hands of others: C1 controls and ends of lines come escaped."""
    sly = "\u009b31m\u009d52;c;eA\u009c\u2028\u202e"
    world.api.script(Act(200, (("x-request-id", sly[:1].encode().decode("latin-1")),), b"{}"))
    body = json.dumps({**HELLO, "model": sly}, ensure_ascii=False).encode()
    json_type = [("Content-Type", "application/json")]
    assert agent.call("POST", CHAT, body, json_type).status == 200
    wait_for(lambda: len(sidekey.calls()) == 1)
    (call,) = sidekey.calls()
    assert (call["model"], call["upstream_request_id"]) == (sly, sly[:1])
    assert not [c for c in sidekey.text() if "\x7f" <= c <= "\x9f" or c in "\u2028\u202e"]
