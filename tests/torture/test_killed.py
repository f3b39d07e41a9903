# SPDX-License-Identifier: Apache-2.0
"""Goal: whichever process dies, and whenever: all of them end at once and say why, no answer looks
whole that is not, and nobody is left over."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fakes.agent import CHAT, HELLO, STREAM, Agent, Closed
from fakes.apibase import Act
from fakes.reload import IN_FORCE, hang_up, rewrite, roles_of, wait_told
from fakes.secretsmanager import Fault
from fakes.sidekey import ROLES, Sidekey
from fakes.wire import wait_for
from fakes.world import World

SECONDS = 10
VICTIMS = ("parent", *ROLES)
pytestmark = pytest.mark.once
FINAL_CHUNK = b"0\r\n\r\n"
OPERATIONS = ["chat", "models", "files"]


@dataclass
class Scene:
    """What is under way when one of the processes dies."""

    world: World
    sidekey: Sidekey
    stack: ExitStack
    agents: list[Agent] = field(default_factory=list)
    victims: dict[str, int] = field(default_factory=dict)

    def agent(self) -> Agent:
        agent = self.stack.enter_context(Agent(self.sidekey.port))
        self.agents.append(agent)
        return agent


# ---- steps ----


def before_the_first_call(scene: Scene) -> None:
    scene.agent()


def after_half_a_head(scene: Scene) -> None:
    agent = scene.agent()
    assert agent.chat().status == 200
    agent.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: ")
    assert scene.sidekey.admin("/healthz")[0] == 200  # read by the same loop, after it


def while_the_upstream_thinks(scene: Scene) -> None:
    scene.world.api.script(Act(stall=60))
    scene.agent().begin("POST", CHAT, HELLO)
    wait_for(lambda: scene.world.api.requests, SECONDS, "the upstream has it")


def in_a_stream(scene: Scene) -> None:
    scene.world.api.script(Act(events=5000, gap=0.02))
    agent = scene.agent()
    agent.begin("POST", CHAT, STREAM)
    next(agent.pieces(agent.read_head()))


def in_a_stream_until_the_end(scene: Scene) -> None:
    """An old client has nothing but the connection's end to tell a whole answer by."""
    scene.world.api.script(Act(events=5000, gap=0.02))
    agent = scene.agent()
    body = b'{"model": "gpt-4o", "messages": [], "stream": true}'
    agent.send(
        b"POST /v1/chat/completions HTTP/1.0\r\nHost: %b\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
        % (agent.host.encode(), len(body), body)
    )
    answer = agent.read_head()
    assert answer.header("transfer-encoding") is None and answer.header("content-length") is None
    next(agent.pieces(answer))


def in_an_upload(scene: Scene) -> None:
    form = (
        b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nassistants\r\n'
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n"
    )
    agent = scene.agent()
    agent.send(
        b"POST /v1/files HTTP/1.1\r\nHost: %b\r\nContent-Length: 9000000\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\n\r\n%b%b"
        % (agent.host.encode(), form, bytes(600_000))
    )
    api = scene.world.api
    wait_for(lambda: api.application_bytes > 400_000, SECONDS, "half of it has gone through")


def while_the_store_is_asked_again(scene: Scene) -> None:
    store = scene.world.store
    asked = len(store.calls)
    store.fail(Fault("stall"))
    scene.world.api.key = "sk-" + "0" * 48
    scene.agent().begin("POST", CHAT, HELLO)
    wait_for(lambda: len(store.calls) > asked, SECONDS, "the keeper looks again")


def while_others_start(scene: Scene) -> None:
    scene.world.store.fail(Fault("stall"))
    in_a_stream(scene)
    rewrite(scene.sidekey, scene.world.config())
    hang_up(scene.sidekey)
    wait_for(lambda: len(roles_of(scene.sidekey, 2)) == len(ROLES), SECONDS, "the new roles")


def others_serve(scene: Scene, victims: int) -> None:
    in_a_stream(scene)
    rewrite(scene.sidekey, scene.world.config())
    hang_up(scene.sidekey)
    wait_told(scene.sidekey, IN_FORCE)
    scene.victims = by_role(scene.sidekey, victims)


def after_others_took_over(scene: Scene) -> None:
    others_serve(scene, 1)


def after_taking_over(scene: Scene) -> None:
    others_serve(scene, 2)


def while_it_drains(scene: Scene) -> None:
    in_a_stream(scene)
    os.kill(scene.sidekey.pid, signal.SIGTERM)
    wait_told(scene.sidekey, "draining")


STEPS = [
    before_the_first_call,
    after_half_a_head,
    while_the_upstream_thinks,
    in_a_stream,
    in_a_stream_until_the_end,
    in_an_upload,
    while_the_store_is_asked_again,
    while_others_start,
    after_others_took_over,
    after_taking_over,
    while_it_drains,
]


# ---- what is left ----


def is_gone(pid: int) -> bool:
    """Or dead, and whoever inherits it has not noticed yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@contextmanager
def dying(sidekey: Sidekey) -> Iterator[None]:
    """In the block somebody dies; after it nobody is left, and no key has been said."""
    sidekey.expected_death = True
    everybody = [sidekey.pid, *sidekey.children()]
    assert len(everybody) > len(ROLES)
    yield
    sidekey.wait_end(SECONDS)
    for pid in everybody:
        wait_for(lambda p=pid: is_gone(p), SECONDS, f"{pid} is gone")
    assert not sidekey._reader.is_alive(), "somebody still holds the log open"


def told_why(sidekey: Sidekey, role: str, number: signal.Signals) -> None:
    assert sidekey.process
    if role == "parent":
        assert sidekey.process.returncode == -number
        return
    assert sidekey.process.returncode == 1, sidekey.text()
    name = number.name.removeprefix("SIG")
    told = sidekey.records(role="parent", level="error", process=role, signal=name)
    assert len(told) == 1, sidekey.text()
    assert "died" in told[0]["msg"]


def is_cut_off(agent: Agent, until_the_end: bool) -> None:
    """Its connection ends, and not as after a whole answer."""
    agent.socket.settimeout(SECONDS)
    reset = False
    try:
        while piece := agent.socket.recv(65536):
            agent.received += piece
    except ConnectionResetError:
        reset = True
    assert not agent.received.endswith(FINAL_CHUNK)
    assert b"[DONE]" not in agent.received
    assert reset or not until_the_end, "a FIN is the end of a whole answer"


def check(scene: Scene, role: str, number: signal.Signals, step: Callable) -> None:
    sidekey = scene.sidekey
    victims = scene.victims or by_role(sidekey)
    with dying(sidekey):
        os.kill(victims[role], number)
    told_why(sidekey, role, number)
    for agent in scene.agents:
        is_cut_off(agent, step is in_a_stream_until_the_end)
        assert scene.world.found_in(bytes(agent.received)) == []
    assert scene.world.found_in(sidekey.output) == []


def by_role(sidekey: Sidekey, number: int = 1) -> dict[str, int]:
    found = roles_of(sidekey, number)
    return {"parent": sidekey.pid, **{name: r["pid"] for name, r in found.items()}}


@pytest.mark.parametrize("role", VICTIMS)
@pytest.mark.parametrize("step", STEPS)
def test_killed(plain_world: World, start, step: Callable, role: str) -> None:
    world = plain_world
    target = world.target(operations=OPERATIONS)
    with ExitStack() as stack:
        scene = Scene(world, start(world.config(target), world.env()), stack)
        step(scene)
        check(scene, role, signal.SIGKILL, step)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS])
@pytest.mark.parametrize("role", VICTIMS)
def test_crashed(plain_world: World, start, role: str, number: signal.Signals) -> None:
    with ExitStack() as stack:
        scene = Scene(plain_world, start(plain_world.config(), plain_world.env()), stack)
        in_a_stream(scene)
        check(scene, role, number, in_a_stream)


@pytest.mark.parametrize("role", VICTIMS)
def test_killed_before_it_was_ready(plain_world: World, start, role: str) -> None:
    plain_world.store.fail(Fault("stall"))
    sidekey = start(plain_world.config(), plain_world.env(), wait=False)
    sidekey.wait_listening()
    with ExitStack() as stack:
        scene = Scene(plain_world, sidekey, stack)
        with contextlib.suppress(Closed):
            scene.agent().begin("POST", CHAT, HELLO)
        wait_for(lambda: role in by_role(sidekey), SECONDS, "it is there")
        check(scene, role, signal.SIGKILL, test_killed_before_it_was_ready)


def born(sidekey: Sidekey, role: str) -> int | None:
    """Its process, as soon as it bears its name."""
    for pid in sidekey.children():
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(f"sidekey: {role}".encode()):
                return pid
    return None


@pytest.mark.parametrize("role", ROLES)
def test_killed_at_birth(plain_world: World, start, role: str) -> None:
    sidekey = start(plain_world.config(), plain_world.env(), wait=False)
    sidekey.expected_death = True
    wait_for(lambda: born(sidekey, role), SECONDS, "it is there")
    pid = born(sidekey, role)
    assert pid
    os.kill(pid, signal.SIGKILL)
    sidekey.wait_end(SECONDS)
    told_why(sidekey, role, signal.SIGKILL)
    assert plain_world.found_in(sidekey.output) == []


@pytest.mark.parametrize("role", ROLES)
def test_a_coming_one_is_killed(plain_world: World, start, role: str) -> None:
    """The one that serves is as good as before."""
    sidekey = start(plain_world.config(), plain_world.env())
    sidekey.expected_death = True
    with ExitStack() as stack:
        scene = Scene(plain_world, sidekey, stack)
        while_others_start(scene)
        os.kill(roles_of(sidekey, 2)[role]["pid"], signal.SIGKILL)
        told = wait_told(sidekey, "a process of the new configuration died")
        assert (told["process"], told["signal"]) == (role, "KILL")
        wait_for(lambda: len(sidekey.children()) == len(ROLES), SECONDS, "the others of it too")
        with Agent(sidekey.port) as agent:
            assert agent.chat().status == 200
        plain_world.store.fail(None)
    assert sidekey.stop() == 0
