# SPDX-License-Identifier: Apache-2.0
"""The answers of Anthropic's Messages API: a plain object, and a stream as a list of events."""

from fakes.openai_answers import event, reply_text, words

USAGE = {"input_tokens": 7, "output_tokens": 5}


def message(body: dict) -> dict:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": body.get("model"),
        "content": [{"type": "text", "text": reply_text(body)}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": USAGE,
    }


def message_events(body: dict) -> list[bytes]:
    empty = {**message(body), "content": [], "stop_reason": None}
    stop = {"stop_reason": "end_turn", "stop_sequence": None}
    block = {"type": "text", "text": ""}
    deltas = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}
        for word in words(reply_text(body))
    ]
    steps = [
        {"type": "message_start", "message": empty},
        {"type": "content_block_start", "index": 0, "content_block": block},
        *deltas,
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": stop, "usage": {"output_tokens": 5}},
        {"type": "message_stop"},
    ]
    return [event(step, step["type"]) for step in steps]


PLAIN = {"/v1/messages": message}
STREAMED = {"/v1/messages": message_events}
