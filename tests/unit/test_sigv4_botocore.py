# SPDX-License-Identifier: Apache-2.0
"""Goal: whatever is asked of an AWS service, our signature is the one that botocore makes.

Ten thousand random requests go through botocore's signer and through ours (sigv4_lines.c, which
`make units` builds). Queries are in canonical encoding, the one form in which botocore, which
signs them as they are written, and AWS, which decodes them, must agree.
"""

import datetime
import hashlib
import os
import random
import subprocess
from pathlib import Path
from urllib.parse import quote

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

COUNT = 10_000
ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("SIDEKEY", ROOT / "build/sidekey")).parent / "unit/sigv4_lines"

SEGMENTS = ["", ".", "..", "...", "a", "model", "~", "a~b", "a+b", "a:b", "%3A", "v1%3A0", "%2F"]
SEGMENTS += ["arn%3Aaws%3Abedrock%3A%2Fx", "%C3%A9", "%E4%BD%A0", "%F0%9F%98%80", "%2e", "%25"]
SEGMENTS += ["$", "&", "a=b", "!*'()", "@", ",", "-._", "%7E"]
TEXTS = ["", "a", "b", "A", "a-b", "a.b", "1", "10", "2", "/", "%", "+", " ", "~", "é", "你", "&=", "a b"]
NAMES = ["x", "X", "x-a", "X-A", "x-a-b", "x-amz-meta", "X-Amz-Target", "content-type", "a", "my_h"]
VALUES = ["", " ", "v", "  v", "v  ", "a b", "a  b", " a \t b ", "\ta\t\tb", "a,b", '"a  b"', "a:b"]


def pick(choose: random.Random, words: list[str], most: int) -> list[str]:
    return [choose.choice(words) for _ in range(choose.randint(0, most))]


def query_of(choose: random.Random) -> str:
    members = []
    for name in pick(choose, TEXTS[1:], 5):
        value = quote(choose.choice(TEXTS), safe="-._~")
        has_value = choose.random() < 0.8
        members.append(quote(name, safe="-._~") + (f"={value}" if has_value else ""))
    return "&".join(members)


def request_of(choose: random.Random) -> dict:
    return {
        "region": choose.choice(["us-east-1", "eu-west-1", "cn-north-1"]),
        "service": choose.choice(["bedrock", "secretsmanager", "ssm", "sts", "bedrock-agentcore"]),
        "method": choose.choice(["GET", "POST", "PUT", "DELETE"]),
        "host": choose.choice(["example.amazonaws.com", "localhost:8443", "[::1]:99"]),
        "path": "/" + "/".join(pick(choose, SEGMENTS, 6)),
        "query": query_of(choose),
        "headers": [(name, choose.choice(VALUES)) for name in pick(choose, NAMES, 6)],
        "body": choose.randbytes(choose.choice([0, 0, 1, 40])),
        "secret": "".join(choose.choices("abcXYZ019/+=", k=choose.choice([1, 40, 100]))),
        "token": choose.choice([None, "t", "IQoJb3JpZ2luX2VjE/+=" * 20]),
        "when": datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
        + datetime.timedelta(seconds=choose.randrange(10**9)),
    }


def sign_as_botocore(request: dict, monkeypatch: pytest.MonkeyPatch) -> AWSRequest:
    """The request with all fields that botocore signs, and its Authorization."""
    target = request["path"] + ("?" + request["query"] if request["query"] else "")
    signed = AWSRequest(
        method=request["method"], url=f"https://{request['host']}{target}", data=request["body"]
    )
    signed.headers["Host"] = request["host"]
    for name, value in request["headers"]:
        signed.headers[name] = value
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: request["when"])
    keys = Credentials("AKIDEXAMPLE", request["secret"], request["token"])
    botocore.auth.SigV4Auth(keys, request["service"], request["region"]).add_auth(signed)
    return signed


def line_of(request: dict, signed: AWSRequest) -> bytes:
    fields = [
        "AKIDEXAMPLE",
        request["secret"],
        request["region"],
        request["service"],
        signed.headers["X-Amz-Date"],
        request["method"],
        request["path"],
        request["query"],
        hashlib.sha256(request["body"]).hexdigest(),
    ]
    for name, value in signed.headers.items():
        if name != "Authorization":
            fields += [name, value]
    return "\x1f".join(fields).encode()


def test_any_request(monkeypatch: pytest.MonkeyPatch) -> None:
    seed = int(os.environ.get("SIDEKEY_SEED", random.SystemRandom().randrange(2**32)))
    choose = random.Random(seed)
    requests = [request_of(choose) for _ in range(COUNT)]
    signed = [sign_as_botocore(request, monkeypatch) for request in requests]
    lines = [line_of(request, s) for request, s in zip(requests, signed, strict=True)]
    assert PROGRAM.exists(), "build it with make units"
    ran = subprocess.run(
        [PROGRAM], input=b"\n".join(lines), capture_output=True, check=True, timeout=50
    )
    ours = ran.stdout.decode().splitlines()
    assert len(ours) == COUNT
    for request, line, answer in zip(requests, ours, signed, strict=True):
        theirs = answer.headers["Authorization"]
        assert line == theirs, f"SIDEKEY_SEED={seed}: {request}"
