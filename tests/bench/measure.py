# SPDX-License-Identifier: Apache-2.0
"""One measurement each: a load and its figures, memory, system calls, a start, sizes."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from bench.places import TOOLS, Place
from fakes.processes import memory
from fakes.sidekey import program

LOAD = str(TOOLS / "load")
KIB = 1024
GRACE_SECONDS = 30
START_SECONDS = 10
BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
ANSWERED = re.compile(rb"HTTP/1.1 200 ")

Figures = dict[str, float]


def body(words: str, size: int = KIB) -> bytes:
    """A chat request of so many bytes; the words are for the upstream."""
    head = f'{{"user":"{words}","model":"gpt-4o","messages":[{{"role":"user","content":"'
    end = '"}]}'
    return (head + "x" * (size - len(head) - len(end)) + end).encode()


def figures(raw: dict, place: Place) -> Figures:
    """What the load generator printed, as rates and as cost of one call and of one event."""
    cpu = {name: raw["cpu"][str(pid)] / 1000 for name, pid in place.pids.items()}
    answers, events = max(1, raw["answers"]), max(1, raw["events"])
    found = {
        "rps": raw["answers"] / raw["seconds"],
        "p50": raw["latency_p50"],
        "p99": raw["latency_p99"],
        "first": raw["first_p50"],
        "delay": raw["delay_p50"],
        "delay99": raw["delay_p99"],
        "events": raw["events"] / raw["seconds"],
        "errors": raw["errors"],
        "cpu": sum(cpu.values()) / answers,
        "cpu_event": sum(cpu.values()) / events,
    }
    return {**found, **{f"cpu:{name}": value / answers for name, value in cpu.items()}}


class Load:
    """`with Load(…) as load:` runs the load generator; `load.result()` waits for what it found."""

    def __init__(self, place: Place, mode: str, connections: int, seconds: float, content: bytes):
        self.place, self.seconds = place, seconds
        handle, self.file = tempfile.mkstemp(prefix="bench-body-")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        pids = [str(pid) for pid in place.pids.values()]
        self.process = subprocess.Popen(
            [LOAD, mode, str(place.port), str(connections), str(seconds), self.file, *pids],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        self.process.kill()
        self.process.communicate()
        Path(self.file).unlink()

    def result(self) -> dict:
        out, _ = self.process.communicate(timeout=self.seconds + GRACE_SECONDS)
        if self.process.returncode != 0:
            raise RuntimeError(f"{self.place.name}: the load generator gave up")
        return json.loads(out)


def load(place: Place, mode: str, connections: int, seconds: float, content: bytes) -> Figures:
    with Load(place, mode, connections, seconds, content) as running:
        return figures(running.result(), place)


# ---- memory ----


def pss(pids: dict[str, int]) -> dict[str, int]:
    """Bytes, by process."""
    return {name: memory(pid) for name, pid in pids.items()}


@contextlib.contextmanager
def open_streams(place: Place, count: int) -> Iterator[None]:
    """So many calls have their heads, and no event comes."""
    with Load(place, "hold", count, GRACE_SECONDS, body("sse 600000000 2")) as running:
        assert running.process.stdout
        said = running.process.stdout.readline().strip()
        if said != "open":
            raise RuntimeError(f"{place.name}: {said or 'the load generator gave up'}")
        yield


# ---- system calls ----


def strace(pid: int, out: Path) -> subprocess.Popen:
    process = subprocess.Popen(
        ["strace", "-qq", "-c", "-U", "calls,name", "-f", "-o", str(out), "-p", str(pid)],
        stderr=subprocess.DEVNULL,
    )
    end = time.monotonic() + START_SECONDS
    status = Path(f"/proc/{pid}/status")
    while re.search(r"^TracerPid:\s+0$", status.read_text(), re.MULTILINE):
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            raise RuntimeError("strace cannot attach")
        time.sleep(0.01)
    return process


def calls_in(text: str) -> dict[str, int]:
    """strace's table: counts by system call."""
    rows = re.findall(r"^\s*(\d+) ([a-z]\w*)$", text, re.MULTILINE)
    return {name: int(count) for count, name in rows if name != "total"}


def syscalls(place: Place, connections: int, seconds: float) -> dict[str, float]:
    """For each call under load, by process."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as ends:
        outs = {name: Path(folder) / name for name in place.pids}
        tracers = [strace(pid, outs[name]) for name, pid in place.pids.items()]
        for tracer in tracers:
            ends.callback(tracer.wait, GRACE_SECONDS)
            ends.callback(tracer.send_signal, signal.SIGINT)
        with Load(place, "closed", connections, seconds, body("-")) as running:
            raw = running.result()
        ends.close()
        # The load generator counts from a tenth of the time on, strace from the beginning.
        answers = max(1, raw["answers"] * seconds / raw["seconds"])
        counts = {name: calls_in(out.read_text()) for name, out in outs.items()}
    return {name: sum(count.values()) / answers for name, count in counts.items()}


# ---- a start ----


def connects(port: int) -> socket.socket | None:
    client = socket.socket()
    if client.connect_ex(("127.0.0.1", port)) == 0:
        return client
    client.close()
    return None


def answers(client: socket.socket, request: bytes) -> bool:
    client.settimeout(START_SECONDS)
    with client:
        client.sendall(request)
        return bool(ANSWERED.match(client.recv(4096)))


def start(argv: list[str], port: int, env: dict[str, str]) -> Figures:
    """Milliseconds from the command to a connection, and to the first call that is answered."""
    content = body("-")
    request = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    ).encode() + content
    begun = time.monotonic()
    process = subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    accepting = 0.0
    try:
        while time.monotonic() < begun + START_SECONDS:
            client = connects(port)
            if client:
                accepting = accepting or time.monotonic() - begun
                if answers(client, request):
                    whole = time.monotonic() - begun
                    return {"accepting": accepting * 1000, "answering": whole * 1000}
            time.sleep(0.0002)
    finally:
        process.terminate()
        process.wait(GRACE_SECONDS)
    raise RuntimeError(f"{argv[0]} answers no call")


def starts(argv: list[str], port: int, env: dict[str, str], times: int) -> Figures:
    runs = [start(argv, port, env) for _ in range(times)]
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


# ---- sizes ----


def image() -> dict[str, int]:
    """Bytes of the two files of which the image consists: the program, stripped, and the bundle."""
    with tempfile.TemporaryDirectory() as folder:
        stripped = Path(folder) / "sidekey"
        strip = shutil.which("strip")
        assert strip
        subprocess.run([strip, "-o", str(stripped), str(program())], check=True)
        size = stripped.stat().st_size
    return {"program": size, "bundle": BUNDLE.stat().st_size}


def may_trace() -> bool:
    return os.geteuid() == 0
