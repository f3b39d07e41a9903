# SPDX-License-Identifier: Apache-2.0
"""Goal: an upstream may move, and a name server may die, without an agent's noticing.

A mount namespace gives sidekey a resolv.conf that points at a name server of ours.
"""

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml
from fakes.agent import CHAT, HELLO, Agent, Closed
from fakes.apibase import Act, ApiBase
from fakes.dns import NameServer
from fakes.iam import Role, role_arn
from fakes.pki import server_context
from fakes.secretsmanager import SecretsManager
from fakes.sidekey import Sidekey, run
from fakes.sts import Sts
from fakes.wire import wait_for
from fakes.world import World

UPSTREAM, STORE, SIGN_IN = "upstream.test", "store.test", "sts.test"
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
MOVED_SECONDS = 2.0


@pytest.fixture
def names(root) -> Iterator[NameServer]:
    if subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("needs the right to make a mount namespace")
    try:
        server = NameServer({UPSTREAM: "127.0.0.2", STORE: "127.0.0.1"})
    except OSError as error:
        pytest.skip(f"port 53 of a loopback address cannot be had: {error}")
    with server:
        yield server


@pytest.fixture
def wrap(names: NameServer, world: World, tmp_path: Path) -> list[str]:
    """The command that starts a program where our name server and CA are the system's."""
    config = tmp_path / "resolv.conf"
    config.write_text(f"nameserver {names.host}\noptions timeout:1 attempts:1\n")
    mounts = [f"mount --bind {config} /etc/resolv.conf"]
    if Path(BUNDLE).exists():
        mounts.append(f"mount --bind {world.ca} {BUNDLE}")
    return ["unshare", "-m", "sh", "-c", " && ".join([*mounts, 'exec "$@"']), "sh"]


def upstream(world: World, host: str, port: int = 0) -> ApiBase:
    context = server_context(world.authority.server(UPSTREAM), world.authority)
    return ApiBase(world.key, world.access, tls=context, host=host, port=port)


def at_name(world: World, port: int, **sections) -> dict:
    return world.config(world.target(apiBase=f"https://{UPSTREAM}:{port}/v1"), **sections)


class Caller:
    """Calls again and again, and notes when a call failed."""

    def __init__(self, port: int) -> None:
        self.port, self.ended = port, False
        self.good: list[float] = []
        self.failed: list[tuple[float, object]] = []

    def run(self) -> None:
        while not self.ended:
            began = time.monotonic()
            try:
                with Agent(self.port, timeout=5) as agent:
                    answer = agent.chat()
                    why = None if answer.status == 200 else (answer.code or answer.status)
            except (OSError, Closed) as error:
                why = error
            if why is None:
                self.good.append(began)
            else:
                self.failed.append((began, why))
            time.sleep(0.005)


@contextmanager
def load(sidekey: Sidekey, count: int = 4) -> Iterator[list[Caller]]:
    callers = [Caller(sidekey.port) for _ in range(count)]
    threads = [threading.Thread(target=c.run) for c in callers]
    for thread in threads:
        thread.start()
    try:
        yield callers
    finally:
        for caller in callers:
            caller.ended = True
        for thread in threads:
            thread.join(10)


def test_upstream_moves_under_load(names: NameServer, world: World, start, wrap) -> None:
    with upstream(world, "127.0.0.2") as old, upstream(world, "127.0.0.3", old.port) as new:
        sidekey = start(at_name(world, old.port), world.env(), wrap=wrap)
        with load(sidekey) as callers:
            time.sleep(1)
            names.names[UPSTREAM] = "127.0.0.3"
            old.stop()
            moved = time.monotonic()
            time.sleep(MOVED_SECONDS + 2)
        late = [f for c in callers for f in c.failed if f[0] > moved + MOVED_SECONDS]
        early = [f for c in callers for f in c.failed if f[0] < moved - 0.5]
        assert not early and not late, (early, late)
        assert any(at > moved + MOVED_SECONDS for c in callers for at in c.good)
        assert new.requests


@pytest.mark.usefixtures("ipv6")
@pytest.mark.parametrize("addresses", ["::1", "127.0.0.9 ::1", "::1 127.0.0.9"])
def test_a_name_with_an_address_of_ipv6(names, world: World, start, wrap, addresses: str) -> None:
    """Alone, or beside one where nobody listens."""
    names.names[UPSTREAM] = addresses
    with upstream(world, "::1") as api:
        sidekey = start(at_name(world, api.port), world.env(), wrap=wrap)
        with Agent(sidekey.port) as agent:
            assert agent.chat().status == 200
        assert api.requests


def test_name_server_falls_silent(names: NameServer, world: World, start, wrap) -> None:
    """Calls on pooled connections, refreshes of secrets by name and the shutdown go on."""
    if not Path(BUNDLE).exists():
        pytest.skip("needs the system's bundle, to put a CA for the store into it")
    context = server_context(world.authority.server(STORE))
    with upstream(world, "127.0.0.2") as api, SecretsManager(tls=context) as store:
        store.principals, store.secrets = world.store.principals, world.store.secrets
        env = world.env(AWS_ENDPOINT_URL_SECRETS_MANAGER=f"https://{STORE}:{store.port}")
        config = at_name(world, api.port, secrets={"ttl": "1s", "failureTtl": "1s"})
        sidekey = start(config, env, wrap=wrap)
        with Agent(sidekey.port) as agent:
            assert agent.chat().status == 200
        names.silent = True
        time.sleep(0.5)
        fetched, worst = store.fetches(), 0.0
        for _ in range(20):
            began = time.monotonic()
            with Agent(sidekey.port) as agent:
                assert agent.chat().status == 200
            worst = max(worst, time.monotonic() - began)
            time.sleep(0.1)
        assert worst < 1, "a call waited for the name server"
        wait_for(lambda: store.fetches() > fetched, 5, "refreshes go on")
        assert sidekey.readiness() == 200
        api.always = Act(close_after=True)
        before = api.connections
        with Agent(sidekey.port) as agent:
            for _ in range(3):  # new connections go to the last good address
                assert agent.chat().status == 200
        assert api.connections > before
        began = time.monotonic()
        assert sidekey.stop() == 0
        assert time.monotonic() - began < 3


def test_a_silent_name_server_is_no_dead_resolver(names, world: World, start, wrap) -> None:
    """A restart would not mend it. The look-up is given up after as long as a process may be silent."""
    names.silent = True
    sidekey = start(at_name(world, 443), world.env(), wrap=wrap, wait=False)
    wait_for(lambda: sidekey.records(msg="a name does not resolve", name=UPSTREAM), 30)
    wait_for(lambda: sidekey.admin("/healthz")[0] == 200, 10, "all processes speak")


def test_name_that_does_not_exist_yet(names: NameServer, world: World, start, wrap) -> None:
    """An upstream without an address is unreachable, and well as soon as it has one."""
    del names.names[UPSTREAM]
    with upstream(world, "127.0.0.2") as api:
        config = world.config(
            world.target(apiBase=f"https://{UPSTREAM}:{api.port}/v1", timeouts={"connect": "1s"})
        )
        sidekey = start(config, world.env(), wrap=wrap, wait=False)
        sidekey.wait_listening()

        def code() -> str | None:
            with Agent(sidekey.port) as agent:
                return agent.chat().code

        wait_for(lambda: code() == "upstream_unreachable", 10)
        names.names[UPSTREAM] = "127.0.0.2"
        wait_for(lambda: code() is None, 10, "calls succeed")


def test_a_first_call_that_is_given_up(names: NameServer, plain_world: World, start, wrap) -> None:
    """It took the upstream's addresses along: libcurl looked the name up itself for the next call,
    which its box forbids, and that ended sidekey."""
    with ApiBase(plain_world.key, plain_world.access, host="127.0.0.2") as api:
        target = plain_world.target(apiBase=f"http://{UPSTREAM}:{api.port}/v1")
        sidekey = start(plain_world.config(target), plain_world.env(), wrap=wrap)
        egress = sidekey.pids()["egress"]
        os.kill(egress, signal.SIGSTOP)
        with ExitStack() as ends:
            ends.callback(os.kill, egress, signal.SIGCONT)
            with Agent(sidekey.port) as agent:
                agent.begin("POST", CHAT, HELLO)
            wait_for(lambda: sidekey.records(msg="call", code="client_gone"), 10, "it has left")
        for _ in range(3):
            with Agent(sidekey.port) as agent:
                assert agent.chat().status == 200
        assert sidekey.pids()["egress"] == egress


def test_identity_by_name(names: NameServer, world: World, start, wrap) -> None:
    """STS at a name over TLS: what is looked up at the start is no failure, and is not logged."""
    if not Path(BUNDLE).exists():
        pytest.skip("needs the system's bundle, to put a CA for STS into it")
    context = server_context(world.authority.server(STORE))
    with Sts(principals=world.store.principals, tls=context) as sts:
        role = sts.add(Role(role_arn("reader")))
        env = {**world.env(), "AWS_REGION": "us-east-1"}
        env["AWS_ENDPOINT_URL_STS"] = f"https://{STORE}:{sts.port}"
        config = world.config(aws={"assumeRole": {"roleArn": role.arn}})
        sidekey = start(config, env, wrap=wrap)
        with Agent(sidekey.port) as agent:
            assert agent.chat().status == 200
        assert [f["Action"] for f in sts.forms] == ["AssumeRole"]
        assert not sidekey.records(error_type="NameNotResolved")


def test_identity_by_the_later_of_two_names(names, world: World, start, wrap) -> None:
    """The store's address comes first: that STS's is still awaited is no failure either."""
    if not Path(BUNDLE).exists():
        pytest.skip("needs the system's bundle, to put a CA for both into it")
    names.names[SIGN_IN] = "127.0.0.1"
    names.late.add(SIGN_IN)
    context = server_context(world.authority.server(STORE, SIGN_IN))
    with Sts(principals=world.store.principals, tls=context) as sts, SecretsManager(
        tls=context
    ) as store:
        store.principals, store.secrets = world.store.principals, world.store.secrets
        role = sts.add(Role(role_arn("reader")))
        env = world.env(
            AWS_REGION="us-east-1",
            AWS_ENDPOINT_URL_STS=f"https://{SIGN_IN}:{sts.port}",
            AWS_ENDPOINT_URL_SECRETS_MANAGER=f"https://{STORE}:{store.port}",
        )
        config = world.config(aws={"assumeRole": {"roleArn": role.arn}})
        sidekey = start(config, env, wrap=wrap, wait=False)
        wait_for(lambda: {STORE, SIGN_IN} <= names.questions, 10, "both are looked up")
        time.sleep(0.3)  # the store's is answered
        names.late.clear()
        sidekey.wait_ready()
        assert not sidekey.records(error_type="NameNotResolved")


def test_an_address_that_refuses(names: NameServer, world: World, start, wrap) -> None:
    """Of two addresses one refuses connections: calls reach the other, each connection anew."""
    names.names[UPSTREAM] = "127.0.0.9 127.0.0.2"
    with upstream(world, "127.0.0.2") as api:
        sidekey = start(at_name(world, api.port), world.env(), wrap=wrap)
        api.always = Act(close_after=True)
        with Agent(sidekey.port) as agent:
            for _ in range(5):
                assert agent.chat().status == 200
        assert len(api.requests) == 5


@contextmanager
def black_hole(host: str, port: int) -> Iterator[None]:
    """Its queue is full, so that the kernel drops whoever knocks."""
    with ExitStack() as ends:
        server = ends.enter_context(socket.socket())
        server.bind((host, port))
        server.listen(0)
        for _ in range(4):
            knock = ends.enter_context(socket.socket())
            knock.setblocking(False)
            knock.connect_ex((host, port))
        yield


def test_an_address_that_is_dead(names: NameServer, world: World, start, wrap) -> None:
    """Of two addresses the first says nothing: one call waits for it, and the next ones do not."""
    names.names[UPSTREAM] = "127.0.0.2 127.0.0.9"  # as getaddrinfo sorts them
    with upstream(world, "127.0.0.9") as api, black_hole("127.0.0.2", api.port):
        target = world.target(
            apiBase=f"https://{UPSTREAM}:{api.port}/v1", timeouts={"connect": "8s"}
        )
        sidekey = start(world.config(target), world.env(), wrap=wrap)
        api.always = Act(close_after=True)
        took = []
        with Agent(sidekey.port) as agent:
            for _ in range(3):
                began = time.monotonic()
                assert agent.chat().status == 200
                took.append(time.monotonic() - began)
        assert took[0] > 2, "the dead address was not tried first"
        assert max(took[1:]) < 2, took
        assert api.connections == 3


def test_an_answer_that_was_cut(names: NameServer, world: World, start, wrap) -> None:
    """What does not fit a datagram is asked again over TCP."""
    names.cut = True
    with upstream(world, "127.0.0.2") as api:
        sidekey = start(at_name(world, api.port), world.env(), wrap=wrap)
        with Agent(sidekey.port) as agent:
            assert agent.chat().status == 200
    assert names.streamed > 0


def test_check_asks_sts_once_its_name_is_known(names, world: World, wrap) -> None:
    """What is left of the time for the name is not the time for the answer."""
    if not Path(BUNDLE).exists():
        pytest.skip("needs the system's bundle, to put a CA for STS into it")
    names.names[SIGN_IN] = "127.0.0.1"
    names.late.add(SIGN_IN)
    context = server_context(world.authority.server(SIGN_IN))
    path = world.folder / "sidekey.yaml"
    path.write_text(yaml.safe_dump(world.config()))
    path.chmod(0o600)
    with Sts(principals=world.store.principals, tls=context) as sts:
        sts.delay = 3.0
        env = world.env(AWS_ENDPOINT_URL_STS=f"https://{SIGN_IN}:{sts.port}")
        answer = threading.Timer(3.0, names.late.clear)
        answer.start()
        result = run("check", "--resolve", "--json", "-c", str(path), env=env, wrap=wrap)
        answer.cancel()
    report = result.stdout[result.stdout.index("{") :]  # behind what the log says of the name
    checks = {c["kind"]: c for c in json.loads(report)["checks"]}
    assert checks["identity"]["principal"], result.stdout
