# SPDX-License-Identifier: Apache-2.0
"""Goal: whatever is made of a request, where we accept it node's parser sees the same message: its
method, target and body, and nothing behind it."""

import json
import random
import selectors
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import malformed
import pytest
from fakes.sidekey import Sidekey
from fakes.wire import Connection, Request
from fakes.world import World
from test_malformed import Node, node

__all__ = ["node"]

SEED = 7717
MUTANTS = 3000
ACCEPTED_MIN = 100
BATCH = 250
QUIET_SECONDS = 0.4
ANSWER_SECONDS = 30
# What parsers have read in different ways before.
TOKENS = [
    b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b"\0", b"\x0b", b",", b";", b"0", b"+", b"-", b"0x",
    b"chunked", b"identity", b"Content-Length: 0\r\n", b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding : chunked\r\n", b"\r\n\r\n",
    b"Connection: Content-Length\r\n", b"Expect: 100-continue\r\n", b"GET / HTTP/1.1\r\n",
    b"0\r\n\r\n", b";a=\"b\r\n\"", b"\xe9", b"%2f", b"/", b"?", b"#", b"HTTP/1.0", b"X: y\r\n",
]  # fmt: skip


def mutate(r: random.Random, raw: bytes) -> bytes:
    at = r.randrange(len(raw) + 1)
    match r.randrange(6):
        case 0:
            return raw[:at] + r.choice(TOKENS) + raw[at:]
        case 1:
            return raw[:at] + r.choice(TOKENS) + raw[at + r.randrange(1, 9) :]
        case 2:
            return raw[:at] + raw[at + r.randrange(1, 4) :]
        case 3:
            return raw[:at] + bytes([r.randrange(256)]) + raw[at + 1 :]
        case 4:
            lines = raw.split(b"\r\n")
            lines.insert(r.randrange(len(lines)), r.choice(lines))
            return b"\r\n".join(lines)
        case _:
            return raw[:at] + raw[at : at + 1].swapcase() + raw[at + 1 :]


def mutants(host: str) -> list[bytes]:
    r = random.Random(SEED)
    seeds = [row[1].replace(b"HOST", host.encode()) for row in malformed.GOOD]
    made = []
    for n in range(MUTANTS):
        raw = seeds[n % len(seeds)]
        for _ in range(r.randrange(1, 4)):
            raw = mutate(r, raw)
        made.append(raw)
    return made


class Talk:
    """A connection that has sent its request, and gathers what comes."""

    def __init__(self, port: int, raw: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS)
        self.raw, self.came = raw, b""
        self.socket.sendall(raw)

    def read(self) -> bool:
        """False at the end."""
        try:
            piece = self.socket.recv(65536)
        except ConnectionResetError:
            piece = b""
        self.came += piece
        return piece != b""


def gather(port: int, batch: list[bytes], all_answer: bool) -> list[bytes]:
    """What comes for each, until nothing more does. all_answer: something is due for each."""
    talks = [Talk(port, raw) for raw in batch]
    until = time.monotonic() + ANSWER_SECONDS
    with selectors.DefaultSelector() as selector:
        for talk in talks:
            selector.register(talk.socket, selectors.EVENT_READ, talk)
        while selector.get_map():
            ready = selector.select(QUIET_SECONDS)
            for key, _ in ready:
                if not key.data.read():
                    selector.unregister(key.fileobj)
            late = all_answer and not all(talk.came for talk in talks)
            if not ready and (not late or time.monotonic() > until):
                break
    for talk in talks:
        talk.socket.close()
    return [talk.came for talk in talks]


def converse(port: int, requests: list[bytes], all_answer: bool = False) -> list[bytes]:
    answers = []
    for at in range(0, len(requests), BATCH):
        answers += gather(port, requests[at : at + BATCH], all_answer)
    return answers


def message(came: bytes) -> dict | None:
    """The message that one 200 tells of, and nothing behind it; else None."""
    came = came.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    head, _, body = came.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        return None
    try:
        told = json.loads(body)  # refuses what comes behind the document
    except ValueError:
        return None
    members = told["url"].partition("?")[2].split("&")
    path = told["url"].partition("?")[0]
    told["path"] = path if path.startswith("/v1") else "/v1" + path
    told["query"] = [m for m in members if m]
    del told["url"]
    return told


async def tell(request: Request, connection: Connection) -> None:
    """As tests/node/parser.mjs does."""
    connection.answer_json(
        200, {"method": request.method, "url": request.target, "length": len(request.body)}
    )


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    with World(tmp_path, mtls=False) as world:
        world.api.handle = tell
        with Sidekey(world.config(), tmp_path, world.env()) as sidekey:
            yield sidekey.port


def test_where_we_accept_a_mutant_node_sees_the_same_message(port: int, node: Node) -> None:
    requests = mutants(f"127.0.0.1:{port}")
    ours = converse(port, requests)
    accepted = [
        (raw, came) for raw, came in zip(requests, ours, strict=True) if b" 200 OK\r\n" in came
    ]
    assert len(accepted) >= ACCEPTED_MIN, "the mutants are all too wild to tell anything"
    theirs = converse(node.port, [raw for raw, _ in accepted], all_answer=True)
    differ = [
        (raw, message(came), their)
        for (raw, came), their in zip(accepted, theirs, strict=True)
        if message(came) is None or message(came) != message(their)
    ]
    assert not differ, differ[:3]
    assert sum(their.startswith(b"HTTP/1.1 200 ") for their in theirs) >= ACCEPTED_MIN
