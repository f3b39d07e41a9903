# SPDX-License-Identifier: Apache-2.0
"""Goal: slowhttptest's attacks (slow heads, slow bodies, ranges, slow reading), by hundreds of
connections at once, take no service from a well-behaved caller, and leave nothing behind."""

import contextlib
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from fakes import processes
from fakes.apibase import ApiBase
from fakes.wire import Connection, Request, wait_for
from fakes.world import World
from test_toxic_clients import gently, others_are_served

CONNECTIONS, SECONDS, END_SECONDS = 150, 5, 60
LARGE = b'{"pad":"' + b"y" * 1024 * 1024 + b'"}'  # more than two sockets hold
MODES = {
    "slow heads": ("-H", "/v1/models"),
    "slow bodies": ("-B", "/v1/chat/completions", "-f", "application/json", "-s", "65536"),
    "ranges": ("-R", "/v1/models"),
    "slow reading": ("-X", "/v1/models", "-w", "10", "-y", "20", "-z", "5"),
}
COMMON = ("-c", CONNECTIONS, "-r", CONNECTIONS, "-l", SECONDS, "-i", 1, "-p", 30)
pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("root")]


@contextlib.contextmanager
def attacked(port: int) -> Iterator[dict[str, subprocess.Popen]]:
    """By all modes at once."""
    program = shutil.which("slowhttptest")
    if not program:
        pytest.skip("needs slowhttptest")
    with contextlib.ExitStack() as stack:
        running = {}
        for name, (mode, path, *options) in MODES.items():
            command = [program, mode, *options, *map(str, COMMON)]
            command += ["-u", f"http://127.0.0.1:{port}{path}"]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            running[name] = stack.enter_context(process)
            stack.callback(process.kill)
        yield running


def test_attacks(plain_world: World, start) -> None:
    async def answer(request: Request, connection: Connection) -> None:
        if request.method == "GET":
            connection.answer(200, [("Content-Type", "application/json")], LARGE)
            await connection.drain()
        else:
            await ApiBase.handle(plain_world.api, request, connection)

    plain_world.api.handle = answer
    sidekey = start(plain_world.config(limits={"headerTimeout": "2s"}), plain_world.env())
    gently(sidekey)
    ingress, egress = (sidekey.pids()[name] for name in ("ingress", "egress"))
    files = processes.descriptors(ingress)
    with others_are_served(sidekey), attacked(sidekey.port) as running:
        wait_for(lambda: processes.descriptors(ingress) > files + CONNECTIONS, 20, "the attack")
        gently(sidekey)
        said = {name: p.communicate(timeout=END_SECONDS)[0] for name, p in running.items()}
    for name, text in said.items():
        plain = re.sub(rb"\x1b\[[0-9;]*m", b"", text)
        assert re.search(rb"service available:\s+YES", plain), (name, plain[-2000:])
        assert not re.search(rb"service available:\s+NO", plain), (name, plain[-2000:])
    wait_for(lambda: processes.descriptors(ingress) <= files + 2, 30, "all are gone")
    gently(sidekey)
    assert (ingress, egress) == tuple(sidekey.pids()[name] for name in ("ingress", "egress"))
