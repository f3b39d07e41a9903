# SPDX-License-Identifier: Apache-2.0
"""Goal: a changed configuration takes force without a restart and without losing a call; a bad
one changes nothing; and nothing of the old one is left behind."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import load, processes
from fakes.agent import CHAT, HELLO, STREAM, Agent, Answer
from fakes.apibase import Act, ApiBase
from fakes.pki import Authority, server_context
from fakes.reload import (
    IN_FORCE,
    SECONDS,
    generation,
    hang_up,
    reload,
    rewrite,
    roles_of,
    told,
    wait_alone,
    wait_told,
)
from fakes.secretsmanager import Fault
from fakes.sidekey import ROLES, Sidekey
from fakes.wire import free_port, wait_for
from fakes.world import World

OLD_GENERATIONS = 8  # that may finish at a time
GIVEN_UP = "the reload was given up; the running configuration stays in force"
ENDED = "a generation has ended"


def begin_stream(sidekey: Sidekey, model: str = "gpt-4o") -> tuple[Agent, Answer]:
    agent = Agent(sidekey.port, timeout=SECONDS)
    agent.begin("POST", CHAT, {**STREAM, "model": model})
    answer = agent.read_head()
    assert answer.status == 200
    next(agent.pieces(answer))
    return agent, answer


def finish_stream(agent: Agent, answer: Answer) -> list[str]:
    """The rest of it, to its proper end; all its words."""
    for _ in agent.pieces(answer):
        pass
    agent.close()
    assert answer.complete and answer.body.endswith(b"data: [DONE]\n\n")
    events = [line[6:] for line in answer.body.decode().splitlines() if line.startswith("data: {")]
    deltas = [json.loads(e)["choices"][0]["delta"] for e in events]
    return "".join(d.get("content", "") for d in deltas).split()


@pytest.fixture
def slow(world: World) -> Act:
    """Streams of this test last until it sets gap to 0."""
    act = Act(events=3000, gap=0.05)
    world.api.models["gpt-4o"] = act
    return act


@pytest.fixture
def stalled(world: World, sidekey: Sidekey) -> Sidekey:
    """A reload whose generation is boxed and waits for the store."""
    world.store.fail(Fault("stall"))
    rewrite(sidekey, world.config())
    hang_up(sidekey)
    wait_for(lambda: len(roles_of(sidekey, 2)) == len(ROLES), SECONDS, "the new roles")
    return sidekey


# ---- what a new configuration may bring ----


@pytest.fixture
def second(world: World, tmp_path: Path) -> Iterator[tuple[ApiBase, dict]]:
    """Another upstream: its port, certificate authority, client certificate and key are new."""
    authority, key = Authority("second CA"), "sk-second-0123456789abcdef"
    ca = authority.write(tmp_path / "second" / "ca.crt")
    cert, cert_key = authority.client("second").write(tmp_path / "second" / "pair", "tls")
    arn = world.store.create("second", key)
    with ApiBase(key, tls=server_context(authority.server(), authority)) as api:
        tls = {"ca": str(ca), "clientCert": str(cert), "clientKey": str(cert_key)}
        yield (
            api,
            {"provider": "openaiCompatible", "apiBase": api.base, "apiKey": arn, "tls": tls},
        )


def two_targets(world: World, second: dict) -> dict:
    models = [{"match": "gpt-4o", "target": "main"}, {"match": "other", "target": "second"}]
    return {
        "targets": {"main": world.target(), "second": second},
        "models": models,
        "defaultTarget": "main",
    }


def test_target_port_certificates_and_secret_are_new(world: World, sidekey: Sidekey, second):
    api, target = second
    before = roles_of(sidekey, 1)
    rewrite(sidekey, two_targets(world, target))
    assert reload(sidekey) == 2
    with Agent(sidekey.port) as agent:
        assert agent.chat({**HELLO, "model": "other"}).status == 200
        assert agent.chat({**HELLO, "model": "gpt-4o"}).status == 200
        assert agent.chat({**HELLO, "model": "third"}).code == "model_not_allowed"
    assert (api.last().peer, world.api.last().peer) == ("second", "sidekey")
    after = roles_of(sidekey, 2)
    assert set(after) == set(ROLES)
    for role in ROLES:
        level = [k for k in before[role] if k.startswith(("seccomp", "landlock", "secret"))]
        assert [after[role][k] for k in level] == [before[role][k] for k in level] != [], role
        status = Path(f"/proc/{after[role]['pid']}/status").read_text()
        assert "\nNoNewPrivs:\t1\n" in status and "\nSeccomp:\t2\n" in status, role
    wait_alone(sidekey)
    assert sidekey.pids() == {"parent": sidekey.pid, **{r: after[r]["pid"] for r in ROLES}}


def test_removed_target(world: World, start, second, slow: Act) -> None:
    """New calls to it are refused; the stream in flight ends well."""
    api, target = second
    sidekey = start(two_targets(world, target), world.env())
    api.models["other"] = slow
    stream = begin_stream(sidekey, "other")
    config = two_targets(world, target)
    del config["targets"]["second"], config["models"][1]
    rewrite(sidekey, config)
    reload(sidekey)
    with Agent(sidekey.port) as agent:
        assert agent.chat({**HELLO, "model": "other"}).code == "model_not_allowed"
    assert not told(sidekey, ENDED)
    slow.gap = 0
    assert finish_stream(*stream) == [str(n) for n in range(3000)]
    wait_told(sidekey, ENDED, generation=1)
    wait_alone(sidekey)


def replace_key(world: World, sidekey: Sidekey) -> str:
    """A reload to another secret; the reference to it."""
    world.api.key = "sk-" + "8" * 40
    arn = world.store.create("replacement", world.api.key)
    rewrite(sidekey, world.config(world.target(apiKey=arn)))
    reload(sidekey)
    with Agent(sidekey.port) as agent:
        assert agent.chat().status == 200
    wait_alone(sidekey)
    return arn


def test_removed_secret_is_not_asked_for(world: World, sidekey: Sidekey) -> None:
    fetched = world.store.fetches(world.key_arn)
    arn = replace_key(world, sidekey)
    assert world.store.fetches(arn) == 1
    assert world.store.fetches(world.key_arn) == fetched


@pytest.mark.once
@pytest.mark.usefixtures("root")
def test_removed_secret_is_in_no_memory(world: World, sidekey: Sidekey) -> None:
    replace_key(world, sidekey)
    for name, pid in sidekey.pids().items():
        assert processes.search_memory(pid, {"old key": world.key.encode()}) == [], name


def test_hosts_may_change_and_listeners_may_not(world: World, sidekey: Sidekey) -> None:
    moved = free_port()
    config = {**world.config(), "listen": [f"127.0.0.1:{moved}"], "hosts": ["sidekey"]}
    with Agent(sidekey.port, host="sidekey") as agent:
        assert agent.chat().code == "host_not_allowed"
    rewrite(sidekey, config)
    assert not told(sidekey, "listen or admin has changed")
    reload(sidekey)
    warnings = [r["msg"] for r in sidekey.records(level="warn")]
    assert any("until it is restarted" in w for w in warnings), warnings
    with Agent(sidekey.port, host="sidekey") as agent:
        assert agent.chat().status == 200
    with pytest.raises(ConnectionRefusedError):
        Agent(moved)


def test_unix_socket_stays(world: World, start) -> None:
    with tempfile.TemporaryDirectory(prefix="sk") as folder:
        path = Path(folder) / "agent.sock"
        config = world.config(listen=[f"unix:{path}"])
        sidekey = start(config, world.env())
        rewrite(sidekey, config)
        reload(sidekey)
        with Agent(unix=str(path)) as agent:
            assert agent.chat().status == 200
        assert not sidekey.records(level="warn")
        assert sidekey.stop() == 0
        assert not path.exists()


# ---- where the configuration is ----


def beside(world: World, tmp_path: Path, **changes) -> Sidekey:
    """A sidekey that will find its file by other means than an absolute -c."""
    sidekey = Sidekey(world.config(), tmp_path, world.env())
    for name, value in changes.items():
        setattr(sidekey, name, value)
    return sidekey


def test_relative_path(world: World, tmp_path: Path) -> None:
    with beside(world, tmp_path, arguments=["serve", "-c", "sidekey.yaml"]) as sidekey:
        assert reload(sidekey) == 2


def test_path_from_the_environment(world: World, tmp_path: Path) -> None:
    env = world.env(SIDEKEY_CONFIG=str(tmp_path / "sidekey.yaml"))
    with beside(world, tmp_path, arguments=["serve"], env=env) as sidekey:
        assert reload(sidekey) == 2


def test_user_s_file(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "xdg" / "sidekey"
    folder.mkdir(parents=True)
    env = world.env(XDG_CONFIG_HOME=str(tmp_path / "xdg"))
    with beside(world, folder, arguments=["serve"], env=env) as sidekey:
        assert reload(sidekey) == 2


# ---- what does not take force ----


def spoil(world: World, path: Path) -> None:
    path.write_text(path.read_text().replace("apiKey: arn:", "apiKeyArn: arn:"))


def leave_to_others(world: World, path: Path) -> None:
    path.parent.chmod(0o777)


def remove(world: World, path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    ("change", "why", "line"),
    [(spoil, "apiKeyArn", True), (leave_to_others, "directory", False), (remove, "no such", False)],
)
def test_bad_configuration_changes_nothing(world: World, sidekey: Sidekey, change, why, line):
    before = sidekey.pids()
    change(world, rewrite(sidekey, world.config()))
    hang_up(sidekey)
    wait_told(sidekey, "the new configuration is refused; the running one stays in force")
    faults = told(sidekey, "a fault in the new configuration")
    assert any(why in json.dumps(f) for f in faults), faults
    assert all(f["level"] == "error" and f["file"].startswith("/") for f in faults)
    assert not line or all(f["line"] > 0 and f["column"] > 0 for f in faults)
    assert world.key_arn not in json.dumps(faults)
    assert sidekey.pids() == before and generation(sidekey) == 1
    sidekey.folder.chmod(0o700)
    with Agent(sidekey.port) as agent:
        assert agent.chat().status == 200
    rewrite(sidekey, world.config()).chmod(0o600)
    assert reload(sidekey) == 2


def test_refused_secret_of_a_required_target(world: World, sidekey: Sidekey) -> None:
    """A sidekey that is ready does not give way to one that could not serve."""
    arn = world.store.arn("mistyped")
    rewrite(sidekey, world.config(world.target(apiKey=arn)))
    hang_up(sidekey)
    wait_told(sidekey, GIVEN_UP, generation=2)
    wait_alone(sidekey)
    with Agent(sidekey.port) as agent:
        assert agent.chat().status == 200
    assert generation(sidekey) == 1
    rewrite(sidekey, world.config())
    hang_up(sidekey)
    wait_told(sidekey, IN_FORCE, generation=3)


def test_refused_secret_of_another_target(world: World, sidekey: Sidekey, second) -> None:
    target = {**second[1], "apiKey": world.store.arn("mistyped")}
    rewrite(sidekey, two_targets(world, target))
    assert reload(sidekey) == 2
    with Agent(sidekey.port) as agent:
        assert agent.chat({**HELLO, "model": "other"}).code == "credential_refused"
        assert agent.chat().status == 200


def test_refused_secret_before_and_after(world: World, start) -> None:
    """What is not ready anyway takes the new configuration, whatever comes of it."""
    broken = world.config(world.target(apiKey=world.store.arn("mistyped")))
    sidekey = start(broken, world.env(), wait=False)
    wait_for(lambda: told(sidekey, "a secret could not be fetched"), SECONDS)
    sidekey.wait_listening()
    rewrite(sidekey, broken)
    assert reload(sidekey) == 2
    rewrite(sidekey, world.config())
    assert reload(sidekey) == 3
    assert sidekey.readiness() == 200


def test_started_stays_true(world: World, start) -> None:
    """A start-up probe asks whether sidekey has ever been ready, not this generation."""
    secrets = {"ttl": "1s", "maxStale": "1s", "failureTtl": "1s"}
    sidekey = start(world.config(secrets=secrets), world.env())
    world.store.denied.add(world.principal.arn)
    sidekey.wait_status(503, SECONDS)
    assert reload(sidekey) == 2
    told_now = json.loads(sidekey.admin("/readyz")[1])
    assert (told_now["ready"], told_now["started"]) == (False, True)


@pytest.mark.timeout(150)
@pytest.mark.once
def test_store_that_is_away(world: World, sidekey: Sidekey) -> None:
    """The running one has its secrets; one that cannot get them does not take its place."""
    world.store.stop()
    rewrite(sidekey, world.config())
    hang_up(sidekey)
    wait_for(lambda: told(sidekey, GIVEN_UP), 40, "the end of the wait")
    assert "cannot be called yet" in told(sidekey, GIVEN_UP)[0]["why"]
    with Agent(sidekey.port) as agent:
        assert agent.chat().status == 200
    wait_alone(sidekey)


@pytest.mark.parametrize("role", ROLES)
def test_role_that_dies_before_it_serves(world: World, stalled: Sidekey, role: str) -> None:
    os.kill(roles_of(stalled, 2)[role]["pid"], signal.SIGKILL)
    wait_told(stalled, GIVEN_UP, generation=2)
    death = wait_told(stalled, "a process of the new configuration died")
    assert (death["process"], death["signal"]) == (role, "KILL")
    wait_alone(stalled)
    with Agent(stalled.port) as agent:
        assert agent.chat().status == 200
    assert generation(stalled) == 1
    world.store.fail(None)
    hang_up(stalled)
    wait_told(stalled, IN_FORCE, generation=3)


def test_old_generation_s_death_ends_all(world: World, sidekey: Sidekey, slow: Act) -> None:
    """A process is never started again in place of one that crashed, so that no guess is free."""
    stream = begin_stream(sidekey)
    reload(sidekey)
    sidekey.expected_death = True
    os.kill(roles_of(sidekey, 1)["egress"]["pid"], signal.SIGKILL)
    assert sidekey.wait_end(10) == 1
    assert told(sidekey, "a process died unasked; the program ends", generation=1)
    stream[0].close()


# ---- no call is lost ----


def test_serves_while_the_next_one_prepares(world: World, stalled: Sidekey) -> None:
    with Agent(stalled.port) as agent:
        for _ in range(3):
            answer = agent.chat()
            assert answer.status == 200 and answer.header("connection") != "close"
    assert generation(stalled) == 1
    world.store.fail(None)


def test_idle_connection_brings_one_more_request(sidekey: Sidekey) -> None:
    with Agent(sidekey.port) as agent:
        assert agent.chat().header("connection") is None
        reload(sidekey)
        answer = agent.chat()
        assert (answer.status, answer.header("connection")) == (200, "close")
        assert agent.at_end()
    wait_alone(sidekey)


def test_refusal_on_an_idle_connection(sidekey: Sidekey) -> None:
    with Agent(sidekey.port) as agent:
        assert agent.chat().status == 200
        reload(sidekey)
        answer = agent.call("GET", "/nowhere")
        assert (answer.code, answer.header("connection")) == ("route_not_found", "close")
        assert agent.at_end()


def test_idle_connection_has_its_time(world: World, start) -> None:
    sidekey = start(world.config(limits={"keepAlive": "1s"}), world.env())
    with Agent(sidekey.port) as agent:
        assert agent.chat().status == 200
        reload(sidekey)
        assert agent.at_end(10)
    wait_told(sidekey, ENDED, generation=1)


def test_request_that_is_on_its_way(world: World, sidekey: Sidekey) -> None:
    """Half a head, half a body, and an answer that has not begun: all are answered in full."""
    body = json.dumps(HELLO).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nHost: 127.0.0.1:{sidekey.port}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    whole = head.encode() + body
    with contextlib.ExitStack() as stack:
        agents = [stack.enter_context(Agent(sidekey.port)) for _ in range(3)]
        agents[0].send(whole[:20])
        agents[1].send(whole[:-5])
        world.api.script(Act(stall=1))
        agents[2].send(whole)
        wait_for(lambda: world.api.requests, SECONDS, "the call is with the upstream")
        reload(sidekey)
        agents[0].send(whole[20:])
        agents[1].send(whole[-5:])
        answers = [agent.read() for agent in agents]
    assert [a.status for a in answers] == [200] * 3
    wait_alone(sidekey)


def descriptors(sidekey: Sidekey) -> dict[str, int]:
    return {name: processes.descriptors(pid) for name, pid in sidekey.pids().items()}


def is_idle(sidekey: Sidekey, role: str, allowed: int) -> bool:
    with Agent(sidekey.port) as agent:
        agent.call("GET", "/v1/models")  # egress drops what the upstream has closed
    return descriptors(sidekey)[role] <= allowed


@contextlib.contextmanager
def steady_load(sidekey: Sidekey) -> Iterator[dict]:
    """About a hundred calls a second; at the end, what came of them."""
    command = [sys.executable, load.__file__, "steady", str(sidekey.port), "100", "8"]
    outcomes: dict[str, int] = {}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield outcomes
            outcomes |= json.loads(process.communicate(timeout=SECONDS)[0])["outcomes"]
        finally:
            process.kill()


@pytest.mark.usefixtures("root")
@pytest.mark.timeout(240)
def test_ten_reloads_under_load(world: World, sidekey: Sidekey, slow: Act) -> None:
    """No call fails, streams outlive several generations, and nothing is left of the old ones."""
    before, streams = descriptors(sidekey), []
    with steady_load(sidekey) as outcomes:
        for n in range(10):
            if n < 5:
                streams += [begin_stream(sidekey), begin_stream(sidekey)]
            calls = len(sidekey.calls())
            reload(sidekey)
            wait_for(lambda c=calls: len(sidekey.calls()) > c + 10, SECONDS, "calls go on")
        assert generation(sidekey) == 11
        assert {r["generation"] for r in told(sidekey, ENDED)}.isdisjoint(range(1, 6))
        slow.gap = 0
        for stream in streams:
            assert finish_stream(*stream) == [str(n) for n in range(3000)]
    assert set(outcomes) == {"ok"} and outcomes["ok"] > 100, outcomes
    wait_alone(sidekey)
    assert sorted(r["generation"] for r in told(sidekey, ENDED)) == list(range(1, 11))
    world.api.close_idle()  # what is kept for the next call is not left over
    world.store.close_idle()
    allowed = {**before, "egress": before["egress"] + 1}
    for role in ("parent", *ROLES):
        what = f"{role} has the descriptors it had: {before[role]}"
        wait_for(lambda r=role: is_idle(sidekey, r, allowed[r]), SECONDS, what)
    assert not sidekey.records(level="error")


def test_generations_have_a_limit(world: World, sidekey: Sidekey, slow: Act) -> None:
    """Beyond it a reload waits until an old one has finished, and is not forgotten."""
    streams = []
    for _ in range(OLD_GENERATIONS + 1):
        streams.append(begin_stream(sidekey))
        reload(sidekey)
    last = generation(sidekey)
    assert last == OLD_GENERATIONS + 2
    hang_up(sidekey)
    wait_for(lambda: any("the reload waits" in r["msg"] for r in sidekey.records()), SECONDS)
    assert generation(sidekey) == last
    assert len(sidekey.children()) == len(ROLES) * (OLD_GENERATIONS + 2)
    streams.pop(3)[0].close()
    wait_told(sidekey, IN_FORCE, generation=last + 1)
    slow.gap = 0
    for stream in streams:
        finish_stream(*stream)
    wait_alone(sidekey)


# ---- signals that meet ----


@pytest.mark.once
def test_second_reload_follows(world: World, stalled: Sidekey) -> None:
    """Asked for while one is under way, however often: one more, with what the file says then."""
    for _ in range(3):
        hang_up(stalled)
        wait_told(stalled, "another reload follows the one under way")
    rewrite(stalled, world.config(hosts=["sidekey"]))
    world.store.fail(None)
    world.store.close_idle()  # or the stalled fetches would be waited for
    wait_told(stalled, IN_FORCE, generation=3)
    with Agent(stalled.port, host="sidekey") as agent:
        assert agent.chat().status == 200
    wait_alone(stalled)
    assert generation(stalled) == 3


def test_sigterm_during_a_reload(stalled: Sidekey) -> None:
    pids = stalled.children()
    assert len(pids) == 2 * len(ROLES)
    assert stalled.stop(10) == 0
    assert not [p for p in pids if Path(f"/proc/{p}").exists()]


def test_sigterm_drains_every_generation(world: World, sidekey: Sidekey, slow: Act) -> None:
    streams = []
    for _ in range(3):
        streams.append(begin_stream(sidekey))
        reload(sidekey)
    streams.append(begin_stream(sidekey))
    os.kill(sidekey.pid, signal.SIGTERM)
    wait_told(sidekey, "draining")
    hang_up(sidekey)
    wait_told(sidekey, "no reload: the program is ending")
    slow.gap = 0
    for stream in streams:
        assert finish_stream(*stream) == [str(n) for n in range(3000)]
    assert sidekey.wait_end(10) == 0


def test_refresh_reaches_every_generation(world: World, sidekey: Sidekey, slow: Act) -> None:
    stream = begin_stream(sidekey)
    reload(sidekey)
    before = world.store.fetches(world.key_arn)
    os.kill(sidekey.pid, signal.SIGUSR1)
    wait_for(lambda: world.store.fetches(world.key_arn) == before + 2, SECONDS, "both keepers")
    slow.gap = 0
    finish_stream(*stream)


@pytest.mark.usefixtures("root")
def test_another_user_s_directory_on_a_read_only_mount(world: World, start) -> None:
    """As a volume of a container is: nobody can write there, and so it is read again."""
    if subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("needs the right to make a mount namespace")
    steps = ["chown 65534 .", "mount --bind . .", "mount -o remount,bind,ro ."]
    command = " && ".join([*steps, 'cd "$PWD"', 'exec "$@"'])
    sidekey = start(world.config(), world.env(), wrap=["unshare", "-m", "sh", "-c", command, "sh"])
    reload(sidekey)
    with Agent(sidekey.port) as agent:
        assert agent.chat().status == 200


@pytest.mark.usefixtures("root")
def test_a_user_s_own_configuration(plain_world: World) -> None:
    """Without root, the file and its directory are the user's, and are judged anew each time."""
    world = plain_world
    with tempfile.TemporaryDirectory(prefix="sk-") as name:
        folder = Path(name)
        as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        wrap = ["sh", "-c", f'chown -R 65534 . && exec {" ".join(as_nobody)} "$@"', "sh"]
        with Sidekey(world.config(), folder, world.env(), wrap=wrap) as sidekey:
            reload(sidekey)
            with Agent(sidekey.port) as agent:
                assert agent.chat().status == 200
