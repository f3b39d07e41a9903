# SPDX-License-Identifier: Apache-2.0
"""Runs the program under test: its configuration, log, processes and end."""

import http.client
import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Self

import yaml

from fakes.wire import free_port, wait_for

ROOT = Path(__file__).resolve().parents[2]
ROLES = ("resolver", "keeper", "ingress", "egress")
SANITIZED = bool(os.environ.get("SIDEKEY_SANITIZED"))
READY_SECONDS = 30 if SANITIZED else 10
# A program must not need the tests' environment; the sanitizers' options are the exception.
PASSED_ON = ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")
ALARMS = ("broke out of its system-call filter", "died unasked", "Sanitizer", "runtime error:")


def program() -> Path:
    return Path(os.environ.get("SIDEKEY") or ROOT / "build" / "sidekey").resolve()


def environment(extra: dict[str, str] | None = None) -> dict[str, str]:
    ours = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **ours, **(extra or {})}


def run(*arguments: str, env: dict[str, str] | None = None, wrap=(), **options):
    """One verb to its end; output and error come together, as text."""
    return subprocess.run(
        [*wrap, str(program()), *arguments],
        env=environment(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


class Sidekey:
    """`with Sidekey(config, folder, env) as s:` serves until the block ends.

    The configuration is a dict (listen and admin are put on free ports unless it says
    otherwise), text, or None for a start without a file. wait: whether entering waits for
    /readyz. wrap: a command that the program is started through (it must exec it).
    """

    def __init__(self, config, folder: Path, env=None, wait: bool = True, wrap=()) -> None:
        self.folder, self.env, self.wait, self.wrap = folder, env or {}, wait, list(wrap)
        self.port, self.admin_port = 7717, 7718
        self.arguments = ["serve"]
        if config is not None:
            self.arguments += ["-c", str(self._write(config))]
        self.output = b""
        self._lock = threading.Lock()
        self.process: subprocess.Popen | None = None
        self.expected_death = False

    def _write(self, config) -> Path:
        if isinstance(config, dict):
            self.port, self.admin_port = free_port(), free_port()
            listen = {
                "listen": [f"127.0.0.1:{self.port}"],
                "admin": [f"127.0.0.1:{self.admin_port}"],
            }
            config = yaml.safe_dump({**listen, **config}, sort_keys=False)
        path = self.folder / "sidekey.yaml"
        path.write_text(config)
        path.chmod(0o600)
        return path

    # ---- life ----

    def start(self) -> "Sidekey":
        self.process = subprocess.Popen(
            [*self.wrap, str(program()), *self.arguments],
            env=environment(self.env),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def _read(self) -> None:
        assert self.process and self.process.stdout
        while piece := os.read(self.process.stdout.fileno(), 65536):
            with self._lock:
                self.output += piece

    def __enter__(self) -> Self:
        self.start()
        try:
            if self.wait:
                self.wait_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, kind, *_) -> None:
        if kind is not None:
            self.kill()
            return
        status = self.stop()
        if self.expected_death:
            return
        assert status == 0, f"sidekey ended with {status}\n{self.text()}"
        for alarm in ALARMS:
            assert alarm not in self.text(), self.text()

    def stop(self, seconds: float = 35) -> int:
        """SIGTERM, and the exit status that follows."""
        assert self.process
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.wait_end(seconds)

    def wait_end(self, seconds: float = 35) -> int:
        assert self.process
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            log = self.text()
            self.kill()
            raise AssertionError(f"sidekey did not end in {seconds} s\n{log}") from None
        self._reader.join(5)
        return status

    def kill(self) -> None:
        """Ends everything, however it is: the roles die with their channels."""
        if self.process and self.process.poll() is None:
            roles = self.children()
            self.process.kill()
            self.process.wait()
            for pid in roles:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    # ---- what it says ----

    def text(self) -> str:
        with self._lock:
            return self.output.decode(errors="replace")

    def records(self, **wanted) -> list[dict]:
        """The log's lines that are JSON, and have all these members."""
        found = []
        for line in self.text().splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict) and wanted.items() <= record.items():
                found.append(record)
        return found

    def calls(self) -> list[dict]:
        return self.records(msg="call")

    # ---- its ports ----

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def admin(self, path: str) -> tuple[int, bytes]:
        client = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=5)
        try:
            client.request("GET", path)
            answer = client.getresponse()
            return answer.status, answer.read()
        finally:
            client.close()

    def readiness(self) -> int | None:
        """The status of /readyz; None while nobody answers."""
        try:
            return self.admin("/readyz")[0]
        except OSError:
            return None

    def wait_status(self, status: int, seconds: float = READY_SECONDS) -> None:
        end = time.monotonic() + seconds
        while self.readiness() != status:
            assert self.alive(), f"sidekey ended by itself\n{self.text()}"
            assert time.monotonic() < end, f"/readyz is not {status}\n{self.text()}"
            time.sleep(0.01)

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        self.wait_status(200, seconds)

    def wait_listening(self, seconds: float = READY_SECONDS) -> None:
        wait_for(lambda: self.readiness() is not None or not self.alive(), seconds, "listening")
        assert self.alive(), self.text()

    # ---- its processes ----

    @property
    def pid(self) -> int:
        assert self.process
        return self.process.pid

    def children(self) -> list[int]:
        found = []
        for task in Path(f"/proc/{self.pid}/task").glob("*/children"):
            found += [int(pid) for pid in task.read_text().split()]
        return found

    def pids(self) -> dict[str, int]:
        """Every process by its role, as the log names them; the kernel must know the same ones."""
        found: dict[str, int] = {}

        def agrees() -> bool:
            """Their lines may not have been read yet."""
            boxed = {r["process"]: r["pid"] for r in self.records(msg="boxed") if "pid" in r}
            found.update({"parent": self.pid, **boxed})
            return sorted(self.children()) == sorted(found[r] for r in ROLES if r in found)

        wait_for(agrees, 10, "the log names every process")
        return found
