# SPDX-License-Identifier: Apache-2.0
"""Goal: the SDKs and agent frameworks of the day, unmodified and without a secret, make plain and
streamed calls, each to the upstream that the name of its model leads to."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.agent import HELLO, Agent
from fakes.four import Four
from fakes.sidekey import ROOT, SANITIZED, Sidekey

PYTHON = ROOT / ".cache" / "venv-agents" / "bin" / "python"
AGENTS = ROOT / "tests" / "clients" / "agents.py"
NODE = ROOT / "tests" / "node"
SAID = "You said: hello big world"
BOTH = [SAID, SAID]
CHAT = "/v1/chat/completions"
CLASSIC = "/openai/deployments/deployment-7/chat/completions?api-version=2024-10-21"

# They start slowly, and what they send does not depend on how sidekey was compiled.
pytestmark = pytest.mark.skipif(SANITIZED, reason="the same calls are made without sanitizers")


@pytest.fixture
def four() -> Iterator[Four]:
    with Four() as made:
        yield made


@pytest.fixture
def sidekey(four: Four, start) -> Sidekey:
    return start(four.config(), four.env)


def finish(command: list[str], cwd: Path, folder: Path) -> dict:
    env = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "NO_PROXY": "*"}
    done = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, timeout=80, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def python(sidekey: Sidekey, tmp_path: Path):
    if not PYTHON.exists():
        pytest.skip("needs the packages of tests/clients/requirements.txt")
    base = f"http://127.0.0.1:{sidekey.port}"
    return lambda name: finish([str(PYTHON), str(AGENTS), base, name], tmp_path, tmp_path)[name]


@pytest.fixture
def node(sidekey: Sidekey, tmp_path: Path):
    program = shutil.which("node")
    if not program or not (NODE / "node_modules" / "ai").exists():
        pytest.skip("needs node and the packages of tests/node")
    base = f"http://127.0.0.1:{sidekey.port}"
    command = [program, str(NODE / "clients.mjs"), base]
    return lambda name: finish([*command, name], NODE, tmp_path)[name]


def test_anthropic_for_python(four: Four, python) -> None:
    assert python("anthropic") == BOTH
    assert four.heard()["anthropic"] == ["/v1/messages"] * 2


def test_azure_for_python(four: Four, python) -> None:
    assert python("azure") == BOTH
    assert four.heard()["azure"] == [CLASSIC] * 2


def test_litellm_switches_between_four_upstreams(four: Four, python) -> None:
    assert python("litellm") == [BOTH] * 4
    assert four.heard() == {
        "litellm": ["/chat/completions"] * 2,
        "openai": [CHAT] * 2,
        "azure": [CLASSIC] * 2,
        "anthropic": ["/v1/messages"] * 2,
    }
    models = [json.loads(a.last().body)["model"] for n, a in four.apis.items() if n != "azure"]
    assert models == ["team-haiku", "gpt-4o", "claude-x"]


def test_langchain(four: Four, python) -> None:
    assert python("langchain") == [SAID, "You said: hi"]
    assert four.heard()["openai"] == [CHAT] * 2


@pytest.mark.parametrize(
    ("name", "upstream", "target"),
    [("strands_litellm", "litellm", "/chat/completions"), ("strands_openai", "openai", CHAT)],
)
def test_strands_calls_a_tool(four: Four, python, name, upstream, target) -> None:
    steps, said = python(name)
    assert "weather" in steps
    assert said.startswith("You said: the tool says") and "sunny in Paris" in said
    assert four.heard()[upstream] == [target] * 2


@pytest.mark.parametrize(
    ("name", "upstream", "target"),
    [
        ("anthropic", "anthropic", "/v1/messages"),
        ("vercelAnthropic", "anthropic", "/v1/messages"),
        ("vercelCompatible", "litellm", "/chat/completions"),
        ("vercelResponses", "openai", "/v1/responses"),
        ("azure", "azure", CLASSIC),
    ],
)
def test_javascript(four: Four, node, name, upstream, target) -> None:
    assert node(name) == BOTH
    assert four.heard()[upstream] == [target] * 2
    assert sum(len(a.requests) for a in four.apis.values()) == 2


def test_codex_tries_a_websocket_and_falls_back(four: Four, sidekey: Sidekey) -> None:
    """Its upgrade is refused in the one way after which it turns to events at once."""
    upgrade = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", "13"),
        ("openai-beta", "responses_websockets=2026-02-06"),
    ]
    metadata = [("x-codex-turn-metadata", json.dumps({"turn": 1})), ("originator", "codex_exec")]
    body = {"model": "gpt-4o", "input": "hi there", "stream": True, "store": False}
    with Agent(sidekey.port) as agent:
        refused = agent.call("GET", "/v1/responses", headers=[*upgrade, *metadata])
        assert (refused.status, refused.code) == (426, "upgrade_refused")
        assert refused.json()["error"]["message"]
    with Agent(sidekey.port) as agent:
        accept = [("Accept", "text/event-stream")]
        answer = agent.call("POST", "/v1/responses", body, [*accept, *metadata])
        assert answer.status == 200 and b"response.completed" in answer.body
    assert four.heard()["openai"] == ["/v1/responses"]
    assert four.apis["openai"].last().header("x-codex-turn-metadata") == '{"turn": 1}'


def test_the_keys_are_the_targets_own(four: Four, sidekey: Sidekey) -> None:
    """One connection, four upstreams: no key reaches another's."""
    with Agent(sidekey.port) as agent:
        for model in ("litellm_proxy/a", "openai/a", "azure/a"):
            assert agent.chat({**HELLO, "model": model}).status == 200
        body = {**HELLO, "model": "anthropic/a"}
        assert agent.call("POST", "/v1/messages", body).status == 200
    keys = {name: four.env[f"KEY_{name.upper()}"].encode() for name in four.apis}
    for name, api in four.apis.items():
        seen = api.last().raw_head
        assert [n for n, key in keys.items() if key in seen] == [name]
