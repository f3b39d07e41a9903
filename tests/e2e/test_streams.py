# SPDX-License-Identifier: Apache-2.0
"""Goal: a stream goes through at once, unchanged, and ends as the upstream's ended."""

import random
import socket
import time

import pytest
from fakes.agent import CHAT, HELLO, STREAM, Agent, Closed
from fakes.apibase import Act
from fakes.openai_answers import chat_events
from fakes.sidekey import SANITIZED, Sidekey
from fakes.wire import wait_for
from fakes.world import World

AT_ONCE = 0.25 if SANITIZED else 0.05


def test_bytes_are_the_upstream_s(world: World, agent: Agent) -> None:
    answer = agent.chat(STREAM)
    assert answer.body == b"".join(chat_events(STREAM))
    assert answer.header("content-type") == "text/event-stream; charset=utf-8"
    assert answer.complete


def test_head_comes_before_the_first_event(world: World, agent: Agent) -> None:
    world.api.script(Act(head_gap=1.0))
    began = time.monotonic()
    agent.begin("POST", CHAT, STREAM)
    answer = agent.read_head()
    assert answer.head_at - began < 0.5
    assert b"".join(agent.pieces(answer)).endswith(b"[DONE]\n\n")
    assert time.monotonic() - began > 0.9


def test_each_event_comes_at_once(world: World, agent: Agent) -> None:
    """While the stream is otherwise silent: nothing waits for the next piece, or for a full buffer."""
    world.api.script(Act(events=10, gap=0.1))
    answer = agent.chat(STREAM)
    sent = world.api.last().sent_at
    assert len(answer.pieces) == len(sent) == 11
    delays = [at - was for (at, _), was in zip(answer.pieces, sent)]
    assert max(delays) < AT_ONCE, delays


def test_slow_drip(world: World, agent: Agent) -> None:
    body = b'{"id":"drip","choices":[]}'
    world.api.script(Act(200, (("Content-Type", "application/json"),), body, drip=0.02))
    answer = agent.chat()
    assert answer.body == body
    assert len(answer.header("content-length") or "") > 0


@pytest.mark.parametrize("events", [0, 1, 5])
def test_broken_stream_is_never_ended_cleanly(world: World, agent: Agent, events: int) -> None:
    world.api.script(Act(events=10, gap=0.02, break_after=events))
    agent.begin("POST", CHAT, STREAM)
    answer = agent.read_head()
    with pytest.raises(Closed):
        for _ in agent.pieces(answer):
            pass
    assert len(answer.pieces) == events, "what came before the break is the agent's"
    assert not answer.complete
    assert len(world.api.requests) == 1


def test_broken_counted_body_is_cut_short(world: World, agent: Agent) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    world.api.script(Act(raw=head + b'{"half":'))
    agent.begin("POST", CHAT, STREAM)
    answer = agent.read_head()
    with pytest.raises(Closed):
        list(agent.pieces(answer))
    assert not answer.complete


def test_broken_stream_is_reset_for_http10(world: World, sidekey: Sidekey) -> None:
    """A client that reads until the close takes a FIN for the end; only a reset tells it."""
    world.api.script(Act(events=10, gap=0.02, break_after=3))
    with Agent(sidekey.port) as agent:
        body = b'{"model":"gpt-4o","messages":[],"stream":true}'
        agent.send(
            f"POST {CHAT} HTTP/1.0\r\nHost: {agent.host}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        with pytest.raises(ConnectionResetError):
            while agent.socket.recv(65536):
                pass


def test_disconnect_while_streaming(world: World, sidekey: Sidekey) -> None:
    world.api.script(Act(events=500, gap=0.05))
    with Agent(sidekey.port) as agent:
        agent.begin("POST", CHAT, STREAM)
        answer = agent.read_head()
        next(agent.pieces(answer))
    wait_for(lambda: world.api.last().gone_at is not None, 1, "upstream sees the disconnect")


def test_disconnect_before_the_head(world: World, sidekey: Sidekey) -> None:
    world.api.script(Act(stall=30))
    with Agent(sidekey.port) as agent:
        agent.begin("POST", CHAT, STREAM)
        wait_for(lambda: world.api.requests, 3)
    wait_for(lambda: world.api.last().gone_at is not None, 1, "upstream sees the disconnect")


def test_half_close_means_gone(world: World, sidekey: Sidekey) -> None:
    """A FIN before the answer ends is taken as the agent's leaving (design section 5)."""
    world.api.script(Act(stall=30))
    with Agent(sidekey.port) as agent:
        agent.begin("POST", CHAT, STREAM)
        wait_for(lambda: world.api.requests, 3)
        agent.socket.shutdown(socket.SHUT_WR)
        wait_for(lambda: world.api.last().gone_at is not None, 1, "upstream sees the disconnect")


def test_disconnect_while_sending_the_body(world: World, sidekey: Sidekey) -> None:
    with Agent(sidekey.port) as agent:
        agent.send(
            f"POST {CHAT} HTTP/1.1\r\nHost: {agent.host}\r\nContent-Type: application/json\r\n"
            'Content-Length: 100000\r\n\r\n{"model":"gpt-4o"'.encode()
        )
        time.sleep(0.2)
    with Agent(sidekey.port) as agent:
        assert agent.chat().status == 200
    assert len(world.api.requests) == 1


def test_streams_side_by_side(world: World, sidekey: Sidekey) -> None:
    """A stalled call holds up nobody else."""
    world.api.models["stalls"] = Act(stall=5)
    with Agent(sidekey.port) as slow, Agent(sidekey.port) as quick:
        slow.begin("POST", CHAT, {**STREAM, "model": "stalls"})
        wait_for(lambda: world.api.requests, 3)
        began = time.monotonic()
        assert quick.chat(STREAM).complete
        assert time.monotonic() - began < 1


def test_connection_lives_on_after_a_stream(world: World, agent: Agent) -> None:
    for _ in range(3):
        assert agent.chat(STREAM).complete
    assert agent.chat().status == 200
    assert world.api.connections == 1


def test_agents_that_leave_at_any_moment(plain_world: World, plain_sidekey: Sidekey) -> None:
    """Before the upstream is connected, while it is, and after: only their own calls end."""
    rush = random.Random(7)
    for number in range(400):
        if number % 8 == 0:
            plain_world.api.close_idle()  # the next one has to connect
        with Agent(plain_sidekey.port) as agent:
            agent.begin("POST", CHAT, HELLO)
            time.sleep(rush.random() * 0.002)
    with Agent(plain_sidekey.port) as agent:
        assert agent.chat().status == 200
