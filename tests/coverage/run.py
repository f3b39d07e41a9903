#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`make coverage`: which lines and branches the unit tests, the end-to-end tests and the replayed
inputs of the fuzz targets reach, all together, and by name what none of them does.

    tests/coverage/run.py [PYTEST ARGUMENT...]      default: DEFAULT, below

Writes tests/coverage/report.md, or for a part of the suite build/coverage/report.md. A branch
inside an assert is not counted: no input may take it. Exit status: 1 when nothing was counted, or
when uncovered.md gives a reason for a function that is not there. That a test fails is `make
test`'s business.
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
PART = BUILD / "report.md"
REASONS = Path(__file__).with_name("uncovered.md")
LOW_PERCENT = 80
GAP_LINES_MIN = 4
LLVM = "-14"
TEST_SECONDS = 3600
# Two files of tests/torture let calls and allocations fail, of which they take a few: what is then
# reached differs with each build. The image holds a program of its own.
DEFAULT = [
    "tests/e2e",
    "tests/box",
    "tests/torture",
    "--ignore=tests/torture/test_allocations.py",
    "--ignore=tests/torture/test_system_calls.py",
    "--ignore=tests/e2e/test_agent_image.py",
]


@dataclass
class File:
    """Of one source: how often each line and branch was taken, and where functions begin."""

    lines: dict[int, int] = field(default_factory=dict)
    branches: list[tuple[int, bool]] = field(default_factory=list)
    functions: dict[str, int] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)

    def gaps(self) -> dict[str, list[tuple[int, int]]]:
        """By function: the runs of lines that nothing reached, first and last."""
        found: dict[str, list[tuple[int, int]]] = collections.defaultdict(list)
        before = ""
        for line, count in sorted(self.lines.items()):
            function = self.function_at(line)
            if count == 0 and before == function:
                found[function][-1] = (found[function][-1][0], line)
            elif count == 0:
                found[function].append((line, line))
            before = function if count == 0 else ""
        return found

    def half_taken(self) -> list[int]:
        """Lines that are reached, with a branch that never goes one of its ways."""
        return sorted({line for line, taken in self.branches if not taken and self.lines.get(line)})

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
        *(arguments or DEFAULT),
    ]
    subprocess.run(command, cwd=ROOT, env=environment, timeout=TEST_SECONDS, check=False)


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
            source = (ROOT / name).read_text().splitlines() if (ROOT / name).exists() else []
        elif what == "DA":
            number, count = map(int, rest.split(",")[:2])
            file.lines[number] = file.lines.get(number, 0) + count
        elif what == "BRDA":
            number, _, _, count = rest.split(",")
            if "assert(" not in source[int(number) - 1]:
                file.branches.append((int(number), count not in ("-", "0")))
        elif what == "FN":
            number, _, name = rest.partition(",")
            file.functions[name.rpartition(":")[2]] = int(number)
        elif what == "FNDA":
            count, _, name = rest.partition(",")
            file.taken[name.rpartition(":")[2]] = int(count)
    return {name: f for name, f in files.items() if name.startswith(("sidecar/", "policy/"))}


def percent(good: int, all_of_them: int) -> str:
    return f"{100 * good / all_of_them:.1f} %" if all_of_them else "-"


def figures(files: list[File]) -> str:
    lines = [count for f in files for count in f.lines.values()]
    branches = [taken for f in files for _, taken in f.branches]
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
    rows = [f"| `{folder}/` {figures(some)}" for folder, some in sorted(by_folder.items())]
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


def spans(gaps: list[tuple[int, int]]) -> str:
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in gaps)


def argued(files: dict[str, File]) -> list[str]:
    """What is never called or misses several lines on end, with the reason."""
    why, rows = reasons(), []
    for name, file in sorted(files.items()):
        for function, gaps in file.gaps().items():
            large = [gap for gap in gaps if gap[1] - gap[0] + 1 >= GAP_LINES_MIN]
            called = file.taken.get(function) != 0
            if large or not called:
                what = spans(large) if called else "never called"
                reason = why.get(f"{name}:{function}", "")
                rows.append(f"| `{name}` | `{function}` | {what} | {reason} |")
    return ["| file | function | lines | why |", "|---|---|---|---|", *rows]


def missed(file: File) -> str:
    """Of one file: by function what was not reached, and where a branch has one way only."""
    gaps = file.gaps()
    branches: dict[str, list[int]] = collections.defaultdict(list)
    for line in file.half_taken():
        branches[file.function_at(line)].append(line)
    parts = []
    for function in sorted({*gaps, *branches}, key=lambda name: file.functions.get(name, 0)):
        lines, ways = spans(gaps.get(function, [])), ", ".join(map(str, branches[function]))
        numbers = [lines, f"branches at {ways}" if ways else ""]
        parts.append(f"`{function}` {'; '.join(filter(None, numbers))}")
    return " · ".join(parts)


def all_missed(files: dict[str, File]) -> list[str]:
    named = [(name, missed(file)) for name, file in sorted(files.items())]
    return [f"* `{name}`: {text}" for name, text in named if text] or ["None."]


def wrong_reasons(files: dict[str, File]) -> list[str]:
    """Those that name a function which the program does not have."""
    wrong = []
    for place in reasons():
        name, _, function = place.partition(":")
        if name not in files or function not in files[name].functions:
            wrong.append(place)
    return wrong


def write_report(path: Path, files: dict[str, File]) -> None:
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
        f"## Never called, or {GAP_LINES_MIN} lines and more on end",
        "",
        "The reasons are kept in [uncovered.md](uncovered.md).",
        "",
        *argued(files),
        "",
        "## All that is missed",
        "",
        "By file and function: the lines that nothing reached, and the lines of reached code at",
        "which some branch never went one of its ways.",
        "",
        *all_missed(files),
    ]
    path.write_text("\n".join(text) + "\n")


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
    exported = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    files = read_lcov(exported.stdout)
    path = PART if sys.argv[1:] else REPORT
    write_report(path, files)
    total = figures(list(files.values()))
    print(f"coverage: {total}; the rest in {path.relative_to(ROOT)}")
    wrong = wrong_reasons(files)
    for place in wrong:
        print(f"{REASONS.relative_to(ROOT)}: there is no {place}")
    counted_some = any(c for f in files.values() for c in f.lines.values())
    return 0 if counted_some and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
