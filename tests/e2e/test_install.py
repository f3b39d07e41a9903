# SPDX-License-Identifier: Apache-2.0
"""Goal: make install puts all in place with the right modes, make uninstall takes it away again,
and the man page says what the program does."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from fakes.sidekey import ROOT, run

pytestmark = pytest.mark.once
PREFIX = "/opt/somewhere"
PLACES = {
    "bin/sidekey": 0o111,
    "share/man/man1/sidekey.1": 0o644,
    "share/bash-completion/completions/sidekey": 0o644,
    "share/zsh/site-functions/_sidekey": 0o644,
    "share/fish/vendor_completions.d/sidekey.fish": 0o644,
    "lib/systemd/system/sidekey.service": 0o644,
    "lib/sysusers.d/sidekey.conf": 0o644,
    "share/sidekey/sidekey.schema.json": 0o644,
}
MAN = ROOT / "deploy" / "man" / "sidekey.1"


def make(target: str, folder: Path) -> None:
    command = ["make", "--no-print-directory", target, f"DESTDIR={folder}", f"PREFIX={PREFIX}"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False, umask=0o022
    )
    assert done.returncode == 0, done.stdout + done.stderr


def files(folder: Path) -> set[str]:
    return {str(f.relative_to(folder)) for f in folder.rglob("*") if not f.is_dir()}


def test_everything_is_installed_with_its_mode_and_goes_again(tmp_path: Path) -> None:
    make("install", tmp_path)
    top = tmp_path / PREFIX.lstrip("/")
    assert files(tmp_path) == {str((top / p).relative_to(tmp_path)) for p in PLACES}
    for place, mode in PLACES.items():
        there = (top / place).stat()
        assert there.st_mode & 0o7777 == mode, place
        assert there.st_uid == os.geteuid()
    credentials = tmp_path / "etc/sidekey/credentials"
    assert credentials.stat().st_mode & 0o7777 == 0o700
    unit = (top / "lib/systemd/system/sidekey.service").read_text()
    assert f"ExecStart={PREFIX}/bin/sidekey serve" in unit and "/usr/" not in unit
    assert "/usr/local" not in (top / "share/man/man1/sidekey.1").read_text()
    make("uninstall", tmp_path)
    assert files(tmp_path) == set()
    assert not (tmp_path / "etc/sidekey").exists()


def test_uninstall_leaves_what_is_the_operators(tmp_path: Path) -> None:
    make("install", tmp_path)
    (tmp_path / "etc/sidekey/sidekey.yaml").write_text("mine")
    (tmp_path / "etc/sidekey/credentials/openai").write_text("mine")
    make("uninstall", tmp_path)
    assert files(tmp_path) == {"etc/sidekey/sidekey.yaml", "etc/sidekey/credentials/openai"}


# ---- the man page ----


def verbs() -> list[str]:
    return re.findall(r"^  ([a-z]+) +\S", run("help").stdout, re.MULTILINE)


def options(verb: str) -> set[str]:
    """Those of --help's own text; -h and --help are said once for all."""
    found = re.findall(r"(?:^|[\[\] ,|])(--?[a-z][a-z-]*)", run(verb, "--help").stdout, re.MULTILINE)
    return set(found) - {"-h", "--help"}


def sections(text: str) -> dict[str, str]:
    """The text of each verb of DESCRIPTION."""
    description = text.split(".Sh DESCRIPTION")[1].split(".Sh ")[0]
    parts = re.split(r"^\.It Cm ([a-z]+).*$", description, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def documented(text: str) -> set[str]:
    """The options of .It lines: `.It Fl c Ar FILE , Fl -config Ar FILE`."""
    lines = re.findall(r"^\.It (Fl .*)$", text, re.MULTILINE)
    return {"-" + name for line in lines for name in re.findall(r"Fl (\S+)", line)}


def synopsis(verb: str) -> set[str]:
    text = MAN.read_text().split(".Sh SYNOPSIS")[1].split(".Sh ")[0]
    for entry in re.split(r"^\.Nm$", text, flags=re.MULTILINE):
        if re.search(rf"Cm {verb}\b", entry):
            return {"-" + name for name in re.findall(r"Fl (\S+)", entry)}
    return set()


def test_the_man_page_has_the_verbs_of_the_program() -> None:
    assert sorted(sections(MAN.read_text())) == sorted(verbs())


@pytest.mark.parametrize("verb", verbs())
def test_the_man_page_has_the_options_of_the_verb(verb) -> None:
    if verb in ("help", "version"):
        assert documented(sections(MAN.read_text())[verb]) == set()
        return
    due = options(verb)
    assert due, f"{verb} --help names no option"
    assert documented(sections(MAN.read_text())[verb]) == due
    assert synopsis(verb) <= due
    assert due - synopsis(verb) <= {"--config", "--output"}, "long forms of what stands there"


def test_the_man_page_is_well_formed() -> None:
    program = shutil.which("mandoc")
    if not program:
        pytest.skip("needs Debian's mandoc")
    done = subprocess.run(
        [program, "-T", "lint", "-W", "warning", str(MAN)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "" and done.returncode == 0, done.stdout


@pytest.mark.parametrize("word", ["ENVIRONMENT", "FILES", "SIGNALS", "EXIT STATUS", "EXAMPLES"])
def test_the_man_page_has_its_sections(word) -> None:
    assert f".Sh {word}\n" in MAN.read_text()


def test_the_man_page_names_the_variables_that_are_read() -> None:
    """Those that the program asks for by name, but for the cloud's, which are said as AWS_*."""
    source = "".join(
        f.read_text() for f in (ROOT / "sidecar").rglob("*.c") if not f.name.startswith("init_")
    )
    read = set(re.findall(r'(?:variable\(env|getenv|env->get\(\S+), "([A-Z_]+)"', source))
    ours = {name for name in read if not name.startswith("AWS_")}
    assert {"SIDEKEY_CONFIG", "SIDEKEY_API_BASE"} <= ours
    text = MAN.read_text()
    assert [name for name in sorted(ours) if name not in text] == []
