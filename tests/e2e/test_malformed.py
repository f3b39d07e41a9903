# SPDX-License-Identifier: Apache-2.0
"""Goal: what is not the HTTP that we accept gets a 4xx and a closed connection; the upstream and
the next client notice nothing."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import malformed
import pytest
from fakes.agent import Agent
from fakes.sidekey import Sidekey
from fakes.world import World


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Sidekey]]:
    folder: Path = tmp_path_factory.mktemp("malformed")
    with World(folder, mtls=False) as world, Sidekey(world.config(), folder, world.env()) as s:
        yield world, s


def test_the_list_is_long_enough() -> None:
    names = [name for name, _, _ in malformed.ALL]
    assert len(names) == len(set(names)) >= 60


@pytest.mark.parametrize(
    ("raw", "status"), [row[1:] for row in malformed.ALL], ids=[row[0] for row in malformed.ALL]
)
def test_malformed(served, raw: bytes, status: int) -> None:
    world, sidekey = served
    before = len(world.api.requests)
    with Agent(sidekey.port, timeout=8) as agent:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            agent.send(raw.replace(b"HOST", agent.host.encode()))
        answer = agent.read()
        assert answer.status == status, answer.body
        assert answer.code
        assert answer.json()["error"]["message"]
        assert (answer.header("connection") or "").lower() == "close"
        assert agent.at_end(), "the connection is closed"
    assert len(world.api.requests) == before, "the upstream hears nothing of it"
    with Agent(sidekey.port) as agent:
        assert agent.chat().status == 200, "the next client is served"


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
    "target", [b"/v1/models/../models", b"/v1//models", b"/v1/models%2f..", b"/v1/models/%2e%2e"]
)
def test_unsafe_path_without_a_body(served, target: bytes) -> None:
    _, sidekey = served
    with Agent(sidekey.port) as agent:
        agent.send(b"GET %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (target, agent.host.encode()))
        answer = agent.read()
        assert (answer.status, answer.code) == (400, "malformed_request")
