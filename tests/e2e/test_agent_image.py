# SPDX-License-Identifier: Apache-2.0
"""Goal: the agent of deploy/agent works with the environment of its image, and every client of the
README's table with the variables that stand there, and nothing else."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from fakes.bedrock import Bedrock
from fakes.four import MODELS, Four
from fakes.sidekey import ROOT, Sidekey
from fakes.sts import Sts
from fakes.world import World

pytestmark = pytest.mark.once
AGENT = ROOT / "deploy" / "agent"
PYTHON = ROOT / ".cache" / "venv-agents" / "bin" / "python"
BY_ENVIRONMENT = ROOT / "tests" / "clients" / "by_environment.py"
NODE = ROOT / "tests" / "node"
ADDRESS = "127.0.0.1:7717"
DOCKERFILE = (AGENT / "Dockerfile").read_text()


def table() -> dict[str, dict[str, str]]:
    """Each client of the README, and its variables."""
    rows = re.findall(r"^\| ([^|]+?) \| (`[^|]*`) \|", (AGENT / "README.md").read_text(), re.MULTILINE)
    return {client: dict(re.findall(r"`(\w+)=([^`]*)`", variables)) for client, variables in rows}


def image_environment() -> dict[str, str]:
    return dict(re.findall(r"^ENV (\w+)=(.*)$", DOCKERFILE, re.MULTILINE))


@pytest.fixture
def four(plain_world: World) -> Iterator[tuple[Four, Bedrock]]:
    principals = plain_world.store.principals
    with ExitStack() as stack:
        four = stack.enter_context(Four())
        bedrock = stack.enter_context(Bedrock(principals=principals))
        sts = stack.enter_context(Sts(principals=principals))
        four.targets["bedrock"] = {
            "provider": "bedrock",
            "apiBase": bedrock.url,
            "allowPlaintext": True,
            "region": bedrock.region,
        }
        four.env.update(plain_world.env(AWS_ENDPOINT_URL_STS=sts.url, AWS_REGION="us-east-1"))
        yield four, bedrock


@pytest.fixture
def sidekey(four, start) -> Sidekey:
    rules = [*MODELS, {"match": "amazon.*", "target": "bedrock"}]
    return start(four[0].config(models=rules), four[0].env)


def finish(command: list[str], variables: dict[str, str], sidekey: Sidekey, folder: Path):
    """With these variables alone, sidekey's port in place of the usual one."""
    here = {k: v.replace(ADDRESS, f"127.0.0.1:{sidekey.port}") for k, v in variables.items()}
    env = {"PATH": "/usr/bin:/bin", "HOME": str(folder), **here}
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=80, check=False
    )


PYTHON_CLIENTS = {
    "OpenAI, Python": "openai_python",
    "Anthropic, Python": "anthropic_python",
    "Azure OpenAI, Python": "azure_python",
    "LiteLLM SDK": "litellm_sdk",
    "Strands, OpenAIModel": "strands_openai",
    "Strands, LiteLLMModel": "strands_litellm",
    "Strands, BedrockModel": "strands_bedrock",
    "LangChain, ChatOpenAI": "langchain",
    "boto3, Bedrock": "boto3_bedrock",
}
NODE_CLIENTS = {
    "OpenAI, JavaScript": "openai",
    "Anthropic, JavaScript": "anthropic",
    "Azure OpenAI, JavaScript": "azure",
    "Vercel AI SDK, OpenAI": "vercelOpenai",
    "Vercel AI SDK, Anthropic": "vercelAnthropic",
}
NOT_INSTALLED = {
    "OpenAI Agents SDK",
    "AWS SDK for JavaScript, Bedrock",
    "codex",
    "Claude Code",
}


def test_every_row_of_the_table_is_tried_or_said_not_to_be() -> None:
    assert set(table()) == {*PYTHON_CLIENTS, *NODE_CLIENTS, *NOT_INSTALLED}


def test_nothing_in_the_table_is_a_secret() -> None:
    for variables in table().values():
        for name, value in variables.items():
            if re.search(r"KEY|TOKEN|SECRET", name):
                assert value == "none", name


@pytest.mark.parametrize("client", PYTHON_CLIENTS)
def test_clients_for_python(four, sidekey: Sidekey, tmp_path: Path, client) -> None:
    if not PYTHON.exists():
        pytest.skip("needs the packages of tests/clients/requirements.txt")
    command = [str(PYTHON), str(BY_ENVIRONMENT), PYTHON_CLIENTS[client]]
    done = finish(command, table()[client], sidekey, tmp_path)
    assert done.returncode == 0, done.stderr + sidekey.text()
    if "Bedrock" in client:
        assert len(four[1].requests) == 1 and done.stdout.strip()
    else:
        assert done.stdout.startswith("You said: hello big world"), done.stdout


@pytest.mark.parametrize("client", NODE_CLIENTS)
def test_clients_for_javascript(sidekey: Sidekey, tmp_path: Path, client) -> None:
    program = shutil.which("node")
    if not program or not (NODE / "node_modules" / "ai").exists():
        pytest.skip("needs node and the packages of tests/node")
    command = [program, str(NODE / "environment.mjs"), NODE_CLIENTS[client]]
    done = finish(command, table()[client], sidekey, tmp_path)
    assert done.returncode == 0, done.stderr + sidekey.text()
    assert done.stdout.splitlines()[-1].startswith("You said: hello big world"), done.stdout


# ---- the image ----


def agent(sidekey: Sidekey, folder: Path, *question: str, **changes: str):
    variables = {**image_environment(), **changes}
    return finish([sys.executable, str(AGENT / "agent.py"), *question], variables, sidekey, folder)


def test_the_agent_answers_by_way_of_its_tool(four, sidekey: Sidekey, tmp_path: Path) -> None:
    done = agent(sidekey, tmp_path, "What time is it?")
    assert done.returncode == 0, done.stderr
    calls = [json.loads(r.body)["messages"] for r in four[0].apis["openai"].requests]
    assert len(calls) == 2
    told = calls[1][-1]
    assert told["role"] == "tool" and re.fullmatch(r"[\dT:-]+\+00:00", told["content"])
    assert done.stdout.startswith("You said: the tool says")
    assert b"none" not in four[0].apis["openai"].last().raw_head, "the word for a key is dropped"


def test_the_agent_says_what_refused_it(sidekey: Sidekey, tmp_path: Path) -> None:
    done = agent(sidekey, tmp_path, "hello", MODEL="not-configured")
    assert done.returncode == 1
    assert "403 by model_not_allowed" in done.stderr


def test_the_agent_says_that_sidekey_is_not_there(sidekey: Sidekey, tmp_path: Path) -> None:
    sidekey.stop()
    done = agent(sidekey, tmp_path, "hello")
    assert done.returncode == 1 and "is sidekey there?" in done.stderr


def test_the_image_is_of_another_user_and_holds_no_secret() -> None:
    user = re.search(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)
    assert user and user[1] == user[2] == "1000"
    assert not re.search(r"^(ARG|ENV) .*(KEY|TOKEN|SECRET)\w*=(?!none$)", DOCKERFILE, re.MULTILINE)
    copied = re.findall(r"^COPY (?:--\S+ )*(\S+) ", DOCKERFILE, re.MULTILINE)
    assert copied == ["requirements.txt", "agent.py"]


def test_the_image_has_the_environment_of_the_table() -> None:
    assert table()["OpenAI, Python"].items() <= image_environment().items()


def test_the_packages_of_the_image_are_those_that_are_tested() -> None:
    """Pinned, each with all that it needs, in the versions of the tests."""

    def pins(path: Path) -> set[str]:
        lines = path.read_text().splitlines()
        return {line for line in lines if line and not line.startswith("#")}

    image = pins(AGENT / "requirements.txt")
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in image)
    assert image <= pins(ROOT / "tests" / "requirements.txt")
