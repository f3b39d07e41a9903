# SPDX-License-Identifier: Apache-2.0
"""Goal: no secret can be read anywhere but where it is used: not by the agent, not in the log,
not at the admin port, not in /proc, and not even by root in the memory of any process at rest."""

import os
import re
import time
from pathlib import Path

import pytest
from fakes import processes
from fakes.agent import CHAT, HELLO, STREAM, Agent
from fakes.apibase import Act, refusal
from fakes.cloud import Cloud
from fakes.iam import Role, role_arn
from fakes.sidekey import ROLES, SANITIZED, Sidekey
from fakes.sts import Sts
from fakes.wire import wait_for
from fakes.world import World

REST_SECONDS = 1.0


def work(world: World, sidekey: Sidekey) -> bytes:
    """Calls of every kind, good and bad; all bytes that the agent got."""
    received = bytearray()
    acts = [
        Act(),
        Act(302, (("Location", "https://x.cloudflareaccess.com/login"),)),
        Act(200, (("Content-Type", "text/html"),), b"<html>login</html>"),
        Act(close_unanswered=True),
        Act(raw=b"SSH-2.0-OpenSSH_9.2\r\n"),
        refusal(429, "slow down"),
        refusal(500, "oops"),
        Act(close_after=True),
    ]
    for act in acts:
        world.api.script(act)
        with Agent(sidekey.port, received=received) as agent:
            agent.chat()
    calls = [
        ("POST", CHAT, STREAM),
        ("GET", "/v1/models", None),
        ("POST", "/v1/images/generations", HELLO),
        ("POST", CHAT, {**HELLO, "api_key": "x"}),
        ("GET", "/health/liveliness", None),
        ("GET", "/readyz", None),
        ("GET", CHAT, None),
    ]
    for method, path, body in calls:
        with Agent(sidekey.port, received=received) as agent:
            agent.call(method, path, body)
    with Agent(sidekey.port, received=received) as agent:
        agent.send(b"nonsense\r\n\r\n")
        agent.read()
    return bytes(received)


def test_agent_log_and_admin_port(world: World, sidekey: Sidekey) -> None:
    received = work(world, sidekey)
    assert b"You said: hello" in received  # the search has something to search
    assert world.found_in(received) == []
    assert world.found_in(sidekey.output) == []
    for path in ("/readyz", "/healthz", "/metrics", "/status", "/"):
        assert world.found_in(sidekey.admin(path)[1]) == []


def test_error_paths_of_the_store_keep_it_too(world: World, start) -> None:
    """A secret that cannot be used must not be shown by the complaint about it."""
    world.store.put(world.key_arn, world.key + "\r\nX-Injected: yes")
    sidekey = start(world.config(), world.env(), wait=False)
    sidekey.wait_listening()
    with Agent(sidekey.port) as agent:
        assert agent.chat().status == 503
        assert world.found_in(bytes(agent.received)) == []
    sidekey.wait_status(503)
    assert world.found_in(sidekey.output) == []
    assert not world.api.requests


@pytest.mark.usefixtures("root")
def test_environment_and_arguments(world: World, sidekey: Sidekey) -> None:
    work(world, sidekey)
    pids = sidekey.pids()
    assert set(pids) == {"parent", *ROLES}
    for name, pid in pids.items():
        for file in ("environ", "cmdline", "comm", "status"):
            data = Path(f"/proc/{pid}/{file}").read_bytes()
            assert world.found_in(data) == [], f"{file} of {name}"


@pytest.mark.usefixtures("root")
def test_environment_of_the_roles_is_empty(sidekey: Sidekey) -> None:
    pids = sidekey.pids()
    for name in ROLES:
        environ = Path(f"/proc/{pids[name]}/environ").read_bytes()
        assert SANITIZED or environ.strip(b"\0") == b"", name


@pytest.mark.usefixtures("root")
def test_no_core_and_no_debugger(sidekey: Sidekey) -> None:
    for name, pid in sidekey.pids().items():
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE), name
        status = Path(f"/proc/{pid}/status").read_text()
        assert re.search(r"^NoNewPrivs:\s1$", status, re.MULTILINE), name
        assert re.search(r"^Seccomp:\s2$", status, re.MULTILINE), name
        assert re.search(r"^CapEff:\s0+$", status, re.MULTILINE), name


def search(world: World, sidekey: Sidekey) -> dict[str, list[str]]:
    found = {n: processes.search_memory(p, world.traces()) for n, p in sidekey.pids().items()}
    return {name: hits for name, hits in found.items() if hits}


@pytest.fixture
def searchable(root) -> None:
    if not processes.has_secret_pages():
        pytest.skip("this kernel has no memfd_secret: root reads locked pages too")


@pytest.mark.once
@pytest.mark.usefixtures("searchable")
def test_memory_at_rest(world: World, sidekey: Sidekey) -> None:
    work(world, sidekey)
    time.sleep(REST_SECONDS)
    assert search(world, sidekey) == {}
    with Agent(sidekey.port) as agent:
        assert agent.chat().status == 200, "and it still works"


@pytest.mark.once
@pytest.mark.usefixtures("searchable")
def test_memory_before_the_first_call(world: World, sidekey: Sidekey) -> None:
    time.sleep(REST_SECONDS)
    assert search(world, sidekey) == {}


@pytest.mark.once
@pytest.mark.usefixtures("searchable")
def test_memory_after_rotation(world: World, start) -> None:
    """An old value is wiped as well as a new one is kept."""
    sidekey = start(world.config(secrets={"ttl": "1s"}), world.env())
    work(world, sidekey)
    old = world.key
    world.key = world.api.key = "sk-" + "7" * 40
    world.store.put(world.key_arn, world.key)
    fetched = world.store.fetches(world.key_arn)
    deadline = time.monotonic() + 15
    while world.store.fetches(world.key_arn) == fetched and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(REST_SECONDS)
    with Agent(sidekey.port) as agent:
        assert agent.chat().status == 200
    time.sleep(REST_SECONDS)
    traces = {"old key": old.encode(), "new key": world.key.encode()}
    for name, pid in sidekey.pids().items():
        assert processes.search_memory(pid, traces) == [], name


@pytest.mark.once
@pytest.mark.usefixtures("searchable")
def test_memory_with_an_identity_of_files(world: World, start, tmp_path: Path) -> None:
    """Keys of a profile, which the parent's own reading passes, and of the role made with them."""
    folder = tmp_path / "home" / ".aws"
    folder.mkdir(parents=True)
    keys = world.principal
    (folder / "credentials").write_text(
        f"[base]\naws_access_key_id = {keys.access_key}\n"
        f"aws_secret_access_key = {keys.secret_key}\n"
    )
    with Sts(principals=world.store.principals) as sts:
        role = sts.add(Role(role_arn("reader"), external_id="external-" + "e" * 20))
        (folder / "config").write_text(
            f"[profile reader]\nrole_arn = {role.arn}\nsource_profile = base\n"
            f"external_id = {role.external_id}\nregion = us-east-1\n"
        )
        env = {
            "HOME": str(folder.parent),
            "AWS_PROFILE": "reader",
            "AWS_ENDPOINT_URL_STS": sts.url,
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": world.store.url,
        }
        sidekey = start(world.config(), env)
        work(world, sidekey)
        time.sleep(REST_SECONDS)
        session = sts.issuer.issued[-1]
    traces = {"session key": session.secret_key.encode(), "token": str(session.token).encode()}
    assert search(world, sidekey) == {}
    for name, pid in sidekey.pids().items():
        assert processes.search_memory(pid, traces) == [], name
    assert not any(trace in sidekey.output for trace in traces.values())
    assert world.found_in(sidekey.output) == []


def signed_in(cloud: Cloud) -> dict[str, str]:
    cloud.sso.sign_in(cloud.home)
    cloud.write_shared(cloud.sso.profile("dev"))
    return {"AWS_PROFILE": "dev"}


@pytest.mark.once
@pytest.mark.usefixtures("searchable")
@pytest.mark.parametrize(
    "way",
    [Cloud.web, Cloud.task, Cloud.pod, signed_in, lambda _: {}],
    ids=["web identity", "container", "pod", "sign-in", "instance"],
)
def test_memory_with_an_identity_that_is_given(cloud: Cloud, begin, way) -> None:
    """Keys, session tokens and what they are given for, renewed while calls are made: egress and
    ingress never see them, and the rest have none of them at rest."""
    for giver in (cloud.container, cloud.imds, cloud.sso):
        giver.issuer.life = 4
    sidekey = begin(way(cloud))
    issued = [g.issuer.issued for g in (cloud.sts, cloud.container, cloud.imds, cloud.sso)]
    renewed = 1 if way is Cloud.web else 2
    wait_for(lambda: sum(len(i) for i in issued) >= renewed, 10, "keys")
    work(cloud.world, sidekey)
    pids = sidekey.pids()
    for name in ("egress", "ingress", "resolver"):
        assert processes.search_memory(pids[name], cloud.given()) == [], name
    time.sleep(REST_SECONDS)
    traces = {**cloud.world.traces(), **cloud.given()}
    for name, pid in pids.items():
        assert processes.search_memory(pid, traces) == [], name


@pytest.mark.usefixtures("root")
def test_the_search_itself_finds() -> None:
    """The searches above prove nothing unless they find what is there."""

    needle = os.urandom(32)
    assert processes.search_memory(os.getpid(), {"needle": needle})


def test_what_the_agent_s_side_could_reach(world: World, sidekey: Sidekey, tmp_path: Path) -> None:
    """Nothing is left on disk: the configuration holds references alone."""
    for file in sidekey.folder.rglob("*"):
        if file.is_file():
            assert world.found_in(file.read_bytes()) == [], file
