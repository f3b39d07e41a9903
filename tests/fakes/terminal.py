# SPDX-License-Identifier: Apache-2.0
"""A terminal with a person at it: what is typed, and what appears."""

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from typing import Self

CTRL_C, CTRL_BACKSLASH, CTRL_Z = b"\x03", b"\x1c", b"\x1a"


class Terminal:
    """`with Terminal([program, …], env) as t:` runs a program with the terminal as its own."""

    def __init__(self, command: list[str], env: dict[str, str], cwd, user=None) -> None:
        self.command, self.env, self.cwd, self.user = command, env, str(cwd), user
        self.seen = b""
        self._at = 0

    def __enter__(self) -> Self:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.chdir(self.cwd)
                if self.user is not None:
                    os.setgroups([])
                    os.setgid(self.user)
                    os.setuid(self.user)
                os.execve(self.command[0], self.command, self.env)
            finally:
                os._exit(99)
        return self

    def __exit__(self, *_) -> None:
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.close(self.fd)
        try:
            os.waitpid(self.pid, 0)
        except ChildProcessError:
            pass

    def type(self, text: str | bytes) -> None:
        os.write(self.fd, text.encode() if isinstance(text, str) else text)

    def expect(self, text: str, seconds: float = 20) -> None:
        """Waits until text appears behind what was expected before."""
        wanted, end = text.encode(), time.monotonic() + seconds
        while (found := self.seen.find(wanted, self._at)) < 0:
            left = end - time.monotonic()
            assert left > 0, f"{text!r} did not appear: {self.seen.decode(errors='replace')}"
            if select.select([self.fd], [], [], left)[0]:
                try:
                    self.seen += os.read(self.fd, 65536)
                except OSError:  # nobody has the other end open any more
                    assert wanted in self.seen[self._at :], self.seen.decode(errors="replace")
        self._at = found + len(wanted)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
