# SPDX-License-Identifier: Apache-2.0
"""Runs `sidekey exec` as a shell would, as root or as an ordinary user, and finds its processes."""

import ctypes
import functools
import os
import shutil
import subprocess
from pathlib import Path

import yaml

from fakes.sidekey import environment, program

ORDINARY = 54321  # of nobody here
PYTHON = shutil.which("python3", path="/usr/bin:/bin")  # one that every user may run
SYS_LANDLOCK_CREATE_RULESET = 444
SCOPES_ABI = 6
NAMESPACES = ("--user", "--map-root-user", "--net", "--mount", "--pid", "--ipc", "--fork")


def landlock_abi() -> int:
    """0 or less: none."""
    return ctypes.CDLL(None).syscall(SYS_LANDLOCK_CREATE_RULESET, None, 0, 1)


@functools.cache
def can_isolate() -> bool:
    """Whether this machine gives an ordinary user namespaces, and a /proc in them."""
    user = {"user": ORDINARY, "group": ORDINARY, "extra_groups": []} if os.geteuid() == 0 else {}
    command = ["unshare", *NAMESPACES, "--mount-proc", "true"]
    try:
        done = subprocess.run(command, cwd="/", capture_output=True, check=False, **user)
    except OSError:
        return False
    return done.returncode == 0


class Execs:
    """The runs of one configuration. user: the uid that runs it, where the tests are root's."""

    def __init__(self, config: dict, folder: Path, env: dict[str, str], user=None) -> None:
        self.folder, self.env = folder, environment(env)
        self.user = user if os.geteuid() == 0 else None
        self.path = folder / "exec.yaml"
        self.path.write_text(yaml.safe_dump(config, sort_keys=False))
        self.path.chmod(0o644)
        self.work = folder / "work"
        self.work.mkdir(exist_ok=True)
        self.program = program()
        if self.user is not None:
            os.chown(self.work, self.user, self.user)
            self.program = folder / "sidekey"
            shutil.copy(program(), self.program)
            self.program.chmod(0o111)

    def line(self, *command: str, options: tuple[str, ...] = ()) -> list[str]:
        return [
            str(self.program),
            "exec",
            "-c",
            str(self.path),
            *options,
            "--",
            *command,
        ]

    def _how(self, changes: dict) -> dict:
        user = {} if self.user is None else {"user": self.user, "group": self.user}
        how = {"env": self.env, "cwd": self.work, "stdin": subprocess.DEVNULL, **user}
        if user:
            how["extra_groups"] = []
        return {**how, **changes}

    def start(self, *command: str, options: tuple[str, ...] = (), **changes) -> subprocess.Popen:
        how = {
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "text": True,
            **changes,
        }
        return subprocess.Popen(self.line(*command, options=options), **self._how(how))

    def run(self, *command: str, options: tuple[str, ...] = (), **changes):
        how = {
            "capture_output": True,
            "text": True,
            "timeout": 60,
            **changes,
        }
        if "input" in how:
            how["stdin"] = None
        return subprocess.run(self.line(*command, options=options), check=False, **self._how(how))

    def directly(self, *command: str, **changes):
        """The same command without sidekey, to compare with."""
        how = {
            "capture_output": True,
            "text": True,
            "timeout": 60,
            **changes,
        }
        return subprocess.run(list(command), check=False, **self._how(how))

    # ---- its processes ----

    def processes(self) -> dict[int, str]:
        """sidekey's own by pid, those that have ended and wait for their parent left out."""
        found: dict[int, str] = {}
        parents: dict[int, int] = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                line = (entry / "cmdline").read_bytes().decode(errors="replace")
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if stat[0] in "ZX":
                continue
            parents[int(entry.name)] = int(stat[1])
            if line.startswith(str(self.program) + "\0exec\0") and str(self.path) in line:
                found[int(entry.name)] = "exec"
            elif line.startswith("sidekey: "):
                found[int(entry.name)] = line.rstrip("\0").removeprefix("sidekey: ")
        ours = {pid for pid, what in found.items() if what == "exec"}
        return {p: w for p, w in found.items() if p in ours or parents[p] in ours}

    def pid_of(self, role: str) -> int:
        """Of a role, or of the parent of roles, or of the watcher."""
        found = self.processes()
        if role in found.values():
            return next(pid for pid, what in found.items() if what == role)
        status = (Path("/proc") / str(self.pid_of("keeper")) / "stat").read_text()
        parent = int(status.rpartition(")")[2].split()[1])
        if role == "parent":
            return parent
        assert role == "watcher"
        status = (Path("/proc") / str(parent) / "stat").read_text()
        return int(status.rpartition(")")[2].split()[1])

    def is_gone(self) -> bool:
        return not self.processes()
