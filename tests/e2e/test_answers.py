# SPDX-License-Identifier: Apache-2.0
"""Goal: recorded answers of real providers reach the agent byte for byte, wherever they are cut."""

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.agent import STREAM, Agent
from fakes.sidekey import ROOT, Sidekey
from fakes.wire import Connection, Request, Server, head_bytes

RECORDED = sorted((ROOT / "tests" / "vectors" / "answers").glob("*.*"))
ANSWERS = [p for p in RECORDED if p.suffix in (".json", ".txt")]
SMALL = 2048  # up to here, each byte is sent by itself


def answer_of(path: Path) -> bytes:
    if path.suffix == ".json":
        return path.read_bytes()
    lines = path.read_bytes().splitlines()
    return b"".join(b"data: %b\n\n" % line for line in [*lines, b"[DONE]"])


def cuts(body: bytes, seed: str) -> list[int]:
    if len(body) <= SMALL:
        return list(range(1, len(body)))
    chance = random.Random(seed)
    return sorted(chance.sample(range(1, len(body)), 40))


class Recorded(Server):
    """Sends the body that stands in answer, in pieces; each is written by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.answer, self.cuts, self.kind, self.chunked = b"", [0], "", True

    async def handle(self, request: Request, connection: Connection) -> None:
        # The test sets the next answer as soon as it has this one's last byte.
        answer, chunked, edges = self.answer, self.chunked, [0, *self.cuts, len(self.answer)]
        framing = ("Content-Length", str(len(answer)))
        if chunked:
            framing = ("Transfer-Encoding", "chunked")
        connection.send(head_bytes(200, [("Content-Type", self.kind), framing]))
        for begin, end in itertools.pairwise(edges):
            (connection.chunk if chunked else connection.send)(answer[begin:end])
            await connection.drain()
        if chunked:
            connection.end_chunks()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Recorded, Sidekey]]:
    folder = tmp_path_factory.mktemp("answers")
    upstream = Recorded()
    upstream.start()
    target = {
        "provider": "openaiCompatible",
        "apiBase": upstream.url,
        "apiKey": "none",
        "allowPlaintext": True,
    }
    with Sidekey({"targets": {"main": target}}, folder) as sidekey:
        yield upstream, sidekey
    upstream.stop()


def test_there_are_answers() -> None:
    assert len(ANSWERS) >= 100


@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "counted"])
@pytest.mark.parametrize("path", ANSWERS, ids=lambda p: p.name)
def test_relayed_unchanged(served, path: Path, chunked: bool) -> None:
    upstream, sidekey = served
    upstream.answer, upstream.chunked = answer_of(path), chunked
    upstream.cuts = cuts(upstream.answer, path.name)
    upstream.kind = "application/json" if path.suffix == ".json" else "text/event-stream"
    with Agent(sidekey.port) as agent:
        answer = agent.chat(STREAM)
    assert (answer.status, answer.code, answer.complete) == (200, None, True)
    assert answer.body == upstream.answer
    assert answer.header("content-type") == upstream.kind
