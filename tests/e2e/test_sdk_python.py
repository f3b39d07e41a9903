# SPDX-License-Identifier: Apache-2.0
"""Goal: the unmodified openai package for Python, holding no secret, does its everyday work."""

import openai
import pytest
from fakes.apibase import Act, refusal
from fakes.sidekey import Sidekey
from fakes.wire import wait_for
from fakes.world import World

MODEL = "gpt-4o"
HELLO = [{"role": "user", "content": "hello big world"}]
SAID = "You said: hello big world"
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def test_chat(world: World, client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=HELLO)
    assert answer.choices[0].message.content == SAID
    assert answer.usage and answer.usage.total_tokens == 12
    assert len(world.api.requests) == 1


def test_streamed_chat(world: World, client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    assert "".join(c.choices[0].delta.content or "" for c in stream) == SAID
    assert len(world.api.requests) == 1


def test_streamed_chat_with_usage(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model=MODEL, messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    last = list(stream)[-1]
    assert last.usage and last.usage.completion_tokens == 5


def test_responses(client: openai.OpenAI) -> None:
    assert (
        client.responses.create(model=MODEL, input="hi there").output_text == "You said: hi there"
    )


def test_streamed_responses(client: openai.OpenAI) -> None:
    events = list(client.responses.create(model=MODEL, input="hi there", stream=True))
    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"
    assert [e.sequence_number for e in events] == list(range(len(events)))
    text = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    assert text == "You said: hi there"


def test_embeddings(client: openai.OpenAI) -> None:
    packed = client.embeddings.create(model="e", input=["a", "b"])  # the SDK asks for base64
    plain = client.embeddings.create(model="e", input="a", encoding_format="float")
    assert packed.data[1].embedding == plain.data[0].embedding == [0.25, -0.5, 0.125, 1.0]


def test_models(client: openai.OpenAI) -> None:
    assert [m.id for m in client.models.list()] == ["gpt-4o", "small-embedder"]
    assert client.models.retrieve("gpt-4o").id == "gpt-4o"


def test_completions(client: openai.OpenAI) -> None:
    assert client.completions.create(model=MODEL, prompt="one").choices[0].text == "You said: one"


def test_tool_call_round_trip(client: openai.OpenAI) -> None:
    def ask(messages):
        answer = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER])
        return answer.choices[0].message

    asked = ask(HELLO)
    assert asked.tool_calls and asked.tool_calls[0].function.name == "weather"
    result = {"role": "tool", "tool_call_id": asked.tool_calls[0].id, "content": "sunny"}
    assert ask([*HELLO, asked, result]).content == "You said: the tool says sunny"


def test_retry_on_429_is_the_sdk_s_own(world: World, client: openai.OpenAI) -> None:
    world.api.script(refusal(429, "slow down"))
    answer = client.chat.completions.create(model=MODEL, messages=HELLO)
    assert answer.choices[0].message.content == SAID
    assert [r.header("x-stainless-retry-count") for r in world.api.requests] == ["0", "1"]


def test_429_and_its_retry_after_are_relayed(world: World, client: openai.OpenAI) -> None:
    act = refusal(429, "slow down")
    act.headers += (("Retry-After", "7"), ("x-ratelimit-remaining-requests", "0"))
    world.api.script(act)
    with pytest.raises(openai.RateLimitError) as caught:
        client.with_options(max_retries=0).chat.completions.create(model=MODEL, messages=HELLO)
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.response.headers["x-ratelimit-remaining-requests"] == "0"
    assert "x-sidekey-error" not in caught.value.response.headers
    assert len(world.api.requests) == 1


def test_cancelled_stream_reaches_the_upstream(world: World, client: openai.OpenAI) -> None:
    world.api.script(Act(events=200, gap=0.1))
    stream = client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    parts = iter(stream)
    next(parts), next(parts)
    stream.close()
    wait_for(lambda: world.api.last().gone_at is not None, 1, "upstream sees the disconnect")


def test_cancelled_before_the_first_byte(world: World, client: openai.OpenAI) -> None:
    world.api.script(Act(stall=30))
    with pytest.raises(openai.APITimeoutError):
        client.with_options(max_retries=0, timeout=0.5).chat.completions.create(
            model=MODEL, messages=HELLO
        )
    wait_for(lambda: world.api.last().gone_at is not None, 1, "upstream sees the disconnect")
    assert len(world.api.requests) == 1


def test_broken_stream_raises(world: World, client: openai.OpenAI) -> None:
    """A stream that broke upstream must never look complete (reference/llm.md 1.6)."""
    world.api.script(Act(events=10, gap=0.02, break_after=4))
    got = []
    stream = client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    with pytest.raises(openai.APIConnectionError):
        got.extend(stream)  # takes what came before the break
    assert len(world.api.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_never_reaches_the_sdk(world: World, client: openai.OpenAI, status: int) -> None:
    world.api.script(Act(status, (("Location", world.api.base + "/models"),)))
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model=MODEL, messages=HELLO)  # retries are on, and unused
    assert caught.value.status_code == 502
    assert caught.value.code == "upstream_redirect"
    assert "location" not in caught.value.response.headers
    assert len(world.api.requests) == 1


def test_errors_come_in_the_sdk_s_shape(sidekey: Sidekey, client: openai.OpenAI) -> None:
    with pytest.raises(openai.PermissionDeniedError) as caught:
        client.images.generate(model=MODEL, prompt="a key")
    assert caught.value.code == "operation_not_allowed"
    assert caught.value.response.headers["x-sidekey-error"] == "operation_not_allowed"
    assert caught.value.response.headers["x-sidekey-request-id"]
    assert caught.value.message


@pytest.mark.parametrize("base", ["", "/v1"])
def test_base_url_with_and_without_v1(sidekey: Sidekey, world: World, base: str) -> None:
    address = f"http://127.0.0.1:{sidekey.port}{base}"
    with openai.OpenAI(base_url=address, api_key="none") as client:
        assert client.chat.completions.create(model=MODEL, messages=HELLO).choices
    assert world.api.last().target == "/v1/chat/completions"
