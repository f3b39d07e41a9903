# SPDX-License-Identifier: Apache-2.0
"""What the tests read out of a document: links, headings, fenced blocks, and the commands in them."""

import re
import subprocess
import textwrap
from pathlib import Path

from fakes.sidekey import ROOT

FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


def documents() -> list[Path]:
    """Every document of the tree that people are to read."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    # A copy of the tree that is no checkout has the same files.
    names = listed.stdout.split() or [
        str(p.relative_to(ROOT))
        for folder in ("docs", "deploy", "k8s", "policy")
        for p in (ROOT / folder).rglob("*.md")
    ] + ["README.md"]
    return [ROOT / name for name in sorted(set(names)) if (ROOT / name).exists()]


def blocks(text: str, language: str) -> list[str]:
    return [textwrap.dedent(m[3]) for m in FENCED.finditer(text) if m[2] == language]


def prose(text: str) -> str:
    """The text without its blocks and code, in which brackets are no links."""
    return re.sub(r"`[^`\n]*`", "", FENCED.sub("", text))


def links(text: str) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", prose(text))


def sources(text: str) -> list[str]:
    """The source files that are named with their folder."""
    return re.findall(r"`(\w[\w./-]*/[\w-]+\.(?:[ch]|py|sh))\b[^`\n]*`", FENCED.sub("", text))


def anchors(text: str) -> set[str]:
    """The names by which GitHub knows the headings."""
    found = set()
    for heading in re.findall(r"^#+ (.*)$", FENCED.sub("", text), re.MULTILINE):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        found.add(re.sub(r"[^\w\- ]", "", words).strip().replace(" ", "-"))
    return found


def is_whole(command: str) -> bool:
    done = subprocess.run(["bash", "-n"], input=command, capture_output=True, text=True, check=False)
    return done.returncode == 0 and not done.stderr and not command.endswith("\\\n")


def commands(text: str) -> list[str]:
    """The commands of the blocks of shell, each as many lines as bash needs to understand it."""
    found = []
    for block in blocks(text, "sh"):
        command = ""
        for line in block.splitlines(keepends=True):
            command += line
            if command.strip() and is_whole(command):
                found.append(command)
                command = ""
        assert not command.strip(), f"bash does not understand {command!r}"
    return found
