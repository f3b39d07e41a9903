#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes frames, messages, records and texts (texts.py) into the corpora of their targets.

    tests/fuzz/seeds.py

To be run again when box/frame.h or box/msg.h changes; it replaces the files that it knows.
"""

import json
import struct
from pathlib import Path

import texts

HERE = Path(__file__).resolve().parent
CALL, BODY, END, HEAD, FAIL = range(1, 6)
KEEPER_EGRESS, KEEPER_INGRESS, RESOLVER, EGRESS, INGRESS, ANY = range(6)
CHAT, FILES = 0, 15
REFUSED, NOWHERE, ECHO = range(3)
HELLO = json.dumps({"model": "gpt-4o", "messages": []}).encode()
EVENT = b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n'
JSON = (b"content-type", b"application/json")
UNBOUNDED = (b"content-type", b"text/event-stream")
FORM = (b"content-type", b"multipart/form-data; boundary=b")
PART = (
    b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n{}\r\n--b--\r\n'
)


def u8(n: int) -> bytes:
    return struct.pack("<B", n)


def u16(n: int) -> bytes:
    return struct.pack("<H", n)


def u32(n: int) -> bytes:
    return struct.pack("<I", n)


def u64(n: int) -> bytes:
    return struct.pack("<Q", n)


def span(b: bytes) -> bytes:
    return u32(len(b)) + b


def fields(pairs: tuple) -> bytes:
    return u32(len(pairs)) + b"".join(span(n) + span(v) for n, v in pairs)


def frame(kind: int, payload: bytes = b"") -> bytes:
    return u8(kind) + b"\0\0\0" + u32(len(payload)) + payload


def call(target: int, body: bytes = HELLO, query: bytes = b"") -> bytes:
    head = u16(target) + u8(0) + u8(CHAT) + span(b"POST") + span(b"/chat/completions")
    head += u8(bool(query)) + span(query) + fields((JSON, (b"accept", b"*/*"))) + span(b"gpt-4o")
    head += u8(1) + u8(0) + u8(0) + u64(len(body))
    return frame(CALL, head) + frame(BODY, body) + frame(END)


def upload(target: int, length: int) -> bytes:
    """-1: its length is not known."""
    head = u16(target) + u8(0) + u8(FILES) + span(b"POST") + span(b"/files") + u8(0) + span(b"")
    head += fields((FORM,)) + span(b"") + u8(1) + u8(1) + u8(length < 0) + u64(max(length, 0))
    return frame(CALL, head) + frame(BODY, PART[:60]) + frame(BODY, PART[60:]) + frame(END)


def head(status: int, length: int = -1, pairs: tuple = (JSON,)) -> bytes:
    return frame(
        HEAD, u16(status) + u16(0) + u8(length >= 0) + u64(max(length, 0)) + fields(pairs)
    )


def whole(body: bytes, status: int = 200) -> bytes:
    return head(status, len(body)) + frame(BODY, body) + frame(END)


def fail(verdict: int, sent: bool = False, wire: bool = False) -> bytes:
    return frame(FAIL, u8(verdict) + u8(sent) + u8(wire))


STREAMED = head(200, -1, (UNBOUNDED,)) + 3 * frame(BODY, EVENT) + frame(BODY, b"data: [DONE]\n\n")
MODELS = json.dumps({"object": "list", "data": [{"id": "gpt-4o"}, {"id": "o3"}]}).encode()

# A byte for the size of pieces, and the stream.
FROM_INGRESS = {
    "refused": b"\x10" + call(REFUSED),
    "echoed": b"\x10" + call(ECHO),
    "echoed-with-query": b"\x03" + call(ECHO, query=b"api-version=2&a=b"),
    "twice": b"\xff" + call(ECHO) + call(REFUSED),
    "nowhere": b"\x20" + call(NOWHERE),
    "upload": b"\x05" + upload(ECHO, len(PART)),
    "upload-chunked": b"\x05" + upload(ECHO, -1),
    "upload-nowhere": b"\x05" + upload(NOWHERE, -1),
    "body-too-long": b"\x10" + call(ECHO)[:-8] + frame(BODY, b"x") + frame(END),
    "no-such-target": b"\x10" + call(9),
    "end-first": b"\x10" + frame(END) + call(ECHO),
    "head-first": b"\x10" + head(200),
}

# A byte for the request, one for the size of pieces, and the stream.
FROM_EGRESS = {
    "whole": b"\0\x10" + whole(HELLO),
    "stream": b"\1\x05" + STREAMED + frame(END),
    "until-close": b"\2\x10" + STREAMED + frame(END),
    "list": b"\3\x10" + whole(MODELS),
    "list-refused": b"\3\x10" + whole(b"{}", 401),
    "three": b"\4\xff" + whole(MODELS),
    "three-failed": b"\4\x10" + fail(12),
    "failed": b"\0\x10" + fail(12),
    "broken-off": b"\1\x10" + STREAMED + fail(12, True, True),
    "two-heads": b"\0\x10" + head(200, 2) + whole(HELLO),
    "too-much-body": b"\0\x10" + head(200, 2) + frame(BODY, b"{}{}") + frame(END),
    "no-content": b"\0\x10" + head(204) + frame(BODY, b"HTTP/1.1 200 OK\r\n\r\n") + frame(END),
    "line-in-a-field": b"\0\x10" + head(200, 0, ((b"x-a", b"b\r\nx-b: c"),)) + frame(END),
    "informational": b"\0\x10" + head(100, 0) + whole(HELLO),
    "two-answers": b"\0\x10" + whole(HELLO) + whole(HELLO),
}

# Who sends it, its type, and its content.
MESSAGES = {
    "secret": u8(KEEPER_EGRESS) + u8(9) + u16(1) + u32(2) + span(b"sk-planted"),
    "secret-gone": u8(KEEPER_EGRESS) + u8(10) + u16(1),
    "tls": u8(KEEPER_EGRESS) + u8(11) + u16(0) + u32(1) + u8(1) + span(b"cert") + span(b"key"),
    "looked": u8(KEEPER_EGRESS) + u8(20) + u16(3),
    "signing": u8(KEEPER_EGRESS) + u8(21) + u16(0) + u32(1) + span(b"20261121") + span(b"k" * 32)
    + span(b"AKIA") + span(b"token") + u64(1795000000) + u8(0) + span(b""),
    "slot": u8(KEEPER_INGRESS) + u8(12) + u16(0) + u8(1) + u32(1) + u64(5) + u64(6)
    + span(b"v1") + span(b"") + span(b"id") + span(b"arn:aws:iam::1:role/r") + u8(0),
    "digest": u8(KEEPER_INGRESS) + u8(18) + u16(0) + span(b"d" * 32),
    "alive": u8(KEEPER_INGRESS) + u8(14) + u8(2) + u8(1),
    "resolver-alive": u8(RESOLVER) + u8(14) + u8(0) + u8(0),
    "addresses": u8(RESOLVER) + u8(8) + u16(0) + u32(2) + u8(0) + span(b"\x7f\0\0\1")
    + u8(1) + span(b"\0" * 15 + b"\1"),
    "no-address": u8(RESOLVER) + u8(8) + u16(0) + u32(0),
    "target": u8(EGRESS) + u8(13) + u16(0) + u8(1) + u8(1) + u8(0) + u64(0),
    "redacted": u8(EGRESS) + u8(22) + u16(0) + u16(0) + u64(1),
    "deployment": u8(EGRESS) + u8(23) + u16(0) + u8(1) + u8(3) + u64(0),
    "env": u8(ANY) + u8(1) + span(b"OPENAI_API_KEY") + span(b"sk-planted"),
    "ready": u8(ANY) + u8(3) + u32(6) + u8(1) + u8(1) + u8(2) + u32(40),
    "resolve": u8(ANY) + u8(7) + u16(0),
    "refused": u8(ANY) + u8(19) + u16(0) + u32(1) + u64(1795000000),
    "report-slot": u8(ANY) + u8(25) + u16(0) + u8(1) + u32(10) + u64(0) + 3 * span(b"x"),
    "nothing": u8(KEEPER_EGRESS) + u8(0),
    "of-another": u8(INGRESS) + u8(9) + u16(1) + u32(2) + span(b"sk-planted"),
}  # fmt: skip

# A side, then steps: a byte for each, and what it needs (fuzz_trunk.c).
PUT, BYTES, WRITTEN, TAKEN, WANTS, RING, ROUND, OPEN, SEND, HOLD, CLOSE = map(u8, range(11))
INGRESS_END, EGRESS_END = b"\0", b"\1"
OPENED = PUT + b"\1\0\1\0\0\0"
OUR_OPEN, OUR_SEND = OPEN + b"\0", SEND + b"\0\xff\xff"


def data(n: int) -> bytes:
    return PUT + b"\2\0\1" + struct.pack(">H", n) + b"a"


TRUNK = {
    "data": EGRESS_END + OPENED + ROUND + 3 * data(200) + ROUND + PUT + b"\4\0\1\0\0\0" + ROUND,
    "data-in-ingress": INGRESS_END + OUR_OPEN + ROUND + 3 * data(200) + ROUND,
    "data-longer-than-there": EGRESS_END + OPENED + data(60000) + ROUND,
    "beyond-the-window": EGRESS_END + OPENED + HOLD + b"\0\1" + 300 * (data(250) + ROUND),
    "half-a-record": EGRESS_END + BYTES + b"\x07" + b"\1\0\0\0\0\0\0" + ROUND,
    "opened-twice": EGRESS_END + 2 * OPENED + ROUND,
    "opened-by-egress": INGRESS_END + OPENED + ROUND,
    "slot-beyond": EGRESS_END + PUT + b"\1\xff\1\0\0\0" + ROUND,
    "no-kind": EGRESS_END + PUT + b"\0\0\1\0\0\0" + PUT + b"\5\0\1\0\0\0" + ROUND,
    "of-no-stream": EGRESS_END + data(100) + ROUND + OPENED + ROUND,
    "too-much-room": INGRESS_END + OUR_OPEN + PUT + b"\3\0\1\xff\xff\0" + ROUND,
    "room": INGRESS_END + OUR_OPEN + OUR_SEND + PUT + b"\3\0\1\x80\0\0" + TAKEN
    + b"\0\0\x80\0" + ROUND + OUR_SEND + ROUND,
    "written-back": EGRESS_END + OPENED + ROUND + WRITTEN + b"\xff\xff\xff\xf0" + ROUND,
    "written-beyond": EGRESS_END + WRITTEN + b"\0\1\0\1" + ROUND,
    "stale-bytes": EGRESS_END + OPENED + data(100) + ROUND + WRITTEN + b"\0\0\xff\xff" + ROUND,
    "taken-beyond": INGRESS_END + OUR_OPEN + TAKEN + b"\0\0\1\0" + OUR_SEND + ROUND,
    "taken-back": INGRESS_END + OUR_OPEN + OUR_SEND + TAKEN + b"\xff\xff\0\0" + OUR_SEND + ROUND,
    "never-taken": INGRESS_END + 600 * (OUR_OPEN + OUR_SEND + CLOSE + b"\0") + ROUND,
    "rung": EGRESS_END + 9 * (RING + WANTS + b"\0\0\0\0\3" + ROUND) + OPENED + ROUND + SEND
    + b"\0\0\x09" + ROUND,
    "lost-while-it-is-answered": EGRESS_END + OPENED + data(32768) + WRITTEN + b"\0\0\x7f\0"
    + TAKEN + b"\0\1\0\1" + ROUND,
    "closed-while-it-comes": EGRESS_END + OPENED + PUT + b"\2\0\1\0\4x" + data(100) + ROUND,
}  # fmt: skip


def put(n: int, *, taken: bool) -> bytes:
    return struct.pack(">H", n) + u8(taken)


# Where in the ring it begins, and records of n bytes: each put, and one taken behind it or not.
RINGS = {
    "one": u32(0) + put(1, taken=True),
    "none": u32(7),
    "over-the-end": u32(65536 - 20) + put(10, taken=True),
    "a-record-over-the-end": u32(65536 - 7) + put(3, taken=False),
    "where-places-wrap": u32(2**32 - 40) + 4 * put(17, taken=True),
    "the-writer-ahead": u32(100) + 60 * put(50, taken=False),
    "filled": u32(1) + 3 * put(32752, taken=False) + put(32767, taken=True),
}

# Frames alone: a stream of either side, without the bytes that tell a role what to do.
FRAMES = {
    "call": call(ECHO, query=b"a=b"),
    "upload": upload(ECHO, -1),
    "answer": whole(MODELS),
    "stream": STREAMED + frame(END),
    "head-of-many-fields": head(418, -1, 128 * ((b"x-a", b"b"),)) + frame(END),
    "failed": fail(12, True, True),
    "every-kind": b"".join(frame(kind, b"\1") for kind in range(7)),
    "no-form": frame(CALL, b"\0\0") + frame(HEAD, u16(1000)) + fail(12)[:-1] + b"\2",
    "cut": call(ECHO)[:-9],
    "too-long": u8(BODY) + b"\0\0\0" + u32(65537) + b"x",
    "fail-of-17-bytes": frame(FAIL, b"\0" * 17),
    "reserved-bytes": u8(END) + b"\0\1\0" + u32(0),
}

CORPORA = texts.CORPORA | {
    "fuzz_ring": RINGS,
    "fuzz_frames": FRAMES,
    "fuzz_trunk": TRUNK,
    "fuzz_hostile_ingress": FROM_INGRESS,
    "fuzz_hostile_egress": FROM_EGRESS,
    "fuzz_messages": MESSAGES,
}

for name, seeds in CORPORA.items():
    (HERE / name).mkdir(exist_ok=True)
    for seed, content in seeds.items():
        (HERE / name / seed).write_bytes(content)
