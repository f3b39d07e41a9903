# SPDX-License-Identifier: Apache-2.0
"""Goal: whatever an upstream does wrong becomes one error that says so, and is tried only once."""

import time

import pytest
from fakes.agent import STREAM, Agent, Closed
from fakes.apibase import Act
from fakes.sidekey import Sidekey
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
