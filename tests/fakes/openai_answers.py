# SPDX-License-Identifier: Apache-2.0
"""The answers of an OpenAI-compatible server: plain objects, and streams as lists of events."""

import base64
import json
import struct

CREATED = 1_790_000_000
VECTOR = [0.25, -0.5, 0.125, 1.0]


def last_text(body: dict) -> str:
    """What the user said last, in a chat or a Responses call."""
    said = body.get("messages") or body.get("input") or body.get("prompt") or ""
    if isinstance(said, str):
        return said
    for message in reversed(said):
        content = message.get("content") or message.get("output") or ""
        if message.get("role") == "tool":
            return f"the tool says {content}"
        if isinstance(content, str) and content:
            return content
        if content:
            return content[0].get("text", "")
    return ""


def reply_text(body: dict) -> str:
    return f"You said: {last_text(body)}"


def words(text: str) -> list[str]:
    first, *rest = text.split(" ")
    return [first, *(" " + word for word in rest)]


def event(value: object, name: str | None = None) -> bytes:
    line = f"event: {name}\n" if name else ""
    return f"{line}data: {json.dumps(value)}\n\n".encode()


# ---- chat completions ----

USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}


def wanted_tool(body: dict) -> dict | None:
    """The tool call to answer with, unless its result is there already."""
    tools = body.get("tools")
    if not tools or any(m.get("role") == "tool" for m in body.get("messages", [])):
        return None
    name = tools[0]["function"]["name"]
    function = {"name": name, "arguments": json.dumps({"city": "Paris"})}
    return {"id": "call_1", "type": "function", "function": function}


def chat(body: dict) -> dict:
    tool = wanted_tool(body)
    message: dict = {"role": "assistant", "content": None if tool else reply_text(body)}
    if tool:
        message["tool_calls"] = [tool]
    reason = "tool_calls" if tool else "stop"
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": CREATED,
        "model": body.get("model"),
        "choices": [{"index": 0, "message": message, "finish_reason": reason, "logprobs": None}],
        "usage": USAGE,
    }


def chat_chunk(body: dict, delta: dict, reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return event(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": CREATED,
            "model": body.get("model"),
            "choices": [choice],
        }
    )


def chat_events(body: dict) -> list[bytes]:
    tool = wanted_tool(body)
    events = [chat_chunk(body, {"role": "assistant", "content": ""})]
    if tool:
        events.append(chat_chunk(body, {"tool_calls": [{"index": 0, **tool}]}))
    else:
        events += [chat_chunk(body, {"content": word}) for word in words(reply_text(body))]
    events.append(chat_chunk(body, {}, "tool_calls" if tool else "stop"))
    if (body.get("stream_options") or {}).get("include_usage"):
        last = json.loads(chat_chunk(body, {}).split(b"data: ")[1])
        events.append(event({**last, "choices": [], "usage": USAGE}))
    return [*events, b"data: [DONE]\n\n"]


# ---- completions ----


def completion(body: dict, text: str | None = None) -> dict:
    text = reply_text(body) if text is None else text
    return {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": CREATED,
        "model": body.get("model"),
        "choices": [{"index": 0, "text": text, "finish_reason": "stop", "logprobs": None}],
        "usage": USAGE,
    }


def completion_events(body: dict) -> list[bytes]:
    parts = [event(completion(body, word)) for word in words(reply_text(body))]
    return [*parts, b"data: [DONE]\n\n"]


# ---- responses ----


def response(body: dict, status: str = "completed") -> dict:
    done = status == "completed"
    text = {"type": "output_text", "text": reply_text(body), "annotations": [], "logprobs": []}
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [text],
    }
    usage = {
        "input_tokens": 7,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 12,
    }
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "model": body.get("model"),
        "output": [message] if done else [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "temperature": 1.0,
        "top_p": 1.0,
        "usage": usage if done else None,
    }


def response_steps(body: dict) -> list[dict]:
    full = response(body)
    message = full["output"][0]
    part = message["content"][0]
    where = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    empty_part, empty = {**part, "text": ""}, {**message, "status": "in_progress", "content": []}
    deltas = [
        {"type": "response.output_text.delta", **where, "delta": word, "logprobs": []}
        for word in words(part["text"])
    ]
    done = {"type": "response.output_text.done", **where, "text": part["text"], "logprobs": []}
    return [
        {"type": "response.created", "response": response(body, "in_progress")},
        {"type": "response.in_progress", "response": response(body, "in_progress")},
        {"type": "response.output_item.added", "output_index": 0, "item": empty},
        {"type": "response.content_part.added", **where, "part": empty_part},
        *deltas,
        done,
        {"type": "response.content_part.done", **where, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": message},
        {"type": "response.completed", "response": full},
    ]


def response_events(body: dict) -> list[bytes]:
    steps = enumerate(response_steps(body))
    return [event({**step, "sequence_number": n}, step["type"]) for n, step in steps]


# ---- embeddings and models ----


def embeddings(body: dict) -> dict:
    given = body.get("input", "")
    count = len(given) if isinstance(given, list) else 1
    vector: list[float] | str = VECTOR
    if body.get("encoding_format") == "base64":
        vector = base64.b64encode(struct.pack(f"<{len(VECTOR)}f", *VECTOR)).decode()
    rows = [{"object": "embedding", "index": i, "embedding": vector} for i in range(count)]
    usage = {"prompt_tokens": 3, "total_tokens": 3}
    return {"object": "list", "data": rows, "model": body.get("model"), "usage": usage}


def model(name: str) -> dict:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "stand-in"}


def models() -> dict:
    return {"object": "list", "data": [model("gpt-4o"), model("small-embedder")]}


PLAIN = {
    "/chat/completions": chat,
    "/completions": completion,
    "/responses": response,
    "/embeddings": embeddings,
}
STREAMED = {
    "/chat/completions": chat_events,
    "/completions": completion_events,
    "/responses": response_events,
}
