# SPDX-License-Identifier: Apache-2.0
"""Goal: the compose file is one by the specification, gives neither container more than it needs,
and its configuration and health check work as they stand there."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from fakes.sidekey import ROOT, run

pytestmark = pytest.mark.once
FILE = ROOT / "deploy" / "compose" / "compose.yaml"
PYTHON = ROOT / ".cache" / "venv-compose" / "bin" / "python"
VALIDATE = ROOT / "tests" / "compose" / "validate.py"


def interpolated(text: str) -> str:
    """As compose replaces variables of which none is set."""
    text = re.sub(r"(?<!\$)\$\{\w+:-([^}]*)\}", r"\1", text)
    assert not re.search(r"(?<!\$)\$[{\w]", "\n".join(x for x in text.split("\n") if "#" not in x))
    return text.replace("$$", "$")


def validate(text: str) -> subprocess.CompletedProcess:
    if not PYTHON.exists():
        pytest.skip("needs the packages of tests/compose/requirements.txt")
    command = [str(PYTHON), str(VALIDATE)]
    return subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def services() -> dict[str, dict]:
    return yaml.safe_load(interpolated(FILE.read_text()))["services"]


def test_it_is_a_compose_file() -> None:
    done = validate(interpolated(FILE.read_text()))
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["services"]) == {"sidekey", "agent"}


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("read_only: true", "read_onyl: true"),
        ("cap_drop: [ALL]", "cap_drop: {ALL: true}"),
        ("condition: service_healthy", "condition: service_hearty"),
        ("interval: 5s", "interval: soon"),
    ],
)
def test_a_mistake_would_be_seen(right, wrong) -> None:
    text = interpolated(FILE.read_text())
    assert right in text
    assert validate(text.replace(right, wrong)).returncode != 0


@pytest.mark.parametrize(("name", "user"), [("sidekey", "65532:65532"), ("agent", "1000:1000")])
def test_neither_has_more_than_it_needs(services, name, user) -> None:
    service = services[name]
    assert service["user"] == user
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    refused = {"privileged", "cap_add", "pid", "ipc", "userns_mode", "devices", "volumes", "ports"}
    assert refused & set(service) == set()


def test_one_network_and_no_secret_for_the_agent(services) -> None:
    agent = services["agent"]
    assert agent["network_mode"] == "service:sidekey"
    assert agent["depends_on"]["sidekey"]["condition"] == "service_healthy"
    assert {"environment", "env_file", "secrets", "configs"} & set(agent) == set()


def test_its_configuration_is_accepted_and_its_health_check_is_a_verb(services) -> None:
    sidekey = services["sidekey"]
    assert sidekey["environment"]["OPENAI_API_KEY"] is None, "from the shell, never in the file"
    content = sidekey["environment"]["SIDEKEY_CONFIG_CONTENT"]
    done = run("check", env={"SIDEKEY_CONFIG_CONTENT": content, "OPENAI_API_KEY": "x" * 20})
    assert done.returncode == 0 and "warning" not in done.stdout, done.stdout
    how, path, verb, *options = sidekey["healthcheck"]["test"]
    assert (how, path) == ("CMD", "/sidekey")
    done = run(verb, *options, env={"SIDEKEY_CONFIG_CONTENT": content})
    assert done.returncode == 1, "nobody answers here: unhealthy, and no fault of usage"
    assert f'ENTRYPOINT ["{path}"]' in (ROOT / "Dockerfile").read_text()


def test_its_grace_is_longer_than_the_drain(services) -> None:
    schema = json.loads((ROOT / "deploy" / "sidekey.schema.json").read_text())
    drain = schema["properties"]["limits"]["properties"]["drain"]["default"]
    grace = services["sidekey"]["stop_grace_period"]
    assert int(grace.rstrip("s")) > int(drain.rstrip("s"))


def test_the_image_has_the_version_of_the_tree() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text()
    version = re.search(r"^## (\d+[.\d]*)", changes, re.MULTILINE)[1]
    assert f"sidekey:${{SIDEKEY_VERSION:-{version}}}" in FILE.read_text()


def test_the_contexts_that_it_builds_from_are_there(services) -> None:
    for service in services.values():
        assert (Path(FILE).parent / service["build"] / "Dockerfile").resolve().exists()
