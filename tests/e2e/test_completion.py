# SPDX-License-Identifier: Apache-2.0
"""Goal: the Tab key knows every verb and option, in the shell's own completion."""

import os
import pty
import re
import select
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from fakes.sidekey import ROOT, environment, program, run

pytestmark = pytest.mark.once
COMPLETIONS = ROOT / "deploy" / "completions"
PATIENCE = 30


def shell(name: str) -> str:
    found = shutil.which(name)
    if not found:
        pytest.skip(f"needs Debian's {name}")
    return found


@pytest.fixture
def path(tmp_path: Path) -> dict[str, str]:
    """An environment in which `sidekey` is the program under test, and nothing is at home."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sidekey").symlink_to(program())
    paths = f"{tmp_path}/bin:/usr/bin:/bin"
    return environment({"PATH": paths, "HOME": str(tmp_path), "TERM": "dumb"})


class Terminal:
    """An interactive shell, typed at."""

    def __init__(self, command: list[str], env: dict[str, str], cwd: Path) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            os.execve(command[0], command, env)
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def until(self, pattern: str) -> str:
        """Reads until the pattern is there; what was read up to its end."""
        end = time.monotonic() + PATIENCE
        while not (match := re.search(pattern, self.seen)):
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            assert ready, f"{pattern!r} did not come: {self.seen!r}"
            self.seen += os.read(self.fd, 4096).decode(errors="replace")
        got, self.seen = self.seen[: match.end()], self.seen[match.end() :]
        return got

    def close(self) -> None:
        os.close(self.fd)
        os.waitpid(self.pid, 0)


@pytest.fixture
def bash(path, tmp_path: Path):
    terminal = Terminal([shell("bash"), "--norc", "--noprofile", "-i"], path, tmp_path)
    terminal.type("bind 'set bell-style none'; bind 'set show-all-if-ambiguous on'\n")
    terminal.type("bind 'set page-completions off'; PS1='READY'\n")
    terminal.type(f". {COMPLETIONS}/sidekey.bash; echo so''urced\n")
    terminal.until("sourced\r?\n")
    terminal.until("READY")
    yield terminal
    terminal.type("\x03exit\n")
    terminal.close()


def test_bash_completes_what_is_clear(bash) -> None:
    bash.type("sidekey chec\t--res\t\n")
    bash.until(r"sidekey check --resolve ?")


def test_bash_lists_the_verbs(bash) -> None:
    bash.type("sidekey \t")
    said = bash.until(r"READYsidekey ")
    verbs = re.findall(r"^  ([a-z]+) +\S", run("help").stdout, re.MULTILINE)
    assert len(verbs) > 8
    assert [v for v in verbs if v not in said.split()] == []


@pytest.mark.parametrize("verb", ["check", "route", "reload", "init", "serve"])
def test_bash_lists_the_options_of_a_verb(bash, verb) -> None:
    bash.type(f"sidekey {verb} -\t")
    if verb == "serve":
        bash.until("sidekey serve -c ")
        return
    said = bash.until(rf"READYsidekey {verb} -").split()
    options = set(re.findall(r"(?:^|[\[\] ,|])(--[a-z-]+)", run(verb, "--help").stdout, re.MULTILINE))
    assert len(options) > 1
    assert options <= set(said)


@pytest.mark.parametrize("option", ["check -c", "init --from", "init -o"])
def test_bash_completes_files_where_one_is_due(bash, tmp_path: Path, option) -> None:
    (tmp_path / "a file with blanks.yaml").touch()
    bash.type(f"sidekey {option} a\t\n")
    bash.until(rf"sidekey {option} a\\ file\\ with\\ blanks.yaml")


def test_bash_offers_nothing_where_a_word_of_ones_own_is_due(bash) -> None:
    bash.type("sidekey token --name \tmine --js\t\n")
    bash.until("sidekey token --name mine --json")


@pytest.mark.parametrize(
    ("line", "due"),
    [
        ("sidekey ", {"serve", "check", "init", "token"}),
        ("sidekey che", {"check"}),
        ("sidekey check --", {"--resolve", "--schema", "--json", "--config"}),
        ("sidekey init --f", {"--from", "--force"}),
        ("sidekey check -c sid", {"sidekey.yaml"}),
        ("sidekey token --name ", set()),
    ],
)
def test_fish(path, tmp_path: Path, line, due) -> None:
    (tmp_path / "sidekey.yaml").touch()
    script = f"source {COMPLETIONS}/sidekey.fish; complete -C '{line}'"
    done = subprocess.run(
        [shell("fish"), "--no-config", "-c", script],
        env=path,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    offered = {row.split("\t")[0] for row in done.stdout.splitlines()}
    assert done.stderr == ""
    assert offered >= due and (due or not offered)
    assert not due or not any(o.startswith("-") for o in due) or "serve" not in offered


ZSH = """\
autoload -Uz compinit && compinit -u -d {home}/dump
PS1=READY
zstyle ':completion:*' list-prompt ''
setopt no_beep
print so''urced
"""


@pytest.fixture
def zsh(path, tmp_path: Path):
    (tmp_path / ".zshrc").write_text(f"fpath=({COMPLETIONS} $fpath)\n" + ZSH.format(home=tmp_path))
    terminal = Terminal([shell("zsh"), "-i"], {**path, "ZDOTDIR": str(tmp_path)}, tmp_path)
    terminal.until("sourced")
    terminal.until("READY")
    yield terminal
    terminal.type("\x03exit\n")
    terminal.close()


def test_zsh_completes_what_is_clear(zsh) -> None:
    zsh.type("sidekey chec\t")
    zsh.until("check")
    zsh.type("--res\t")
    zsh.until("--resolve")


def test_zsh_lists_the_verbs_with_what_they_do(zsh) -> None:
    zsh.type("sidekey re\t\t")
    said = zsh.until("fetch every secret now")
    assert "read its configuration again" in said or zsh.until("read its configuration again")
