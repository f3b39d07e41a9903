# SPDX-License-Identifier: Apache-2.0
"""Goal: every verb takes -c and tells its usage, whatever else it does."""

import json
import re
from pathlib import Path

import pytest
from fakes.sidekey import run

pytestmark = pytest.mark.once
VERBS = (
    *("serve", "exec", "check", "route", "health", "status", "reload", "refresh", "doctor"),
    *("token", "init", "version", "help"),
)


def test_verbs_are_listed() -> None:
    assert tuple(re.findall(r"^  ([a-z]+) +\S", run("help").stdout, re.MULTILINE)) == VERBS


@pytest.mark.parametrize("option", ["--help", "-h"])
@pytest.mark.parametrize("verb", VERBS)
def test_usage_of_a_verb(verb, option) -> None:
    done = run(verb, option)
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: sidekey {verb}")
    assert "-c" in done.stdout


@pytest.mark.parametrize("verb", [v for v in VERBS if v not in ("route", "exec")])
def test_word_that_no_verb_takes(verb) -> None:
    done = run(verb, "extra")
    assert done.returncode == 2
    assert f"usage: sidekey {verb}" in done.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_c_without_its_file(verb) -> None:
    assert run(verb, "-c").returncode == 2


@pytest.fixture
def nowhere(tmp_path: Path) -> str:
    """A file that is not there: who would read it fails."""
    return str(tmp_path / "not-there.yaml")


def test_token_reads_no_configuration(nowhere) -> None:
    done = run("token", "-c", nowhere, "--json", "--name", "mine")
    assert done.returncode == 0
    assert json.loads(done.stdout)["name"] == "mine"


@pytest.mark.parametrize("option", ["-c", "--config"])
def test_init_leaves_the_configuration_alone(tmp_path: Path, option) -> None:
    there = tmp_path / "sidekey.yaml"
    there.write_text("what is here stays\n")
    done = run("init", option, str(there), env={"OPENAI_API_KEY": "sk-not-to-be-seen"})
    assert done.returncode == 0
    assert "targets:" in done.stdout and "sk-not-to-be-seen" not in done.stdout
    assert there.read_text() == "what is here stays\n"


@pytest.mark.parametrize(("short", "verb"), [("--version", "version"), ("--help", "help")])
def test_option_instead_of_a_verb(nowhere, short, verb) -> None:
    assert run(short).stdout == run(verb).stdout == run(verb, "-c", nowhere).stdout
    assert run(short).returncode == 0
    assert run(short, "extra").returncode == 2
