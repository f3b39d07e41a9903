# SPDX-License-Identifier: Apache-2.0
"""Goal: the openai package for JavaScript does the same as the one for Python."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from fakes.apibase import Act, refusal
from fakes.sidekey import Sidekey
from fakes.wire import wait_for
from fakes.world import World

SCRIPT = Path(__file__).resolve().parents[1] / "node" / "openai.mjs"
SAID = "You said: hello big world"


@pytest.fixture
def node(sidekey: Sidekey):
    program = shutil.which("node")
    if not program or not (SCRIPT.parent / "node_modules" / "openai").exists():
        pytest.skip("needs node and the packages of tests/node")

    def run(*scenarios: str) -> dict:
        command = [program, str(SCRIPT), sidekey.base, *scenarios]
        done = subprocess.run(command, capture_output=True, text=True, timeout=45, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_everyday_calls(world: World, node) -> None:
    calls = ["chat", "streamedChat", "responses", "embeddings", "models", "toolCall", "refused"]
    assert node(*calls) == {
        "chat": SAID,
        "streamedChat": SAID,
        "responses": "You said: hi there",
        "embeddings": [0.25, -0.5, 0.125, 1],
        "models": ["gpt-4o", "small-embedder"],
        "toolCall": ["weather", "Paris", "You said: the tool says sunny"],
        "refused": [403, "operation_not_allowed"],
    }
    assert len(world.api.requests) == 7  # toolCall is two, refused is none


def test_streamed_responses(node) -> None:
    events = node("streamedResponses")["streamedResponses"]
    assert (events[0], events[-1]) == ("response.created", "response.completed")
    assert "response.output_text.delta" in events


def test_retry_on_429(world: World, node) -> None:
    world.api.script(refusal(429, "slow down"))
    assert node("retry") == {"retry": SAID}
    assert [r.header("x-stainless-retry-count") for r in world.api.requests] == ["0", "1"]


def test_cancelled_stream_reaches_the_upstream(world: World, node) -> None:
    world.api.models["slow"] = Act(events=200, gap=0.1)
    node("cancel")
    wait_for(lambda: world.api.last().gone_at is not None, 1, "upstream sees the disconnect")


def test_broken_stream_raises(world: World, node) -> None:
    world.api.models["breaks"] = Act(events=10, gap=0.02, break_after=4)
    assert node("broken")["broken"].startswith("raised ")
    assert len(world.api.requests) == 1
