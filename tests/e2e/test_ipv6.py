# SPDX-License-Identifier: Apache-2.0
"""Goal: all that works over IPv4 works over IPv6: agents, the admin port, upstreams and the store."""

import subprocess
from collections.abc import Iterator

import pytest
from fakes.agent import Agent
from fakes.apibase import ApiBase
from fakes.pki import server_context
from fakes.secretsmanager import SecretsManager
from fakes.sidekey import Sidekey, environment, program
from fakes.wire import free_port, wait_for
from fakes.world import World

pytestmark = pytest.mark.usefixtures("ipv6")
LOOPBACK = "::1"


@pytest.fixture
def far(world: World) -> Iterator[World]:
    """The upstream and the store are on IPv6 alone."""
    context = server_context(world.authority.server(LOOPBACK), world.authority)
    store = SecretsManager(host=LOOPBACK)
    store.principals, store.secrets = world.store.principals, world.store.secrets
    with ApiBase(world.key, world.access, tls=context, host=LOOPBACK) as api, store:
        world.api.stop()
        world.store.stop()
        world.api, world.store = api, store
        yield world


@pytest.fixture
def served(far: World, start) -> tuple[Sidekey, int, int]:
    """It, and its ports on IPv6 for agents and for the admin."""
    ports = [free_port() for _ in range(4)]
    config = far.config(
        listen=[f"127.0.0.1:{ports[0]}", f"[::1]:{ports[1]}"],
        admin=[f"127.0.0.1:{ports[2]}", f"[::1]:{ports[3]}"],
    )
    sidekey = start(config, far.env(), wait=False)
    sidekey.port, sidekey.admin_port = ports[0], ports[2]
    sidekey.wait_ready()
    return sidekey, ports[1], ports[3]


def test_an_agent(far: World, served) -> None:
    _, port, _ = served
    for host in (f"[::1]:{port}", f"localhost:{port}"):
        with Agent(port, address=LOOPBACK, host=host) as agent:
            assert agent.chat().status == 200
    assert far.api.last().header("host") == f"[::1]:{far.api.port}"
    assert sorted(far.api.last().all("authorization")) == [f"Bearer {far.key}"]


@pytest.mark.parametrize("host", ["[::2]:PORT", "[::1]:1", "[::ffff:127.0.0.1]:PORT", "[::1"])
def test_another_host(far: World, served, host: str) -> None:
    _, port, _ = served
    with Agent(port, address=LOOPBACK, host=host.replace("PORT", str(port))) as agent:
        assert agent.chat().status in (400, 403)
    assert not far.api.requests


def test_the_admin_port(served) -> None:
    _, _, port = served
    with Agent(port, address=LOOPBACK, host=f"[::1]:{port}") as agent:
        answer = agent.call("GET", "/healthz")
        assert answer.status == 200


def test_verbs_find_it_there(far: World, start) -> None:
    ports = free_port(), free_port()
    config = far.config(listen=[f"[::1]:{ports[0]}"], admin=[f"[::1]:{ports[1]}"])
    sidekey = start(config, far.env(), wait=False)
    command = [str(program()), "health", "-c", str(sidekey.folder / "sidekey.yaml")]

    def health() -> int:
        return subprocess.run(command, env=environment({}), timeout=30, check=False).returncode

    wait_for(lambda: health() == 0, 10, "it is healthy")
