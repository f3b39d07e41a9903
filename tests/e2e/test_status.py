# SPDX-License-Identifier: Apache-2.0
"""Goal: an operator sees what sidekey does, and nobody else sees more than that it lives."""

import hashlib
import json
import re
import stat
import time
from pathlib import Path

import pytest
from fakes.agent import HELLO, Agent, Answer
from fakes.apibase import Act
from fakes.sidekey import Sidekey, run
from fakes.wire import Connection, Request, Server, free_port, wait_for
from fakes.world import World

TOKEN = "operator-" + "t" * 32


def begin(start, world: World, socket_path: Path | None = None, **sections) -> Sidekey:
    """sidekey with an admin port, and an admin socket beside it where there is a path for it."""
    port = free_port()
    admin = [f"127.0.0.1:{port}"] + ([f"unix:{socket_path}"] if socket_path else [])
    env = world.env(ADMIN_TOKEN=TOKEN)
    sidekey = start(world.config(admin=admin, **sections), env, wait=False)
    sidekey.admin_port = port
    sidekey.wait_ready()
    return sidekey


def ask(sidekey: Sidekey, token: str | None = None, path: str = "/status", extra=()) -> Answer:
    headers = [] if token is None else [("Authorization", f"Bearer {token}")]
    with Agent(sidekey.admin_port) as client:
        return client.call("GET", path, headers=[*headers, *extra])


def ask_socket(path: Path) -> dict:
    with Agent(unix=str(path)) as client:
        answer = client.call("GET", "/status")
    assert answer.status == 200, answer.body
    return answer.json()


# ---- what it says ----


def test_status(world: World, start, socket_path: Path) -> None:
    sidekey = begin(start, world, socket_path)
    assert stat.S_IMODE(socket_path.stat().st_mode) == 0o600
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    with Agent(sidekey.port) as agent:
        header = ("traceparent", f"00-{trace}-00f067aa0ba902b7-01")
        assert agent.chat(headers=[header]).status == 200
        assert agent.chat({**HELLO, "model": "m", "api_key": "sk-mine"}).status == 403
    assert world.api.last().header("traceparent") == header[1]
    wait_for(lambda: ask_socket(socket_path)["calls"]["total"] == 2, 5)
    told = ask_socket(socket_path)
    assert told["ready"] and told["version"] and told["uptime_seconds"] >= 0
    assert told["sandbox"]["seccomp"] and told["secret_pages"]["keeper"] != "none"
    main = told["targets"]["main"]
    assert (main["state"], main["resolved"]) == ("usable", True)
    assert main["certificate_expiry_seconds"] > 0
    slot = told["slots"]["main.apiKey"]
    assert slot["state"] == "fresh" and slot["version_id"] and slot["next_attempt_seconds"] > 0
    chat = {"target": "main", "operation": "chat", "calls": 1, "errors": 0}
    assert chat in told["calls"]["by"] and told["calls"]["last_minute"] == 2
    first = told["latency_seconds"]["first_byte"]
    assert first["count"] == 1 and 0 < first["p50"] <= first["p90"] <= first["p99"]
    assert told["refusals"] == {"field_not_allowed": 1}
    refused, good = told["recent"]
    assert (refused["code"], refused["status"], refused["target"]) == (
        "field_not_allowed",
        403,
        "",
    )
    assert (good["target"], good["model"], good["status"]) == ("main", "gpt-4o", 200)
    assert good["bytes_in"] > 0 and good["bytes_out"] > 0 and good["caller"] == "local"
    wait_for(lambda: len(sidekey.calls()) == 2, 5, "both lines of the log")
    logged = {c["request_id"]: c for c in sidekey.calls()}
    assert set(logged) == {refused["request_id"], good["request_id"]}
    assert logged[good["request_id"]]["trace_id"] == trace


def test_nothing_secret_is_in_it(world: World, start, socket_path: Path) -> None:
    sidekey = begin(start, world, socket_path, adminToken="env:ADMIN_TOKEN")
    with Agent(sidekey.port) as agent:
        agent.chat({**HELLO, "messages": [{"role": "user", "content": "a private prompt"}]})
    pages = [json.dumps(ask_socket(socket_path)).encode()]
    pages += [sidekey.admin(path)[1] for path in ("/readyz", "/healthz", "/metrics")]
    for page in pages:
        assert not world.found_in(page)
        assert b"arn:" not in page and b"private prompt" not in page
        assert TOKEN.encode() not in page and b"127.0.0.1" not in page and b"file:" not in page
        assert hashlib.sha256(TOKEN.encode()).hexdigest().encode() not in page
    assert TOKEN not in sidekey.text()


def test_the_ring_has_an_end(plain_world: World, start, socket_path: Path) -> None:
    sidekey = begin(start, plain_world, socket_path)
    with Agent(sidekey.port) as agent:
        for _ in range(130):
            agent.call("GET", "/nothing")
    wait_for(lambda: len(sidekey.calls()) == 130, 5)
    recent = [call["request_id"] for call in ask_socket(socket_path)["recent"]]
    logged = [call["request_id"] for call in sidekey.calls()]
    assert recent == logged[:-101:-1], "the newest first"


def test_readyz_tells_the_story_of_a_failing_store(plain_world: World, start) -> None:
    sidekey = start(
        plain_world.config(secrets={"ttl": "1s", "failureTtl": "1s"}), plain_world.env()
    )
    plain_world.store.stop()

    def slot() -> dict:
        return json.loads(sidekey.admin("/readyz")[1])["slots"]["main.apiKey"]

    wait_for(lambda: slot()["state"] == "stale", 20)
    assert slot()["error"] and slot()["version"] == 1 and slot()["age_seconds"] >= 0
    wait_for(lambda: slot().get("next_attempt_seconds", 0) > 0, 5)


# ---- who gets it ----


def test_tcp_without_a_token_configured(plain_world: World, start) -> None:
    sidekey = begin(start, plain_world)
    for token in (None, "", TOKEN):
        answer = ask(sidekey, token)
        assert answer.status == 403
        assert "adminToken" in answer.json()["error"] and "unix:" in answer.json()["error"]


@pytest.mark.parametrize("form", ["env", "file", "sha256", "store"])
def test_the_token_opens(plain_world: World, start, tmp_path: Path, form: str) -> None:
    (tmp_path / "token").write_text(TOKEN + "\n")
    configured = {
        "env": "env:ADMIN_TOKEN",
        "file": f"file:{tmp_path / 'token'}",
        "sha256": "sha256:" + hashlib.sha256(TOKEN.encode()).hexdigest().upper(),
        "store": plain_world.store.create("admin", TOKEN),
    }[form]
    sidekey = begin(start, plain_world, adminToken=configured)
    wait_for(lambda: ask(sidekey, TOKEN).status == 200, 5)
    assert ask(sidekey, TOKEN).json()["ready"]
    for wrong in (None, "", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "Bearer " + TOKEN):
        answer = ask(sidekey, wrong)
        assert answer.status == 401 and answer.header("www-authenticate") == "Bearer"
        assert b"calls" not in answer.body and TOKEN.encode() not in answer.body


def test_other_ways_to_present_it(plain_world: World, start) -> None:
    sidekey = begin(start, plain_world, adminToken="env:ADMIN_TOKEN")
    good = ("Authorization", f"Bearer {TOKEN}")
    for headers in (
        [("Authorization", TOKEN)],
        [("Authorization", f"Basic {TOKEN}")],
        [("x-api-key", TOKEN)],
        [("Cookie", f"token={TOKEN}")],
        [good, good],
        [("Authorization", "Bearer wrong"), good],
    ):
        assert ask(sidekey, extra=headers).status == 401, headers
    assert ask(sidekey, path=f"/status?token={TOKEN}").status == 401
    assert ask(sidekey, extra=[good]).status == 200


def test_a_browser_with_the_token_is_still_a_browser(plain_world: World, start) -> None:
    sidekey = begin(start, plain_world, adminToken="env:ADMIN_TOKEN")
    for header in (("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site")):
        answer = ask(sidekey, TOKEN, extra=[header])
        assert (answer.status, answer.code) == (403, "browser_refused")
    with Agent(sidekey.admin_port, host="evil.example") as rebound:
        answer = rebound.call("GET", "/status", headers=[("Authorization", f"Bearer {TOKEN}")])
    assert answer.code == "host_not_allowed"


def test_guesses_are_counted_and_do_not_fill_the_log(plain_world: World, start) -> None:
    sidekey = begin(start, plain_world, adminToken="env:ADMIN_TOKEN")
    began = time.monotonic()
    with Agent(sidekey.admin_port) as guesser:
        for guess in range(200):
            header = ("Authorization", f"Bearer {guess}")
            assert guesser.call("GET", "/status", headers=[header]).status == 401
    assert b"\nsidekey_admin_refused_total 200\n" in sidekey.admin("/metrics")[1]
    lines = sidekey.records(msg="a request to the admin port had no valid token")
    assert 1 <= len(lines) <= time.monotonic() - began + 2 and lines[0]["token"] == "wrong"


def test_a_token_that_is_not_there_opens_nothing(plain_world: World, start) -> None:
    sidekey = begin(start, plain_world, adminToken="env:NOT_THERE")
    for token in (None, "", "x"):
        answer = ask(sidekey, token)
        assert answer.status == 503 and "adminToken" in answer.json()["error"]


def test_the_agent_s_port_serves_none_of_it(plain_world: World, start, socket_path: Path) -> None:
    sidekey = begin(start, plain_world, socket_path, adminToken="env:ADMIN_TOKEN")
    with Agent(sidekey.port) as agent:
        for path in ("/status", "/metrics", "/readyz", "/healthz", "/v1/status"):
            answer = agent.call("GET", path, headers=[("Authorization", f"Bearer {TOKEN}")])
            assert (answer.status, answer.code) == (404, "route_not_found")


def test_the_token_is_no_key(world: World, start) -> None:
    """The same reference as a target's key: two slots, and only one of them reaches egress."""
    sidekey = begin(start, world, adminToken=world.key_arn)
    with Agent(sidekey.port) as agent:
        assert agent.chat().status == 200
    assert ask(sidekey, world.key).status == 200
    assert set(ask(sidekey, world.key).json()["slots"]) > {"adminToken", "main.apiKey"}


# ---- the verb ----


def file_of(sidekey: Sidekey) -> list[str]:
    return ["-c", str(sidekey.folder / "sidekey.yaml")]


def test_verb(world: World, start, socket_path: Path) -> None:
    sidekey = begin(start, world, socket_path)
    with Agent(sidekey.port) as agent:
        agent.chat()
        agent.chat({**HELLO, "model": "m", "api_key": "sk-mine"})
    wait_for(lambda: ask_socket(socket_path)["calls"]["total"] == 2, 5)
    result = run("status", *file_of(sidekey))
    assert result.returncode == 0, result.stdout
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0][:1] == ["sidekey"] and lines[0][-1] == "ready"
    assert ["main", "usable", "yes", "yes"] in [line[:4] for line in lines]
    assert ["main.apiKey", "fresh", "1"] in [line[:3] for line in lines]
    assert ["main", "chat", "1", "0"] in lines and ["-", "chat", "1", "1"] in lines
    assert ["field_not_allowed", "403", "local", "chat"] in [line[1:5] for line in lines]
    assert "LATENCY" in result.stdout and not world.found_in(result.stdout.encode())
    assert run("status", *file_of(sidekey), "--json").stdout.startswith('{"version":')
    told = json.loads(run("status", *file_of(sidekey), "--json").stdout)
    assert set(told) == set(ask_socket(socket_path))


def test_verb_counts_what_failed_upstream(world: World, start, socket_path: Path) -> None:
    sidekey = begin(start, world, socket_path)
    world.api.stop()
    with Agent(sidekey.port) as agent:
        assert agent.chat().code == "upstream_unreachable"
    wait_for(lambda: ask_socket(socket_path)["calls"]["total"] == 1, 5)
    told = run("status", *file_of(sidekey)).stdout.splitlines()
    table = [line.split() for line in told]
    at = table.index(["TARGET", "UPSTREAM", "ERROR", "CALLS"])
    assert table[at + 1] == ["main", "unreachable", "1"]


CELL = re.compile(r"(<=|>) ([0-9.]+) (us|ms|s)\b")
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1}


def latencies(shown: str) -> dict[str, list[tuple[str, float]]]:
    """The rows of the table of latencies: a sign and seconds for P50, P90 and P99."""
    table = shown[shown.index("LATENCY") :].split("\n\n")[0].splitlines()[1:]
    return {
        line.split("  ")[0]: [(s, float(n) * UNITS[u]) for s, n, u in CELL.findall(line)]
        for line in table
    }


def test_verb_says_a_bound_where_it_knows_no_more(
    world: World, start, socket_path: Path
) -> None:
    """Where the durations of a histogram lie between its bounds, nobody can say any more."""
    sidekey = begin(start, world, socket_path)
    world.api.script(Act(stall=0.3))
    with Agent(sidekey.port) as agent:
        assert agent.chat().status == 200
    wait_for(sidekey.calls, 5, "its line in the log")
    bounds = ask_socket(socket_path)["latency_seconds"]["duration"]["le"]
    shown = latencies(run("status", *file_of(sidekey)).stdout)
    took = sidekey.calls()[0]["total_ms"] / 1000
    bound = next(b for b in bounds if b > took)
    assert shown["whole call"] == [("<=", pytest.approx(bound))] * 3
    assert len(shown["first byte"]) == len(shown["added by sidekey"]) == 3


class Histograms(Server):
    """The admin port of one whose calls last."""

    async def handle(self, request: Request, connection: Connection) -> None:
        some = {"count": 10, "le": [0.25, 600], "counts": [5, 4, 1]}
        odd = {"count": 1, "le": "x", "counts": {}}
        connection.answer_json(200, {"latency_seconds": {"duration": some, "overhead": odd}})
        connection.abort()


def test_verb_does_not_say_the_last_bound_of_what_is_above_it(plain_world: World, start) -> None:
    sidekey = begin(start, plain_world)
    with Histograms() as other:
        config = sidekey.folder / "other.yaml"
        text = (sidekey.folder / "sidekey.yaml").read_text()
        config.write_text(text.replace(str(sidekey.admin_port), str(other.port)))
        shown = latencies(run("status", "-c", str(config)).stdout)
    assert shown["whole call"] == [("<=", 0.25), ("<=", 600), (">", 600)]
    assert shown["added by sidekey"] == [], "nothing is made up"


def test_verb_does_not_hand_an_agent_the_terminal(
    plain_world: World, start, socket_path: Path
) -> None:
    models = [{"match": "good", "target": "main"}]
    sidekey = begin(start, plain_world, socket_path, models=models)
    with Agent(sidekey.port) as agent:
        assert agent.chat({**HELLO, "model": "\x1b]0;owned\x07\x1b[2J\u202e\n"}).status == 403
    wait_for(lambda: ask_socket(socket_path)["calls"]["total"] == 1, 5)
    shown = run("status", *file_of(sidekey)).stdout
    assert "?]0;owned" in shown
    assert all(c == "\n" or " " <= c <= "~" for c in shown)


class Impostor(Server):
    """Whoever took the admin port while sidekey was down."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status

    async def handle(self, request: Request, connection: Connection) -> None:
        evil = "\x1b]0;owned\x07\x1b[31mrun this\x1b[0m\u202e\x9b0m"
        page = json.dumps({"error": evil, "version": evil}, ensure_ascii=False)
        connection.answer(self.status, [("Content-Type", "application/json")], page.encode())
        connection.abort()


@pytest.mark.parametrize("status", [200, 401, 503])
def test_verb_does_not_hand_an_impostor_the_terminal(
    plain_world: World, start, status: int
) -> None:
    sidekey = begin(start, plain_world, adminToken="env:ADMIN_TOKEN")
    with Impostor(status) as impostor:
        config = sidekey.folder / "other.yaml"
        text = (sidekey.folder / "sidekey.yaml").read_text()
        config.write_text(text.replace(str(sidekey.admin_port), str(impostor.port)))
        shown = run("status", "-c", str(config), env=plain_world.env(ADMIN_TOKEN=TOKEN)).stdout
        raw = run("status", "--json", "-c", str(config), env=plain_world.env(ADMIN_TOKEN=TOKEN))
    assert "?]0;owned" in shown
    assert all(c == "\n" or " " <= c <= "~" for c in shown + raw.stdout)
    assert status != 200 or json.loads(raw.stdout)["version"].endswith("\u202e\u009b0m")


class Babbler(Server):
    """Another one, whose answer is no JSON."""

    async def handle(self, request: Request, connection: Connection) -> None:
        connection.answer(200, [], b'{"version": "\x1b]0;owned\x07"}')
        connection.abort()


def test_verb_shows_no_answer_that_is_no_json(plain_world: World, start) -> None:
    sidekey = begin(start, plain_world, adminToken="env:ADMIN_TOKEN")
    with Babbler() as other:
        config = sidekey.folder / "other.yaml"
        text = (sidekey.folder / "sidekey.yaml").read_text()
        config.write_text(text.replace(str(sidekey.admin_port), str(other.port)))
        for more in ([], ["--json"]):
            shown = run("status", *more, "-c", str(config), env=plain_world.env(ADMIN_TOKEN=TOKEN))
            assert shown.returncode == 1
            assert shown.stdout == "sidekey status: the answer is not that of a sidekey\n"


def test_verb_over_tcp(plain_world: World, start) -> None:
    sidekey = begin(start, plain_world, adminToken="env:ADMIN_TOKEN")
    without = run("status", *file_of(sidekey))
    assert without.returncode == 1 and "SIDEKEY_ADMIN_TOKEN" in without.stdout
    wrong = run("status", *file_of(sidekey), env={"SIDEKEY_ADMIN_TOKEN": "wrong"})
    assert wrong.returncode == 1 and "adminToken" in wrong.stdout
    broken = run("status", *file_of(sidekey), env={"SIDEKEY_ADMIN_TOKEN": f"{TOKEN}\r\nX: y"})
    assert broken.returncode == 1
    right = run("status", *file_of(sidekey), env={"SIDEKEY_ADMIN_TOKEN": TOKEN})
    assert right.returncode == 0 and "main.apiKey" in right.stdout


def test_verb_says_why_not(plain_world: World, start) -> None:
    sidekey = begin(start, plain_world)
    refused = run("status", *file_of(sidekey))
    assert refused.returncode == 1 and "unix:/run/sidekey/admin.sock" in refused.stdout
    assert sidekey.stop() == 0
    gone = run("status", *file_of(sidekey))
    assert gone.returncode == 1 and "nobody answers" in gone.stdout
    assert run("status", "--wrong").returncode == 2
    assert run("status", "--help").returncode == 0
