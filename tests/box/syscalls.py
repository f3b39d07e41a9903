#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`make syscalls`: the lists of policy/box beside what the roles ask of the kernel in the tests.

    tests/box/syscalls.py [PYTEST ARGUMENT...]      default: tests/e2e

Runs the end-to-end tests with strace around each sidekey (twice as long as without), the test
build's included, and adds up what each role called once its box was shut; `start` is what roles
call before. A list that several roles include is used when one of them uses it. Writes
tests/box/syscalls.md. Exit status: 1 when a list allows what nobody used and neither FLOOR nor
ARGUED names, 2 without strace.
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
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BOXES = ROOT / "policy/box"
REPORT = Path(__file__).with_name("syscalls.md")
# What any process may need at any moment, though no test makes it.
FLOOR = {
    "restart_syscall",
    "rt_sigreturn",
    "clock_gettime",
    "gettimeofday",
    "exit_group",
    "futex",
}
ABORT = "abort: a broken invariant must end as SIGABRT, and no test breaks one on purpose"
HEAP = "malloc's choice, by how the heap happens to lie"
ARM64 = "arm64 has no older call for it; amd64 takes the other row"
GETADDRINFO = "getaddrinfo sorts by source address where a name has several; the tests' have one"
# Unused in the tests on this machine, and needed all the same: in every list, or in one.
ARGUED = {
    "time": "as gettimeofday: libraries ask it where the vDSO cannot answer",
    "rt_sigprocmask": ABORT,
    "getpid": ABORT,
    "gettid": ABORT,
    "tgkill": ABORT,
    "writev": "abort, by which libc says why",
    "dup": "a descriptor is sent while a channel is full",
    "mremap": HEAP,
    "munmap": HEAP,
    "epoll_pwait": ARM64,
    "ppoll": ARM64,
    "dup3": ARM64,
    "unlinkat": ARM64,
    "readlinkat": ARM64,
    "readlink": "static glibc's start of amd64; newer ones ask readlinkat",
    "arch_prctl": "amd64 alone has it",
    "rseq": "glibc's start from 2.35 on",
    "getrlimit": "glibc asks prlimit64 instead, but not on every architecture",
    "setrlimit": "the same",
    "mlock": "kernels without memfd_secret keep secrets in locked pages",
    "mlock2": "the same",
    "waitid": "glibc's waitpid on some architectures; here it is wait4",
    "client socketpair": "in a build with the system's libcurl alone, which has no such flag as ours",
    "parent statfs": "a configuration that another user may write, on a read-only mount",
    "resolver bind": GETADDRINFO,
    "resolver getsockname": GETADDRINFO,
    "resolver sendto": GETADDRINFO,
    "resolver writev": "DNS over TCP, when an answer was cut: the tests' name server cuts none",
}
# What strace stands in the way of, or makes too slow; the roles do there what they do elsewhere.
LEFT_OUT = ("agent_image", "doctor", "exec", "exec_isolate", "init", "install", "load", "page")
DEFAULT = ["tests/e2e", *(f"--ignore=tests/e2e/test_{name}.py" for name in LEFT_OUT)]
CALL = re.compile(r"^(\d+) +(\w+)\(")
NAMED = re.compile(r'\["sidekey: (\w+)"')
CHILD = re.compile(r"= (\d+)$")


def collect(folder: Path) -> None:
    """Reads strace's lines; leaves "ROLE CALL" and a number for each call made in a shut box."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    role: dict[str, str] = {}
    shut: set[str] = set()
    used: collections.Counter[str] = collections.Counter()
    for line in sys.stdin:
        match = CALL.match(line)
        if not match:
            continue
        pid, call = match.groups()
        name = role.get(pid, "parent")
        used[f"{name if pid in shut else 'outside' if name == 'parent' else 'start'} {call}"] += 1
        if call in ("execve", "execveat"):
            named = NAMED.search(line)
            role[pid] = named.group(1) if named else "parent"
            shut.discard(pid)
        elif call in ("clone", "clone3", "fork", "vfork") and (child := CHILD.search(line)):
            role[child.group(1)] = role.get(pid, "parent")
            shut |= {child.group(1)} if pid in shut else set()
        elif call == "prctl" and "PR_GET_SECCOMP" in line:
            shut.add(pid)
    lines = [f"{key} {n}\n" for key, n in used.items()]
    (folder / f"{os.getpid()}").write_text("".join(lines))


def traced(folder: Path, program: Path) -> str:
    """A program that strace follows, and that stays the child of who started it (-D)."""
    wrapper = folder / program.name
    collector = f"|{sys.executable} {Path(__file__).resolve()} --collect {folder}/counts"
    wrapper.write_text(
        f"#!/bin/sh\nexec strace -D -f -qq -e signal=none -o '{collector}' {program} \"$@\"\n"
    )
    wrapper.chmod(0o755)
    return str(wrapper)


def run_tests(folder: Path, arguments: list[str]) -> None:
    (folder / "counts").mkdir()
    environment = {
        **os.environ,
        "SIDEKEY": traced(folder, ROOT / "build/sidekey"),
        "SIDEKEY_TEST": traced(folder, ROOT / "build/sidekey-test"),
    }
    command = [sys.executable, "-m", "pytest", "-q", *(arguments or DEFAULT)]
    result = subprocess.run(command, cwd=ROOT, env=environment, check=False)
    if result.returncode != 0:
        print("some tests failed; under strace that may be their time limits, so read on")


def used_by_role(counts: Path) -> dict[str, collections.Counter[str]]:
    used: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for path in counts.iterdir():
        for line in path.read_text().splitlines():
            role, call, n = line.split()
            used[role][call] += int(n)
    return used


def allowed() -> tuple[dict[str, list[str]], dict[str, set[str]]]:
    """By list: its calls; and the lists that it includes."""
    calls, includes = {}, {}
    for path in sorted(BOXES.glob("*.c")):
        text = path.read_text()
        found = re.findall(r'^\t(?:ANY|WHEN)\("(\w+)"', text, re.MULTILINE)
        calls[path.stem] = sorted(set(found))
        includes[path.stem] = set(re.findall(r"&(\w+)_box", text))
    return calls, includes


def users(box: str, includes: dict[str, set[str]]) -> set[str]:
    """Whose calls a list is there for. That the parent's includes all others is for theirs, but
    for what a role does before it is executed, as the parent's child."""
    including = {role for role, lists in includes.items() if box in lists}
    return {box} | (including if box in ("common", "start") else including - {"parent"})


def why_unused(box: str, name: str) -> str:
    return "the floor" if name in FLOOR else ARGUED.get(name) or ARGUED.get(f"{box} {name}", "")


def rows(used: dict[str, collections.Counter[str]]) -> list[tuple[str, str, int]]:
    """List, call, and how often it was made."""
    calls, includes = allowed()
    return [
        (box, name, sum(used[role][name] for role in users(box, includes)))
        for box, names in calls.items()
        if box not in ("sanitizer", "loader", "coverage", "isolated")
        for name in names
    ]


def write_report(table: list[tuple[str, str, int]]) -> None:
    text = [
        "# What the boxes allow, and what is used",
        "",
        f"Written by `make syscalls` on {datetime.date.today()}, on {os.uname().machine}: how",
        "often each call of a list in `policy/box` was made by a role whose box was shut, while",
        "the end-to-end tests ran. What was never made says why it is there.",
        "",
        "| list | call | made | or why |",
        "|---|---|---|---|",
        *(
            f"| {box} | `{name}` | {n} | {'' if n else why_unused(box, name)} |"
            for box, name, n in table
        ),
    ]
    REPORT.write_text("\n".join(text) + "\n")


def report(used: dict[str, collections.Counter[str]]) -> int:
    table = rows(used)
    left = [(box, name) for box, name, n in table if n == 0 and not why_unused(box, name)]
    for box, name in left:
        print(f"policy/box/{box}.c allows {name}, which nobody used")
    for role in ("parent", "resolver", "keeper", "ingress", "egress"):
        most = ", ".join(f"{name} {n}" for name, n in used[role].most_common(5))
        print(f"{role}: {len(used[role])} calls are used; most: {most}")
    write_report(table)
    return 1 if left else 0


def main() -> int:
    if sys.argv[1:2] == ["--collect"]:
        collect(Path(sys.argv[2]))
        return 0
    if not shutil.which("strace"):
        print("syscalls: needs strace", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="sk-strace") as name:
        folder = Path(name)
        folder.chmod(0o755)
        run_tests(folder, sys.argv[1:])
        return report(used_by_role(folder / "counts"))


if __name__ == "__main__":
    sys.exit(main())
