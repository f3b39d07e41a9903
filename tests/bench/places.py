# SPDX-License-Identifier: Apache-2.0
"""Starts what is measured, on loopback, and ends it however the block ends."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import yaml
from bench import configs
from fakes.pki import Authority
from fakes.secretsmanager import SecretsManager
from fakes.sidekey import ROLES, environment, program
from fakes.wire import free_port, wait_for
from fakes.world import principal

TOOLS = Path(__file__).resolve().parents[2] / "build" / "bench"
START_SECONDS = 20
# Whatever becomes of the measurement, what it started ends with it.
BOUND = ["setpriv", "--pdeathsig", "TERM"]


@dataclass
class Place:
    """Where calls go, and the processes whose cost that is, by their names."""

    name: str
    port: int
    pids: dict[str, int]


def children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(child) for child in task.read_text().split()]
    return found


def listens(port: int) -> bool:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with contextlib.suppress(OSError), contextlib.closing(client):
        client.connect()
        return True
    return False


def is_ready(admin: int) -> bool:
    client = http.client.HTTPConnection("127.0.0.1", admin, timeout=5)
    with contextlib.suppress(OSError), contextlib.closing(client):
        client.request("GET", "/readyz")
        return client.getresponse().status == 200
    return False


def tool(name: str) -> str | None:
    """Where it is, also for a user whose PATH leaves the daemons out."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin:/bin")


def missing() -> list[str]:
    """What is not installed; deploy/deps.sh bench installs it."""
    return [name for name in ("nginx", "haproxy", "strace", "setpriv") if not tool(name)]


class Places:
    """`with Places() as p:`; each method starts one server, whose end is the block's."""

    def __init__(self) -> None:
        self.ends = contextlib.ExitStack()
        self.folder = Path(self.ends.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        self.number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        self.ends.close()

    def start(self, argv: list[str], env: dict[str, str] | None = None) -> subprocess.Popen:
        self.number += 1
        with (self.folder / f"{self.number}-{Path(argv[0]).name}.out").open("wb") as out:
            process = subprocess.Popen(
                [*BOUND, tool(argv[0]) or argv[0], *argv[1:]],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                env=env or environment(),
                cwd=self.folder,
            )
        self.ends.callback(self.stop, process)
        return process

    def stop(self, process: subprocess.Popen) -> None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin:
            process.stdin.close()

    def said(self) -> str:
        return "\n".join(p.read_text(errors="replace") for p in self.folder.glob("*.out"))

    def wait(self, condition, process: subprocess.Popen, what: str) -> None:
        wait_for(lambda: condition() or process.poll() is not None, START_SECONDS, what)
        assert process.poll() is None, f"{what}: it ended\n{self.said()}"

    # ---- the servers ----

    def upstream(self, name: str = "direct") -> tuple[Place, subprocess.Popen]:
        port = free_port()
        process = self.start([str(TOOLS / "upstream"), str(port)])
        self.wait(lambda: listens(port), process, "the upstream listens")
        return Place(name, port, {"upstream": process.pid}), process

    def nginx(self, name: str, servers: str, port: int) -> dict[str, int]:
        """Its worker: the master is there for signals alone."""
        path = self.folder / f"{name}.conf"
        path.write_text(configs.nginx(self.folder, name, servers))
        process = self.start(["nginx", "-p", str(self.folder), "-c", str(path)])
        self.wait(lambda: listens(port) and children(process.pid), process, "nginx listens")
        (worker,) = children(process.pid)
        return {"worker": worker}

    def haproxy(self, sections: str, port: int) -> dict[str, int]:
        path = self.folder / f"haproxy-{port}.cfg"
        path.write_text(configs.haproxy(sections))
        process = self.start(["haproxy", "-db", "-f", str(path)])
        self.wait(lambda: listens(port), process, "haproxy listens")
        return {"haproxy": process.pid}

    def write_sidekey(self, config: dict) -> tuple[list[str], int, int]:
        """The command, the port and the admin port."""
        port, admin = free_port(), free_port()
        path = self.folder / f"sidekey-{port}.yaml"
        places = {"listen": [f"127.0.0.1:{port}"], "admin": [f"127.0.0.1:{admin}"]}
        path.write_text(yaml.safe_dump({**places, **config}))
        path.chmod(0o600)
        return [str(program()), "serve", "-c", str(path)], port, admin

    def sidekey(self, name: str, config: dict, env: dict[str, str] | None = None) -> Place:
        argv, port, admin = self.write_sidekey(config)
        process = self.start(argv, environment({"BENCH_KEY": configs.KEY, **(env or {})}))
        self.wait(lambda: is_ready(admin), process, f"{name} is ready")
        return Place(name, port, roles(process.pid))

    def store(self) -> SecretsManager:
        store = SecretsManager()
        store.start()
        self.ends.callback(store.stop)
        return store

    def tls(self) -> configs.Tls:
        authority, folder = Authority(), self.folder / "tls"
        server = authority.server("localhost").write(folder, "server")
        client = authority.client().write(folder, "client")
        both = folder / "both.pem"
        both.write_bytes(client[0].read_bytes() + client[1].read_bytes())
        both.chmod(0o600)
        return configs.Tls(authority.write(folder / "ca.crt"), *server, *client, both)


def roles(parent: int) -> dict[str, int]:
    """Each process by the name that it gave itself."""
    found = {"parent": parent}
    for pid in children(parent):
        title = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()
        found[title.rpartition(" ")[2]] = pid
    assert sorted(found) == sorted(["parent", *ROLES]), found
    return found


class Rotating:
    """A sidekey whose key lies in a store, before an upstream that refuses every other key."""

    def __init__(self, places: Places) -> None:
        self.store, self.number = places.store(), 0
        who = principal()
        self.store.admit(who)
        self.arn = self.store.create("bench", "sk-bench-before-any-rotation")
        upstream, self.process = places.upstream()
        self.rotate()
        env = {
            "AWS_ACCESS_KEY_ID": who.access_key,
            "AWS_SECRET_ACCESS_KEY": who.secret_key,
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": self.store.url,
        }
        self.config = configs.sidekey(upstream.port, apiKey=self.arn)
        self.env = environment(env)
        self.place = places.sidekey("sidekey", self.config, env)

    def rotate(self) -> None:
        """The store has the new key first; from then on the upstream refuses the old one."""
        self.number += 1
        value = f"sk-bench-{os.getpid():08d}-{self.number:08d}"
        self.store.put(self.arn, value)
        assert self.process.stdin
        self.process.stdin.write(f"{value}\n".encode())
        self.process.stdin.flush()
