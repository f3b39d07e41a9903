# SPDX-License-Identifier: Apache-2.0
"""What the kernel tells of a process: descriptors, memory, CPU time, and its very bytes."""

import contextlib
import ctypes
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

SYS_PIDFD_GETFD = 438  # these are the same on amd64 and arm64
SYS_MEMFD_SECRET = 447
PIECE = 4 * 1024 * 1024
OVERLAP = 4096


def has_secret_pages() -> bool:
    """Whether this kernel has memfd_secret."""
    fd = ctypes.CDLL(None, use_errno=True).syscall(SYS_MEMFD_SECRET, 0)
    if fd < 0:
        return False
    os.close(fd)
    return True


def take_socket(pid: int, fd: int) -> socket.socket:
    """What the process has at fd, to do with as it could (for root)."""
    pidfd = os.pidfd_open(pid)
    libc = ctypes.CDLL(None, use_errno=True)
    ours = libc.syscall(SYS_PIDFD_GETFD, pidfd, fd, 0)
    os.close(pidfd)
    if ours < 0:
        raise OSError(ctypes.get_errno(), "pidfd_getfd")
    return socket.socket(fileno=ours)


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def memory(pid: int) -> int:
    """Bytes that are this process's share (PSS)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    match = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    assert match
    return int(match.group(1)) * 1024


def cpu_seconds(pid: int) -> float:
    with contextlib.suppress(OSError, ValueError):
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def readable_regions(pid: int) -> Iterator[tuple[int, int, str]]:
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        place, rights, *rest = line.split(maxsplit=5)
        name = rest[3] if len(rest) > 3 else ""
        if rights.startswith("r") and name not in ("[vvar]", "[vsyscall]", "[vvar_vclock]"):
            start, end = (int(a, 16) for a in place.split("-"))
            yield start, end, name


def memory_pieces(pid: int) -> Iterator[tuple[str, bytes]]:
    """All readable memory, a piece at a time; pieces overlap, so that no match is cut."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as file:
        for start, end, name in readable_regions(pid):
            at = start
            while at < end:
                with contextlib.suppress(OSError, ValueError, OverflowError):
                    file.seek(at)
                    if data := file.read(min(PIECE, end - at)):
                        yield f"{at:#x} {name}", data
                at += PIECE - OVERLAP


def search_memory(pid: int, traces: dict[str, bytes]) -> list[str]:
    found = set()
    for place, data in memory_pieces(pid):
        for name, trace in traces.items():
            if trace in data:
                found.add(f"{name} at {place}")
    return sorted(found)


def copies(pid: int, trace: bytes) -> int:
    """At how many addresses it stands."""
    found = set()
    for place, data in memory_pieces(pid):
        begin, at = int(place.split()[0], 16), data.find(trace)
        while at >= 0:
            found.add(begin + at)
            at = data.find(trace, at + 1)
    return len(found)
