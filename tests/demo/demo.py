# SPDX-License-Identifier: Apache-2.0
"""make demo: an OpenAI SDK that holds no secret calls an upstream that demands four of them.

Starts local stand-ins (a Secrets Manager that checks signatures; an apiBase that wants a client
certificate, an API key and a Cloudflare Access pair) and sidekey between them and an agent, shows
what was sent and what arrived, and ends by itself: 0 when everything was as it should be.
"""

import hashlib
import inspect
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import agent as agent_program
from fakes import processes
from fakes.sidekey import Sidekey, environment, program
from fakes.wire import Request, wait_for
from fakes.world import World
from screen import Screen

BORING = ("x-stainless-", "accept-language", "connection")
CALLS = [
    ("A chat", agent_program.chat),
    ("A streamed chat", agent_program.streamed_chat),
    ("A tool call, there and back", agent_program.tool_call),
]
REFUSALS = [
    ("Ask the gateway for a new key", agent_program.make_a_key, "route_not_found"),
    ("Send the call, and the key, elsewhere", agent_program.other_upstream, "field_not_allowed"),
    ("Come in under another name, as a web page does", agent_program.rebound_name,
     "host_not_allowed"),
]  # fmt: skip


class Agent:
    """The agent's process: told a step on its standard input, it answers with one line."""

    def __init__(self, base: str) -> None:
        given = {"OPENAI_BASE_URL": base, "OPENAI_API_KEY": "none", "NO_PROXY": "*"}
        self.process = subprocess.Popen(
            [sys.executable, agent_program.__file__],
            env=environment(given),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def take(self, step) -> dict:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(step.__name__ + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("demo: the agent's process ended by itself")
        return json.loads(line)


class Demo:
    def __init__(self, screen: Screen, world: World, sidekey: Sidekey, agent: Agent) -> None:
        self.screen, self.world, self.sidekey, self.agent = screen, world, sidekey, agent

    # ---- headers, side by side ----

    def veil(self, value: str) -> str:
        """The value with every secret replaced by its name and fingerprint."""
        for name, secret in self.world.wire_secrets().items():
            text = secret.decode()
            if text in value:
                mark = hashlib.sha256(secret).hexdigest()[:8]
                return value.replace(text, f"‹{name.rpartition(' ')[2]} #{mark}›")
        return value

    def sent_lines(self, sent: dict, received: Request) -> list[str]:
        """The agent's side; what went no further is yellow."""
        paint = self.screen.paint
        arrived = {(n.lower(), v) for n, v in received.headers}
        lines = [paint(sent["line"], "bold")]
        for name, value in sent["headers"]:
            if not name.lower().startswith(BORING):
                passed = (name.lower(), value) in arrived
                lines.append(paint(f"{name}: {value}", *(() if passed else ("yellow",))))
        return [*lines, paint(f"and {self.boring(sent['headers'])} more", "dim")]

    def received_lines(self, sent: dict, received: Request) -> list[str]:
        """The upstream's side; what sidekey put there is green."""
        paint = self.screen.paint
        came = {(n.lower(), v) for n, v in sent["headers"]}
        shown = [(n, v) for n, v in received.headers if not n.lower().startswith(BORING)]
        shown.sort(key=lambda pair: (pair[0].lower(), pair[1]) not in came)
        lines = [paint(f"{received.method} {received.target}", "bold")]
        for name, value in shown:
            ours = (name.lower(), value) not in came
            lines.append(paint(f"{name}: {self.veil(value)}", *(("green",) if ours else ())))
        return [*lines, paint(f"and {self.boring(received.headers)} more", "dim")]

    @staticmethod
    def boring(headers) -> str:
        count = sum(n.lower().startswith(BORING) for n, _ in headers)
        return f"{count} x-stainless-* and such"

    # ---- scenes ----

    def call(self, number: int, title: str, step) -> None:
        screen, api = self.screen, self.world.api
        before = len(api.requests)
        screen.title(f"{number}  {title}")
        screen.code(inspect.getsource(step).split("\n", 1)[1])
        screen.line()
        got = self.agent.take(step)
        arrived = api.requests[before:]
        if number == 1 and arrived:
            self.show_headers(got["sent"][0], arrived[0])
        screen.row("the agent got", str(got.get("said") or got.get("message")))
        screen.line()
        self.judge_call(got, arrived)

    def show_headers(self, sent: dict, received: Request) -> None:
        paint = self.screen.paint
        self.screen.side_by_side(
            ("WHAT THE AGENT SENT", "WHAT THE apiBase RECEIVED"),
            self.sent_lines(sent, received),
            self.received_lines(sent, received),
        )
        dropped = paint("yellow: dropped or replaced by sidekey", "yellow")
        added = paint("green: added by sidekey", "green")
        self.screen.line(f"   {dropped}    {added}    ‹#›: a secret's fingerprint")
        self.screen.line()

    def judge_call(self, got: dict, arrived: list[Request]) -> None:
        check = self.screen.check
        bodies = [r.body.decode() for r in arrived]
        check("said" in got, "the call succeeded, though the agent's key is worth nothing")
        check(len(arrived) == len(got["sent"]), f"one request for each call ({len(arrived)})")
        check(bodies == [s["body"] for s in got["sent"]], "bodies arrived byte for byte")
        injected = all(
            r.all("authorization") == [f"Bearer {self.world.key}"]
            and r.all("cf-access-client-id") == [self.world.access[0]]
            and r.all("cf-access-client-secret") == [self.world.access[1]]
            and r.peer == "sidekey"
            for r in arrived
        )
        check(injected, "each came with the right key, Access pair and client certificate")

    def refuse(self, title: str, step, code: str) -> None:
        screen, api = self.screen, self.world.api
        before = api.connections, len(api.requests)
        got = self.agent.take(step)
        screen.line(f"   {screen.paint(title, 'bold')}")
        screen.code(inspect.getsource(step).split("\n", 1)[1])
        status = f"{got.get('status', 'allowed')} {got.get('code', '')}"
        screen.row("sidekey says", screen.paint(status, "red"))
        screen.text(got.get("message") or "", "dim")
        unheard = (api.connections, len(api.requests)) == before
        screen.check(
            got.get("code") == code and unheard, "refused; the apiBase heard nothing of it"
        )
        screen.line()

    def without_sidekey(self) -> None:
        """The agent's own way to the apiBase ends at the TLS handshake."""
        api = self.world.api
        before = api.application_bytes
        context = ssl.create_default_context(cadata=self.world.authority.pem.decode())
        with socket.create_connection((api.host, api.port), 5) as raw:
            try:
                with context.wrap_socket(raw, server_hostname=api.host) as tls:
                    tls.sendall(b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
                    answer = tls.recv(1)
            except OSError:
                answer = b""
        # The agent may know of the refusal before the apiBase has written it down.
        wait_for(lambda: api.tls_failures, 10, "the handshake fails")
        refused = any("CERTIFICATE" in why for why in api.tls_failures)
        self.screen.check(
            not answer and refused and api.application_bytes == before,
            "and straight to the apiBase, round sidekey, the TLS handshake fails: no certificate",
        )

    def search_agent(self) -> None:
        screen, pid = self.screen, self.agent.process.pid
        traces = self.world.traces()
        found: set[str] = set()
        control, size = False, 0
        for _, data in processes.memory_pieces(pid):
            size += len(data)
            control = control or b"Do I need an umbrella in Paris?" in data
            found |= {name for name, trace in traces.items() if trace in data}
        for file in ("environ", "cmdline"):
            data = Path(f"/proc/{pid}/{file}").read_bytes()
            found |= {f"{n} in {file}" for n, trace in traces.items() if trace in data}
        screen.text(
            f"Searched {size / 1e6:.0f} MB of the agent's memory, its environment and arguments for "
            f"{len(traces)} forms of {len(self.world.wire_secrets()) + 1} secrets: plain, hex, "
            "base64; the private key as PEM, DER and bare number."
        )
        screen.line()
        screen.check(control, "the search works: it finds the agent's own question")
        screen.check(
            not found, f"it finds no secret{': ' if found else ''}{', '.join(sorted(found))}"
        )

    def search_sidekey(self) -> None:
        screen, world = self.screen, self.world
        log = self.sidekey.output
        ready = self.sidekey.admin("/readyz")[1]
        screen.check(
            not world.found_in(log), f"nor is there one in sidekey's log ({len(log)} bytes)"
        )
        screen.check(not world.found_in(ready), "nor at its admin port")
        if os.geteuid() != 0:
            screen.text("(As root, the demo also searches sidekey's own processes.)", "dim")
        elif not processes.has_secret_pages():
            screen.text(
                "(This kernel has no memfd_secret, so root can read sidekey's pages.)", "dim"
            )
        else:
            pids = self.sidekey.pids()
            hits = {n: processes.search_memory(p, world.traces()) for n, p in pids.items()}
            bad = [name for name, found in hits.items() if found]
            screen.check(
                not bad,
                f"nor can root read one in sidekey's own {len(pids)} processes, where the kernel hides "
                f"the pages that hold them{': ' if bad else ''}{', '.join(bad)}",
            )

    # ---- the play ----

    def play(self) -> None:
        for number, (title, step) in enumerate(CALLS, 1):
            self.call(number, title, step)
        self.screen.title("4  What the agent's process holds")
        self.search_agent()
        time.sleep(0.5)  # sidekey at rest
        self.search_sidekey()
        self.screen.title("5  What a refused call looks like")
        for title, step, code in REFUSALS:
            self.refuse(title, step, code)
        self.without_sidekey()


def introduce(screen: Screen, world: World, sidekey: Sidekey, seconds: float) -> None:
    screen.title("sidekey: the agent calls, sidekey holds the keys", "make demo")
    store, api, row = world.store, world.api, screen.row
    row("Secrets Manager", store.url, "a stand-in; checks every signature (SigV4)")
    row("apiBase", api.base, "a stand-in; demands certificate, key and Access pair")
    row("sidekey", sidekey.base, f"the real program, ready after {seconds * 1000:.0f} ms")
    row("agent", "python, openai", "a process of its own; OPENAI_API_KEY=none")
    screen.line()
    calls = store.calls
    screen.check(
        bool(calls) and all(c.outcome == "ok" for c in calls),
        f"sidekey fetched the secrets by ARN: {len(calls)} requests, every signature was right",
    )


def run(screen: Screen) -> None:
    with tempfile.TemporaryDirectory(prefix="sidekey-demo-") as name, World(Path(name)) as world:
        began = time.monotonic()
        with Sidekey(world.config(), Path(name), world.env()) as sidekey:
            introduce(screen, world, sidekey, time.monotonic() - began)
            with Agent(sidekey.base) as agent:
                Demo(screen, world, sidekey, agent).play()
        screen.check(
            sidekey.process.returncode == 0, "sidekey ended cleanly; nothing is left running"
        )


def main() -> int:
    screen = Screen()
    if not program().exists():
        print(f"demo: {program()} is not there; run make first", file=sys.stderr)
        return 2
    try:
        run(screen)
    except KeyboardInterrupt:
        return 130
    except (AssertionError, OSError) as error:
        first, *rest = str(error).splitlines() or [type(error).__name__]
        screen.check(False, f"the demo could not go on: {first}")
        for line in rest:
            screen.line(f"     {screen.paint(line, 'dim')}")
    screen.title("All of it was as it should be" if not screen.failed else "Something was wrong")
    for text in screen.failed:
        screen.text(f"✗ {text}", "red")
    return 1 if screen.failed else 0


if __name__ == "__main__":
    sys.exit(main())
