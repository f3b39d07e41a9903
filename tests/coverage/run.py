#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`make coverage`: which lines and branches the unit tests, the end-to-end tests and the replayed
inputs of the fuzz targets reach, all together, and by name what none of them does.

    tests/coverage/run.py [PYTEST ARGUMENT...]      default: tests/e2e and tests/box

Writes tests/coverage/report.md. A branch inside an assert is not counted: no input may take it.
Exit status: 1 when nothing was counted. That a test fails is `make test`'s business.
"""

import collections
import datetime
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/coverage"
REPORT = Path(__file__).with_name("report.md")
REASONS = Path(__file__).with_name("uncovered.md")
LOW_PERCENT = 80
LARGEST = 40
GAP_LINES_MIN = 6
LLVM = "-14"
TEST_SECONDS = 3600
# The image holds a program of its own.
DEFAULT = ["tests/e2e", "tests/box", "--ignore=tests/e2e/test_agent_image.py"]


@dataclass
class File:
    """Of one source: how often each line and branch was taken, and where functions begin."""

    lines: dict[int, int] = field(default_factory=dict)
    branches: list[bool] = field(default_factory=list)
    functions: dict[str, int] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)

    def gaps(self) -> list[tuple[int, int, int]]:
        """Runs of lines that nothing reached: first, last, how many hold code."""
        runs, begun, n = [], None, 0
        for line, count in [*sorted(self.lines.items()), (0, 1)]:
            if count == 0:
                begun, n, last = begun or line, n + 1, line
            elif begun:
                runs.append((begun, last, n))
                begun, n = None, 0
        return runs

    def function_at(self, line: int) -> str:
        before = [(at, name) for name, at in self.functions.items() if at <= line]
        return max(before)[1] if before else "?"


def tests(arguments: list[str]) -> None:
    """Every program counts by itself, whoever starts it and however it ends."""
    for kind in ("unit", "replay"):
        command = [sys.executable, "tests/run.py", kind, "build/coverage"]
        subprocess.run(command, cwd=ROOT, check=False)
    environment = {
        **os.environ,
        "SIDEKEY": str(BUILD / "sidekey"),
        "SIDEKEY_TEST": str(BUILD / "sidekey-test"),
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        *(arguments or ["tests/e2e", "tests/box"]),
    ]
    subprocess.run(
        command, cwd=ROOT, env=environment, timeout=TEST_SECONDS, check=False
    )


def programs() -> list[Path]:
    sources = [ROOT / "tests/unit", ROOT / "tests/fuzz"]
    stems = {p.stem for folder in sources for p in folder.glob("*.c")}
    built = [*BUILD.glob("unit/*"), *BUILD.glob("replay/*")]
    tried = [p for p in built if p.stem in stems and not p.suffix]
    return [BUILD / "sidekey", BUILD / "sidekey-test", *sorted(tried)]


def write_out(program: Path, file: Path) -> None:
    """See counters.c: this writes what was counted, and forgets it."""
    environment = {"SIDEKEY_COVERAGE_OUT": str(file)}
    subprocess.run([program], env=environment, check=True, timeout=60)


def merge(files: list[Path]) -> Path:
    merged = BUILD / "merged.profdata"
    profdata = f"llvm-profdata{LLVM}"
    subprocess.run([profdata, "merge", "-sparse", "-o", merged, *files], check=True)
    return merged


def read_lcov(text: str) -> dict[str, File]:
    files: dict[str, File] = {}
    for line in text.splitlines():
        what, _, rest = line.partition(":")
        if what == "SF":
            path = Path(rest)
            name = str(path.relative_to(ROOT) if path.is_absolute() else path)
            file = files.setdefault(name, File())
            source = (
                (ROOT / name).read_text().splitlines() if (ROOT / name).exists() else []
            )
        elif what == "DA":
            number, count = map(int, rest.split(",")[:2])
            file.lines[number] = file.lines.get(number, 0) + count
        elif what == "BRDA":
            number, _, _, count = rest.split(",")
            if "assert(" not in source[int(number) - 1]:
                file.branches.append(count not in ("-", "0"))
        elif what == "FN":
            number, _, name = rest.partition(",")
            file.functions[name.rpartition(":")[2]] = int(number)
        elif what == "FNDA":
            count, _, name = rest.partition(",")
            file.taken[name.rpartition(":")[2]] = int(count)
    return {
        name: f for name, f in files.items() if name.startswith(("sidecar/", "policy/"))
    }


def percent(good: int, all_of_them: int) -> str:
    return f"{100 * good / all_of_them:.1f} %" if all_of_them else "-"


def figures(files: list[File]) -> str:
    lines = [count for f in files for count in f.lines.values()]
    branches = [taken for f in files for taken in f.branches]
    functions = [count for f in files for count in f.taken.values()]
    return (
        f"| {len(lines)} | {percent(sum(c > 0 for c in lines), len(lines))} "
        f"| {percent(sum(branches), len(branches))} "
        f"| {sum(c > 0 for c in functions)} of {len(functions)} |"
    )


def folders(files: dict[str, File]) -> list[str]:
    by_folder: dict[str, list[File]] = collections.defaultdict(list)
    for name, file in files.items():
        by_folder[str(Path(name).parent)].append(file)
    rows = [
        f"| `{folder}/` {figures(some)}" for folder, some in sorted(by_folder.items())
    ]
    head = "| folder | lines | reached | branches reached | functions reached |"
    return [
        head,
        "|---|---|---|---|---|",
        *rows,
        f"| **all** {figures(list(files.values()))}",
    ]


def low(files: dict[str, File]) -> list[str]:
    rows = []
    for name, file in sorted(files.items()):
        reached = sum(c > 0 for c in file.lines.values())
        if 100 * reached < LOW_PERCENT * len(file.lines):
            missed = sorted(n for n, c in file.taken.items() if c == 0)
            named = ", ".join(f"`{n}`" for n in missed) or "-"
            rows.append(f"| `{name}` {figures([file])} {named} |")
    head = "| file | lines | reached | branches reached | functions reached | functions missed |"
    return [head, "|---|---|---|---|---|---|", *rows] if rows else ["None."]


def reasons() -> dict[str, str]:
    """FILE:FUNCTION, and why nothing reaches it: the table in uncovered.md."""
    found = re.findall(r"^\| `(\S+)` \| (.+) \|$", REASONS.read_text(), re.MULTILINE)
    return dict(found)


def largest(files: dict[str, File]) -> list[str]:
    why = reasons()
    gaps = [
        (n, name, first, last, file.function_at(first))
        for name, file in files.items()
        for first, last, n in file.gaps()
        if n >= GAP_LINES_MIN
    ]
    rows = [
        f"| `{name}:{first}-{last}` | `{function}` | {n} | {why.get(f'{name}:{function}', '')} |"
        for n, name, first, last, function in sorted(gaps, reverse=True)[:LARGEST]
    ]
    return ["| where | in | lines | why |", "|---|---|---|---|", *rows]


def never(files: dict[str, File]) -> list[str]:
    named = [
        f"`{name}`: " + ", ".join(f"`{n}`" for n in missed)
        for name, file in sorted(files.items())
        if (missed := sorted(n for n, c in file.taken.items() if c == 0))
    ]
    return [f"* {line}" for line in named] or ["None."]


def write_report(files: dict[str, File]) -> None:
    text = [
        "# What the tests reach",
        "",
        f"Written by `make coverage` on {datetime.date.today()}: unit tests, end-to-end tests,",
        "sandbox tests and the replayed inputs of the fuzz targets together, in processes with",
        "their boxes shut. A line counts when it holds code; a branch counts once for each way,",
        "those inside an `assert` not at all.",
        "",
        *folders(files),
        "",
        f"## Files below {LOW_PERCENT} % of lines",
        "",
        *low(files),
        "",
        f"## The largest gaps ({GAP_LINES_MIN} lines or more)",
        "",
        "The reasons are kept in [uncovered.md](uncovered.md).",
        "",
        *largest(files),
        "",
        "## Functions that nothing calls",
        "",
        *never(files),
    ]
    REPORT.write_text("\n".join(text) + "\n")


def main() -> int:
    for program in programs():
        write_out(program, BUILD / "left.profraw")
    tests(sys.argv[1:])
    counted = []
    for number, program in enumerate(programs()):
        counted.append(BUILD / f"{number}.profraw")
        write_out(program, counted[-1])
    command = [f"llvm-cov{LLVM}", "export", "-format=lcov", BUILD / "sidekey"]
    command.append(f"-instr-profile={merge(counted)}")
    exported = subprocess.run(
        command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    files = read_lcov(exported.stdout)
    write_report(files)
    total = figures(list(files.values()))
    print(f"coverage: {total}; the rest in {REPORT.relative_to(ROOT)}")
    return 0 if any(c for f in files.values() for c in f.lines.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
