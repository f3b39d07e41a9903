#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`make syscalls`: the lists of policy/box beside what the roles ask of the kernel in the tests.

    tests/box/syscalls.py [PYTEST ARGUMENT...]      default: the whole suite but LEFT_OUT

Runs the tests that start sidekey with strace around each of its processes (twice as long as
without), the test build's included, and adds up what each role called once its box was shut;
`start` is what roles call before. The programs of tests/unit and tests/fuzz have no box, or one of
their own. A list that several roles include is used when one of them uses it.

Writes tests/box/syscalls.md, or for a part of the suite build/syscalls.md. Exit status: 1 when a
list allows what nobody used and nothing below argues for, 2 without strace.
"""

import collections
import datetime
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BOXES = ROOT / "policy/box"
REPORT = Path(__file__).with_name("syscalls.md")
PART = ROOT / "build/syscalls.md"
# What any process may need at any moment, though no test makes it.
FLOOR = {
    "restart_syscall",
    "rt_sigreturn",
    "clock_gettime",
    "gettimeofday",
    "exit_group",
    "futex",
}
# By list, or "any": what no test makes on this machine, and why it is allowed all the same.
OTHER_ARCHITECTURE = {
    "any epoll_pwait": "arm64 has no epoll_wait",
    "any ppoll": "arm64 has no poll",
    "parent dup3": "arm64 has no dup2",
    "parent unlinkat": "arm64 has no unlink",
    "start readlinkat": "arm64 has no readlink",
}
FAILURE = {
    "common time": "a kernel without a vDSO; as clock_gettime and gettimeofday, as OpenSSL asks",
    "start mlock": "a kernel without memfd_secret: secrets lie in locked pages",
}
OTHERS = {
    "common mremap": "the loop's table past 16,000 descriptors: more than a test opens",
}
# Of the whole suite, the tests that strace cannot stand around.
LEFT_OUT = {
    "tests/e2e/test_agent_image.py": "the image holds a program of its own",
    "tests/e2e/test_exec.py": "a terminal, signals and who is whose child are what it tests, and "
    "strace stands between; the roles do there what they do elsewhere",
    "tests/e2e/test_exec_isolate.py": "the same, and namespaces besides",
    "tests/e2e/test_load.py": "it is there for its pace, which strace takes away",
    "tests/torture/test_allocations.py": "allocations fail, of which it takes a few: what is called "
    "then differs with each build",
    "tests/torture/test_system_calls.py": "the same of system calls; and it traces the processes "
    "itself, of which each can have one tracer",
}
DEFAULT = ["tests/e2e", "tests/box", "tests/docs", "tests/torture"]
DEFAULT += [f"--ignore={path}" for path in LEFT_OUT]
CALL = re.compile(r"^(\d+) +(\w+)\(")
NAMED = re.compile(r'\["sidekey: (\w+)"')
RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>")
CHILD = re.compile(r"= (\d+)$")
FORKS = ("clone", "clone3", "fork", "vfork")


class Processes:
    """By process: its role, and whether its box is shut, as strace's lines tell one by one."""

    def __init__(self) -> None:
        self.role: dict[str, str] = {}
        self.shut: set[str] = set()
        self.forking: list[str] = []  # whose clone has not been told to its end
        self.early: set[str] = set()  # children that were heard of before that

    def name(self, pid: str) -> str:
        """Under what a call of this process counts."""
        if pid not in self.role:
            if self.forking:
                self.early.add(pid)
                self._born(pid, self.forking[-1])
            else:
                self.role[pid] = "parent"
        if pid in self.shut:
            return self.role[pid]
        return "outside" if self.role[pid] == "parent" else "start"

    def _born(self, child: str, parent: str) -> None:
        self.role[child] = self.role.get(parent, "parent")
        self.shut.discard(child)
        self.shut |= {child} if parent in self.shut else set()

    def forks(self, pid: str, line: str) -> None:
        """A clone, whole or its beginning or end."""
        child = CHILD.search(line)
        if line.endswith("<unfinished ...>"):
            self.forking.append(pid)
            return
        if pid in self.forking:
            self.forking.remove(pid)
        if child and child.group(1) in self.early:
            self.early.remove(child.group(1))
        elif child:
            self._born(child.group(1), pid)

    def changes(self, pid: str, call: str, line: str) -> None:
        if call in ("execve", "execveat"):
            named = NAMED.search(line)
            self.role[pid] = named.group(1) if named else "parent"
            self.shut.discard(pid)
        elif call in FORKS:
            self.forks(pid, line)
        elif call == "prctl" and "PR_GET_SECCOMP" in line:
            self.shut.add(pid)


def collect(pipe: Path) -> None:
    """Reads strace's lines; leaves "ROLE CALL" and a number for each call made in a shut box."""
    processes = Processes()
    used: collections.Counter[str] = collections.Counter()
    for line in map(str.rstrip, pipe.open(errors="replace")):
        if match := CALL.match(line):
            pid, call = match.groups()
            used[f"{processes.name(pid)} {call}"] += 1
            processes.changes(pid, call, line)
        elif (match := RESUMED.match(line)) and match.group(2) in FORKS:
            processes.forks(match.group(1), line)
    lines = [f"{key} {n}\n" for key, n in used.items()]
    pipe.with_suffix(".counts").write_text("".join(lines))
    pipe.unlink()


def traced(folder: Path, program: Path) -> str:
    """A program that strace follows, and that stays the child of who started it (-D). Nor has it a
    child that it would not have otherwise. Where a test's user cannot run our Python, the lines
    wait in a file."""
    wrapper = folder / program.name
    collector = f"{sys.executable} {Path(__file__).resolve()} --collect"
    wrapper.write_text(
        f"""#!/bin/sh
pipe=$(mktemp -u {folder}/counts/XXXXXXXXXX.pipe)
if [ -x {sys.executable} ]; then
	mkfifo "$pipe" || exit 1
	({collector} "$pipe" >/dev/null 2>&1 </dev/null &)
fi
exec strace -D -f -qq -e signal=none -o "$pipe" {program} "$@"
"""
    )
    wrapper.chmod(0o755)
    return str(wrapper)


def run_tests(folder: Path, arguments: list[str]) -> collections.Counter[str]:
    """How many tests failed, by file: under strace that may be their time limits."""
    (folder / "counts").mkdir()
    (folder / "counts").chmod(0o1777)
    environment = {
        **os.environ,
        "SIDEKEY": traced(folder, ROOT / "build/sidekey"),
        "SIDEKEY_TEST": traced(folder, ROOT / "build/sidekey-test"),
    }
    outcome = folder / "outcome.xml"
    command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={outcome}"]
    subprocess.run([*command, *(arguments or DEFAULT)], cwd=ROOT, env=environment, check=False)
    cases = xml.etree.ElementTree.parse(outcome).iter("testcase")
    return collections.Counter(
        case.get("classname", "").replace(".", "/") + ".py"
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    )


def used_by_role(counts: Path) -> dict[str, collections.Counter[str]]:
    used: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for path in filter(Path.is_file, list(counts.glob("*.pipe"))):
        collect(path)
    for path in counts.glob("*.counts"):
        for line in path.read_text().splitlines():
            role, call, n = line.split()
            used[role][call] += int(n)
    return used


def allowed() -> tuple[dict[str, list[str]], dict[str, set[str]]]:
    """By list: its calls; and the lists that it includes. What stands between #if and #endif is of
    another build: with sanitizers, shared libraries, counters, the system's libcurl."""
    calls, includes = {}, {}
    for path in sorted(BOXES.glob("*.c")):
        text = re.sub(r"^#if.*?^#endif", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
        found = re.findall(r'^\t(?:ANY|WHEN)\("(\w+)"', text, re.MULTILINE)
        calls[path.stem] = sorted(set(found))
        includes[path.stem] = set(re.findall(r"&(\w+)_box", text))
    return calls, includes


def users(box: str, includes: dict[str, set[str]]) -> set[str]:
    """Whose calls a list is there for. That the parent's includes all others is for theirs, but
    for what a role does before it is executed, as the parent's child."""
    including = {role for role, lists in includes.items() if box in lists}
    return {box} | (including if box in ("common", "start") else including - {"parent"})


def why(group: dict[str, str], box: str, name: str) -> str:
    return group.get(f"{box} {name}") or group.get(f"any {name}", "")


def rows(used: dict[str, collections.Counter[str]]) -> list[tuple[str, str, int]]:
    """List, call, and how often it was made."""
    calls, includes = allowed()
    return [
        (box, name, sum(used[role][name] for role in users(box, includes)))
        for box, names in calls.items()
        for name in names
    ]


def unused(table: list[tuple[str, str, int]]) -> list[tuple[str, dict[str, str]]]:
    """What was never made, in groups: LIST CALL, and why it is allowed all the same."""
    left = [(box, name) for box, name, n in table if n == 0]
    groups: list[tuple[str, dict[str, str]]] = [
        ("The floor, which any process may need at any moment", {f"any {n}": "-" for n in FLOOR}),
        ("Calls of the other architecture", OTHER_ARCHITECTURE),
        ("Calls that only a failure makes", FAILURE),
        ("Others", OTHERS),
    ]
    found = []
    for title, group in groups:
        members = {(box, name): why(group, box, name) for box, name in left}
        found.append((title, {f"{b} {n}": reason for (b, n), reason in members.items() if reason}))
        left = [key for key in left if not members[key]]
    return [*found, ("Not argued for", {f"{box} {name}": "?" for box, name in left})]


def how_it_ran(failed: collections.Counter[str], arguments: list[str]) -> list[str]:
    if arguments:
        return [f"This is a part only: `pytest {' '.join(arguments)}`."]
    told = [f"* `{path}`: left out: {reason}" for path, reason in LEFT_OUT.items()]
    told += [f"* `{path}`: {n} failed under strace" for path, n in sorted(failed.items())]
    return ["All of `tests/e2e`, `tests/box`, `tests/docs` and `tests/torture`, but:", "", *told]


def write_report(path: Path, table: list[tuple[str, str, int]], ran: list[str]) -> None:
    text = [
        "# What the boxes allow, and what is used",
        "",
        f"Written by `make syscalls` on {datetime.date.today()}, on {os.uname().machine}: how",
        "often each call of a list in `policy/box` was made by a role whose box was shut, while",
        "the tests ran. Some are made by `tests/box` alone, on purpose: `abort`, a last word, `dup`.",
        "",
        *ran,
        "",
        "## Allowed, and not made",
    ]
    for title, members in unused(table):
        if members:
            text += ["", f"### {title}", "", "| list | call | why |", "|---|---|---|"]
        for key, reason in members.items():
            box, name = key.split()
            text.append(f"| {box} | `{name}` | {reason} |")
    text += ["", "## Made", "", "| list | call | times |", "|---|---|---|"]
    text += [f"| {box} | `{name}` | {n} |" for box, name, n in table if n]
    path.write_text("\n".join(text) + "\n")


def report(used: dict[str, collections.Counter[str]], path: Path, ran: list[str]) -> int:
    table = rows(used)
    left = unused(table)[-1][1]
    for key in left:
        box, name = key.split()
        print(f"policy/box/{box}.c allows {name}, which nobody used")
    for role in ("parent", "resolver", "keeper", "ingress", "egress"):
        most = ", ".join(f"{name} {n}" for name, n in used[role].most_common(5))
        print(f"{role}: {len(used[role])} calls are used; most: {most}")
    write_report(path, table, ran)
    print(f"the rest is in {path.relative_to(ROOT)}")
    return 1 if left else 0


def main() -> int:
    if sys.argv[1:2] == ["--collect"]:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        collect(Path(sys.argv[2]))
        return 0
    if not shutil.which("strace"):
        print("syscalls: needs strace", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="sk-strace") as name:
        folder = Path(name)
        folder.chmod(0o755)
        arguments = sys.argv[1:]
        failed = run_tests(folder, arguments)
        path = PART if arguments else REPORT
        return report(used_by_role(folder / "counts"), path, how_it_ran(failed, arguments))


if __name__ == "__main__":
    sys.exit(main())
