# SPDX-License-Identifier: Apache-2.0
"""Goal: what passes through sidekey is still what OpenAI's own description of its API asks for."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.agent import Agent
from fakes.sidekey import ROOT, SANITIZED, Sidekey
from fakes.wire import free_port, wait_for

STEADY = ROOT / "tests" / "node" / "node_modules" / ".bin" / "steady"
DESCRIPTION = ROOT / "tests" / "vectors" / "openai-openapi.json"
HELLO = [{"role": "user", "content": "hello"}]

# What is on for the provider by default, and the JSON operations of the groups that are not.
CALLS = [
    ("POST", "/chat/completions", {"model": "gpt-4o", "messages": HELLO}),
    ("POST", "/completions", {"model": "gpt-3.5-turbo-instruct", "prompt": "a"}),
    ("POST", "/embeddings", {"model": "text-embedding-3-small", "input": ["a", "b"]}),
    ("POST", "/moderations", {"input": "a"}),
    ("POST", "/responses", {"model": "gpt-4o", "input": "a"}),
    ("POST", "/responses/input_tokens", {"model": "gpt-4o", "input": "a"}),
    ("POST", "/responses/compact", {"model": "gpt-4o", "input": "a"}),
    ("GET", "/responses/resp_1", None),
    ("GET", "/responses/resp_1/input_items", None),
    ("POST", "/responses/resp_1/cancel", None),
    ("DELETE", "/responses/resp_1", None),
    ("GET", "/models", None),
    ("GET", "/models/gpt-4o", None),
    ("POST", "/images/generations", {"model": "gpt-image-1", "prompt": "a key"}),
    ("POST", "/audio/speech", {"model": "tts-1", "input": "a", "voice": "alloy"}),
    ("GET", "/files", None),
    ("GET", "/files/file_1", None),
    ("GET", "/batches", None),
    ("GET", "/batches/batch_1", None),
    ("POST", "/batches/batch_1/cancel", None),
    (
        "POST",
        "/batches",
        {"input_file_id": "f", "endpoint": "/v1/responses", "completion_window": "24h"},
    ),
]

pytestmark = pytest.mark.skipif(SANITIZED, reason="the same calls are made without sanitizers")


@pytest.fixture(scope="module")
def mock() -> Iterator[int]:
    """An independent server that knows the description and says whether a request fits it."""
    if not STEADY.exists():
        pytest.skip("needs @stdy/cli of tests/node")
    port = free_port()
    command = [str(STEADY), "-q", "--host", "127.0.0.1", "-p", str(port), str(DESCRIPTION)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers() -> bool:
        try:
            with Agent(port, timeout=1):
                return True
        except OSError:
            return False

    try:
        wait_for(answers, 30, "the mock server")
        yield port
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def sidekey(mock: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidekey]:
    folder: Path = tmp_path_factory.mktemp("description")
    target = {
        "provider": "openai",
        "apiBase": f"http://127.0.0.1:{mock}",
        "apiKey": "env:KEY",
        "allowPlaintext": True,
        "operations": [
            *("chat", "completions", "responses", "embeddings", "models", "moderations"),
            *("images", "audio", "files", "batches"),
        ],
    }
    with Sidekey({"targets": {"main": target}}, folder, {"KEY": "sk-0123456789abcdef"}) as s:
        yield s


@pytest.mark.parametrize(("method", "path", "body"), CALLS, ids=[f"{m} {p}" for m, p, _ in CALLS])
def test_valid_stays_valid(sidekey: Sidekey, method: str, path: str, body: dict | None) -> None:
    with Agent(sidekey.port) as agent:
        answer = agent.call(method, f"/v1{path}", body)
    assert answer.code is None and answer.status // 100 == 2, answer.body
    assert answer.header("x-steady-request-valid") == "true", answer.headers


def test_the_mock_server_would_notice(sidekey: Sidekey) -> None:
    with Agent(sidekey.port) as agent:
        answer = agent.call("POST", "/v1/chat/completions", {"model": "gpt-4o", "messages": 1})
    assert answer.code is None and answer.status == 400
    assert json.loads(answer.body)
