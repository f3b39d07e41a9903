# SPDX-License-Identifier: Apache-2.0
"""Goal: of every answer that was recorded from a real provider the log says the tokens that it
reports, by rules that are written here anew (reference llm.md 6.2), however its lines end."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.agent import Agent
from fakes.bedrock_answers import frame
from fakes.sidekey import ROOT, Sidekey
from fakes.wire import Connection, Request, Server, head_bytes, wait_for

FOLDER = ROOT / "tests" / "vectors" / "answers"
JSONS, STREAMS = sorted(FOLDER.glob("*.json")), sorted(FOLDER.glob("*.chunks.txt"))
PATHS = {
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "embeddings": "/v1/embeddings",
    "messages": "/v1/messages",
    "converse": "/model/m/converse",
}
ENDS = {"LF": b"\n", "CRLF": b"\r\n", "CR": b"\r"}
CLOSING = ("response.completed", "response.incomplete", "response.failed")


def documents(path: Path) -> list[dict]:
    """What of the answer is JSON: one recording was cut short by hand."""
    texts = [path.read_text()] if path.suffix == ".json" else path.read_text().splitlines()
    found = []
    for text in texts:
        try:
            found.append(json.loads(text))
        except ValueError:
            continue
    return [d for d in found if isinstance(d, dict)]


def interface(path: Path) -> str:
    """By whom it was, or by what it looks like."""
    provider, said = path.name.split("__")[0], documents(path)
    if provider in ("anthropic", "amazon-bedrock"):
        return "messages" if provider == "anthropic" else "converse"
    if any(d.get("object") == "response" for d in said):
        return "responses"
    if any(str(d.get("type")).startswith("response.") for d in said):
        return "responses"
    return "embeddings" if "embedding" in path.name else "chat"


def summed(usage: dict, read: str, written: str) -> tuple[int, int] | None:
    """Where what came from a cache, or went there, stands beside the input."""
    names = ("inputTokens", "input_tokens"), ("outputTokens", "output_tokens")
    inputs, outputs = ([usage[n] for n in both if n in usage] for both in names)
    if not inputs or not outputs:
        return None
    return inputs[0] + (usage.get(read) or 0) + (usage.get(written) or 0), outputs[0]


def of_messages(said: list[dict]) -> tuple[int, int] | None:
    """The last delta is cumulative, field by field, over what the start said."""
    usage: dict = {}
    final = False
    for document in said:
        start = document.get("message", {}).get("usage") or {}
        later = document.get("usage") or {}
        usage.update({n: v for n, v in {**start, **later}.items() if v is not None})
        final = final or bool(later)
    read, written = "cache_read_input_tokens", "cache_creation_input_tokens"
    return summed(usage, read, written) if final else None


def of_converse(said: list[dict]) -> tuple[int, int] | None:
    found = [d.get("metadata", d).get("usage") for d in said]
    usage = [u for u in found if u]
    return summed(usage[-1], "cacheReadInputTokens", "cacheWriteInputTokens") if usage else None


def of_openai(said: list[dict], kind: str) -> tuple[int, int] | None:
    """The last that is not null; of the Responses' events only those that close one."""
    if kind == "responses" and any("response" in d for d in said):
        said = [d["response"] for d in said if d.get("type") in CLOSING]
    found = [d["usage"] for d in said if isinstance(d.get("usage"), dict)]
    if not found:
        return None
    usage = found[-1]
    total = usage.get("total_tokens")
    given = usage.get("prompt_tokens", usage.get("input_tokens"))
    made = usage.get("completion_tokens", usage.get("output_tokens"))
    if kind == "embeddings":
        return (total if given is None else given, 0)
    if not isinstance(given, int) or not isinstance(made, int):
        return None  # of another interface
    # xAI counts what was thought beside what was said, and its total has both.
    details = usage.get("completion_tokens_details") or {}
    thought = details.get("reasoning_tokens") or 0
    return given, made + thought if total == given + made + thought else made


def expected(path: Path) -> tuple[int, int] | None:
    kind, said = interface(path), documents(path)
    if kind == "messages":
        return of_messages(said)
    return of_converse(said) if kind == "converse" else of_openai(said, kind)


class Recorded(Server):
    """Sends the body that stands in answer, a few bytes at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.answer, self.kind = b"", ""

    async def handle(self, request: Request, connection: Connection) -> None:
        answer, size = self.answer, 1 + len(self.answer) // 50
        head = [("Content-Type", self.kind), ("Transfer-Encoding", "chunked")]
        connection.send(head_bytes(200, head))
        for at in range(0, len(answer), size):
            connection.chunk(answer[at : at + size])
            await connection.drain()
        connection.end_chunks()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Recorded, Sidekey]]:
    with Recorded() as upstream:
        same = {"apiBase": upstream.url, "apiKey": "none", "allowPlaintext": True}
        targets = {p: {**same, "provider": p} for p in ("openai", "anthropic", "bedrock")}
        with Sidekey({"targets": targets}, tmp_path_factory.mktemp("usage")) as sidekey:
            yield upstream, sidekey


def used(served, path: str) -> tuple[int, int] | None:
    upstream, sidekey = served
    before = len(sidekey.calls())
    with Agent(sidekey.port) as agent:
        answer = agent.call("POST", path, {"model": "m"})
    assert (answer.status, answer.body) == (200, upstream.answer)
    wait_for(lambda: len(sidekey.calls()) > before, 10, "the call's log line")
    call = sidekey.calls()[-1]
    assert ("tokens_in" in call) != (call.get("usage") == "unknown")
    return (call["tokens_in"], call["tokens_out"]) if "tokens_in" in call else None


@pytest.mark.parametrize("path", JSONS, ids=lambda p: p.name)
def test_document(served, path: Path) -> None:
    served[0].answer, served[0].kind = path.read_bytes(), "application/json"
    assert used(served, PATHS[interface(path)]) == expected(path)


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
@pytest.mark.parametrize("path", STREAMS, ids=lambda p: p.name)
def test_stream(served, path: Path, end: bytes) -> None:
    upstream, kind = served[0], interface(path)
    if kind == "converse":
        events = [(name, body) for d in documents(path) for name, body in d.items()]
        upstream.answer = b"".join(frame(name, body) for name, body in events)
        upstream.kind = "application/vnd.amazon.eventstream"
        assert used(served, PATHS[kind] + "-stream") == expected(path)
        return
    lines = [*path.read_bytes().splitlines(), b"[DONE]"]
    said = b"".join(b"data: %b%b%b" % (line, end, end) for line in lines)
    upstream.answer = b": a comment" + end + end + said
    upstream.kind = "text/event-stream; charset=utf-8"
    assert used(served, PATHS[kind]) == expected(path)


def test_most_say_what_they_used() -> None:
    known = [path for path in (*JSONS, *STREAMS) if expected(path) is not None]
    assert len(known) > 90
