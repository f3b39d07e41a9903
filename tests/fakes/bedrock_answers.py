# SPDX-License-Identifier: Apache-2.0
"""Bedrock's answers: JSON objects, and the messages of application/vnd.amazon.eventstream."""

import base64
import json
import struct
import zlib

USAGE = {"inputTokens": 7, "outputTokens": 5, "totalTokens": 12}
GUARDED = {
    "topicPolicyUnits": 1,
    "contentPolicyUnits": 1,
    "wordPolicyUnits": 0,
    "sensitiveInformationPolicyUnits": 0,
    "sensitiveInformationPolicyFreeUnits": 0,
    "contextualGroundingPolicyUnits": 0,
}
GUARDRAIL = {"usage": GUARDED, "action": "NONE", "outputs": [], "assessments": []}


def frame(event: str, payload: dict) -> bytes:
    """One message of application/vnd.amazon.eventstream."""
    headers = b""
    for name, value in (
        (":event-type", event),
        (":content-type", "application/json"),
        (":message-type", "event"),
    ):
        headers += struct.pack(">B", len(name)) + name.encode()
        headers += struct.pack(">BH", 7, len(value)) + value.encode()
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", len(headers) + len(body) + 16, len(headers))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + body
    return message + struct.pack(">I", zlib.crc32(message))


def blocks(asked: dict) -> list[dict]:
    """The content of every message that the caller sent."""
    return [block for message in asked.get("messages", []) for block in message["content"]]


def wanted_tool(asked: dict) -> dict | None:
    """The tool to call, if there is one and its result is not there already."""
    if not asked.get("toolConfig") or any("toolResult" in b for b in blocks(asked)):
        return None
    return {"toolUseId": "tool_1", "name": asked["toolConfig"]["tools"][0]["toolSpec"]["name"]}


def said(asked: dict, otherwise: str) -> str:
    """What the tool said, if one was called."""
    results = [b["toolResult"]["content"][0]["text"] for b in blocks(asked) if "toolResult" in b]
    return f"the tool says {results[-1]}" if results else otherwise


def converse(asked: dict, model: str) -> dict:
    tool = wanted_tool(asked)
    block: dict = {"text": said(asked, f"I am {model}")}
    if tool:
        block = {"toolUse": {**tool, "input": {"city": "Paris"}}}
    return {
        "output": {"message": {"role": "assistant", "content": [block]}},
        "stopReason": "tool_use" if tool else "end_turn",
        "usage": USAGE,
        "metrics": {"latencyMs": 3},
    }


def converse_frames(asked: dict) -> list[bytes]:
    tool = wanted_tool(asked)
    frames = [frame("messageStart", {"role": "assistant"})]
    if tool:
        begun = {"contentBlockIndex": 0, "start": {"toolUse": tool}}
        frames.append(frame("contentBlockStart", begun))
        deltas = [{"toolUse": {"input": piece}} for piece in ('{"city": ', '"Paris"}')]
    else:
        deltas = [{"text": word + " "} for word in said(asked, "You said: hello").split(" ")]
    for delta in deltas:
        frames.append(frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": delta}))
    frames.append(frame("contentBlockStop", {"contentBlockIndex": 0}))
    frames.append(frame("messageStop", {"stopReason": "tool_use" if tool else "end_turn"}))
    return [*frames, frame("metadata", {"usage": USAGE, "metrics": {"latencyMs": 3}})]


def chunk(data: bytes) -> bytes:
    """A piece of an answer that is the model's own, or an agent's."""
    return frame("chunk", {"bytes": base64.b64encode(data).decode()})
