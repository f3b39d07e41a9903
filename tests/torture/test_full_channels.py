# SPDX-License-Identifier: Apache-2.0
"""Goal: more new connections than the channel to egress holds while egress is busy lose no call."""

import os
import signal
from contextlib import ExitStack
from pathlib import Path

from fakes.agent import CHAT, HELLO, Agent
from fakes.sidekey import Sidekey
from fakes.world import World

CONNECTIONS = 900  # below limits.connections; the channel holds some 300


def test_connections_wait_for_a_busy_egress(tmp_path: Path) -> None:
    """The descriptors that waited with their messages were copied by dup(2), which killed."""
    with World(tmp_path, mtls=False) as world, ExitStack() as stack:
        sidekey = stack.enter_context(Sidekey(world.config(), tmp_path, world.env()))
        egress = sidekey.pids()["egress"]
        agents = [stack.enter_context(Agent(sidekey.port, timeout=30)) for _ in range(CONNECTIONS)]
        os.kill(egress, signal.SIGSTOP)
        for agent in agents:
            agent.begin("POST", CHAT, HELLO)
        with Agent(sidekey.port) as last:
            assert last.call("GET", "/health/liveliness").status == 200, "ingress has read them all"
        os.kill(egress, signal.SIGCONT)
        assert {agent.read().status for agent in agents} == {200}
