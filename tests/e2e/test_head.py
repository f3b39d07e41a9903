# SPDX-License-Identifier: Apache-2.0
"""Goal: HEAD gets the head that GET would, and not a byte behind it, so that the next answer on
the connection is whole."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fakes.agent import Agent, Answer
from fakes.sidekey import Sidekey, run
from fakes.world import World


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Sidekey]]:
    folder: Path = tmp_path_factory.mktemp("head")
    with World(folder, mtls=False) as world, Sidekey(world.config(), folder, world.env()) as s:
        yield world, s


def head(agent: Agent, path: str, fields: bytes = b"") -> Answer:
    agent.send(f"HEAD {path} HTTP/1.1\r\nHost: {agent.host}\r\n".encode() + fields + b"\r\n")
    return agent.read_head()


def length(answer: Answer) -> int:
    return int(answer.header("content-length") or -1)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/models", 403, "operation_not_allowed"),
        ("/v1/chat/completions", 403, "operation_not_allowed"),
        ("/v1/messages", 403, "operation_not_allowed"),
        ("/bedrock/model/m/converse", 403, "operation_not_allowed"),
        ("/nothing", 404, "route_not_found"),
        ("/health/liveliness", 200, None),
    ],
)
def test_agents_port(served, path: str, status: int, code: str | None) -> None:
    _, sidekey = served
    with Agent(sidekey.port) as agent:
        for _ in range(2):
            answer = head(agent, path)
            assert (answer.status, answer.code) == (status, code)
            assert length(answer) > 0, "as of GET"
            assert agent.chat().status == 200
            assert not agent.buffer


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/nothing", "/status"])
def test_admin_port(served, path: str) -> None:
    _, sidekey = served
    with Agent(sidekey.admin_port) as agent:
        answer = head(agent, path)
        got = agent.call("GET", path)
    assert answer.status == got.status
    assert answer.header("content-type") == got.header("content-type")
    if path != "/metrics":  # which grows
        assert length(answer) == len(got.body)


@pytest.mark.parametrize("fields", [b"Host: b\r\n", b"a b: c\r\n"])
def test_a_head_that_cannot_be_read(served, fields: bytes) -> None:
    _, sidekey = served
    with Agent(sidekey.port) as agent:
        answer = head(agent, "/v1/models", fields)
        assert (answer.status, answer.code) == (400, "malformed_request")
        assert agent.at_end(), "without a byte of a body"


def test_a_client_of_its_own(served) -> None:
    """httpx closes nothing between the two, and would read a body as the next status line."""
    _, sidekey = served
    with httpx.Client(base_url=f"http://127.0.0.1:{sidekey.port}") as client:
        assert client.head("/v1/models").status_code == 403
        assert client.get("/v1/models").status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_life_is_only_read(served, method: str) -> None:
    _, sidekey = served
    with Agent(sidekey.port) as agent:
        answer = agent.call(method, "/health/liveliness", b"{}" * (method != "DELETE") or None)
        assert (answer.status, answer.code) == (405, "operation_not_allowed")
    assert answer.header("allow") == "GET, HEAD"
    assert answer.header("x-should-retry") == "false"
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    with Agent(sidekey.admin_port) as agent:
        answer = agent.call(method, "/healthz")
    assert (answer.status, answer.header("allow")) == (405, "GET, HEAD")


CALLERS = [{"name": "a", "token": f"sha256:{'ab' * 32}"}]


@pytest.mark.parametrize("sections", [{}, {"callers": CALLERS}], ids=["anybody", "callers"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_route_knows_of_life(served, tmp_path: Path, method: str, sections: dict) -> None:
    """It is no call, and whoever reaches the listener may ask, without a token too."""
    world, sidekey = served
    config = tmp_path / "asked.yaml"
    config.write_text(json.dumps(world.config(**sections)))
    asked = ["route", "-c", str(config), method, "/health/liveliness?x"]
    told, shown = run(*asked, "--json", env=world.env()), run(*asked, env=world.env())
    with Agent(sidekey.port) as agent:
        agent.send(f"{method} /health/liveliness?x HTTP/1.1\r\nHost: {agent.host}\r\n\r\n".encode())
        answer = agent.read_head()
    says = json.loads(told.stdout)
    assert says["status"] == answer.status
    assert says["verdict"] == (answer.code or "allowed")
    assert told.returncode == shown.returncode == (answer.status != 200)
    assert ("rule" in says) == (answer.status == 200) and not {"target", "hint"} & set(says)
    assert f"status     {answer.status} " in shown.stdout
