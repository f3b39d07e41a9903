# SPDX-License-Identifier: Apache-2.0
"""Containers by runc, as a cluster would start them: no capability, a read-only root, Docker's
default system-call profile; and the network that those of one pod share."""

import json
import os
import platform
import signal
import subprocess
import threading
from pathlib import Path
from typing import Self

from fakes.wire import wait_for

PROFILE = Path(__file__).parent / "seccomp.json"
ARCH = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
NATIVE = {"amd64": "SCMP_ARCH_X86_64", "arm64": "SCMP_ARCH_AARCH64"}
DEVICES = ("nosuid", "strictatime", "mode=755", "size=65536k")
MASKED = ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/scsi", "/sys/firmware"]
READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]


def seccomp() -> dict:
    """The profile as the runtime wants it: resolved for this architecture and no capability."""
    profile = json.loads(PROFILE.read_bytes())
    calls = []
    for rule in profile["syscalls"]:
        only = rule["includes"]
        if only.get("caps") or ARCH not in only.get("arches", [ARCH]):
            continue
        kept = {"names": rule["names"], "action": rule["action"]}
        if rule.get("args"):
            kept["args"] = rule["args"]
        if "errnoRet" in rule:
            kept["errnoRet"] = rule["errnoRet"]
        calls.append(kept)
    return {
        "defaultAction": profile["defaultAction"],
        "defaultErrnoRet": profile["defaultErrnoRet"],
        "architectures": [NATIVE[ARCH]],
        "syscalls": calls,
    }


def mount(to: str, kind: str, source: str, *options: str) -> dict:
    return {"destination": to, "type": kind, "source": source, "options": list(options)}


class Pod:
    """A network namespace, held open by a process that does nothing, with a link to the test's:
    `outside` is the test's address on it, `inside` the pod's."""

    def __init__(self) -> None:
        number = os.getpid() % 250
        self.outside, self.inside = f"198.18.{number}.1", f"198.18.{number}.2"
        self.outside6, self.inside6 = f"2001:db8:{number}::1", f"2001:db8:{number}::2"
        self.link = f"sidekey{number}"
        self.pause = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])

    def __enter__(self) -> Self:
        own = os.readlink("/proc/self/ns/net")
        wait_for(lambda: os.readlink(self.network) != own, 10, "the pod's network")
        pid = str(self.pause.pid)
        self._ip("link", "add", self.link, "type", "veth", "peer", "name", "eth0", "netns", pid)
        self._ip("address", "add", f"{self.outside}/30", "dev", self.link)
        self._ip("address", "add", f"{self.outside6}/64", "dev", self.link, "nodad")
        self._ip("link", "set", self.link, "up")
        within = ("nsenter", f"--net={self.network}")
        self._ip("link", "set", "lo", "up", within=within)
        self._ip("address", "add", f"{self.inside}/30", "dev", "eth0", within=within)
        self._ip("address", "add", f"{self.inside6}/64", "dev", "eth0", "nodad", within=within)
        self._ip("link", "set", "eth0", "up", within=within)
        return self

    def __exit__(self, *_) -> None:
        subprocess.run(["ip", "link", "delete", self.link], check=False, capture_output=True)
        self.pause.kill()
        self.pause.wait()

    @property
    def network(self) -> str:
        return f"/proc/{self.pause.pid}/ns/net"

    @staticmethod
    def _ip(*arguments: str, within=()) -> None:
        subprocess.run([*within, "ip", *arguments], check=True, capture_output=True)


class Container:
    """One container of the pod; `with` starts it, and kills what is left of it at the end.

    powers: the capabilities that it has after all.
    """

    def __init__(
        self, folder: Path, name: str, root: Path, pod: Pod, *, arguments, uid: int, env=None,
        mounts=(), pids: str = "", powers=(),
    ) -> None:  # fmt: skip
        self.name, self.bundle, self.state = name, folder / name, folder / "runc"
        self.bundle.mkdir(parents=True)
        self.output = b""
        spaces = [{"type": kind} for kind in ("mount", "ipc", "uts")]
        spaces += [{"type": "network", "path": pod.network}]
        spaces += [{"type": "pid", **({"path": pids} if pids else {})}]
        sets = {k: list(powers) for k in ("bounding", "effective", "permitted")}
        # No rlimits and no cgroup mount: they take capabilities that a CI container may lack.
        config = {
            "ociVersion": "1.0.2",
            "hostname": name,
            "root": {"path": str(root), "readonly": True},
            "process": {
                "args": list(arguments),
                "env": [f"{k}={v}" for k, v in {"PATH": "/usr/bin:/bin", **(env or {})}.items()],
                "cwd": "/",
                "user": {"uid": uid, "gid": uid},
                "capabilities": {**sets, "inheritable": [], "ambient": []},
                "noNewPrivileges": True,
            },
            "mounts": [
                mount("/proc", "proc", "proc", "nosuid", "noexec", "nodev"),
                mount("/dev", "tmpfs", "tmpfs", *DEVICES),
                mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
                *mounts,
            ],
            "linux": {
                "namespaces": spaces,
                "seccomp": seccomp(),
                "maskedPaths": MASKED,
                "readonlyPaths": READ_ONLY,
            },
        }
        (self.bundle / "config.json").write_text(json.dumps(config))

    def runc(self, *arguments: str) -> list[str]:
        return ["runc", "--root", str(self.state), *arguments]

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            self.runc("run", "--bundle", str(self.bundle), self.name),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def _read(self) -> None:
        assert self.process.stdout
        while piece := os.read(self.process.stdout.fileno(), 1 << 16):
            self.output += piece

    def __exit__(self, *_) -> None:
        if self.process.poll() is None:
            subprocess.run(self.runc("kill", self.name, "KILL"), check=False, capture_output=True)
            self.process.wait(10)
        self._reader.join(5)
        subprocess.run(
            self.runc("delete", "--force", self.name), check=False, capture_output=True
        )

    @property
    def text(self) -> str:
        return self.output.decode(errors="replace")

    @property
    def pid(self) -> int:
        """Of its first process, as the test sees it."""
        state = subprocess.check_output(self.runc("state", self.name))
        return json.loads(state)["pid"]

    def signal(self, number: signal.Signals) -> None:
        subprocess.run(self.runc("kill", self.name, str(int(number))), check=True)

    def execute(self, *arguments: str) -> subprocess.CompletedProcess:
        """A command inside, as the container's own user, as a health check is run."""
        return subprocess.run(
            self.runc("exec", self.name, *arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=40,
            check=False,
        )

    def wait_end(self, seconds: float) -> int:
        status = self.process.wait(seconds)
        self._reader.join(5)
        return status
