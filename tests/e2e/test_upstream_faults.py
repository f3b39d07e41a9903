# SPDX-License-Identifier: Apache-2.0
"""Goal: whatever an upstream does wrong becomes one error that says so, and is tried only once."""

import json
import time

import pytest
from fakes.agent import CHAT, HELLO, STREAM, Agent, Closed
from fakes.apibase import Act
from fakes.sidekey import Sidekey
from fakes.wire import Connection, head_bytes
from fakes.world import World

LOGIN = "https://team.cloudflareaccess.com/cdn-cgi/access/login/api.example.com?kid=1"
HTML = (("Content-Type", "text/html; charset=utf-8"),)
FAULTS = {
    "redirect": (Act(302, (("Location", "/elsewhere"),)), 502, "upstream_redirect"),
    "redirect that keeps the method": (
        Act(307, (("Location", "https://evil.example/"),)),
        502,
        "upstream_redirect",
    ),
    "Access login": (Act(302, (("Location", LOGIN),)), 502, "access_denied_by_gateway"),
    "Access 403": (Act(403, HTML, b"<html>Forbidden</html>"), 502, "access_denied_by_gateway"),
    "HTML": (Act(200, HTML, b"<html>Welcome</html>"), 502, "upstream_invalid"),
    "not HTTP": (Act(raw=b"SSH-2.0-OpenSSH_9.2\r\n"), 502, "upstream_invalid"),
    "closed unanswered": (Act(close_unanswered=True), 502, "upstream_broken"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault(plain_world: World, plain_agent: Agent, name: str) -> None:
    act, status, code = FAULTS[name]
    plain_world.api.script(act)
    answer = plain_agent.chat()
    assert (answer.status, answer.code) == (status, code), answer.body
    assert answer.header("x-should-retry") == "false"
    assert answer.json()["error"]["code"] == code
    assert b"evil.example" not in plain_agent.received
    assert b"cloudflareaccess" not in plain_agent.received
    assert len(plain_world.api.requests) == 1
    assert plain_agent.chat().status == 200, "the next call is well"


BUDGET = {"error": {"message": "Budget has been exceeded!", "type": "budget_exceeded"}}
LIMIT = {"error": {"message": "slow down", "type": "rate_limit_error", "code": "429"}}
JSON = ("Content-Type", "application/json")


@pytest.mark.parametrize("said", [None, "true"])
@pytest.mark.parametrize("status", [400, 429])
def test_a_budget_that_is_spent(
    plain_world: World, plain_agent: Agent, status: int, said: str | None
) -> None:
    """LiteLLM's newer versions say 429 for it, which clients would try again and again."""
    headers = (JSON, ("X-Should-Retry", said), ("Retry-After", "1")) if said else (JSON,)
    body = json.dumps(BUDGET).encode()
    plain_world.api.script(Act(status, headers, body))
    answer = plain_agent.chat()
    assert (answer.status, answer.body, answer.code) == (status, body, None), "as it came"
    assert [v for n, v in answer.headers if n.lower() == "x-should-retry"] == ["false"]
    assert answer.header("retry-after") == ("1" if said else None)
    assert len(plain_world.api.requests) == 1
    assert plain_agent.chat().status == 200


@pytest.mark.parametrize("status", [400, 429])
def test_a_budget_that_is_spent_behind_bedrock(plain_world: World, start, status: int) -> None:
    """LiteLLM's /bedrock says it in its own words; Anthropic's SDK for Bedrock heeds the header."""
    base = plain_world.target()["apiBase"].removesuffix("/v1") + "/bedrock"
    target = plain_world.target(provider="bedrock", region="us-east-1", apiBase=base)
    sidekey = start(plain_world.config(target), plain_world.env())
    plain_world.api.script(Act(status, (JSON,), json.dumps(BUDGET).encode()))
    with Agent(sidekey.port) as agent:
        answer = agent.call("POST", "/model/m/invoke", {"messages": []})
    assert (answer.status, answer.json()) == (status, BUDGET), "as it came"
    assert answer.header("x-should-retry") == "false"


@pytest.mark.parametrize("said", [None, "true", "false"])
def test_other_limits_are_as_they_came(
    plain_world: World, plain_agent: Agent, said: str | None
) -> None:
    headers = (JSON, ("X-Should-Retry", said)) if said else (JSON,)
    plain_world.api.script(Act(429, headers, json.dumps(LIMIT).encode()))
    answer = plain_agent.chat()
    assert (answer.status, answer.json(), answer.code) == (429, LIMIT, None)
    assert answer.header("x-should-retry") == said


@pytest.mark.parametrize("size", [100, 300_000])
def test_an_error_that_does_not_end(
    plain_world: World, plain_agent: Agent, size: int
) -> None:
    """It is held for its type no longer than a moment, and no more of it than a little."""

    async def endless(connection: Connection) -> None:
        head = head_bytes(429, [JSON, ("Transfer-Encoding", "chunked")])
        connection.send(head)
        connection.chunk(b'{"error":{"type":"budget_exceeded","message":"' + b"y" * size)
        await connection.left.wait()

    plain_world.api.script(Act(play=endless))
    plain_agent.begin("POST", CHAT, HELLO)
    began = time.monotonic()
    answer = plain_agent.read_head()
    assert (answer.status, answer.header("x-should-retry")) == (429, None)
    assert time.monotonic() - began < 10


def test_the_log_tells_a_wrong_base_from_a_load_balancer_s_page(
    plain_world: World, plain_sidekey: Sidekey, plain_agent: Agent
) -> None:
    """The agent is told 502 either way; who looks for the cause needs the upstream's status."""
    plain_world.api.script(Act(503, HTML, b"<html>no healthy upstream</html>"))
    assert plain_agent.chat().status == 502
    plain_world.api.script(Act(raw=b"SSH-2.0-OpenSSH_9.2\r\n"))
    assert plain_agent.chat().status == 502
    page, garbage = plain_sidekey.records(msg="upstream failed")[-2:]
    assert (page["code"], page["upstream_status"]) == ("upstream_invalid", 503)
    assert garbage["code"] == "upstream_invalid" and "upstream_status" not in garbage


def test_half_a_head(plain_world: World, plain_agent: Agent) -> None:
    plain_world.api.script(Act(raw=b"HTTP/1.1 200 OK\r\nContent-Ty"))
    answer = plain_agent.chat()
    assert answer.status == 502
    assert answer.code in ("upstream_broken", "upstream_invalid")
    assert answer.header("x-should-retry") == "false"
    assert len(plain_world.api.requests) == 1


def test_unreachable(plain_world: World, plain_sidekey: Sidekey) -> None:
    plain_world.api.stop()
    with Agent(plain_sidekey.port) as agent:
        answer = agent.chat()
        assert (answer.status, answer.code) == (502, "upstream_unreachable")
        assert answer.header("x-should-retry") == "true"
        assert str(plain_world.api.port).encode() not in answer.body, "no internal address"
        plain_world.api.start()
        assert agent.chat().status == 200


def test_first_byte_in_time(plain_world: World, start) -> None:
    target = plain_world.target(timeouts={"firstByte": "1s"})
    sidekey = start(plain_world.config(target), plain_world.env())
    plain_world.api.script(Act(stall=30))
    with Agent(sidekey.port) as agent:
        began = time.monotonic()
        answer = agent.chat()
        assert (answer.status, answer.code) == (504, "upstream_timeout")
        assert answer.header("x-should-retry") == "false"
        assert 0.8 < time.monotonic() - began < 5
    assert len(plain_world.api.requests) == 1


def test_idle_stream_is_aborted(plain_world: World, start) -> None:
    target = plain_world.target(timeouts={"idle": "1s"})
    sidekey = start(plain_world.config(target), plain_world.env())
    plain_world.api.script(Act(events=5, gap=20))
    with Agent(sidekey.port) as agent, pytest.raises(Closed):
        agent.chat(STREAM)
    assert len(plain_world.api.requests) == 1


def test_silent_black_hole(plain_world: World, start) -> None:
    """192.0.2.1 (TEST-NET) answers nobody; where the machine refuses it at once, that is fine too."""
    target = plain_world.target(apiBase="http://192.0.2.1:8080/v1", timeouts={"connect": "1s"})
    sidekey = start(plain_world.config(target), plain_world.env())
    with Agent(sidekey.port) as agent:
        began = time.monotonic()
        answer = agent.chat()
        assert (answer.status, answer.code) == (502, "upstream_unreachable")
        assert time.monotonic() - began < 5
