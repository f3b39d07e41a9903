# SPDX-License-Identifier: Apache-2.0
"""Goal: uploads of any size pass as they come, judged like every body, and nothing is executed of
one that breaks a rule."""

import io
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from fakes import processes
from fakes.agent import Agent
from fakes.apibase import Act
from fakes.sidekey import SANITIZED, Sidekey, run
from fakes.wire import wait_for
from fakes.world import World

BOUNDARY = "d5f0c1a2b3"
TRANSCRIBE = "/v1/audio/transcriptions"
FILES = "/v1/files"
SAID = Act(200, (("Content-Type", "application/json"),), b'{"text": "hello"}')
MIB = 1 << 20
FLAT = 4 * MIB  # what a role may grow by while 64 MiB pass
GROUPS = ["chat", "models", "images", "audio", "files", "batches"]


def field(name: str, value: bytes | str, more: str = "", headers: str = "") -> bytes:
    value = value.encode() if isinstance(value, str) else value
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n{headers}\r\n'
    return head.encode() + value + b"\r\n"


def file(value: bytes, name: str = "file") -> bytes:
    return field(name, value, '; filename="a.wav"', "Content-Type: audio/wav\r\n")


END = f"--{BOUNDARY}--\r\n".encode()
MODEL = field("model", "whisper-1")


def head(path: str, agent: Agent, length: int | None) -> bytes:
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return (
        f"POST {path} HTTP/1.1\r\nHost: {agent.host}\r\n{framing}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n"
    ).encode()


def send(agent: Agent, body: bytes, path: str = TRANSCRIBE):
    agent.send(head(path, agent, len(body)) + body)
    return agent.read()


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


class Upstream:
    """An upstream that reads and answers by hand: one connection at a time."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.base = f"http://127.0.0.1:{self.listener.getsockname()[1]}/v1"
        self.seen = b""
        self.ended = False
        self.reading = threading.Event()
        self.peer: socket.socket | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.peer, _ = self.listener.accept()
            while True:
                self.reading.wait()
                piece = self.peer.recv(MIB)
                if not piece:
                    break
                self.seen += piece
        except OSError:
            pass
        self.ended = True

    def close(self) -> None:
        self.reading.set()
        self.listener.close()
        if self.peer:
            self.peer.close()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    made = Upstream()
    made.reading.set()
    yield made
    made.close()


@pytest.fixture
def media(plain_world: World, start) -> Sidekey:
    plain_world.api.always = SAID
    target = plain_world.target(operations=GROUPS)
    return start(plain_world.config(target), plain_world.env())


@pytest.fixture
def caller(media: Sidekey) -> Iterator[Agent]:
    with Agent(media.port) as agent:
        yield agent


@pytest.fixture
def by_hand(plain_world: World, upstream: Upstream, start) -> Iterator[Agent]:
    target = plain_world.target(operations=GROUPS, apiBase=upstream.base)
    with Agent(start(plain_world.config(target), plain_world.env()).port) as agent:
        yield agent


def sdk(sidekey: Sidekey) -> openai.OpenAI:
    return openai.OpenAI(base_url=sidekey.base, api_key="x", max_retries=0)


# ---- what SDKs send ----


def test_transcription(plain_world: World, media: Sidekey) -> None:
    with sdk(media) as client:
        said = client.audio.transcriptions.create(
            model="whisper-1", file=("a.wav", b"\r\n--RIFF" * 1000), language="en"
        )
    assert said.text == "hello"
    request = plain_world.api.last()
    assert b"whisper-1" in request.body and b"\r\n--RIFF" * 1000 in request.body
    assert request.header("Content-Length") == str(len(request.body))
    assert not request.all("Transfer-Encoding") and not request.all("Expect")
    wait_for(lambda: media.calls())
    assert media.calls()[0]["model"] == "whisper-1"
    assert media.calls()[0]["operation"] == "audio"


def test_images(plain_world: World, media: Sidekey) -> None:
    plain_world.api.always = Act(
        200, SAID.headers, json.dumps({"created": 1, "data": [{"url": "http://x"}]}).encode()
    )
    with sdk(media) as client:
        answer = client.images.edit(
            model="gpt-image-1", prompt="a cat", image=[("a.png", b"1"), ("b.png", b"2")]
        )
    assert answer.data
    assert plain_world.api.last().body.count(b'name="image[]"') == 2


@pytest.mark.skipif(SANITIZED, reason="a sanitizer keeps what was freed for a while")
@pytest.mark.usefixtures("root")
def test_a_large_file_is_not_kept(plain_world: World, media: Sidekey) -> None:
    stored = {"id": "f", "object": "file", "bytes": 1, "created_at": 1, "filename": "a"}
    stored |= {"purpose": "batch", "status": "processed"}
    plain_world.api.always = Act(200, SAID.headers, json.dumps(stored).encode())
    with sdk(media) as client:
        client.files.create(file=("a.jsonl", b"{}"), purpose="batch")
        pids = media.pids()
        before = {role: processes.memory(pids[role]) for role in ("ingress", "egress")}
        content = io.BytesIO(bytes(range(256)) * (64 * MIB // 256))
        client.files.create(file=("a.jsonl", content), purpose="batch")
    for role, size in before.items():
        assert processes.memory(pids[role]) - size < FLAT, role
    assert content.getvalue() in plain_world.api.last().body


def test_speech_byte_for_byte(plain_world: World, media: Sidekey) -> None:
    sound = bytes(range(256)) * 4096
    plain_world.api.always = Act(200, (("Content-Type", "audio/mpeg"),), sound)
    with sdk(media) as client:
        answer = client.audio.speech.create(model="tts-1", voice="alloy", input="hello")
    assert answer.content == sound
    assert answer.response.headers["content-type"] == "audio/mpeg"


def test_a_stored_page_is_content(plain_world: World, start) -> None:
    page = Act(200, (("Content-Type", "text/html"),), b"<html></html>")
    target = plain_world.target(operations=GROUPS)
    del target["cloudflareAccess"]
    plain_world.api.access = None
    plain_world.api.always = page
    with Agent(start(plain_world.config(target), plain_world.env()).port) as agent:
        answer = agent.call("GET", "/v1/files/f/content")
        assert (answer.status, answer.body) == (200, page.body)
        answer = agent.call("GET", "/v1/files/f")
        assert (answer.status, answer.code) == (502, "upstream_invalid")
        plain_world.api.always = Act(404, page.headers, page.body)
        answer = agent.call("GET", "/v1/files/f/content")
        assert (answer.status, answer.code) == (502, "upstream_invalid")


# ---- how it comes ----


def test_chunked(plain_world: World, caller: Agent) -> None:
    body = MODEL + file(b"x" * 300000) + END
    caller.send(head(TRANSCRIBE, caller, None))
    for at in range(0, len(body), 70001):
        caller.send(chunk(body[at : at + 70001]))
    caller.send(b"0\r\n\r\n")
    assert caller.read().status == 200
    request = plain_world.api.last()
    assert request.body == body
    assert request.header("Transfer-Encoding") == "chunked"
    assert not request.all("Content-Length")
    assert send(caller, body).status == 200, "and the connection goes on"


def test_byte_by_byte(plain_world: World, caller: Agent) -> None:
    body = MODEL + file(b"\r\n--") + END
    for byte in head(TRANSCRIBE, caller, len(body)) + body:
        caller.send(bytes([byte]))
    assert caller.read().status == 200
    assert plain_world.api.last().body == body


def test_passed_on_before_its_end(by_hand: Agent, upstream: Upstream) -> None:
    body = MODEL + file(b"x" * 1000) + END
    by_hand.send(head(TRANSCRIBE, by_hand, len(body)) + body[:-20])
    wait_for(lambda: b"x" * 900 in upstream.seen)
    by_hand.send(body[-20:])
    wait_for(lambda: upstream.seen.endswith(END))


def test_slow_upstream_holds_the_client_back(by_hand: Agent, upstream: Upstream) -> None:
    upstream.reading.clear()
    by_hand.send(head(TRANSCRIBE, by_hand, 64 * MIB))
    by_hand.send(MODEL + f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="f"\r\n\r\n'.encode())
    by_hand.socket.settimeout(1)
    sent = 0
    with pytest.raises(TimeoutError):
        while sent < 60 * MIB:
            sent += by_hand.socket.send(b"x" * MIB)
    assert sent < 40 * MIB, "it would all have been kept somewhere"
    upstream.reading.set()
    wait_for(lambda: len(upstream.seen) >= sent)


def test_early_answer(by_hand: Agent, upstream: Upstream) -> None:
    by_hand.send(head(TRANSCRIBE, by_hand, 10 * MIB) + MODEL)
    wait_for(lambda: b"whisper-1" in upstream.seen)
    upstream.peer.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno")
    answer = by_hand.read()
    assert (answer.status, answer.body) == (400, b"no")
    assert answer.header("Connection") == "close"
    assert by_hand.at_end()


def test_the_agent_leaves(by_hand: Agent, upstream: Upstream) -> None:
    by_hand.send(head(TRANSCRIBE, by_hand, 10 * MIB) + MODEL)
    wait_for(lambda: b"whisper-1" in upstream.seen)
    by_hand.close()
    wait_for(lambda: upstream.ended)
    assert END[:-2] not in upstream.seen


# ---- what is refused ----


@pytest.mark.parametrize(
    ("late", "code"),
    [
        (field("api_base", "http://evil"), "field_not_allowed"),
        (field("API_BASE[]", "http://evil"), "field_not_allowed"),
        (field("metadata", '{"tags":["dear"]}'), "field_not_allowed"),
        (field("Metadata[tags]", "dear"), "field_not_allowed"),
        (MODEL, "malformed_request"),
        (field("model", "other", '; filename="m"'), "malformed_request"),
        (b"\n--" + BOUNDARY.encode() + b"\n", "malformed_request"),
        (END + b"epilogue", "malformed_request"),
    ],
)
def test_a_rule_broken_behind_a_file(
    by_hand: Agent, upstream: Upstream, late: bytes, code: str
) -> None:
    good = MODEL + file(b"x" * 200000)
    by_hand.send(head(TRANSCRIBE, by_hand, len(good + late + END)) + good)
    wait_for(lambda: b"x" * 1000 in upstream.seen)
    by_hand.send(late + END)
    answer = by_hand.read()
    assert answer.code == code, answer.body
    wait_for(lambda: upstream.ended)
    assert f"--{BOUNDARY}--".encode() not in upstream.seen, "it was never whole"


def test_broken_shapes_reach_nobody(plain_world: World, media: Sidekey) -> None:
    for body in (
        b"preamble\r\n" + MODEL + END,
        MODEL.replace(BOUNDARY.encode(), b"another") + END,
        field("model", "a", '; name="b"') + END,
        field("x", "a", "", "Content-Transfer-Encoding: base64\r\n") + END,
        END,
    ):
        with Agent(media.port) as agent:
            answer = send(agent, body)
            assert (answer.status, answer.code) == (400, "malformed_request"), body
    wait_for(lambda: len(media.calls()) == 5)
    assert not plain_world.api.executed


def test_bytes_behind_the_upload(plain_world: World, media: Sidekey) -> None:
    body = MODEL + file(b"RIFF" * 64) + END
    with Agent(media.port) as agent:
        agent.send(head(TRANSCRIBE, agent, len(body)) + body + b"GET / HTTP/1.1\r\n")
        answer = agent.read()
        assert (answer.status, answer.code) == (400, "malformed_request")
        assert agent.at_end()
    assert not plain_world.api.requests


def test_not_a_form(plain_world: World, caller: Agent) -> None:
    answer = caller.call("POST", TRANSCRIBE, b"{}", headers=[("Content-Type", "application/json")])
    assert (answer.status, answer.code) == (400, "malformed_request")
    assert b"multipart/form-data" in answer.body
    assert not plain_world.api.requests


def test_opt_in(plain_world: World, plain_agent: Agent) -> None:
    answer = send(plain_agent, MODEL + END)
    assert (answer.status, answer.code) == (403, "operation_not_allowed")
    assert not plain_world.api.requests


# ---- models and limits ----


@pytest.fixture
def ruled(plain_world: World, start) -> Iterator[Agent]:
    plain_world.api.always = SAID
    rules = [{"match": "mine/*", "target": "main", "stripPrefix": "mine/"}]
    limits = {"bodyBytes": "256KiB", "uploadBytes": "1MiB"}
    config = plain_world.config(
        plain_world.target(operations=GROUPS), models=rules, limits=limits, defaultTarget="main"
    )
    with Agent(start(config, plain_world.env()).port) as agent:
        yield agent


@pytest.mark.parametrize("model_first", [True, False])
@pytest.mark.parametrize("counted", [True, False])
def test_rewrite(plain_world: World, ruled: Agent, model_first: bool, counted: bool) -> None:
    named, sound = field("model", "mine/whisper-1"), file(b"mine/whisper-1" * 1000)
    body = (named + sound if model_first else sound + named) + END
    if counted:
        ruled.send(head(TRANSCRIBE, ruled, len(body)) + body)
    else:
        ruled.send(head(TRANSCRIBE, ruled, None) + chunk(body) + b"0\r\n\r\n")
    assert ruled.read().status == 200
    sent = (MODEL + sound if model_first else sound + MODEL) + END
    assert plain_world.api.last().body == sent


def test_a_length_that_a_new_name_would_belie(
    plain_world: World, ruled: Agent, media: Sidekey
) -> None:
    """okhttp tells each part's; where the name stays, it is still true."""
    named = field("model", "mine/m", headers="Content-Length: 6\r\n") + file(b"x") + END
    answer = send(ruled, named)
    assert (answer.status, answer.code) == (400, "malformed_request")
    assert b"Content-Length" in answer.body
    assert not plain_world.api.requests
    with Agent(media.port) as agent:
        assert send(agent, named).status == 200
    assert plain_world.api.last().body == named


@pytest.mark.parametrize("named", [b"", field("model", "whisper-1"), field("model", "")])
def test_model_not_allowed(plain_world: World, ruled: Agent, named: bytes) -> None:
    answer = send(ruled, named + file(b"x") + END)
    assert (answer.status, answer.code) == (403, "model_not_allowed")
    assert not plain_world.api.requests


def test_model_too_late(plain_world: World, ruled: Agent) -> None:
    answer = send(ruled, file(b"x" * 256 * 1024) + field("model", "mine/m") + END)
    assert (answer.status, answer.code) == (413, "body_too_large")
    assert b"first" in answer.body
    assert not plain_world.api.requests


def test_a_file_has_no_model(plain_world: World, ruled: Agent) -> None:
    answer = send(ruled, field("model", "mine/m") + file(b"x") + END, FILES)
    assert (answer.status, answer.code) == (403, "field_not_allowed")
    assert not plain_world.api.requests


@pytest.mark.parametrize(
    "late", [field("model", "mine/m"), field("Model", "x"), field("model[]", "x")]
)
@pytest.mark.parametrize("counted", [True, False])
def test_a_file_has_no_model_behind_it_either(
    plain_world: World, upstream: Upstream, start, late: bytes, counted: bool
) -> None:
    """The file is on its way already: what it would do to the upstream stays undone."""
    target = plain_world.target(operations=GROUPS, apiBase=upstream.base)
    config = plain_world.config(
        target, models=[{"match": "mine/*", "target": "main"}], defaultTarget="main"
    )
    good = field("purpose", "batch") + file(b"x" * 1000)
    with Agent(start(config, plain_world.env()).port) as agent:
        agent.send(head(FILES, agent, len(good + late + END) if counted else None))
        agent.send(good if counted else chunk(good))
        wait_for(lambda: b"x" * 900 in upstream.seen)
        agent.send(late + END if counted else chunk(late + END) + b"0\r\n\r\n")
        answer = agent.read()
        assert (answer.status, answer.code) == (403, "field_not_allowed"), answer.body
        assert b"no model in particular" in answer.body
    wait_for(lambda: upstream.ended)
    assert f"--{BOUNDARY}--".encode() not in upstream.seen
    assert b"mine/m" not in upstream.seen and not upstream.seen.endswith(b"\r\n0\r\n\r\n")


@pytest.mark.parametrize("counted", [True, False])
def test_limit(plain_world: World, ruled: Agent, counted: bool) -> None:
    frame = field("model", "mine/m") + file(b"") + END
    for size, status in ((MIB, 200), (MIB + 1, 413)):
        body = field("model", "mine/m") + file(b"x" * (size - len(frame))) + END
        assert len(body) == size
        if counted:
            ruled.send(head(TRANSCRIBE, ruled, size))
        else:
            ruled.send(head(TRANSCRIBE, ruled, None) + f"{size:x}\r\n".encode())
        if status == 200:
            ruled.send(body if counted else body + b"\r\n0\r\n\r\n")
        answer = ruled.read()
        assert answer.status == status, answer.body
    assert answer.code == "body_too_large" and b"uploadBytes" in answer.body
    assert len(plain_world.api.executed) == 1


# ---- refused credentials ----


def test_a_rotated_key_is_asked_for_once(plain_world: World, media: Sidekey) -> None:
    body = MODEL + file(b"x" * 100000) + END
    with Agent(media.port) as agent:
        assert send(agent, body).status == 200
        plain_world.api.key = "sk-" + "n" * 48
        plain_world.store.put(plain_world.key_arn, plain_world.api.key)
        refused = send(agent, body)
        assert (refused.status, refused.header("x-should-retry")) == (401, "true")
    with Agent(media.port) as agent:
        assert send(agent, body).status == 200
    assert len(plain_world.api.executed) == 2


@pytest.mark.parametrize("kind", ["auth_error", "key_model_access_denied"])
@pytest.mark.parametrize("said", [None, "false"])
def test_a_refusal_that_no_newer_key_cures(plain_world: World, media, kind: str, said) -> None:
    """It is passed on as it came: nobody is told to upload it again."""
    error = json.dumps({"error": {"message": "no", "type": kind, "code": "401"}}).encode()
    told = (("x-should-retry", said),) if said else ()
    plain_world.api.script(Act(401, (("Content-Type", "application/json"), *told), error))
    with Agent(media.port) as agent:
        refused = send(agent, MODEL + file(b"x" * 100000) + END)
    assert (refused.status, refused.header("x-should-retry")) == (401, said)
    assert refused.body == error


# ---- targets whose calls are signed ----


def test_no_signature_covers_an_upload(plain_world: World, start, tmp_path: Path) -> None:
    """It is refused with the reason, as `route` says it; what those operations take as JSON passes."""
    target = plain_world.target(provider="openai", auth="sigv4", region="us-east-1")
    target.pop("apiKey")
    signed = {**target, "operations": ["chat", "audio", "images", "files"]}
    config = {"targets": {"signed": signed}}
    sidekey = start(config, plain_world.env())
    asked = tmp_path / "asked.yaml"
    asked.write_text(json.dumps(config))
    for path, body in (
        (TRANSCRIBE, MODEL + file(b"RIFF") + END),
        ("/v1/images/edits", MODEL + file(b"PNG") + END),
        (FILES, file(b"{}") + END),
    ):
        with Agent(sidekey.port) as agent:
            answer = send(agent, body, path)
        assert (answer.status, answer.code) == (403, "operation_not_allowed"), path
        why = answer.json()["error"]["message"]
        assert "signed" in why and "`operations`" not in why
        told = run("route", "POST", path, "-c", str(asked), "--json", env=plain_world.env())
        by_json = path == "/v1/images/edits"  # what route takes for granted, where it is possible
        assert by_json or json.loads(told.stdout)["why"] == why
    assert not plain_world.api.requests
    with Agent(sidekey.port) as agent:
        for path in ("/v1/audio/speech", "/v1/images/edits"):
            assert agent.call("POST", path, {"model": "m"}).code is None, path
            signature = plain_world.api.last().header("authorization") or ""
            assert signature.startswith("AWS4-HMAC-SHA256 "), "which this upstream does not know"
