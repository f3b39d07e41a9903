# SPDX-License-Identifier: Apache-2.0
"""Seeds that are texts: hostile requests, recorded answers, documented configurations, forms.

For seeds.py, which writes them.
"""

import json
import re
import runpy
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
ANSWERS = TESTS / "vectors" / "answers"
REQUEST_MAX = 400
ROWS = runpy.run_path(str(TESTS / "e2e" / "malformed.py"))
message = runpy.run_path(str(TESTS / "fakes" / "bedrock_answers.py"))["frame"]


def named(name: str) -> str:
    """A file's name of a row's."""
    return "".join(c if c.isalnum() else "-" for c in name.lower()).strip("-")


def part(row: tuple, at: int) -> bytes:
    """The head of a row's request with the blank line, or its body."""
    request = row[1].replace(b"HOST", b"localhost:7717")
    head, blank, body = request.partition(b"\r\n\r\n")
    return (head + blank, body)[at]


def of_rows(rows: list, at: int) -> dict:
    """Of each content that is short the first; `e2e-`, for others are of the same name."""
    seeds = {f"e2e-{named(row[0])}": part(row, at) for row in rows}
    first = {content: name for name, content in reversed(seeds.items())}
    return {n: c for n, c in seeds.items() if first[c] == n and 0 < len(c) <= REQUEST_MAX}


CODED = [row for row in ROWS["CODINGS"] if b"Transfer-Encoding: chunked\r\n" in row[1]]
HEADS = of_rows([*ROWS["GOOD"], *ROWS["ALL"]], 0)
BODIES = of_rows([*ROWS["GOOD"][:6], *CODED], 1)

# What jansson refuses though it is JSON, whole and with a fault behind it.
DISPUTED = {
    "lone-high": rb'{"a":"\ud800"}',
    "lone-low": rb'{"a":"\udc00\ud800x"}',
    "pair": rb'{"a":"\ud83d\ude00","model":"m"}',
    "high-before-a-letter": rb'{"a":"\ud83d\u0041"}',
    "escaped-nul": rb'["\u0000"]',
    "lone-in-an-inner-name": rb'{"a":{"\ud800":1,"b":[{"\u0000":2}]}}',
    "lone-in-a-name": rb'{"a":1,"\ud800" :2}',
    "lone-and-a-fault": rb'{"a":"\ud800","b":}',
    "nul-and-no-end": rb'{"a":"\u0000"',
    "escape-and-a-fault": rb'{"a":"\u0041",}',
    "escape-of-other-digits": rb'{"a":"\u12g4 \ud800"}',
    "cut-escape": rb'{"a":"\ud800\u12"}',
    "cut-pair": rb'{"a":"\ud800\udc0',
    "numbers-too-large": b'{"a":1e999,"b":-1E+400,"c":' + b"9" * 400 + b',"model":"m"}',
    "number-too-large-and-a-fault": b'[1e999,"b":1]',
    "exponent-without-digits": b"[1e+]",
    "exponent-of-two-signs": b"[1e+-5]",
    "leading-zero": b"[012345]",
}
SCANNED = DISPUTED | of_rows([*ROWS["BODIES"], *ROWS["STEERING"]], 1)

# Whole answers of each form, with usage and without; the first byte says how they are cut.
WHOLE = (
    "amazon-bedrock__amazon-bedrock-json-tool-with-answer.1",
    "amazon-bedrock__amazon-bedrock-json-tool.2",
    "amazon-bedrock__amazon-bedrock-reasoning",
    "anthropic__anthropic-clear-thinking.1",
    "anthropic__anthropic-mcp.1",
    "cohere__cohere-reranking.1",
    "cohere__cohere-text",
    "deepseek__deepseek-json",
    "google__google-429-retry-info",
    "google__google-text",
    "groq__groq-tool-call",
    "moonshotai__moonshotai-tool-call",
    "open-responses__lmstudio-basic.1",
    "openai__openai-embedding",
    "openai__openai-error.1",
    "openai__openai-text",
    "voyage__voyage-embedding",
    "xai__xai-text",
)
STREAMS = (
    "anthropic__anthropic-message-delta-input-tokens",
    "anthropic__anthropic-refusal",
    "anthropic__anthropic-text",
    "anthropic__duplicate-message-start",
    "mistral__mistral-reasoning",
    "mistral__mistral-tool-call",
    "moonshotai__moonshotai-stream",
    "openai__parallel-tool-call-wrapper.1",
)
CONVERSED = (
    "amazon-bedrock__amazon-bedrock-json-only-text-first.1",
    "amazon-bedrock__amazon-bedrock-text",
    "amazon-bedrock__amazon-bedrock-tool-call.1",
    "amazon-bedrock__amazon-bedrock-tool-no-args",
)
ENDED, SEALED = 16, 32  # in the first byte, of which the rest is the length of the pieces


def lines(name: str) -> list[str]:
    return (ANSWERS / f"{name}.chunks.txt").read_text().splitlines()


def events(name: str) -> bytes:
    """As server-sent events, with the names that two dialects give them."""
    out = b""
    for line in lines(name):
        kind = re.match(r'\{"type":"([a-z_.]+)"', line)
        out += f"event: {kind[1]}\n".encode() if kind else b""
        out += f"data: {line}\n\n".encode()
    return out


def conversed(name: str) -> bytes:
    return b"".join(
        message(kind, payload) for line in lines(name) for kind, payload in json.loads(line).items()
    )


def short(name: str) -> str:
    return named(name.partition("__")[2])


JSON = {short(n): bytes([ENDED + 9]) + (ANSWERS / f"{n}.json").read_bytes() for n in WHOLE}
SSE = {short(n): bytes([ENDED + 6]) + events(n) for n in STREAMS}
EVENTSTREAM = {short(n): bytes([ENDED + 4]) + conversed(n) for n in CONVERSED}
EVENTSTREAM["broken-checksum"] = b"\x10" + message("metadata", {"usage": {}})[:-1] + b"x"
EVENTSTREAM["no-usage-sealed"] = bytes([SEALED]) + 2 * message("messageStop", {"a": 1})


def field(disposition: str, content: str, more: str = "") -> str:
    return f"--b-b\r\nContent-Disposition: form-data; {disposition}\r\n{more}\r\n{content}\r\n"


MODEL, CLOSE = field('name="model"', "m"), "--b-b--\r\n"
FORMS = {
    "model-alone": MODEL + CLOSE,
    "no-last-line-end": MODEL + "--b-b--",
    "model-behind-a-file": field('name="file"; filename="a.wav"', "x\r\n--b\r\n-b") + MODEL + CLOSE,
    "folded-name": field('name="MoDel"', "m") + CLOSE,
    "list-of-models": field('name="model[]"', "m") + CLOSE,
    "two-models": MODEL + field('name="Model"', "n") + CLOSE,
    "model-that-is-a-file": field('name="model"; filename=""', "m") + CLOSE,
    "model-of-two-lines": field('name="model"', "a\r\nb") + CLOSE,
    "members": field('name="metadata[model]"', "x") + field('name="image[]"', "") + CLOSE,
    "second-name-of-a-file": field('name="f"; filename="a"; filename*=utf-8\'\'b', "x") + CLOSE,
    "length": field('name="model"', "m", "Content-Length: 1\r\n") + CLOSE,
    "wrong-length": field('name="model"', "m", "Content-Length: 2\r\n") + CLOSE,
    "charset": field('name="model"', "m", "Content-Type: text/plain; charset=utf-8\r\n") + CLOSE,
    "base64": field('name="a"', "bQ==", "Content-Transfer-Encoding: base64\r\n") + CLOSE,
    "parts-within": field('name="a"', "x", "Content-Type: multipart/mixed; boundary=c\r\n") + CLOSE,
    "denied": field('name="Api_Base"', "x") + CLOSE,
    "delimiter-behind-a-line-feed": field('name="file"', "a\n--b-b\n") + MODEL + CLOSE,
    "epilogue": MODEL + CLOSE + "x",
    "cut-off": MODEL + "--b-b-",
    "preamble": "x\r\n" + MODEL + CLOSE,
}

SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:"
PARAMETER = "arn:aws:ssm:us-east-1:123456789012:parameter/"
POLICIES = {
    "one-secret": SECRET + "prod/key-AbCdEf",
    "versions-of-a-secret": f"{SECRET}k-AbCdEf\n{SECRET}k-AbCdEf::AWSPREVIOUS:\n{SECRET}k:a::",
    "two-regions": f"{PARAMETER}a\n{PARAMETER}a".replace("us-east-1", "eu-west-1", 1),
    "china": SECRET.replace("aws:", "aws-cn:", 1).replace("us-east-1", "cn-north-1") + "k",
    "star-in-a-name": f"{PARAMETER}*\n{SECRET}?",
    "quote-in-a-name": f'{SECRET}a"b',
    "none-in-aws": "env:A\nfile:/b",
    "too-long": "\n".join(f"{SECRET}{i}{'k' * 250}" for i in range(8)),
    "more-than-eight": "\n".join(f"{PARAMETER}{i}" for i in range(9)),
    "values": "a&b=c%2B d+\u00e9\0\u2028",
}

KEYS = "aws_access_key_id = AKIA1\naws_secret_access_key = s\n"
PROFILES = {
    "roles-and-keys": "[default]\nrole_arn = a\nsource_profile = b\n[profile b]\nrole_arn = b\n"
    "source_profile = c\n\0[c]\n" + KEYS,
    "role-of-itself": f"[default]\nrole_arn = a\nsource_profile = default\n{KEYS}",
    "roles-in-a-circle": "[default]\nrole_arn = a\nsource_profile = b\n[profile b]\nrole_arn = b\n"
    "source_profile = default\n",
    "unknown-source": "[default]\nrole_arn = a\nsource_profile = none\n",
    "sso-of-old": "[default]\nsso_start_url = u\nsso_region = r\nsso_account_id = 1\n"
    "sso_role_name = n\n",
    "instance": "[default]\nrole_arn = a\ncredential_source = Ec2InstanceMetadata\n",
    "section-twice": f"[default]\n{KEYS}[profile default]\n{KEYS}",
    "duration-too-short": "[default]\nrole_arn = a\nweb_identity_token_file = /t\n"
    "duration_seconds = 899\n",
}


def documented() -> dict:
    """The configurations that the README shows."""
    blocks = re.findall(r"```yaml\n(.*?)```", (TESTS.parent / "README.md").read_text(), re.DOTALL)
    shown = [block for block in blocks if re.search("^targets:", block, re.MULTILINE)]
    return {f"readme-{i}": text for i, text in enumerate(shown, 1)}


def encoded(seeds: dict) -> dict:
    return {name: text.encode() for name, text in seeds.items()}


CORPORA = {
    "fuzz_config": encoded(documented()),
    "fuzz_head": HEADS,
    "fuzz_body": BODIES,
    "fuzz_scan": SCANNED,
    "fuzz_meter_json": JSON,
    "fuzz_meter_sse": SSE,
    "fuzz_meter_eventstream": EVENTSTREAM,
    "fuzz_multipart": encoded(FORMS),
    "fuzz_sts": encoded(POLICIES),
    "fuzz_profile": encoded(PROFILES),
}
