# SPDX-License-Identifier: Apache-2.0
"""`make bench`: sidekey beside nginx and HAProxy over the same upstream, interleaved rounds.

Closed loop, 1 KiB POST, keep-alive, plain upstream. Prints medians and ratios to nginx; the
machine is noisy, so only ratios within one run mean anything.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SIDEKEY = os.environ.get("SIDEKEY", str(ROOT / "build/sidekey"))
TICK = os.sysconf("SC_CLK_TCK")
LUA = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer worthless"
wrk.body = '{"model":"gpt-4o","messages":[{"role":"user","content":"' .. string.rep("x", 940) .. '"}]}'
"""
NGINX = """
daemon off; worker_processes 1; pid {dir}/{name}.pid; error_log /dev/null;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {dir}/{name}-b; proxy_temp_path {dir}/{name}-p;
  fastcgi_temp_path {dir}/{name}-f; uwsgi_temp_path {dir}/{name}-u; scgi_temp_path {dir}/{name}-s;
  keepalive_requests 10000000; keepalive_timeout 75s;
  {body}
}}
"""
UPSTREAM = """
  server {{ listen 127.0.0.1:{port} backlog=4096; default_type application/json;
    location / {{ return 200 '{{"id":"x","choices":[{{"message":{{"content":"{pad}"}}}}]}}'; }} }}
"""
PROXY = """
  upstream up {{ server 127.0.0.1:{up}; keepalive 512; keepalive_requests 10000000; }}
  server {{ listen 127.0.0.1:{port} backlog=4096;
    location / {{ proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Authorization "Bearer sk-bench-0123456789abcdef"; proxy_buffering off;
      proxy_request_buffering off; }} }}
"""
HAPROXY = """
global
  maxconn 8192
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option http-no-delay
listen l
  bind 127.0.0.1:{port}
  http-reuse always
  http-request set-header Authorization "Bearer sk-bench-0123456789abcdef"
  server up 127.0.0.1:{up}
"""


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port: int) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.1):
            return
        time.sleep(0.05)
    raise SystemExit(f"nothing listens on {port}")


def family(pid: int) -> list[int]:
    """The process and its children."""
    pids = [pid]
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                if int(fields[1]) == pid:
                    pids.append(int(entry.name))
    return pids


def cpu_seconds(pid: int) -> float:
    total = 0
    for p in family(pid):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{p}/stat").read_text().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
    return total / TICK


class Bench:
    def __init__(self, folder: Path) -> None:
        self.dir = folder
        self.up = free_port()
        self.ports: dict[str, int] = {"direct": self.up}
        self.pids: dict[str, int] = {}
        self.procs: list[subprocess.Popen[bytes]] = []

    def start(self, name: str, argv: list[str], port: int, env: dict[str, str] | None = None) -> None:
        with (self.dir / f"{name}.log").open("wb") as log:
            proc = subprocess.Popen(argv, stdout=log, stderr=log, env=env)
        self.procs.append(proc)
        self.ports[name] = port
        self.pids[name] = proc.pid
        wait_for(port)

    def nginx(self, name: str, body: str, port: int) -> None:
        conf = self.dir / f"{name}.conf"
        conf.write_text(NGINX.format(dir=self.dir, name=name, body=body))
        self.start(name, ["nginx", "-p", str(self.dir), "-c", str(conf)], port)

    def start_all(self) -> None:
        self.nginx("direct", UPSTREAM.format(port=self.up, pad="y" * 960), self.up)
        port = free_port()
        self.nginx("nginx", PROXY.format(up=self.up, port=port), port)
        if shutil.which("haproxy"):
            port = free_port()
            conf = self.dir / "haproxy.cfg"
            conf.write_text(HAPROXY.format(up=self.up, port=port))
            self.start("haproxy", ["haproxy", "-db", "-f", str(conf)], port)
        port = free_port()
        conf = self.dir / "sidekey.yaml"
        conf.write_text(
            f"listen: [127.0.0.1:{port}]\nadmin: [127.0.0.1:{free_port()}]\n"
            f"log: {{level: error}}\ntargets:\n  up:\n    provider: openaiCompatible\n"
            f"    apiBase: http://127.0.0.1:{self.up}/v1\n    allowPlaintext: true\n"
            "    apiKey: env:BENCH_KEY\n"
        )
        env = {"PATH": os.environ["PATH"], "BENCH_KEY": "sk-bench-0123456789abcdef"}
        self.start("sidekey", [SIDEKEY, "serve", "-c", str(conf)], port, env)
        time.sleep(1)

    def stop_all(self) -> None:
        for proc in reversed(self.procs):
            proc.terminate()
        for proc in self.procs:
            with contextlib.suppress(subprocess.TimeoutExpired):
                proc.wait(5)
            proc.kill()

    def measure(self, name: str, conns: int, seconds: int) -> dict[str, float]:
        script = self.dir / "post.lua"
        script.write_text(LUA)
        before = cpu_seconds(self.pids[name])
        out = subprocess.run(
            ["wrk", "-t1", f"-c{conns}", f"-d{seconds}s", "--latency", "-s", str(script),
             f"http://127.0.0.1:{self.ports[name]}/v1/chat/completions"],
            capture_output=True, text=True, check=True,
        ).stdout
        if "Non-2xx" in out or "Socket errors" in out:
            raise SystemExit(f"{name}: {out}")
        requests = int(re.search(r"(\d+) requests in", out)[1])
        value, unit = re.search(r"50%\s+([\d.]+)(us|ms|s)", out).groups()
        p50 = float(value) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]
        cpu = (cpu_seconds(self.pids[name]) - before) / requests * 1e6
        return {"rps": requests / seconds, "p50": p50, "cpu": cpu}


def report(conns: int, rounds: dict[str, list[dict[str, float]]]) -> None:
    med = {
        name: {k: statistics.median(r[k] for r in runs) for k in runs[0]}
        for name, runs in rounds.items()
    }
    print(f"\n### {conns} connections\n")
    print("| | requests/s | ratio to nginx | p50 us | added p50 us | CPU us/request | ratio |")
    print("|---|---|---|---|---|---|---|")
    base = med["nginx"]
    for name, m in med.items():
        cpu_ratio = m["cpu"] / base["cpu"] if name != "direct" else float("nan")
        print(
            f"| {name} | {m['rps']:.0f} | {m['rps'] / base['rps']:.2f} | {m['p50']:.0f} "
            f"| {m['p50'] - med['direct']['p50']:.0f} | {m['cpu']:.1f} | {cpu_ratio:.2f} |"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--connections", type=int, nargs="*", default=[1, 16])
    args = parser.parse_args()
    missing = [tool for tool in ("nginx", "wrk") if not shutil.which(tool)]
    if missing:
        print(f"skipped: {', '.join(missing)} not installed (Debian packages nginx-light, wrk)")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        try:
            bench.start_all()
            for conns in args.connections:
                rounds: dict[str, list[dict[str, float]]] = {n: [] for n in bench.ports}
                for _ in range(args.rounds):
                    for name in bench.ports:
                        rounds[name].append(bench.measure(name, conns, args.seconds))
                report(conns, rounds)
        finally:
            bench.stop_all()
    return 0


if __name__ == "__main__":
    sys.exit(main())
