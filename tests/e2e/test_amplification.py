# SPDX-License-Identifier: Apache-2.0
"""Goal: nobody makes sidekey hold more than 100 bytes for each byte that he sends, but for a fixed
cost of each connection, which limits.connections bounds."""

import json
import time
from dataclasses import dataclass

import pytest
from fakes import processes
from fakes.agent import CHAT, HELLO
from fakes.apibase import Act
from fakes.sidekey import Sidekey
from fakes.wire import wait_for
from fakes.world import World
from test_toxic_clients import connections, ended, gently, many_targets, memory

AMPLIFICATION = 100
KIB, MIB = 1024, 1024 * 1024
# What else grows when connections come: tables of the loop, and pages that are begun.
SLACK = 128 * KIB
ANSWER = 16 * MIB
UNREAD = 16 * MIB  # of answers of sidekey's own, in all
ANNOUNCED = 100_000  # bytes of a body that does not come
FORM = (
    b'--abc\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
    b'--abc\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF'
)
FORM_TYPE = "multipart/form-data; boundary=abc"
pytestmark = [pytest.mark.once, pytest.mark.usefixtures("root")]


@dataclass
class Way:
    """What each of so many connections says before it goes quiet, and the KiB that it may cost
    however little that is. They are exempt, since they do not grow with what is sent, and there are
    never more than limits.connections of them: of the default's 1,024, so many MiB in all."""

    count: int
    says: bytes  # PORT stands for ours
    kept: int
    answered: bool = False


JSON = "application/json"
LARGE = json.dumps({**HELLO, "model": "large"}).encode()


def post(content: bytes, length: int = ANNOUNCED, path: str = CHAT, kind: str = JSON) -> bytes:
    """A request with so much of its body."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {length}\r\n\r\n"
    )
    return head.encode() + content


WAYS = {
    "idle": Way(1000, b"", kept=1),
    # A call is begun: it has room for the 128 fields that a head may have.
    "one byte": Way(500, b"P", kept=8),
    "half a head": Way(500, post(b"")[:60], kept=8),
    "slow upload": Way(500, post(b'{"model":'), kept=8),
    # These are with the upstream already: a ring, and a transfer of libcurl's.
    "slow form": Way(
        100, post(FORM, path="/v1/audio/transcriptions", kind=FORM_TYPE), kept=16
    ),
    # What of an answer is on its way when the upstream is held back.
    "slow reader": Way(16, post(LARGE, len(LARGE)), kept=512, answered=True),
}


def settled(sidekey: Sidekey) -> int:
    """The memory of all processes, once it grows no more."""
    sizes = [0, memory(sidekey)]

    def still() -> bool:
        time.sleep(0.2)
        sizes.append(memory(sidekey))
        return sizes[-1] <= sizes[-2]

    wait_for(still, 20, "memory grows no more")
    return sizes[-1]


@pytest.mark.parametrize("name", WAYS)
def test_bytes_kept_for_each_byte_sent(plain_world: World, start, name: str) -> None:
    way, limits = WAYS[name], {"connections": 1024, "headerTimeout": "60s"}
    answer = b'{"pad":"' + b"y" * ANSWER + b'"}'
    plain_world.api.models["large"] = Act(200, (("Content-Type", "application/json"),), answer)
    target = plain_world.target(operations=["chat", "audio"])
    sidekey = start(plain_world.config(target, limits=limits), plain_world.env())
    gently(sidekey)
    ingress, before = sidekey.pids()["ingress"], settled(sidekey)
    says = way.says.replace(b"PORT", str(sidekey.port).encode())
    with connections(sidekey.port, way.count, says) as quiet:
        wait_for(lambda: processes.descriptors(ingress) > way.count, 20, "all in")
        gently(sidekey)
        grown = settled(sidekey) - before
        assert ended(quiet) == (way.count if way.answered else 0)
    print(f"{name}: {grown // way.count} bytes each, for {len(says)} sent")
    assert grown <= way.count * (AMPLIFICATION * len(says) + way.kept * KIB) + SLACK


def test_unread_pages(plain_world: World, start) -> None:
    """A page grows with the configuration, and is asked for without a token: of those that nobody
    reads, whoever asked first goes when they are too many."""
    sidekey = start({"targets": many_targets(plain_world)}, plain_world.env())
    port, page = sidekey.admin_port, len(sidekey.admin("/metrics")[1])
    assert page > 100 * KIB
    says = f"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    before = settled(sidekey)
    with connections(port, 3 * UNREAD // page, says, narrow=True):
        assert sidekey.readiness() == 200
        grown = settled(sidekey) - before
        assert sidekey.admin("/metrics")[0] == 200, "whoever reads it gets it"
    print(f"unread pages: {grown} bytes, for {3 * UNREAD // page} of {page}")
    assert grown <= UNREAD + 4 * MIB
