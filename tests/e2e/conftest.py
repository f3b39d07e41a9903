# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests share: a world of stand-ins, and sidekey running in it."""

import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import openai
import pytest
from fakes.agent import Agent
from fakes.clock import Clock
from fakes.cloud import Cloud
from fakes.sidekey import ROOT, Sidekey
from fakes.world import World

Start = Callable[..., Sidekey]
Begin = Callable[..., Sidekey]
QUICK = {"failureTtl": "1s", "ttl": "1s"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """The store and an upstream that demands a client certificate, key and Access pair."""
    with World(tmp_path) as made:
        yield made


@pytest.fixture
def plain_world(tmp_path: Path) -> Iterator[World]:
    """The same, with the upstream on plain http."""
    with World(tmp_path, mtls=False) as made:
        yield made


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts sidekey as often as the test asks, each in a folder of its own; ends all of them."""
    with ExitStack() as stack:
        count = 0

        def run(config, env=None, **options) -> Sidekey:
            nonlocal count
            count += 1
            folder = tmp_path / f"run{count}"
            folder.mkdir()
            return stack.enter_context(Sidekey(config, folder, env, **options))

        yield run


@pytest.fixture
def sidekey(world: World, start: Start) -> Sidekey:
    return start(world.config(), world.env())


@pytest.fixture
def clock(plain_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clocks of the test build, which is what the test then starts."""
    hooked = os.environ.get("SIDEKEY_TEST") or ROOT / "build" / "sidekey-test"
    monkeypatch.setenv("SIDEKEY", str(hooked))
    return Clock(tmp_path, plain_world.store)


@pytest.fixture
def plain_sidekey(plain_world: World, start: Start) -> Sidekey:
    return start(plain_world.config(), plain_world.env())


@pytest.fixture
def cloud(plain_world: World) -> Iterator[Cloud]:
    """Every service of AWS that gives out keys or secrets, around the plain world."""
    with Cloud(plain_world) as made:
        yield made


@pytest.fixture
def begin(cloud: Cloud, start: Start) -> Iterator[Begin]:
    """Starts sidekey in the cloud, with secrets that are asked for each second; no secret may
    be in what it has said by the end."""
    begun: list[Sidekey] = []

    def run(env=None, aws=None, target=None, wait=True, **options) -> Sidekey:
        config = cloud.world.config(target, aws=aws or {}, secrets=QUICK)
        all_env = {**cloud.endpoints(), **(env or {})}
        sidekey = start(config, all_env, wait=wait, **options)
        begun.append(sidekey)
        if not wait:
            sidekey.wait_listening()
        return sidekey

    yield run
    for sidekey in begun:
        assert cloud.found_in(sidekey.output) == []


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that other users may walk, with a path that a socket's, of 107 bytes, can begin with."""
    with tempfile.TemporaryDirectory(prefix="sk") as made:
        os.chmod(made, 0o755)
        yield Path(made)


@pytest.fixture
def socket_path(folder: Path) -> Path:
    return folder / "admin.sock"


@pytest.fixture
def agent(sidekey: Sidekey) -> Iterator[Agent]:
    with Agent(sidekey.port) as made:
        yield made


@pytest.fixture
def plain_agent(plain_sidekey: Sidekey) -> Iterator[Agent]:
    with Agent(plain_sidekey.port) as made:
        yield made


@pytest.fixture
def client(sidekey: Sidekey) -> Iterator[openai.OpenAI]:
    """The SDK as an agent has it: an address, and a key that is worth nothing."""
    with openai.OpenAI(base_url=sidekey.base, api_key="none") as made:
        yield made


@pytest.fixture
def ipv6() -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError as error:
        pytest.skip(f"this machine has no IPv6 on loopback: {error}")


@pytest.fixture
def root() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
