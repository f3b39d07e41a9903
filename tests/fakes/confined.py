# SPDX-License-Identifier: Apache-2.0
"""Starts a program as a systemd unit would confine it, where there is no systemd to do it.

    python confined.py UNIT PROGRAM [ARGUMENT...]

Of the unit's settings: SystemCallFilter= (its groups as systemd-analyze names them),
MemoryDenyWriteExecute=, NoNewPrivileges=, LimitMEMLOCK=, LimitNOFILE=, LimitCORE=, UMask=.
"""

import ctypes
import os
import resource
import subprocess
import sys

ALLOW, EPERM = 0x7FFF0000, 0x00050001
PR_SET_NO_NEW_PRIVS, PR_SET_MDWE = 38, 65
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20}


def settings(unit: str) -> list[tuple[str, str]]:
    with open(unit) as file:
        lines = [line.strip() for line in file if "=" in line and not line.startswith("#")]
    return [tuple(line.split("=", 1)) for line in lines]


def groups() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    said = subprocess.run(
        ["systemd-analyze", "syscall-filter"], capture_output=True, text=True, check=True
    ).stdout
    for line in said.splitlines():
        if line.startswith("@"):
            members = found[line.strip()] = []
        elif line.startswith("    ") and not line.strip().startswith("#"):
            members.append(line.strip())
    return found


def expand(names: list[str], known: dict[str, list[str]]) -> set[str]:
    calls: set[str] = set()
    for name in names:
        calls |= expand(known[name], known) if name.startswith("@") else {name}
    return calls


def allowed(unit: str) -> set[str]:
    """In the order of the file: `~` takes away, what follows may add again."""
    known, calls = groups(), set()
    for key, value in settings(unit):
        if key != "SystemCallFilter":
            continue
        if value.startswith("~"):
            calls -= expand(value[1:].split(), known)
        else:
            calls |= expand(value.split(), known)
    return calls


def load_filter(calls: set[str]) -> None:
    lib = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    lib.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(lib.seccomp_init(EPERM))
    for call in sorted(calls):
        number = lib.seccomp_syscall_resolve_name(call.encode())
        if number >= 0:
            assert lib.seccomp_rule_add(context, ctypes.c_uint32(ALLOW), number, 0) == 0
    assert lib.seccomp_load(context) == 0


def limit(which: int, value: str) -> None:
    number = value.rstrip("KM")
    size = int(number) * UNITS[value[len(number) :]]
    resource.setrlimit(which, (size, size))


def main() -> None:
    unit, command = sys.argv[1], sys.argv[2:]
    said = dict(settings(unit))
    calls = allowed(unit)
    limit(resource.RLIMIT_MEMLOCK, said["LimitMEMLOCK"])
    limit(resource.RLIMIT_NOFILE, said["LimitNOFILE"])
    limit(resource.RLIMIT_CORE, said["LimitCORE"])
    os.umask(int(said["UMask"], 8))
    libc = ctypes.CDLL(None)
    if said["NoNewPrivileges"] == "yes":
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if said["MemoryDenyWriteExecute"] == "yes":
        libc.prctl(PR_SET_MDWE, 1, 0, 0, 0)  # before Linux 6.3 there is none, and no harm
    load_filter(calls)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
