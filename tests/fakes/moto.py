# SPDX-License-Identifier: Apache-2.0
"""moto's server, which is AWS in memory, on a port of its own."""

import contextlib
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from fakes.wire import free_port, wait_for


def asked(url: str, body: bytes | None = None) -> int | None:
    """The status of the answer; None while nobody listens."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=10) as answer:
            return answer.status
    except OSError:
        return None


@contextlib.contextmanager
def moto_server() -> Iterator[str]:
    """Its address."""
    port = free_port()
    program = str(Path(sys.executable).with_name("moto_server"))
    process = subprocess.Popen(
        [program, "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: asked(url) is not None, 30, "moto")
        yield url
    finally:
        process.terminate()
        process.wait(10)


def empty(url: str) -> None:
    """Takes everything out of it."""
    assert asked(f"{url}/moto-api/reset", b"") == 200
