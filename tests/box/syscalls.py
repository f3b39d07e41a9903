#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`make syscalls`: the lists of policy/box beside what the roles ask of the kernel in the tests.

Runs the end-to-end tests with strace around each sidekey (a few minutes more than without), adds
up what each role called once its box was shut, and names what its lists allow and nobody used. A
list that several roles include is used when one of them uses it. Exit status: 0 when nothing is
left over but FLOOR and OTHER_MACHINES, 1 otherwise, 2 without strace.
"""

import collections
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
# What a process may need at any moment, though no test makes it: see policy/README.md.
FLOOR = {
    "restart_syscall": "a stopped process goes on",
    "clock_gettime": "where the vDSO cannot answer",
    "gettimeofday": "the same",
    "time": "the same",
    "rt_sigprocmask": "abort",
    "getpid": "abort",
    "gettid": "abort",
    "tgkill": "abort",
    "dup": "a descriptor is sent while a channel is full",
    "writev": "libc aborts, and says why",
    "futex": "pthread_once wakes even when nobody waits",
    "mremap": "realloc, as the heap happens to lie",
    "munmap": "free, as the heap happens to lie",
    "exit_group": "the end",
}
# By another architecture's table, another kernel or libc.
OTHER_MACHINES = {
    "epoll_pwait",
    "ppoll",
    "dup3",
    "unlinkat",
    "readlinkat",
    "readlink",
    "arch_prctl",
    "rseq",
    "getrlimit",
    "setrlimit",
    "mlock",
    "mlock2",
    "waitid",
}
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
        used[f"{role.get(pid, 'parent') if pid in shut else 'start'} {call}"] += 1
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


def run_tests(folder: Path, arguments: list[str]) -> None:
    """The tests, with strace around sidekey, which stays the child of who started it (-D)."""
    program = ROOT / "build/sidekey"
    traced = folder / "sidekey"
    collector = f"|{sys.executable} {Path(__file__).resolve()} --collect {folder}/counts"
    (folder / "counts").mkdir()
    traced.write_text(
        f"#!/bin/sh\nexec strace -D -f -qq -e signal=none -o '{collector}' {program} \"$@\"\n"
    )
    traced.chmod(0o755)
    environment = {
        **os.environ,
        "SIDEKEY": str(traced),
        "SIDEKEY_TEST": str(ROOT / "build/sidekey-test"),
    }
    command = [sys.executable, "-m", "pytest", "-q", *(arguments or ["tests/e2e"])]
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


def report(used: dict[str, collections.Counter[str]]) -> int:
    calls, includes = allowed()
    left = 0
    for box, names in calls.items():
        if box in ("sanitizer", "loader"):
            continue  # empty in this build
        users = {box} | {role for role, lists in includes.items() if box in lists}
        users -= {"parent"} if box != "common" and box != "parent" else set()
        users |= {"start"} if box == "start" else set()
        for name in names:
            n = sum(used[role][name] for role in users)
            if n == 0 and name not in FLOOR and name not in OTHER_MACHINES:
                print(f"policy/box/{box}.c allows {name}, which nobody used")
                left += 1
    for role in ("parent", "resolver", "keeper", "ingress", "egress"):
        most = ", ".join(f"{name} {n}" for name, n in used[role].most_common(5))
        print(f"{role}: {len(used[role])} calls are used; most: {most}")
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
