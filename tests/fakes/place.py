# SPDX-License-Identifier: Apache-2.0
"""A place of its own for one program: network, processes and mounts that the machine does not see,
with the weaknesses that a test plants in it."""

import contextlib
import ctypes
import fcntl
import os
import shlex
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from fakes.sidekey import environment, program

CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
UNSHARE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
SECONDS = 60


def why_not() -> str:
    """Why no such place can be made here; empty when it can."""
    if os.geteuid() != 0:
        return "needs root"
    for tool in ("ip", "setpriv", "nsenter", "unshare"):
        if not shutil.which(tool):
            return f"needs {tool}"
    tried = subprocess.run(
        ["unshare", "--net", *UNSHARE[1:], "ip", "link", "set", "lo", "up"],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    return "" if tried.returncode == 0 else f"no namespaces: {tried.stderr.strip()}"


def _enter(network: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(network, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Place:
    """`with Place() as p:` has a network in which nobody answers, and a folder that every user may
    read, with the program as `make install` puts it."""

    def __init__(self, uid: int = 12345) -> None:
        self.uid = uid
        self.folder = Path(tempfile.mkdtemp(prefix="sidekey-place-"))
        self.folder.chmod(0o755)
        self.program = self.folder / "bin" / "sidekey"
        self.program.parent.mkdir(mode=0o755)
        shutil.copyfile(program(), self.program)
        self.program.chmod(0o111)
        self.keeper: subprocess.Popen

    def __enter__(self) -> Self:
        self.keeper = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "echo made; exec sleep infinity"],
            stdout=subprocess.PIPE,
        )
        assert self.keeper.stdout and self.keeper.stdout.readline() == b"made\n"
        with self.network(), socket.socket() as any_socket:
            request = struct.pack("16sh14x", b"lo", IFF_UP)
            fcntl.ioctl(any_socket, SIOCSIFFLAGS, request)
        return self

    def __exit__(self, *_) -> None:
        self.keeper.kill()
        self.keeper.wait()
        assert self.keeper.stdout
        self.keeper.stdout.close()
        shutil.rmtree(self.folder)

    # ---- what a test plants ----

    @contextlib.contextmanager
    def network(self) -> Iterator[None]:
        """Sockets that this thread makes in the block, and threads that it starts, are inside."""
        ours = f"/proc/self/task/{threading.get_native_id()}/ns/net"
        with open(ours) as home, open(f"/proc/{self.keeper.pid}/ns/net") as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(home.fileno())

    def address(self, address: str) -> None:
        """From now on the place's own network answers at it."""
        with self.network():
            subprocess.run(["ip", "address", "add", address, "dev", "lo"], check=True)

    def write(
        self,
        name: str,
        content: str | bytes,
        mode: int = 0o400,
        uid: int | None = None,
        gid: int | None = None,
    ) -> Path:
        """A file in the folder; without uid it is of the place's user, without gid of its group."""
        path = self.folder / name
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)
        owner = self.uid if uid is None else uid
        os.chown(path, owner, owner if gid is None else gid)
        return path

    # ---- running in it ----

    def as_user(self, *command: str, uid: int | None = None, more: str = "") -> str:
        """A line of shell that is command, by that user, without capabilities unless `more` says
        which."""
        user = self.uid if uid is None else uid
        drop = more or "--bounding-set=-all --inh-caps=-all"
        return (
            f"setpriv --reuid {user} --regid {user} --clear-groups --no-new-privs {drop} "
            + shlex.join(command)
        )

    def run(
        self,
        *arguments: str,
        before: str = "",
        env: dict[str, str] | None = None,
        uid: int | None = None,
        more: str = "",
        through: str = "",
        timeout: float = SECONDS,
    ) -> subprocess.CompletedProcess[str]:
        """The program, as process 1 of a new PID namespace, once the shell lines `before` have run
        there as root; its user may be another, `more` is for setpriv, and the command `through`
        starts all that, as root."""
        line = self.as_user(str(self.program), *arguments, uid=uid, more=more)
        return subprocess.run(
            ["nsenter", f"--net=/proc/{self.keeper.pid}/ns/net", *UNSHARE]
            + ["sh", "-c", f"set -e\n{before}\nexec {through} {line}"],
            env=environment(env),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
