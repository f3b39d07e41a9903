# SPDX-License-Identifier: Apache-2.0
"""What the figures were measured on, and with what."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path

from bench.places import tool
from fakes.sidekey import program


def first_line(*command: str) -> str:
    """Of what the command says of itself; empty when it cannot be run."""
    path = tool(command[0]) or command[0]
    try:
        done = subprocess.run(
            [path, *command[1:]],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=10,
            check=False,
        )
    except OSError:
        return ""
    return next(iter(done.stdout.splitlines()), "")


def version(text: str) -> str:
    match = re.search(r"\d+(?:\.\d+)+[\w.+~-]*", text)
    return match[0] if match else "not there"


def processor() -> str:
    match = re.search(
        r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE
    )
    return match[1] if match else platform.machine()


def computer() -> str:
    return f"{processor()}, {os.cpu_count()} cores, Linux {platform.release()}"


def describe() -> dict[str, str]:
    ours = first_line(str(program()), "version")
    compiler = first_line(os.environ.get("CC", "gcc"), "--version")
    return {
        "machine": computer(),
        "sidekey": ours.removeprefix("sidekey "),
        "compiler": compiler,
        "nginx": version(first_line("nginx", "-v")),
        "HAProxy": version(first_line("haproxy", "-v")),
    }
