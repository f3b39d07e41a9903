# SPDX-License-Identifier: Apache-2.0
"""Goal: every verb takes -c and tells its usage, whatever else it does."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from fakes.sidekey import program, run

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


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb(verb) -> None:
    """As git and kubectl have it."""
    done = run("help", verb)
    assert (done.returncode, done.stdout) == (0, run(verb, "--help").stdout)
    assert run("--help", verb).stdout == done.stdout
    assert run("help", verb, "extra").returncode == 2


@pytest.mark.parametrize("verb", [v for v in VERBS if v not in ("route", "exec")])
def test_word_that_no_verb_takes(verb) -> None:
    done = run(verb, "extra")
    assert done.returncode == 2
    assert f"usage: sidekey {verb}" in done.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_c_without_its_file(verb) -> None:
    assert run(verb, "-c").returncode == 2


@pytest.mark.parametrize("verb", VERBS)
def test_help_behind_other_options(nowhere, verb) -> None:
    done = run(verb, "-c", nowhere, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: sidekey {verb}")


READERS = ("serve", "check", "health", "status", "doctor", "route", "exec", "reload")


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize("verb", READERS)
def test_config_is_c(nowhere, verb, joined) -> None:
    words = [f"--config={nowhere}"] if joined else ["--config", nowhere]
    rest = {"route": ["GET", "/v1/models"], "exec": ["true"]}.get(verb, [])
    said = [run(verb, *way, *rest).stdout for way in (words, ["-c", nowhere])]
    # Who else is running on this machine may have changed between the two.
    assert len({re.sub(r"\n  --pid .*", "", text) for text in said}) == 1, said


@pytest.mark.parametrize("verb", ["token", "version", "help"])
def test_config_is_c_where_no_file_is_read(nowhere, verb) -> None:
    assert run(verb, "--config", nowhere).returncode == 0


@pytest.mark.parametrize("words", [["-x"], ["--port", "80"], ["extra"]])
@pytest.mark.parametrize("verb", [v for v in VERBS if v not in ("route", "exec")])
def test_what_is_refused_is_named(verb, words) -> None:
    said = run(verb, *words).stdout
    assert words[0].lstrip("-") in said.splitlines()[0]
    assert said.startswith((f"sidekey {verb}: ", f"{verb}: "))


def test_verb_behind_the_file(nowhere) -> None:
    done = run("-c", nowhere, "check")
    assert done.returncode == 2
    assert '"check" is not taken here (a verb comes first' in done.stdout


def test_status_is_told_in_one_way_at_a_time() -> None:
    assert "either --json or --open" in run("status", "--json", "--open").stdout


def test_c_at_the_end_asks_for_its_file() -> None:
    assert "sidekey serve: behind -c comes a file" in run("serve", "-c").stdout


UNWRITTEN = [
    *[["help"], ["version"], ["check", "--schema"], ["route", "-h"]],
    *[["init"], ["token"], ["doctor", "--as-agent"]],
]


@pytest.mark.parametrize("verb", UNWRITTEN, ids=" ".join)
def test_full_disk_is_an_exit_of_1(verb) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [str(program()), *verb], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert done.stderr == f"sidekey {verb[0]}: standard output could not be written\n"


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
