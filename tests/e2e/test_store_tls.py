# SPDX-License-Identifier: Apache-2.0
"""Goal: a store, or STS, that cannot show the certificate of its name is told nothing: no request
that is signed, and no token. When it can, all is well without a restart."""

import os
import signal
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes.agent import Agent
from fakes.cloud import Cloud
from fakes.pki import Authority, server_context
from fakes.raw import Raw, asks_again_and_again
from fakes.sidekey import Sidekey
from fakes.talkative import Talkative
from fakes.wire import wait_for
from fakes.world import World

QUICK = {"secrets": {"failureTtl": "1s", "ttl": "1s"}}
PARAMETER = "arn:aws:ssm:us-east-1:123456789012:parameter/k"
BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
HEAL_SECONDS = 25


@pytest.fixture
def wrap(root, plain_world: World) -> list[str]:
    """The command that starts a program where the system trusts the test's authority alone."""
    if not BUNDLE.exists() or subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("needs the system's bundle and a mount namespace to put a CA into it")
    mount = f'mount --bind {plain_world.ca} {BUNDLE} && exec "$@"'
    return ["unshare", "-m", "sh", "-c", mount, "sh"]


def good(world: World) -> ssl.SSLContext:
    return server_context(world.authority.server())


def other_name(world: World) -> ssl.SSLContext:
    return server_context(world.authority.server("store.example"))


def expired(world: World) -> ssl.SSLContext:
    return server_context(world.authority.server(expired=True))


def other_authority(_: World) -> ssl.SSLContext:
    return server_context(Authority("another CA").server())


def old_protocol(world: World) -> ssl.SSLContext:
    context = good(world)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


WRONG = [other_name, expired, other_authority, old_protocol]


def over_tls(server, context: ssl.SSLContext) -> None:
    server.stop()
    server.tls = context
    server.start()


def asked(sidekey: Sidekey) -> tuple[int, str | None]:
    with Agent(sidekey.port, timeout=20) as agent:
        answer = agent.chat()
    return answer.status, answer.code


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
@pytest.mark.parametrize("wrong", WRONG, ids=lambda w: w.__name__)
def test_store(plain_world: World, start, wrap, wrong: Callable) -> None:
    world = plain_world
    over_tls(world.store, wrong(world))
    sidekey = start(world.config(**QUICK), world.env(), wrap=wrap, wait=False)
    sidekey.wait_listening()
    wait_for(lambda: world.store.connections > 0, 10, "the store is tried")
    assert asked(sidekey) == (503, "credential_unavailable")
    assert (world.store.application_bytes, world.store.requests) == (0, [])
    assert not world.api.requests
    wait_for(lambda: '"Untrusted"' in sidekey.text(), 10, sidekey.text())
    over_tls(world.store, good(world))
    sidekey.wait_ready(HEAL_SECONDS)
    assert asked(sidekey) == (200, None)


@pytest.mark.parametrize("wrong", [other_name, other_authority], ids=lambda w: w.__name__)
def test_sts(cloud: Cloud, begin, wrap, wrong: Callable) -> None:
    """What goes there is a token that makes whoever has it the pod's role."""
    over_tls(cloud.sts, wrong(cloud.world))
    sidekey = begin(cloud.web(), wrap=wrap, wait=False)
    wait_for(lambda: cloud.sts.connections > 0, 10, "STS is tried")
    assert asked(sidekey)[0] == 503
    assert (cloud.sts.application_bytes, cloud.sts.requests) == (0, [])
    over_tls(cloud.sts, good(cloud.world))
    sidekey.wait_ready(HEAL_SECONDS)
    assert asked(sidekey) == (200, None)


# So many that they are made up within the 2 s of a first question, and not read at once.
MESSAGES = {"session tickets": 50_000, "hello requests": 120_000}


@pytest.mark.parametrize("messages", MESSAGES)
def test_other_stores_are_asked_while_one_goes_on_with_the_handshake(
    plain_world: World, start, wrap, tmp_path: Path, messages: str
) -> None:
    world = plain_world
    pair = world.authority.server().write(tmp_path, "server")
    with Talkative(*pair, messages, MESSAGES[messages]) as server:
        config = world.config(secrets={"ttl": "1h"})
        config["targets"]["long"] = {**world.target(), "apiKey": PARAMETER, "required": False}
        env = world.env(AWS_ENDPOINT_URL_SSM=f"https://127.0.0.1:{server.port}")
        sidekey = start(config, env, wrap=wrap, wait=False)
        assert server.speaks.wait(60)
        time.sleep(0.1)  # it is being listened to
        seen = len(world.store.requests)
        os.kill(sidekey.pid, signal.SIGUSR1)  # read all again, now
        wait_for(lambda: len(world.store.requests) > seen, 10, "the other store is asked")
        assert not server.ended.is_set(), "and not after that one"


def test_a_store_that_begins_the_handshake_again_and_again(
    plain_world: World, start, wrap
) -> None:
    world, server = plain_world, Raw(asks_again_and_again)
    config = world.config(world.target(required=True), models=[{"match": "*", "target": "main"}])
    config["targets"]["long"] = {**world.target(), "apiKey": PARAMETER, "required": False}
    env = world.env(AWS_ENDPOINT_URL_SSM=f"https://127.0.0.1:{server.port}")
    sidekey = start(config, env, wrap=wrap, wait=False)
    sidekey.wait_ready()
    wait_for(lambda: '"Untrusted"' in sidekey.text(), 10, sidekey.text())
    assert server.connections > 0 and asked(sidekey) == (200, None)
    server.close()
