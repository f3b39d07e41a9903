# SPDX-License-Identifier: Apache-2.0
"""Goal: what an answer says it used stands in the log, in whichever form it said so; what it did
not say is unknown; and the bytes that pass are the upstream's."""

import json
import time

import openai
import pytest
from fakes import openai_answers as answers
from fakes.agent import CHAT, HELLO, STREAM, Agent, Closed
from fakes.apibase import SSE, Act, refusal
from fakes.sidekey import Sidekey
from fakes.wire import Connection, head_bytes, wait_for
from fakes.world import World

MODEL = "gpt-4o"
ASK = [{"role": "user", "content": "hello big world"}]
JSON = (("Content-Type", "application/json"),)  # a head's only field, of a call or an answer
KNOWN = (7, 5)
UNKNOWN = "unknown"


def used(sidekey: Sidekey, calls: int = 1):
    """Of the last call: its tokens in and out, "unknown", or None."""
    wait_for(lambda: len(sidekey.calls()) >= calls, 5, "the call's log line")
    assert len(sidekey.calls()) == calls
    last = sidekey.calls()[-1]
    if "usage" in last:
        assert "tokens_in" not in last and "tokens_out" not in last
        return last["usage"]
    return (last["tokens_in"], last["tokens_out"]) if "tokens_in" in last else None


def sent(world: World) -> bytes:
    return world.api.last().body


# ---- through the SDK ----


def test_chat(sidekey: Sidekey, client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=ASK)
    assert answer.usage
    assert used(sidekey) == (answer.usage.prompt_tokens, answer.usage.completion_tokens) == KNOWN


def test_streamed_chat_that_asks(sidekey: Sidekey, client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model=MODEL, messages=ASK, stream=True, stream_options={"include_usage": True}
    )
    assert list(stream)[-1].usage
    assert used(sidekey) == KNOWN


def test_streamed_chat_that_does_not_ask(sidekey: Sidekey, client: openai.OpenAI) -> None:
    list(client.chat.completions.create(model=MODEL, messages=ASK, stream=True))
    assert used(sidekey) == UNKNOWN


def test_responses(sidekey: Sidekey, client: openai.OpenAI) -> None:
    client.responses.create(model=MODEL, input="hi")
    assert used(sidekey) == KNOWN


def test_streamed_responses(sidekey: Sidekey, client: openai.OpenAI) -> None:
    assert list(client.responses.create(model=MODEL, input="hi", stream=True))
    assert used(sidekey) == KNOWN


def test_completions_and_embeddings(sidekey: Sidekey, client: openai.OpenAI) -> None:
    client.completions.create(model=MODEL, prompt="hi")
    assert used(sidekey) == KNOWN
    list(client.completions.create(model=MODEL, prompt="hi", stream=True))
    assert used(sidekey, 2) == KNOWN
    client.embeddings.create(model=MODEL, input="hi")
    assert used(sidekey, 3) == (3, 0)


def test_models_use_no_tokens(sidekey: Sidekey, client: openai.OpenAI) -> None:
    client.models.list()
    assert used(sidekey) is None


def test_metrics(sidekey: Sidekey, client: openai.OpenAI) -> None:
    for stream in (False, False, True):
        list(client.chat.completions.create(model=MODEL, messages=ASK, stream=stream))
    assert used(sidekey, 3) == UNKNOWN
    status, text = sidekey.admin("/metrics")
    lines = text.decode().splitlines()
    counts = {t: [line for line in lines if f'type="{t}"' in line] for t in ("input", "output")}
    assert status == 200
    assert [line.split()[-1] for line in counts["input"]] == ["14"]
    assert [line.split()[-1] for line in counts["output"]] == ["10"]
    assert "sidekey_usage_unknown_total 1" in lines


# ---- forms ----

MESSAGE = {"input_tokens": 10, "cache_read_input_tokens": 100, "output_tokens": 3}


def test_anthropic(plain_world: World, start) -> None:
    target = plain_world.target(provider="litellm")
    sidekey = start(plain_world.config(target), plain_world.env())
    steps = [
        {
            "type": "message_start",
            "message": {"usage": {**MESSAGE, "output_tokens": 1}},
        },
        {
            "type": "content_block_delta",
            "delta": {"text": '{"usage":{"output_tokens":999}}'},
        },
        {"type": "message_delta", "usage": {"output_tokens": 3}},
        {"type": "message_stop"},
    ]
    stream = b"".join(answers.event(step, step["type"]) for step in steps)
    plain_world.api.script(
        Act(200, JSON, json.dumps({"content": [], "usage": MESSAGE}).encode()),
        Act(200, tuple(SSE), stream),
    )
    body = {"model": "claude", "max_tokens": 9, "messages": ASK}
    with Agent(sidekey.port) as agent:
        assert agent.call("POST", "/v1/messages", body).status == 200
        assert used(sidekey) == (110, 3)
        answer = agent.call("POST", "/v1/messages", {**body, "stream": True})
    assert answer.body == stream
    assert used(sidekey, 2) == (110, 3)


def test_bytes_in(world: World, sidekey: Sidekey) -> None:
    """What came in counts once, be it in one piece or in two."""
    body = json.dumps({"model": MODEL, "messages": ASK}).encode()
    with Agent(sidekey.port) as agent:
        fields = f"Host: {agent.host}\r\nContent-Type: application/json"
        length = f"Content-Length: {len(body)}"
        head = f"POST {CHAT} HTTP/1.1\r\n{fields}\r\n{length}\r\n\r\n".encode()
        for pieces in ([head + body], [head, body], [head + body[:9], body[9:]]):
            for piece in pieces:
                agent.send(piece)
                time.sleep(0.05)
            assert agent.read().status == 200
    wait_for(lambda: len(sidekey.calls()) == 3, 10, "all calls in the log")
    assert {call["bytes_in"] for call in sidekey.calls()} == {len(head) + len(body)}


def post(agent: Agent, *fields: str, path: str = CHAT, host: str | None = None) -> bytes:
    lines = [f"POST {path} HTTP/1.1", f"Host: {host or agent.host}", *fields]
    return "\r\n".join([*lines, "", ""]).encode()


def logged(sidekey: Sidekey, code: str) -> dict:
    wait_for(lambda: sidekey.calls(), 5, "the call's log line")
    (call,) = sidekey.calls()
    assert call["code"] == code
    return call


def test_bytes_in_of_chunks(world: World, sidekey: Sidekey, agent: Agent) -> None:
    """As they came, like bytes_out as they went: with the chunks' framing."""
    body = json.dumps({"model": MODEL, "messages": ASK}).encode()
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    head = post(agent, "Content-Type: application/json", "Transfer-Encoding: chunked")
    for pieces in ([head + chunks], [head, chunks], [head + chunks[:9], chunks[9:]]):
        for piece in pieces:
            agent.send(piece)
            time.sleep(0.05)
        assert agent.read().status == 200
    wait_for(lambda: len(sidekey.calls()) == 3, 10, "all calls in the log")
    assert {call["bytes_in"] for call in sidekey.calls()} == {len(head) + len(chunks)}


LENGTH = "Content-Length: 9"
TYPE = "Content-Type: application/json"


@pytest.mark.parametrize(
    ("code", "fields", "where"),
    [
        ("route_not_found", [LENGTH], {"path": "/nothing"}),
        ("host_not_allowed", [LENGTH], {"host": "evil.example"}),
        ("browser_refused", ["Origin: https://evil.example", LENGTH], {}),
        ("upgrade_refused", ["Upgrade: websocket", "Connection: upgrade", LENGTH], {}),
        ("operation_not_allowed", [LENGTH], {"path": "/v1/files"}),
        ("malformed_request", ["no colon"], {}),
        ("malformed_request", [TYPE, "Content-Length: 5"], {}),  # more came than was said
        ("malformed_request", [TYPE, LENGTH], {}),  # no JSON
        ("malformed_request", [TYPE, "Transfer-Encoding: chunked"], {}),  # no chunk
        ("body_too_large", [TYPE, "Content-Length: 99999999999"], {}),
    ],
)
def test_bytes_in_of_a_refusal(sidekey: Sidekey, agent: Agent, code: str, fields, where) -> None:
    """What had come of it by then: its head, and what of the body came with that."""
    whole = post(agent, *fields, **where) + b"x" * 9
    agent.send(whole)
    assert agent.read().code == code
    assert logged(sidekey, code)["bytes_in"] == len(whole)


def test_bytes_in_of_a_head_too_large(sidekey: Sidekey, agent: Agent) -> None:
    agent.send(post(agent, "X-Long: " + "x" * 65536))
    assert agent.read().code == "header_too_large"
    assert 65536 <= logged(sidekey, "header_too_large")["bytes_in"] <= 65536 + 300


def test_bytes_in_of_a_caller_s_refusals(world: World, start) -> None:
    token = "sk-caller-0123456789abcdef"
    callers = [{"name": "one", "token": "env:TOKEN", "requestsPerMinute": 1}]
    sidekey = start(world.config(callers=callers), world.env(TOKEN=token))
    body = json.dumps({"model": MODEL, "messages": ASK}).encode()
    sent, due = [], [(200, ""), (401, "caller_unauthenticated"), (429, "rate_limited")]
    for status, _ in due:
        with Agent(sidekey.port) as agent:
            bearer = f"Authorization: Bearer {'wrong' if status == 401 else token}"
            sent.append(post(agent, TYPE, bearer, f"Content-Length: {len(body)}") + body)
            agent.send(sent[-1])
            assert agent.read().status == status
    wait_for(lambda: len(sidekey.calls()) == 3, 10, "all calls in the log")
    assert [(c["status"], c["code"]) for c in sidekey.calls()] == due
    assert [c["bytes_in"] for c in sidekey.calls()] == [len(one) for one in sent]


FORM = "Content-Type: multipart/form-data; boundary=b"


@pytest.mark.parametrize(
    ("kind", "length", "code"),
    [
        (TYPE, 999, "client_gone"),
        (FORM, 999, "client_gone"),
        (FORM, 10**12, "body_too_large"),
        (FORM, 104, "malformed_request"),  # it does not end as a form does
    ],
)
def test_bytes_in_of_a_part(world: World, start, kind: str, length: int, code: str) -> None:
    """Of a body that did not come whole, or was not to come, counts what did."""
    sidekey = start(world.config(world.target(operations=["chat", "audio"])), world.env())
    where = {"path": "/v1/audio/transcriptions"} if kind == FORM else {}
    with Agent(sidekey.port) as agent:
        head = post(agent, kind, f"Content-Length: {length}", **where)
        agent.send(head + b"--b\r\n")
        time.sleep(0.05)
        if code != "body_too_large":
            agent.send(b"x" * 99)
            time.sleep(0.05)
        if code != "client_gone":
            assert agent.read().code == code
    due = len(head) + (5 if code == "body_too_large" else 104)
    assert logged(sidekey, code)["bytes_in"] == due


@pytest.mark.parametrize(
    ("body", "due"),
    [
        (b'{"choices":[{"message":{"content":"x"}}]}', UNKNOWN),
        (b'{"usage":{"prompt_tokens":1.5,"completion_tokens":2}}', UNKNOWN),
        (b'{"usage":{"prompt_tokens":1,"completion_tokens":2}', UNKNOWN),
        (b'{"choices":[{"usage":{"prompt_tokens":1,"completion_tokens":2}}]}', UNKNOWN),
        (b"[" * 5000 + b"]" * 5000, UNKNOWN),
        (
            b'{"a":"' + b'\\"' * 300000 + b'","usage":{"prompt_tokens":1,"completion_tokens":2}}',
            (1, 2),
        ),
    ],
    ids=["none", "fraction", "short", "elsewhere", "deep", "long"],
)
def test_documents(world: World, sidekey: Sidekey, agent: Agent, body: bytes, due) -> None:
    world.api.script(Act(200, JSON, body))
    assert agent.chat().body == body
    assert used(sidekey) == due


def test_dripped_stream(world: World, sidekey: Sidekey, agent: Agent) -> None:
    """Each byte in a write of its own, the line ends of the old Mac."""
    stream = (
        b'data: {"usage":{"prompt_tokens":12,\rdata: "completion_tokens":34}}\r\rdata: [DONE]\r\r'
    )
    world.api.script(Act(200, tuple(SSE), stream, drip=0.002))
    assert agent.chat(STREAM).body == stream
    assert used(sidekey) == (12, 34)


# ---- ends ----


def test_errors_use_nothing(world: World, sidekey: Sidekey, agent: Agent) -> None:
    world.api.script(refusal(429, "too many"))
    assert agent.chat().status == 429
    assert used(sidekey) is None


def test_refusals_use_nothing(sidekey: Sidekey, agent: Agent) -> None:
    agent.call("POST", CHAT, {**HELLO, "api_base": "https://other.example"})
    assert used(sidekey) is None


def test_broken_stream_is_unknown(world: World, sidekey: Sidekey, agent: Agent) -> None:
    world.api.script(Act(events=10, gap=0.01, break_after=5))
    agent.begin("POST", CHAT, STREAM)
    with pytest.raises(Closed):
        list(agent.pieces(agent.read_head()))
    assert used(sidekey) == UNKNOWN


def test_lost_call_is_unknown(world: World, sidekey: Sidekey, agent: Agent) -> None:
    """The upstream had all of it when it broke: it may have worked, and may bill."""
    world.api.script(Act(close_unanswered=True))
    assert agent.chat().code == "upstream_broken"
    assert used(sidekey) == UNKNOWN


def test_agent_that_leaves_early_is_unknown(world: World, sidekey: Sidekey) -> None:
    world.api.script(Act(stall=30))
    with Agent(sidekey.port) as agent:
        agent.begin("POST", CHAT, STREAM)
        wait_for(lambda: world.api.requests, 3)
    assert used(sidekey) == UNKNOWN


def test_break_behind_the_last_event(world: World, sidekey: Sidekey, agent: Agent) -> None:
    """All was said; codex, too, does not wait for the end of the stream."""
    step = {"type": "response.completed", "response": answers.response({})}
    piece = answers.event(step, "response.completed")
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 100000\r\n\r\n"
    world.api.script(Act(raw=head + piece))
    agent.begin("POST", "/v1/responses", {"model": MODEL, "input": "hi", "stream": True})
    with pytest.raises(Closed):
        list(agent.pieces(agent.read_head()))
    assert bytes(agent.received).endswith(piece)
    assert used(sidekey) == KNOWN


STOP = answers.event({"type": "message_stop"}, "message_stop")
DELTA = answers.event({"type": "message_delta", "usage": {"output_tokens": 3}}, "message_delta")
DONE = b"data: [DONE]\n\n"
ZEROS = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}  # as some gateways begin
CREATED = answers.event(
    {"type": "response.created", "response": {"usage": ZEROS}}, "response.created"
)
COMPLETED = answers.event(
    {"type": "response.completed", "response": answers.response({})}, "response.completed"
)


@pytest.mark.parametrize(
    ("path", "stream", "code"),
    [
        (CHAT, b'data: {"choices":[]}\n\n' + DONE, ""),
        (CHAT, b'data: {"choices":[]}\n\n', "client_gone"),
        (CHAT, DONE[:-1], "client_gone"),
        ("/v1/responses", CREATED + COMPLETED, ""),
        ("/v1/responses", CREATED, "client_gone"),
        ("/v1/messages", DELTA + STOP, ""),
        ("/v1/messages", DELTA, "client_gone"),
    ],
    ids=["DONE", "before DONE", "within it", "completed", "created", "message_stop", "before message_stop"],
)
def test_agent_that_leaves_on_the_last_event(
    plain_world: World, start, path: str, stream: bytes, code: str
) -> None:
    """As the SDKs do, before the upstream ends the stream (reference/llm.md 1.6): it is no loss."""

    async def play(connection: Connection) -> None:
        connection.send(head_bytes(200, [*SSE, ("Transfer-Encoding", "chunked")]))
        connection.chunk(stream)
        await connection.sleep(5)

    plain_world.api.script(Act(play=play))
    target = plain_world.target(provider="litellm")
    sidekey = start(plain_world.config(target), plain_world.env())
    with Agent(sidekey.port) as agent:
        agent.begin("POST", path, {"model": MODEL, "max_tokens": 9, "messages": [], "stream": True})
        assert next(agent.pieces(agent.read_head())) == stream
    wait_for(lambda: plain_world.api.last().gone_at is not None, 3, "upstream sees it")
    wait_for(lambda: sidekey.calls(), 5, "the call's log line")
    assert [(c["status"], c["code"]) for c in sidekey.calls()] == [(200, code)]


# ---- includeUsage ----


@pytest.fixture
def asking(world: World, start) -> Sidekey:
    return start(world.config(world.target(includeUsage=True)), world.env())


def test_usage_is_asked_for(world: World, asking: Sidekey) -> None:
    with openai.OpenAI(base_url=asking.base, api_key="none") as client:
        chunks = list(client.chat.completions.create(model=MODEL, messages=ASK, stream=True))
    assert chunks[-1].usage and chunks[-1].choices == []
    assert used(asking) == KNOWN


def test_usage_is_not_asked_for_by_default(world: World, agent: Agent) -> None:
    agent.chat(STREAM)
    assert b"include_usage" not in sent(world)


@pytest.mark.parametrize(
    ("body", "due"),
    [
        (
            b' {"model":"m", "stream" : true}',
            b' {"stream_options":{"include_usage":true},"model":"m", "stream" : true}',
        ),
        (
            b'{"stream":true,"stream_options":{ },"model":"m"}',
            b'{"stream":true,"stream_options":{"include_usage":true },"model":"m"}',
        ),
        (
            b'{"stream_options" : {"x":[{}]} ,"stream":true,"model":"m"}',
            b'{"stream_options" : {"include_usage":true,"x":[{}]} ,"stream":true,"model":"m"}',
        ),
        (
            b'{"stream":true,"stream_options":null}',
            b'{"stream":true,"stream_options":{"include_usage":true}}',
        ),
        (b'{"stream":true,"stream_options":{"include_usage":false}}', None),
        (b'{"stream":true,"stream_options":{"include_usage":true}}', None),
        (b'{"stream":true,"stream_options":7}', None),
        (b'{"stream":true,"stream_options":{},"stream_options":{}}', None),
        (b'{"stream":false,"model":"m"}', None),
        (b'{"model":"m","x":{"stream":true}}', None),
    ],
)
def test_every_other_byte_stays(world: World, asking: Sidekey, body: bytes, due) -> None:
    world.api.always = Act(200, JSON, b"{}")
    with Agent(asking.port) as agent:
        assert agent.call("POST", CHAT, body, JSON).status == 200
    assert sent(world) == (due or body)
    assert world.api.last().header("content-length") == str(len(due or body))


def test_with_a_new_name_for_the_model(world: World, start) -> None:
    """Two changes in one body, in either order."""
    rule = {"match": "a-*", "target": "main", "stripPrefix": "a-"}
    target = world.target(includeUsage=True)
    sidekey = start(world.config(target, models=[rule]), world.env())
    wish = b'"stream_options":{"include_usage":true}'
    with Agent(sidekey.port) as agent:
        agent.call("POST", CHAT, b'{"model":"a-b","stream":true,"n":1}', JSON)
        assert sent(world) == b"{" + wish + b',"model":"b","stream":true,"n":1}'
        agent.call(
            "POST",
            CHAT,
            b'{"model":"a-b","stream":true,"stream_options":{},"n":1}',
            JSON,
        )
        assert sent(world) == b'{"model":"b","stream":true,' + wish + b',"n":1}'
    assert used(sidekey, 2) == KNOWN


def test_only_where_streams_are_asked(world: World, asking: Sidekey) -> None:
    body = b'{"model":"m","input":"hi","stream":true}'
    with Agent(asking.port) as agent:
        agent.call("POST", "/v1/responses", body, JSON)
    assert sent(world) == body
