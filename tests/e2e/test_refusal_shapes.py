# SPDX-License-Identifier: Apache-2.0
"""Goal: whoever is refused, and however early, reads it in the words of its own SDK."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from fakes.agent import Agent, Answer
from fakes.sidekey import Sidekey
from fakes.wire import wait_for
from fakes.world import World

PATHS = {
    "openai": ("/v1/chat/completions", "/chat/completions", "/nothing"),
    "anthropic": ("/v1/messages", "/v1/messages/count_tokens?beta=true"),
    "azure": ("/openai/deployments/d/chat/completions?api-version=1",),
    "bedrock": ("/bedrock/model/m/converse", "/model/m/invoke", "/bedrock/a/../b"),
}
ROWS = [(dialect, path) for dialect, paths in PATHS.items() for path in paths]
# What is wrong with the head, the code that is due and its status.
HEADS = {
    "another Host": (b"Host: evil.example\r\n", "host_not_allowed", 403),
    "Origin": (b"Host: HOST\r\nOrigin: http://evil.example\r\n", "browser_refused", 403),
    "Upgrade": (
        b"Host: HOST\r\nConnection: upgrade\r\nUpgrade: websocket\r\n",
        "upgrade_refused",
        426,
    ),
    "two Hosts": (b"Host: HOST\r\nHost: HOST\r\n", "malformed_request", 400),
    "a bad name": (b"Host: HOST\r\na b: c\r\n", "malformed_request", 400),
    "too large": (b"Host: HOST\r\nx: " + b"x" * 70_000 + b"\r\n", "header_too_large", 431),
    "too many": (b"Host: HOST\r\n" + b"x: y\r\n" * 200, "header_too_large", 431),
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Sidekey]]:
    folder: Path = tmp_path_factory.mktemp("shapes")
    with World(folder, mtls=False) as world:
        config = world.config(limits={"headerTimeout": "1s"})
        with Sidekey(config, folder, world.env()) as sidekey:
            yield world, sidekey


def check_shape(answer: Answer, dialect: str) -> None:
    said = answer.json()
    if dialect == "bedrock":
        assert set(said) == {"message"} and said["message"]
        assert answer.header("x-amzn-errortype")
    elif dialect == "anthropic":
        assert said["type"] == "error" and set(said["error"]) == {"type", "message"}
        assert said["request_id"] == answer.header("x-sidekey-request-id")
    else:
        assert set(said["error"]) == {"message", "type", "param", "code"}


def check_line(sidekey: Sidekey, answer: Answer, dialect: str) -> None:
    """The log says the same of the call, once."""
    own = answer.header("x-sidekey-request-id")

    def lines() -> list[dict]:
        return [c for c in sidekey.calls() if c["request_id"] == own]

    wait_for(lines, 10, "it is logged")
    assert [(c["dialect"], c["code"]) for c in lines()] == [(dialect, answer.code)]


@pytest.mark.parametrize(("dialect", "path"), ROWS)
@pytest.mark.parametrize("fault", HEADS)
def test_by_its_head(served, dialect: str, path: str, fault: str) -> None:
    world, sidekey = served
    fields, code, status = HEADS[fault]
    with Agent(sidekey.port) as agent:
        agent.send(b"POST " + path.encode() + b" HTTP/1.1\r\n")
        agent.send(fields.replace(b"HOST", agent.host.encode()) + b"\r\n")
        answer = agent.read()
    assert answer.code == code
    assert answer.status == status
    check_shape(answer, dialect)
    check_line(sidekey, answer, dialect)
    assert not world.api.requests


def test_that_does_not_come(served) -> None:
    _, sidekey = served
    with ExitStack() as stack:
        agents = [stack.enter_context(Agent(sidekey.port)) for _ in ROWS]
        for agent, (_, path) in zip(agents, ROWS, strict=True):
            agent.send(f"POST {path} HTTP/1.1\r\nHost: {agent.host}\r\n".encode())
        for agent, (dialect, _) in zip(agents, ROWS, strict=True):
            answer = agent.read()
            assert answer.code == "malformed_request"
            check_shape(answer, dialect)
            check_line(sidekey, answer, dialect)


LINES = {
    "longer than any": (b"POST %b/" + b"x" * 9000, "header_too_large"),
    "long, and whole": (b"POST %b/" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", "header_too_large"),
    "a long query": (b"POST %b?" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", "header_too_large"),
    "a proxy's": (b"POST http://h.example:80%b HTTP/1.1\r\n\r\n", "malformed_request"),
    "a proxy's, long": (b"POST http://h.example%b/" + b"x" * 9000, "malformed_request"),
    "one that stops": (b"POST %b/x", "malformed_request"),
}


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize(("dialect", "path"), ROWS)
def test_by_its_line(served, dialect: str, path: str, line: str) -> None:
    """Whatever is wrong with it, and however little of it came: where it begins is known."""
    world, sidekey = served
    raw, code = LINES[line]
    with Agent(sidekey.port) as agent:
        agent.send(raw % path.partition("?")[0].encode())
        answer = agent.read()
    assert answer.code == code
    check_shape(answer, dialect)
    check_line(sidekey, answer, dialect)
    assert not world.api.requests


def test_without_a_line_it_is_openai(served) -> None:
    """Of a line that is not HTTP nothing can be told."""
    _, sidekey = served
    for raw in (b"POST /v1/messages HTTP/3.0\r\n\r\n", b"CONNECT h:443 HTTP/1.1\r\n\r\n"):
        with Agent(sidekey.port) as agent:
            agent.send(raw)
            answer = agent.read()
        check_shape(answer, "openai")
        check_line(sidekey, answer, "openai")
