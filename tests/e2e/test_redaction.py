# SPDX-License-Identifier: Apache-2.0
"""An upstream that says our secrets back: the agent sees stars (design section 7)."""

import base64
import json
import secrets

import pytest
from fakes.agent import Agent, Closed
from fakes.apibase import Act
from fakes.sidekey import Sidekey
from fakes.wire import wait_for
from fakes.world import World

JSON_TYPE = ("Content-Type", "application/json")
HELLO = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
FORMS = {
    "raw": lambda s: s,
    "base64": lambda s: base64.b64encode(s),
    "base64, one before": lambda s: base64.b64encode(b"x" + s),
    "base64url, two before": lambda s: base64.urlsafe_b64encode(b"xy" + s),
    "hex": lambda s: s.hex().encode(),
    "HEX": lambda s: s.hex().upper().encode(),
    "percent": lambda s: b"".join(b"%%%02X" % byte for byte in s),
    "JSON escapes": lambda s: b"".join(b"\\u%04x" % byte for byte in s),
}


def say(body: bytes, **extra) -> Act:
    return Act(200, (JSON_TYPE,), body, **extra)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("drip", [0, 0.001], ids=["at once", "byte by byte"])
def test_each_form_in_a_body(
    plain_world: World, plain_agent: Agent, form, drip: float
) -> None:
    body = b'{"said": "' + form(plain_world.key.encode()) + b'", "after": "text"}'
    plain_world.api.script(say(body, drip=drip))
    answer = plain_agent.chat()
    assert answer.status == 200 and len(answer.body) == len(body)
    assert answer.body.startswith(b'{"said": "') and answer.body.endswith(b'", "after": "text"}')
    assert answer.body.count(b"*") >= len(plain_world.key)
    assert plain_world.found_in(answer.body) == []


def test_every_secret_and_the_log(plain_world: World, plain_sidekey: Sidekey) -> None:
    world = plain_world
    pair = "".join(f'"{value}",' for value in world.access)
    world.api.script(say(f'[{pair}"{world.key}"]'.encode()))
    with Agent(plain_sidekey.port) as agent:
        assert world.found_in(agent.chat().body) == []
    wait_for(lambda: plain_sidekey.records(role="ingress", target="main", matches=3), 5)
    _, text = plain_sidekey.admin("/metrics")
    assert b'sidekey_redactions_total{target="main"} 3' in text
    assert world.found_in(plain_sidekey.text().encode()) == []


# What a field of an answer is called, and whether it reaches the agent.
NAMES = {
    "the key": (lambda key: key, False),
    "in capitals": (lambda key: key.upper(), False),
    "behind a prefix": (lambda key: f"llm_provider-{key}", False),
    "before a suffix": (lambda key: f"{key}-seen", False),
    "hex": (lambda key: f"x-{key.encode().hex()}", False),
    "HEX": (lambda key: f"X-{key.encode().hex().upper()}", False),
    "base64": (lambda key: base64.urlsafe_b64encode(key.encode()).decode().strip("="), False),
    "base64 in small letters": (
        lambda key: base64.urlsafe_b64encode(b"x" + key.encode()).decode().strip("=").lower(),
        False,
    ),
    "percent": (lambda key: "".join(f"%{byte:02x}" for byte in key.encode()), False),
    "all but its end": (lambda key: key[:-1], True),
    "another key": (lambda key: f"sk-{'0' * (len(key) - 3)}", True),
}


def test_fields_of_the_head(plain_world: World, plain_agent: Agent) -> None:
    key = plain_world.key
    fields = (JSON_TYPE, ("x-echo", f"Bearer {key}"), ("x-hex", key.encode().hex()))
    plain_world.api.script(Act(200, fields, b"{}"))
    answer = plain_agent.chat()
    assert answer.header("x-echo") == "Bearer " + "*" * len(key)
    assert answer.header("x-hex") == "*" * 2 * len(key)


@pytest.mark.parametrize(("name", "passes"), NAMES.values(), ids=NAMES.keys())
def test_names_in_the_head(
    plain_world: World, plain_sidekey: Sidekey, name, passes: bool
) -> None:
    """A name cannot be overwritten, for it would be another's: the field goes."""
    named = name(plain_world.key)
    fields = (JSON_TYPE, ("x-before", "1"), (named, "2"), ("x-after", "3"))
    plain_world.api.script(Act(200, fields, b"{}"))
    with Agent(plain_sidekey.port) as agent:
        answer = agent.chat()
    assert (answer.status, answer.body) == (200, b"{}")
    assert (answer.header("x-before"), answer.header("x-after")) == ("1", "3")
    assert answer.header(named) == ("2" if passes else None)
    assert (named.lower().encode() in bytes(agent.received).lower()) == passes
    matches = 0 if passes else 1
    if matches:
        said = {"role": "ingress", "target": "main", "matches": matches}
        wait_for(lambda: plain_sidekey.records(**said), 5)
    _, text = plain_sidekey.admin("/metrics")
    assert b'sidekey_redactions_total{target="main"} %d' % matches in text


def test_what_is_said_beside_the_head(plain_world: World, plain_sidekey: Sidekey) -> None:
    """The reason behind the status, and the trailers: sidekey has its own, and none."""
    key = plain_world.key.encode()
    rest = b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nTrailer: x-t\r\n\r\n"
    body = b"2\r\n{}\r\n0\r\nx-t: %b\r\n%b: 1\r\n\r\n" % (key, key)
    plain_world.api.script(Act(raw=b"HTTP/1.1 200 " + key + b"\r\n" + rest + body))
    with Agent(plain_sidekey.port) as agent:
        answer = agent.chat()
        assert (answer.status, answer.body) == (200, b"{}")
        agent.chat()
    assert plain_world.found_in(bytes(agent.received)) == []


def test_errors_too(plain_world: World, plain_agent: Agent) -> None:
    """Gateways name the key that they refuse: also in an answer that was held for a look."""
    text = json.dumps({"error": {"message": f"bad key {plain_world.key}"}}).encode()
    for status in (400, 401, 403, 500):
        plain_world.api.script(Act(status, (JSON_TYPE,), text))
        answer = plain_agent.chat()
        assert answer.status == status and len(answer.body) == len(text)
        assert plain_world.found_in(answer.body) == []


def test_a_stream_is_cleaned_as_it_goes(plain_world: World, plain_sidekey: Sidekey) -> None:
    key = plain_world.key
    events = [b'data: {"n":%d,"k":"%s"}\n\n' % (n, key.encode()) for n in range(20)]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    plain_world.api.script(Act(raw=head + b"".join(events)))
    with Agent(plain_sidekey.port) as agent:
        answer = agent.chat({**HELLO, "stream": True})
    assert answer.body.count(b"data: ") == 20 and answer.body.count(b"*" * len(key)) == 20
    assert plain_world.found_in(answer.body) == []


def test_an_event_is_not_held_back(plain_world: World, plain_sidekey: Sidekey) -> None:
    """Each event arrives while the upstream is silent behind it."""
    plain_world.api.script(Act(events=3, gap=30))
    with Agent(plain_sidekey.port) as agent:
        agent.begin("POST", "/v1/chat/completions", {**HELLO, "stream": True})
        pieces = agent.pieces(agent.read_head())
        assert b"\n\n" in next(pieces)


def test_an_event_stream_of_aws_is_broken_off(plain_world: World, plain_sidekey: Sidekey) -> None:
    """Its frames have checksums: a changed byte would be an error that nobody understands."""
    body = b"\0\0\0\x94" + plain_world.key.encode() + b"\0" * 64
    fields = (("Content-Type", "application/vnd.amazon.eventstream"),)
    plain_world.api.script(Act(200, fields, body))
    with Agent(plain_sidekey.port) as agent, pytest.raises(Closed):
        agent.chat()


def test_a_compressed_answer_is_refused(plain_world: World, plain_agent: Agent) -> None:
    plain_world.api.script(Act(200, (JSON_TYPE, ("Content-Encoding", "gzip")), b"\x1f\x8b\x08"))
    answer = plain_agent.chat()
    assert (answer.status, answer.code) == (502, "upstream_invalid")
    assert plain_world.api.requests[-1].header("accept-encoding") == "identity"


def test_a_compressed_refusal_is_looked_into(plain_world: World, plain_sidekey) -> None:
    """What it says cannot be read, but its status can: a rotated key is no agent's error."""
    world, key = plain_world, secrets.token_hex(24)
    page = Act(401, (JSON_TYPE, ("Content-Encoding", "gzip")), b"\x1f\x8b\x08")
    world.api.refusals[401] = page
    with Agent(plain_sidekey.port) as agent:
        assert agent.chat().status == 200
        world.store.put(world.key_arn, key)
        world.api.key = key
        assert agent.chat().status == 200
        assert len(world.api.requests) == len(world.api.executed) + 1
        world.api.key = "another"  # which the store does not have
        answer = agent.chat()
    assert (answer.status, answer.code) == (502, "upstream_invalid")
    assert page.body not in answer.body


def test_a_short_secret_is_refused(plain_world: World, start) -> None:
    plain_world.key = plain_world.api.key = "sk-7"
    arn = plain_world.store.create("short", "sk-7")
    sidekey = start(
        plain_world.config(plain_world.target(apiKey=arn)), plain_world.env(), wait=False
    )
    sidekey.wait_listening()

    def code() -> str | None:
        with Agent(sidekey.port) as agent:
            return agent.chat().code

    wait_for(lambda: code() == "credential_refused", 10)
    wait_for(lambda: sidekey.records(error_type="ValueTooShort"), 5)
    assert "redact: false" in sidekey.records(error_type="ValueTooShort")[0]["why"]


def test_switched_off(plain_world: World, start) -> None:
    arn = plain_world.store.create("short", "sk-7")
    plain_world.api.key = "sk-7"
    target = plain_world.target(apiKey=arn, redact=False)
    sidekey = start(plain_world.config(target), plain_world.env())
    plain_world.api.script(say(b'{"k":"sk-7"}'))
    with Agent(sidekey.port) as agent:
        assert agent.chat().body == b'{"k":"sk-7"}'
