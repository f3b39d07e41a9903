# SPDX-License-Identifier: Apache-2.0
"""What the checks share: the tree's files, C without comments and strings, findings."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

TOKEN = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL
)


def c_files(*suffixes, tops=("sidecar", "policy")):
    """Every C file under the named folders, in order."""
    wanted = suffixes or (".c", ".h")
    return sorted(p for top in tops for p in (ROOT / top).rglob("*") if p.suffix in wanted)


def name(path):
    return str(path.relative_to(ROOT))


def code_lines(path):
    """The file's lines with comments and the insides of strings blanked out."""

    def blank(match):
        text = match.group(0)
        if text[0] in "\"'":
            return text[0] + " " * (len(text) - 2) + text[0]
        return re.sub(r"[^\n]", " ", text)

    text = path.read_text()
    includes = {
        i: line for i, line in enumerate(text.split("\n")) if line.lstrip().startswith("#include")
    }
    lines = TOKEN.sub(blank, text).split("\n")
    for i, line in includes.items():
        lines[i] = line
    return lines


class Findings:
    def __init__(self):
        self.count = 0

    def add(self, path, line, reason):
        print(f"{name(path)}:{line}: {reason}")
        self.count += 1

    def end(self):
        sys.exit(1 if self.count else 0)
