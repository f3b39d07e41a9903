# SPDX-License-Identifier: Apache-2.0
"""Goal: what is not the HTTP that we accept gets a 4xx and a closed connection; the upstream and
the next client notice nothing."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import malformed
import pytest
from fakes.agent import Agent
from fakes.sidekey import Sidekey
from fakes.world import World

CODES = {400: "malformed_request", 413: "body_too_large", 431: "header_too_large"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Sidekey]]:
    folder: Path = tmp_path_factory.mktemp("malformed")
    with (
        World(folder, mtls=False) as world,
        Sidekey(world.config(), folder, world.env()) as s,
    ):
        yield world, s


def test_the_list_is_long_enough() -> None:
    names = [row[0] for row in [*malformed.ALL, *malformed.REFUSED]]
    assert len(names) == len(set(names)) >= 150


@pytest.mark.parametrize(
    ("raw", "status"),
    [row[1:] for row in malformed.ALL],
    ids=[row[0] for row in malformed.ALL],
)
def test_malformed(served, raw: bytes, status: int) -> None:
    world, sidekey = served
    before = len(world.api.requests)
    with Agent(sidekey.port, timeout=8) as agent:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            agent.send(raw.replace(b"HOST", agent.host.encode()))
        answer = agent.read()
        assert answer.status == status, answer.body
        assert answer.code == CODES[status]
        assert answer.json()["error"]["message"]
        assert (answer.header("connection") or "").lower() == "close"
        assert agent.at_end(), "the connection is closed"
    assert len(world.api.requests) == before, "the upstream hears nothing of it"
    with Agent(sidekey.port) as agent:
        assert agent.chat().status == 200, "the next client is served"


def addressed(raw: bytes, agent: Agent, port: int) -> bytes:
    return raw.replace(b"HOST", agent.host.encode()).replace(b"PORT", str(port).encode())


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [row[1:] for row in malformed.REFUSED],
    ids=[row[0] for row in malformed.REFUSED],
)
def test_refused(served, raw: bytes, status: int, code: str) -> None:
    """HTTP/1.1 it is, and whoever sends it learns which rule was against it."""
    world, sidekey = served
    before = len(world.api.requests)
    with Agent(sidekey.port, timeout=8) as agent:
        agent.send(addressed(raw, agent, sidekey.port))
        answer = agent.read()
        assert (answer.status, answer.code) == (status, code), answer.body
        assert answer.header("x-should-retry") == "false"
        assert answer.json()["error"]["message"]
    assert len(world.api.requests) == before, "the upstream hears nothing of it"


class Node:
    """Node's own HTTP parser: what it makes of a connection's bytes."""

    def __init__(self, program: str) -> None:
        script = Path(__file__).resolve().parents[1] / "node" / "parser.mjs"
        self.process = subprocess.Popen([program, str(script)], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.port = int(self.process.stdout.readline())

    def read(self, raw: bytes) -> dict:
        with Agent(self.port, timeout=8) as agent:
            agent.send(addressed(raw, agent, self.port))
            return agent.read().json()


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    program = shutil.which("node")
    if not program:
        pytest.skip("needs node")
    made = Node(program)
    yield made
    made.process.kill()
    made.process.wait()


@pytest.mark.parametrize(
    "raw", [row[1] for row in malformed.GOOD], ids=[row[0] for row in malformed.GOOD]
)
def test_where_we_accept_another_parser_sees_the_same(served, node: Node, raw: bytes) -> None:
    world, sidekey = served
    with Agent(sidekey.port, timeout=8) as agent:
        agent.send(addressed(raw, agent, sidekey.port))
        answer = agent.read()
    assert answer.status == 200, answer.body
    seen, theirs = world.api.last(), node.read(raw)
    target = theirs["url"] if theirs["url"].startswith("/v1") else "/v1" + theirs["url"]
    assert (seen.method, seen.target.rstrip("?")) == (
        theirs["method"],
        target.rstrip("?"),
    )
    assert len(seen.body) == theirs["length"]


@pytest.mark.parametrize("size", [1, 7, 64])
def test_good_request_in_small_pieces(served, size: int) -> None:
    """However the bytes are cut, a good request stays a good one."""
    _, sidekey = served
    with Agent(sidekey.port) as agent:
        raw = malformed.fields(malformed.length()).replace(b"HOST", agent.host.encode())
        for at in range(0, len(raw), size):
            agent.send(raw[at : at + size])
        assert agent.read().status == 200


@pytest.mark.parametrize(
    "target",
    [b"/v1/models/../models", b"/v1//models", b"/v1/models%2f..", b"/v1/models/%2e%2e"],
)
def test_unsafe_path_without_a_body(served, target: bytes) -> None:
    _, sidekey = served
    with Agent(sidekey.port) as agent:
        agent.send(b"GET %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (target, agent.host.encode()))
        answer = agent.read()
        assert (answer.status, answer.code) == (400, "malformed_request")
