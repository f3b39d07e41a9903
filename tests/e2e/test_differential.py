# SPDX-License-Identifier: Apache-2.0
"""Goal: whatever is made of a request, where we accept it node's parser and nginx's see the same
message: its method, target and body, and nothing behind it."""

import contextlib
import json
import os
import random
import re
import selectors
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator

import malformed
import pytest
from fakes.sidekey import Sidekey
from fakes.wire import Connection, Request, free_port, wait_for
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


def messages(came: bytes) -> list[dict | None]:
    """The messages that answers of 200 tell of; None for another answer, which is the last."""
    told: list[dict | None] = []
    while came:
        head, _, rest = came.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        size = int(length[1]) if length else 0
        if head.startswith(b"HTTP/1.1 200 "):
            told.append(message(came[: len(head) + 4 + size]))
        elif not head.startswith(b"HTTP/1.1 100 "):
            return [*told, None]
        came = rest[size:]
    return told


async def tell(request: Request, connection: Connection) -> None:
    """As tests/node/parser.mjs does."""
    connection.answer_json(
        200,
        {"method": request.method, "url": request.target, "length": len(request.body)},
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("world"), mtls=False) as made:
        made.api.handle = tell
        yield made


@pytest.fixture(scope="module")
def port(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("differential")
    with Sidekey(world.config(), folder, world.env()) as sidekey:
        yield sidekey.port


@pytest.fixture(scope="module")
def accepted(port: int) -> list[tuple[bytes, bytes]]:
    """The mutants whose first message we take, and what we answer."""
    requests = mutants(f"127.0.0.1:{port}")
    ours = converse(port, requests)
    pairs = [
        (raw, came)
        for raw, came in zip(requests, ours, strict=True)
        if b" 200 OK\r\n" in came
    ]
    assert len(pairs) >= ACCEPTED_MIN, "the mutants are all too wild to tell anything"
    return pairs


def test_where_we_accept_a_mutant_node_sees_the_same_message(
    accepted, node: Node
) -> None:
    theirs = converse(node.port, [raw for raw, _ in accepted], all_answer=True)
    differ = [
        (raw, message(came), their)
        for (raw, came), their in zip(accepted, theirs, strict=True)
        if message(came) is None or message(came) != message(their)
    ]
    assert not differ, differ[:3]
    assert sum(their.startswith(b"HTTP/1.1 200 ") for their in theirs) >= ACCEPTED_MIN


NGINX = """
daemon off; master_process off; pid nginx.pid; error_log stderr crit;
events {{ worker_connections 2048; }}
http {{
  access_log off; client_max_body_size 0; merge_slashes off; keepalive_requests 9;
  client_body_temp_path body; proxy_temp_path proxy;
  fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass {upstream}; proxy_http_version 1.1; }}
  }}
}}
"""


def accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@pytest.fixture(scope="module")
def nginx(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of an nginx before the same upstream."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if not program:
        pytest.skip("needs nginx")
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    upstream = world.api.url
    (folder / "nginx.conf").write_text(NGINX.format(port=port, upstream=upstream))
    command = [
        program,
        "-p",
        str(folder),
        "-e",
        "stderr",
        "-c",
        str(folder / "nginx.conf"),
    ]
    with subprocess.Popen(command) as process:
        try:
            wait_for(lambda: accepts(port), 10, "nginx listens")
            yield port
        finally:
            process.terminate()


def test_where_we_accept_a_mutant_nginx_sees_the_same_boundaries(
    accepted, nginx: int
) -> None:
    """nginx is given a second message behind each, on the same connection: bytes that only one of
    us counts to the first would join it, or be missing there. (We refuse whatever comes behind.)"""
    second = malformed.path(b"/v1/chat/completions?second")
    told = {
        "method": "POST",
        "path": "/v1/chat/completions",
        "query": ["second"],
        "length": len(malformed.BODY),
    }
    theirs = converse(nginx, [raw + second for raw, _ in accepted], all_answer=True)
    differ, both = [], 0
    for (raw, ours), their in zip(accepted, theirs, strict=True):
        last = b"\r\nConnection: close\r\n" in their
        expected = [message(ours)] if last else [message(ours), told]
        both += not last
        if messages(their) != expected:
            differ.append((raw, message(ours), their))
    assert not differ, (len(differ), differ[:3])
    assert both >= ACCEPTED_MIN, "two messages each"
