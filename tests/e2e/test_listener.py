# SPDX-License-Identifier: Apache-2.0
"""Goal: a web page cannot use sidekey, whatever name it gave the loopback address."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.agent import Agent
from fakes.sidekey import Sidekey
from fakes.wire import free_port
from fakes.world import World


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Sidekey]]:
    folder: Path = tmp_path_factory.mktemp("listener")
    with World(folder, mtls=False) as world:
        config = world.config(hosts=["sidekey", "gateway.internal"])
        with Sidekey(config, folder, world.env()) as sidekey:
            yield world, sidekey


@pytest.fixture(scope="module")
def everywhere(served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidekey]:
    world, port = served[0], free_port()
    sidekey = Sidekey(
        world.config(admin=[f"0.0.0.0:{port}"]), tmp_path_factory.mktemp("all"), world.env()
    )
    sidekey.admin_port = port
    with sidekey:
        yield sidekey


@pytest.mark.parametrize(
    "host", ["127.0.0.1:PORT", "localhost:PORT", "LocalHost:PORT", "sidekey:PORT"]
)
def test_our_own_names(served, host: str) -> None:
    _, sidekey = served
    with Agent(sidekey.port, host=host.replace("PORT", str(sidekey.port))) as agent:
        assert agent.chat().status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:PORT",
        "localhost.evil.example:PORT",
        "127.0.0.1:1",
        "127.0.0.2:PORT",
        "0.0.0.0:PORT",
        "127.1:PORT",
        "2130706433:PORT",
        "xsidekey:PORT",
        "sidekey.evil.example:PORT",
        "localhost:1",
        "[::ffff:127.0.0.1]:PORT",
    ],
)
def test_other_names(served, host: str) -> None:
    world, sidekey = served
    before = len(world.api.requests)
    with Agent(sidekey.port, host=host.replace("PORT", str(sidekey.port))) as agent:
        answer = agent.chat()
    assert (answer.status, answer.code) == (403, "host_not_allowed")
    assert "evil" not in answer.json()["error"]["message"]
    assert len(world.api.requests) == before


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ([("Origin", "https://evil.example")], False),
        ([("Origin", "null")], False),
        ([("Origin", "http://127.0.0.1:7717")], False),
        ([("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors")], False),
        ([("Sec-Fetch-Site", "same-site"), ("Sec-Fetch-Mode", "cors")], False),
        ([("Sec-Fetch-Site", "same-origin"), ("Origin", "https://evil.example")], False),
        ([("Sec-Fetch-Mode", "cors")], True),  # what node's fetch sends
        ([("Sec-Fetch-Site", "none"), ("Sec-Fetch-Mode", "navigate")], True),
    ],
)
def test_browsers(served, headers: list, allowed: bool) -> None:
    world, sidekey = served
    before = len(world.api.requests)
    with Agent(sidekey.port) as agent:
        answer = agent.chat(headers=headers)
    if allowed:
        assert answer.status == 200
        return
    assert (answer.status, answer.code) == (403, "browser_refused")
    assert not any(name.startswith("access-control-") for name in answer.names())
    assert len(world.api.requests) == before


def test_preflight_is_not_granted(served) -> None:
    _, sidekey = served
    preflight = [
        ("Origin", "https://evil.example"),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "content-type"),
        ("Access-Control-Request-Private-Network", "true"),
    ]
    with Agent(sidekey.port) as agent:
        answer = agent.call("OPTIONS", "/v1/chat/completions", headers=preflight)
    assert 400 <= answer.status < 500
    assert not any(name.startswith("access-control-") for name in answer.names())


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_admin_port_has_the_same_rule(served, path: str) -> None:
    _, sidekey = served
    with Agent(sidekey.admin_port, host="evil.example") as agent:
        answer = agent.call("GET", path)
    assert (answer.status, answer.code) == (403, "host_not_allowed")


def test_a_second_question_behind_the_first_is_not_heard(served) -> None:
    _, sidekey = served
    with Agent(sidekey.admin_port) as agent:
        question = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % sidekey.admin_port
        agent.send(question * 2)
        answer = agent.read()
        assert (answer.status, answer.header("connection")) == (200, "close")
        assert agent.at_end()


# A kubelet calls the admin port by the pod's address, which nobody knows beforehand: there any
# address will do, but no name, for a name is what a page can rebind.
@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("10.1.2.3:PORT", True),
        ("10.1.2.3", True),
        ("[fd00::1]:PORT", True),
        ("[::ffff:10.1.2.3]:PORT", True),
        ("localhost:PORT", True),
        ("evil.example:PORT", False),
        ("10.1.2.3.evil.example:PORT", False),
        ("10.1.2:PORT", False),
        ("0x0a010203:PORT", False),
        ("010.1.2.3:PORT", False),
        ("167838211:PORT", False),
        ("[fd00::1.evil]:PORT", False),
        ("[fd00::%25eth0]:PORT", False),
        ("1" * 200, False),
    ],
)
def test_any_address_and_no_name(everywhere: Sidekey, host: str, allowed: bool) -> None:
    port = everywhere.admin_port
    with Agent(port, host=host.replace("PORT", str(port))) as agent:
        answer = agent.call("GET", "/healthz")
    if allowed:
        assert answer.status == 200
    else:
        assert answer.code in ("host_not_allowed", "malformed_request")
        assert answer.status == (403 if answer.code == "host_not_allowed" else 400)
