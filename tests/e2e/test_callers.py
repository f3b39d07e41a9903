# SPDX-License-Identifier: Apache-2.0
"""Goal: sidekey knows who calls, by token or by user, and holds each caller to its own rules."""

import hashlib
import json
import os
import re
from pathlib import Path

import openai
import pytest
import yaml
from fakes import processes
from fakes.agent import CHAT, HELLO, STREAM, Agent, Answer
from fakes.sidekey import SANITIZED, Sidekey, run
from fakes.wire import free_port, wait_for
from fakes.world import World

TOKEN = "sk-sidekey-" + "5e" * 32
OTHER = "sk-sidekey-" + "0f" * 32
SHORT = "fifteen-bytes-x"
USER = 54321  # of nobody here


def sigv4(token: str) -> str:
    """As boto3 signs with its access key id set to the token."""
    scope = f"{token}/20260728/us-east-1/bedrock/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={'0' * 64}"


WAYS = {
    "bearer": lambda t: [("Authorization", f"Bearer {t}")],
    "bearer in small letters": lambda t: [("authorization", f"bearer {t}")],
    "x-api-key": lambda t: [("x-api-key", t)],
    "api-key": lambda t: [("api-key", t)],
    "x-goog-api-key": lambda t: [("x-goog-api-key", t)],
    "sigv4": lambda t: [("Authorization", sigv4(t))],
    "beside a worthless one": lambda t: [("Authorization", "Bearer none"), ("x-api-key", t)],
    "a second bearer": lambda t: [
        ("Authorization", "Bearer none"),
        ("Authorization", f"Bearer {t}"),
    ],
}


def begin(start, world: World, *callers: dict, wait: bool = True, **sections) -> Sidekey:
    env = world.env(TOKEN=TOKEN, OTHER=OTHER, SAME=TOKEN, SHORT=SHORT)
    return start(world.config(callers=list(callers), **sections), env, wait=wait)


def bearer(token: str) -> list[tuple[str, str]]:
    return WAYS["bearer"](token)


def ask(sidekey: Sidekey, headers=(), body=None, path: str = CHAT) -> Answer:
    with Agent(sidekey.port) as agent:
        return agent.call("POST", path, HELLO if body is None else body, headers)


def refused(answer: Answer, status: int, code: str, *words: str) -> None:
    assert (answer.status, answer.code) == (status, code), answer.body
    message = answer.json()["error"]["message"]
    for word in words:
        assert word in message, message


def logged(sidekey: Sidekey, count: int) -> list[str]:
    """The callers of all calls, by the log, which is written a moment after the answer."""
    wait_for(lambda: len(sidekey.calls()) >= count, 10, f"{count} calls in the log")
    return [c["caller"] for c in sidekey.calls()]


def test_ids_of_calls_do_not_count_those_of_others(plain_world: World, start) -> None:
    """Neither half of an id rises with the calls, or stays."""
    callers = [{"name": "a", "token": "env:TOKEN"}, {"name": "b", "token": "env:OTHER"}]
    sidekey = begin(start, plain_world, *callers)
    ids = []
    with Agent(sidekey.port) as agent:
        for token in [TOKEN, OTHER] * 30:
            answer = agent.call("GET", "/nothing", headers=bearer(token))
            ids.append(answer.header("x-sidekey-request-id"))
    assert all(re.fullmatch("[0-9a-f]{20}", i) for i in ids)
    for half in ([i[:10] for i in ids], [i[10:] for i in ids]):
        assert len(set(half)) == len(ids), ids
        assert half not in (sorted(half), sorted(half, reverse=True)), ids


# ---- tokens ----


@pytest.mark.parametrize("way", WAYS)
def test_ways(plain_world: World, start, way: str) -> None:
    sidekey = begin(start, plain_world, {"name": "researcher", "token": "env:TOKEN"})
    assert ask(sidekey, WAYS[way](TOKEN)).status == 200
    refused(ask(sidekey, WAYS[way](OTHER)), 401, "caller_unauthenticated", "sidekey token")
    assert len(plain_world.api.requests) == 1
    assert logged(sidekey, 2) == ["researcher", ""]


def test_wrong(plain_world: World, start) -> None:
    sidekey = begin(start, plain_world, {"name": "a", "token": "env:TOKEN"})
    wrong = [
        "",
        TOKEN[:-1],
        TOKEN + "0",
        TOKEN.upper(),
        "\x00",
        hashlib.sha256(TOKEN.encode()).hexdigest(),
        "sha256:" + hashlib.sha256(TOKEN.encode()).hexdigest(),
    ]
    for token in wrong[:4] + wrong[5:]:
        answer = ask(sidekey, bearer(token))
        refused(answer, 401, "caller_unauthenticated")
        assert answer.header("x-should-retry") == "false"
    refused(ask(sidekey), 401, "caller_unauthenticated", "x-api-key", "sidekey token")
    refused(ask(sidekey, [("Authorization", f"Basic {TOKEN}")]), 401, "caller_unauthenticated")
    refused(ask(sidekey, [("Cookie", TOKEN)]), 401, "caller_unauthenticated")
    refused(ask(sidekey, path=f"{CHAT}?api_key={TOKEN}"), 401, "caller_unauthenticated")
    many = [("x-api-key", f"guess {i}") for i in range(20)] + bearer(TOKEN)
    refused(ask(sidekey, many), 401, "caller_unauthenticated", "more credentials")
    assert not plain_world.api.requests
    assert ask(sidekey, bearer(TOKEN)).status == 200


def test_unknown_learn_nothing(plain_world: World, start) -> None:
    """Which paths, operations and models there are is for callers to know; life is for all."""
    sidekey = begin(start, plain_world, {"name": "a", "token": "env:TOKEN"})
    for path in ("/v1/nothing", "/v1/files", CHAT, "/v1/models"):
        refused(ask(sidekey, path=path), 401, "caller_unauthenticated")
    with Agent(sidekey.port) as agent:
        alive = agent.call("GET", "/health/liveliness")
        assert (alive.status, alive.body) == (200, b'"I\'m alive!"')
    # In the shape of the client that asks.
    answer = ask(sidekey, path="/v1/messages", headers=[("x-api-key", "wrong")])
    assert answer.status == 401 and answer.json()["error"]["type"] == "authentication_error"


def test_body_not_awaited(plain_world: World, start) -> None:
    """Who may not call costs no reading; a body that is here already costs no connection."""
    sidekey = begin(start, plain_world, {"name": "a", "token": "env:TOKEN"})
    with Agent(sidekey.port) as agent:
        refused(agent.chat(), 401, "caller_unauthenticated")
        assert agent.chat(headers=bearer(TOKEN)).status == 200
        lines = f"POST {CHAT} HTTP/1.1\r\nHost: {agent.host}\r\nContent-Length: 9000000\r\n"
        agent.send(f"{lines}Content-Type: application/json\r\n\r\n".encode())
        answer = agent.read()
        refused(answer, 401, "caller_unauthenticated")
        assert answer.header("connection") == "close"


def test_sdk(plain_world: World, start) -> None:
    sidekey = begin(start, plain_world, {"name": "a", "token": "env:TOKEN"})
    with openai.OpenAI(base_url=sidekey.base, api_key=TOKEN) as client:
        client.chat.completions.create(model="gpt-4o", messages=HELLO["messages"])
    with (
        openai.OpenAI(base_url=sidekey.base, api_key="none") as client,
        pytest.raises(openai.AuthenticationError, match="sidekey token"),
    ):
        client.chat.completions.create(model="gpt-4o", messages=HELLO["messages"])
    assert len(logged(sidekey, 2)) == 2, "a refusal for good is not tried again"
    assert TOKEN.encode() not in plain_world.api.last().raw_head


def test_digest(plain_world: World, start) -> None:
    digest = "sha256:" + hashlib.sha256(TOKEN.encode()).hexdigest().upper()
    digest = digest.replace("SHA", "sha")
    sidekey = begin(start, plain_world, {"name": "a", "token": digest})
    assert ask(sidekey, bearer(TOKEN)).status == 200
    refused(ask(sidekey, bearer(digest)), 401, "caller_unauthenticated")


def test_same_secret(plain_world: World, start) -> None:
    """Two references, one token: whose rules would hold? Nobody's, and neither gets in."""
    callers = [
        {"name": "a", "token": "env:TOKEN"},
        {"name": "b", "token": "env:SAME"},
        {"name": "c", "token": "env:OTHER"},
    ]
    sidekey = begin(start, plain_world, *callers)
    refused(ask(sidekey, bearer(TOKEN)), 401, "caller_unauthenticated", "same token")
    both = bearer(TOKEN) + [("x-api-key", OTHER)]
    refused(ask(sidekey, both), 401, "caller_unauthenticated")
    assert ask(sidekey, bearer(OTHER)).status == 200
    assert logged(sidekey, 3) == ["", "", "c"]


def slot_of(sidekey: Sidekey, caller: str) -> dict:
    return json.loads(sidekey.admin("/readyz")[1])["slots"][f"callers.{caller}.token"]


def test_short(plain_world: World, start) -> None:
    """A token that could be guessed is the operator's choice: it is taken, and the log says so."""
    callers = [{"name": "short", "token": "env:SHORT"}, {"name": "good", "token": "env:TOKEN"}]
    sidekey = begin(start, plain_world, *callers)
    assert ask(sidekey, bearer(SHORT)).status == 200
    assert ask(sidekey, bearer(TOKEN)).status == 200
    refused(ask(sidekey, bearer(SHORT[:-1])), 401, "caller_unauthenticated")
    assert logged(sidekey, 3) == ["short", "good", ""]
    (told,) = sidekey.records(level="warn", slot="callers.short.token")
    assert "16 bytes" in told["msg"] and "sidekey token" in told["msg"]
    assert SHORT not in sidekey.text()


def test_spoilt(plain_world: World, start, tmp_path: Path) -> None:
    """A new token that cannot be one does not lock out who has the old one."""
    path = tmp_path / "token"
    path.write_text(TOKEN)
    sidekey = begin(start, plain_world, {"name": "a", "token": f"file:{path}"})
    path.write_text(f"{OTHER}\n{OTHER}")
    wait_for(lambda: slot_of(sidekey, "a")["state"] == "stale", 20, "it is refused")
    assert slot_of(sidekey, "a")["error"] == "BadCharacter"
    assert ask(sidekey, bearer(TOKEN)).status == 200
    refused(ask(sidekey, bearer(OTHER)), 401, "caller_unauthenticated")
    assert sidekey.readiness() == 200


def test_unusable(plain_world: World, start, tmp_path: Path) -> None:
    """A token that its reference cannot give is nobody's for good: a wrong token is wrong, not to
    be tried again, and who has a token of their own calls as before."""
    path = tmp_path / "token"
    path.write_text(f"{OTHER}\n{OTHER}")
    callers = [
        {"name": "spoilt", "token": f"file:{path}"},
        {"name": "good", "token": "env:TOKEN"},
    ]
    sidekey = begin(start, plain_world, *callers, wait=False)
    wait_for(lambda: sidekey.records(error_type="BadCharacter"), 20, "the log tells")
    assert sidekey.records(error_type="BadCharacter")[0]["slot"] == "callers.spoilt.token"
    slot = slot_of(sidekey, "spoilt")
    assert (slot["state"], slot["error"], slot["version"]) == ("missing", "BadCharacter", 0)
    wait_for(lambda: ask(sidekey, bearer(TOKEN)).status == 200, 20, "who is known may call")
    answer = ask(sidekey, bearer(OTHER))
    refused(answer, 401, "caller_unauthenticated", "/readyz")
    assert answer.header("x-should-retry") == "false"
    assert sidekey.readiness() == 503
    assert json.loads(sidekey.admin("/readyz")[1])["callerTokens"] == "missing"


def test_not_there_yet(plain_world: World, start, tmp_path: Path) -> None:
    """A token that is still to come: not ready, and "try again" rather than "never"."""
    path = tmp_path / "token"
    callers = [
        {"name": "late", "token": f"file:{path}"},
        {"name": "early", "token": "env:TOKEN"},
    ]
    secrets = {"failureTtl": "1s"}
    sidekey = begin(start, plain_world, *callers, wait=False, secrets=secrets)
    wait_for(lambda: sidekey.records(msg="listening"), 30, "it serves all the same")
    wait_for(lambda: ask(sidekey, bearer(TOKEN)).status == 200, 20, "who is known may call")
    assert sidekey.readiness() == 503
    answer = ask(sidekey, bearer(OTHER))
    refused(answer, 503, "credential_unavailable", "/readyz")
    assert answer.header("x-should-retry") == "true"
    refused(ask(sidekey), 401, "caller_unauthenticated")
    path.write_text(OTHER + "\n")
    path.chmod(0o600)
    sidekey.wait_ready(30)
    assert ask(sidekey, bearer(OTHER)).status == 200
    refused(ask(sidekey, bearer(OTHER[:-1])), 401, "caller_unauthenticated")


def test_rotated(plain_world: World, start, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(TOKEN)
    sidekey = begin(start, plain_world, {"name": "a", "token": f"file:{path}"})
    assert ask(sidekey, bearer(TOKEN)).status == 200
    path.write_text(OTHER)
    wait_for(lambda: ask(sidekey, bearer(OTHER)).status == 200, 20, "the new token")
    refused(ask(sidekey, bearer(TOKEN)), 401, "caller_unauthenticated")


@pytest.mark.usefixtures("root")
def test_tokens_stay_inside(plain_world: World, start) -> None:
    """Only the keeper, which reads it, has a token; ingress has a digest, egress nothing."""
    sidekey = begin(start, plain_world, {"name": "a", "token": "env:TOKEN"})
    for headers in (bearer(TOKEN), bearer(OTHER)):
        ask(sidekey, headers)
    assert logged(sidekey, 2) == ["a", ""]
    traces = {"token": TOKEN.encode(), "wrong token": OTHER.encode()}
    # A sanitizer keeps what is freed, and its shadow takes minutes to read.
    for name in () if SANITIZED else ("ingress", "egress", "resolver"):
        assert processes.search_memory(sidekey.pids()[name], traces) == [], name
    said = sidekey.text()
    for page in ("/metrics", "/readyz", "/healthz"):
        said += sidekey.admin(page)[1].decode()
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    assert TOKEN not in said and OTHER not in said and digest not in said
    assert TOKEN.encode() not in plain_world.api.last().raw_head


# ---- users ----


def dial_as(uid: int, path: Path) -> Agent:
    """The kernel remembers who connected."""
    os.seteuid(uid)
    try:
        return Agent(unix=str(path))
    finally:
        os.seteuid(0)


def on_socket(start, world: World, folder: Path, *callers: dict) -> tuple[Sidekey, Path]:
    port, path = free_port(), folder / "agent.sock"
    listen = [f"127.0.0.1:{port}", {"unix": str(path), "mode": "0666"}]
    sidekey = begin(start, world, *callers, listen=listen)
    sidekey.port = port
    return sidekey, path


@pytest.mark.usefixtures("root")
def test_user(plain_world: World, start, folder: Path) -> None:
    sidekey, path = on_socket(start, plain_world, folder, {"name": "u", "uids": [USER]})
    with dial_as(USER, path) as agent:
        assert agent.chat().status == 200
        assert agent.chat(headers=bearer("none")).status == 200, "SDKs send some key"
    with dial_as(USER + 1, path) as agent:
        refused(agent.chat(), 401, "caller_unauthenticated", "uids")
    with dial_as(0, path) as agent:
        refused(agent.chat(), 401, "caller_unauthenticated")
    refused(ask(sidekey), 401, "caller_unauthenticated")


@pytest.mark.usefixtures("root")
def test_user_and_token(plain_world: World, start, folder: Path) -> None:
    """Both are asked for; a stolen token is of no use to another user, nor over TCP."""
    callers = [
        {"name": "both", "uids": [USER], "token": "env:TOKEN"},
        {"name": "anyone", "token": "env:OTHER"},
        {"name": "user", "uids": [USER, USER + 1], "operations": ["models"]},
    ]
    sidekey, path = on_socket(start, plain_world, folder, *callers)
    with dial_as(USER, path) as agent:
        assert agent.chat(headers=bearer(TOKEN)).status == 200
        assert agent.chat(headers=bearer(OTHER)).status == 200
        refused(agent.chat(), 403, "operation_not_allowed", '"user"')
    with dial_as(USER + 1, path) as agent:
        refused(agent.chat(headers=bearer(TOKEN)), 403, "operation_not_allowed", '"user"')
    with dial_as(USER + 2, path) as agent:
        refused(agent.chat(headers=bearer(TOKEN)), 401, "caller_unauthenticated", "uids")
    refused(ask(sidekey, bearer(TOKEN)), 401, "caller_unauthenticated")
    assert logged(sidekey, 6) == ["both", "anyone", "user", "user", "", ""]


# ---- rules ----


def test_models(plain_world: World, start) -> None:
    rules = {"models": ["claude-*", "gpt-4o"]}
    target = plain_world.target(operations=["chat", "models", "files", "batches", "images"])
    sidekey = start(
        plain_world.config(
            target,
            callers=[
                {"name": "some", "token": "env:TOKEN", **rules},
                {"name": "all", "token": "env:OTHER"},
            ],
        ),
        plain_world.env(TOKEN=TOKEN, OTHER=OTHER),
    )
    for model in ("claude-", "claude-x", "gpt-4o"):
        assert ask(sidekey, bearer(TOKEN), {**HELLO, "model": model}).status == 200
    for model in ("gpt-4o-mini", "Claude-x", "claude", "", "gpt-4*", "xgpt-4o"):
        answer = ask(sidekey, bearer(TOKEN), {**HELLO, "model": model})
        refused(answer, 403, "model_not_allowed", '"some"', f'"{model}"')
        assert answer.header("x-should-retry") == "false"
        assert ask(sidekey, bearer(OTHER), {**HELLO, "model": model}).status == 200
    with Agent(sidekey.port) as agent:
        shown = [agent.call("GET", "/v1/models", headers=bearer(t)).json() for t in (TOKEN, OTHER)]
    names = [[m["id"] for m in listed["data"]] for listed in shown]
    assert names[0] == [n for n in names[1] if n == "gpt-4o" or n.startswith("claude-")]
    assert names[0] and names[0] != names[1]
    nameless = {"messages": HELLO["messages"]}
    refused(ask(sidekey, bearer(TOKEN), nameless), 403, "model_not_allowed", "names no model")
    for path in ("/v1/files", "/v1/batches"):
        refused(ask(sidekey, bearer(TOKEN), path=path), 403, "operation_not_allowed", "models")
        assert ask(sidekey, bearer(OTHER), path=path).code in (None, "malformed_request")


def test_route(tmp_path: Path) -> None:
    """`sidekey route` holds the caller's rules against the call, too."""
    target = {"provider": "openai", "apiBase": "https://api.example/v1", "apiKey": "env:KEY"}
    limits = {
        "requestsPerMinute": 60,
        "concurrentRequests": 4,
        "tokenBudget": {"tokens": 1000, "period": "1h"},
    }
    callers = [
        {"name": "a", "token": DIGEST, "models": ["m"]},
        {"name": "b", "token": "env:T", **limits},
    ]
    path = tmp_path / "sidekey.yaml"
    path.write_text(yaml.safe_dump({"targets": {"main": target}, "callers": callers}))
    path.chmod(0o600)

    def route(*more: str) -> tuple[int, str]:
        arguments = ("route", "POST", CHAT, "-c", str(path), "--model", "other", *more)
        done = run(*arguments, env={"KEY": "k", "T": TOKEN})
        return done.returncode, done.stdout

    status, said = route("--caller", "a")
    assert status == 1 and "model_not_allowed" in said and 'The caller "a"' in said
    status, said = route("--caller", "b")
    assert status == 0 and re.search(r"^caller +b$", said, re.MULTILINE)
    assert ", 60 requests a minute, 4 calls at once, 1000 tokens in 3600 s\n" in said
    for nobody in ("nobody", "local"):
        status, said = route("--caller", nobody)
        assert status == 2 and said == "sidekey route: --caller: these are configured: a, b\n"


def test_route_of_a_call_without_a_token(tmp_path: Path) -> None:
    """Who names no caller is told what comes of a call of nobody's, and of which rule."""
    target = {"provider": "openai", "apiBase": "https://api.example/v1", "apiKey": "env:KEY"}
    callers = [{"name": "a", "token": "env:T"}, {"name": "b", "uids": [1]}]
    path = tmp_path / "sidekey.yaml"
    path.write_text(yaml.safe_dump({"targets": {"main": target}, "callers": callers}))
    path.chmod(0o600)
    done = run("route", "POST", CHAT, "-c", str(path), "--json")
    said = json.loads(done.stdout)
    assert (done.returncode, said["verdict"], said["status"]) == (1, "caller_unauthenticated", 401)
    assert "Only the configured `callers` may call here" in said["why"]
    assert said["rule"] == "callers: this call is of none of them"
    assert said["hint"] == "--caller says who calls: a, b"
    assert "caller" not in said and "url" not in said
    plain = run("route", "POST", CHAT, "-c", str(path)).stdout
    assert "verdict    caller_unauthenticated\nstatus     401 Unauthorized\n" in plain
    aws = run("route", "POST", "/bedrock/model/m/converse", "-c", str(path), "--json")
    assert json.loads(aws.stdout)["status"] == 401


def test_route_of_what_no_target_has(tmp_path: Path) -> None:
    """To add it to `operations` would be refused: the sentence does not say so."""
    target = {"provider": "anthropic", "apiBase": "https://api.example", "apiKey": "env:KEY"}
    path = tmp_path / "sidekey.yaml"
    path.write_text(yaml.safe_dump({"targets": {"main": target}}))
    path.chmod(0o600)
    said = run("route", "GET", "/v1/models", "-c", str(path)).stdout
    assert "no target is of a provider that has it" in said and "add it to" not in said
    only = {**target, "provider": "openai", "operations": ["models"]}
    path.write_text(yaml.safe_dump({"targets": {"main": only}}))
    said = run("route", "POST", CHAT, "-c", str(path)).stdout
    assert "add it to the target's `operations`" in said


def test_route_of_everybody(tmp_path: Path) -> None:
    """Without `callers` there is one, of the name that the log has for it."""
    target = {"provider": "openai", "apiBase": "https://api.example/v1", "apiKey": "env:KEY"}
    path = tmp_path / "sidekey.yaml"
    path.write_text(yaml.safe_dump({"targets": {"main": target}}))
    path.chmod(0o600)
    route = ("route", "POST", CHAT, "-c", str(path))
    named = run(*route, "--caller", "local")
    assert named.returncode == 0 and named.stdout == run(*route).stdout
    other = run(*route, "--caller", "b")
    assert other.returncode == 2
    assert 'no callers are configured: everybody is "local"' in other.stdout


def test_operations(plain_world: World, start) -> None:
    caller = {"name": "reader", "token": "env:TOKEN", "operations": ["models", "files"]}
    sidekey = begin(start, plain_world, caller)
    with Agent(sidekey.port) as agent:
        assert agent.call("GET", "/v1/models", headers=bearer(TOKEN)).status == 200
    refused(
        ask(sidekey, bearer(TOKEN)), 403, "operation_not_allowed", '"reader"', '"chat"'
    )
    # A caller's rule opens nothing that the target does not.
    refused(ask(sidekey, bearer(TOKEN), path="/v1/files"), 403, "operation_not_allowed", "target")
    assert len(plain_world.api.requests) == 1


def test_without_callers(plain_world: World, plain_sidekey: Sidekey) -> None:
    assert ask(plain_sidekey).status == 200
    assert ask(plain_sidekey, bearer("none")).status == 200
    assert logged(plain_sidekey, 2) == ["local", "local"]
    assert "callerTokens" not in json.loads(plain_sidekey.admin("/readyz")[1])


# ---- the configuration and the verb ----

DIGEST, LOUD_DIGEST = ("sha256:" + byte * 32 for byte in ("ab", "AB"))


@pytest.mark.parametrize(
    ("callers", "message"),
    [
        ([{"name": "a", "token": "sk-1234567890123456"}], "[0].token: a reference is due"),
        ([{"name": "a", "token": "sha256:abc"}], "64 hexadecimal digits are due"),
        ([{"name": "a"}], "[0]: says neither token nor uids"),
        ([{"token": DIGEST}], "[0].name: is missing"),
        ([], "0 entries"),
        (
            [{"name": "a", "token": DIGEST}, {"name": "a", "uids": [1]}],
            "[1].name: another caller has this name",
        ),
        (
            [{"name": "a", "token": DIGEST}, {"name": "b", "token": LOUD_DIGEST}],
            "[1].token: another caller has this token",
        ),
        (
            [{"name": "a", "token": "env:T"}, {"name": "b", "token": "env:T", "uids": [1]}],
            "[1].token: another caller has this token",
        ),
        ([{"name": "a", "token": "env:ADMIN"}], "[0].token: adminToken is the same"),
        ([{"name": "a", "uids": [1, 2]}, {"name": "b", "uids": [2]}], "[1].uids: another caller"),
        ([{"name": "a", "uids": ["root"]}], "[0].uids[0]: the number of a user is due"),
        ([{"name": "a", "uids": [4294967295]}], "[0].uids[0]: the number of a user is due"),
        ([{"name": "a", "uids": []}], "[0].uids: must not be empty"),
        ([{"name": "a", "uids": [1], "models": []}], "[0].models: must not be empty"),
        ([{"name": "a", "uids": [1], "models": ["a*b"]}], "[0].models[0]: a model's name"),
        ([{"name": "a", "uids": [1], "operations": ["admin"]}], "[0].operations[0]: not one of"),
        ([{"name": "a", "uids": [1], "requestsPerMinute": 0}], "out of bounds"),
        ([{"name": "a", "uids": [1], "tokenBudget": {"tokens": 5}}], "period: is missing"),
    ],
)
def test_faults(tmp_path: Path, callers: list, message: str) -> None:
    path = tmp_path / "sidekey.yaml"
    target = {"provider": "openai", "apiBase": "https://api.example/v1", "apiKey": "env:KEY"}
    config = {"targets": {"main": target}, "adminToken": "env:ADMIN", "callers": callers}
    path.write_text(yaml.safe_dump(config))
    path.chmod(0o600)
    checked = run("check", "-c", str(path), env={"KEY": "k", "T": TOKEN, "ADMIN": OTHER})
    assert checked.returncode == 2 and message in checked.stdout, checked.stdout
    assert "sk-1234567890123456" not in checked.stdout


def test_verb(plain_world: World, start, tmp_path: Path) -> None:
    """What `sidekey token` prints can be pasted, and works."""
    made = run("token", "--name", "researcher")
    token, _, rest = made.stdout.partition("\n")
    assert made.returncode == 0 and token.startswith("sk-sidekey-") and len(token) == 75
    lines = yaml.safe_load(rest[rest.index("callers:") :])
    sidekey = begin(start, plain_world, *lines["callers"])
    assert ask(sidekey, bearer(token)).status == 200
    refused(ask(sidekey, bearer(token[:-1])), 401, "caller_unauthenticated")
    assert logged(sidekey, 2) == ["researcher", ""]

    as_json = json.loads(run("token", "--json").stdout)
    assert as_json["digest"] == "sha256:" + hashlib.sha256(as_json["token"].encode()).hexdigest()
    assert as_json["token"] != token
    assert run("token", "--name", 'a"b').returncode == 2
    assert run("token", "extra").returncode == 2
    assert "--json" in run("token", "--help").stdout


def test_streams_carry_a_token_too(plain_world: World, start) -> None:
    sidekey = begin(start, plain_world, {"name": "a", "token": "env:TOKEN"})
    answer = ask(sidekey, bearer(TOKEN), STREAM)
    assert answer.complete and b"[DONE]" in answer.body
    refused(ask(sidekey, bearer(OTHER), STREAM), 401, "caller_unauthenticated")
