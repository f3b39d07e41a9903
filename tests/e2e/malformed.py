# SPDX-License-Identifier: Apache-2.0
"""Requests that two parsers could read differently, or that are no HTTP/1.1 at all.

Each row: a name, the bytes, the status that is due. HOST stands for the listener's own.
"""

import json

BODY = json.dumps({"model": "gpt-4o", "messages": []}).encode()
POST = b"POST /v1/chat/completions HTTP/1.1\r\n"
HOST = b"Host: HOST\r\n"
JSON = b"Content-Type: application/json\r\n"
END = b"\r\n"
MANY = b"".join(b"X-%d: y\r\n" % n for n in range(400))


def length(value: object = len(BODY)) -> bytes:
    return b"Content-Length: %b\r\n" % str(value).encode()


def line(first: bytes) -> bytes:
    """A request with this first line, and else well."""
    return first + HOST + JSON + length() + END + BODY


def path(target: bytes) -> bytes:
    return line(b"POST " + target + b" HTTP/1.1\r\n")


def fields(raw: bytes, body: bytes = BODY) -> bytes:
    """A request with these lines beside Host and Content-Type."""
    return POST + HOST + JSON + raw + END + body


def with_field(raw: bytes) -> bytes:
    return fields(length() + raw)


def hosts(raw: bytes) -> bytes:
    return POST + raw + JSON + length() + END + BODY


def chunked(body: bytes, coding: bytes = b"Transfer-Encoding: chunked\r\n") -> bytes:
    return fields(coding, body)


CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)

FIRST_LINES = [
    ("not HTTP", b"SSH-2.0-OpenSSH_9.2\r\n\r\n", 400),
    ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64, 400),
    ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    ("HTTP/0.9", b"GET /v1/models\r\n\r\n", 400),
    ("HTTP/1.2", line(POST.replace(b"1.1", b"1.2")), 400),
    ("HTTP/2.0", line(POST.replace(b"1.1", b"2.0")), 400),
    ("HTTP/11", line(POST.replace(b"1.1", b"11")), 400),
    ("http in lower case", line(POST.replace(b"HTTP", b"http")), 400),
    ("bytes behind the version", line(POST.replace(b"1.1\r", b"1.1 x\r")), 400),
    ("blank behind the version", line(POST.replace(b"1.1\r", b"1.1 \r")), 400),
    ("two blanks before the target", line(POST.replace(b"POST ", b"POST  ")), 400),
    ("two blanks before the version", line(POST.replace(b" HTTP", b"  HTTP")), 400),
    ("tab for a blank", line(POST.replace(b"POST ", b"POST\t")), 400),
    ("blank in front", b" " + line(POST), 400),
    ("empty line in front", b"\r\n" + line(POST), 400),
    ("bare LF in front", b"\n" + line(POST), 400),
    ("no method", line(POST.replace(b"POST", b"")), 400),
    ("method with a separator", line(POST.replace(b"POST", b"PO@ST")), 400),
    ("method with NUL", line(POST.replace(b"POST", b"PO\0ST")), 400),
    ("method without end", b"A" * 9000, 400),
    ("bare LF behind the first line", line(POST.replace(b"\r\n", b"\n")), 400),
    ("bare CR behind the first line", line(POST.replace(b"\r\n", b"\r")), 400),
    ("absolute form", path(b"http://HOST/v1/chat/completions"), 400),
    ("absolute form of another", path(b"http://evil.example/v1/chat/completions"), 400),
    ("absolute form, https", path(b"https://evil.example/"), 400),
    ("CONNECT", b"CONNECT evil.example:443 HTTP/1.1\r\nHost: HOST\r\n\r\n", 400),
    ("asterisk form", b"OPTIONS * HTTP/1.1\r\nHost: HOST\r\n\r\n", 400),
    ("target without a slash", path(b"v1/chat/completions"), 400),
    ("target with a raw byte", path(b"/v1/chat/\xc3\xa9"), 400),
    ("target with NUL", path(b"/v1/chat\0/completions"), 400),
    ("target with DEL", path(b"/v1/chat/\x7f"), 400),
    ("target with a fragment", path(b"/v1/chat/completions#x"), 400),
    ("target too long", path(b"/v1/" + b"a" * 70_000), 431),
]

PATHS = [
    ("dot segments", path(b"/v1/models/../chat/completions"), 400),
    ("dot segments at the end", path(b"/v1/chat/completions/.."), 400),
    ("one dot", path(b"/v1/./chat/completions"), 400),
    ("encoded dots", path(b"/v1/models/%2e%2e/chat/completions"), 400),
    ("half-encoded dots", path(b"/v1/models/.%2E/chat/completions"), 400),
    ("two slashes", path(b"/v1//chat/completions"), 400),
    ("two slashes in front", path(b"//evil.example/v1/chat/completions"), 400),
    ("encoded slash", path(b"/v1%2fchat/completions"), 400),
    ("encoded backslash", path(b"/v1%5cchat/completions"), 400),
    ("backslash", path(b"/v1\\chat/completions"), 400),
    ("encoded NUL", path(b"/v1/chat/completions%00"), 400),
    ("encoded line end", path(b"/v1/chat/completions%0d%0aX-Evil:%20yes"), 400),
    ("half an escape", path(b"/v1/chat/completions%2"), 400),
    ("wrong escape", path(b"/v1/chat/completions%zz"), 400),
]

FIELDS = [
    ("blank before the colon", with_field(b"X-Test : y\r\n"), 400),
    ("blank before Content-Length's colon", fields(length().replace(b":", b" :")), 400),
    ("folded line", with_field(b"X-Test: a\r\n b\r\n"), 400),
    ("folded first line", POST + b" Host: HOST\r\n" + HOST + length() + END + BODY, 400),
    ("name is empty", with_field(b": y\r\n"), 400),
    ("no colon", with_field(b"X-Test\r\n"), 400),
    ("name with a separator", with_field(b"X(Test: y\r\n"), 400),
    ("name with a raw byte", with_field(b"X-T\xc3\xa9st: y\r\n"), 400),
    ("name with NUL", with_field(b"X-\0Test: y\r\n"), 400),
    ("value with NUL", with_field(b"X-Test: a\0b\r\n"), 400),
    ("value with a bare CR", with_field(b"X-Test: a\rContent-Length: 0\r\n"), 400),
    ("value with a bell", with_field(b"X-Test: a\x07b\r\n"), 400),
    ("value with DEL", with_field(b"X-Test: a\x7fb\r\n"), 400),
    ("bare LF ends a line", with_field(b"X-Test: a\nX-Other: b\r\n"), 400),
    ("bare LF ends the head", POST + HOST + JSON + length() + b"\n" + BODY, 400),
    ("head too large", with_field(b"X-Test: " + b"y" * 70_000 + b"\r\n"), 431),
    ("too many fields", with_field(MANY), 431),
    ("Connection names Content-Length", with_field(b"Connection: content-length\r\n"), 400),
    ("Connection names Host", with_field(b"Connection: Host\r\n"), 400),
    ("unknown expectation", with_field(b"Expect: 200-ok\r\n"), 400),
]

HOSTS = [
    ("no Host", hosts(b""), 400),
    ("two Hosts", hosts(HOST + HOST), 400),
    ("two different Hosts", hosts(HOST + b"Host: evil.example\r\n"), 400),
    ("list in Host", hosts(b"Host: HOST, evil.example\r\n"), 400),
    ("path in Host", hosts(b"Host: HOST/x\r\n"), 400),
    ("user in Host", hosts(b"Host: user@HOST\r\n"), 400),
    ("blank in Host", hosts(b"Host: local host\r\n"), 400),
    ("port that is no number", hosts(b"Host: localhost:http\r\n"), 400),
    ("port too large", hosts(b"Host: localhost:77177\r\n"), 400),
    ("raw byte in Host", hosts(b"Host: localh\xc3\xb6st\r\n"), 400),
    ("open bracket in Host", hosts(b"Host: [::1\r\n"), 400),
]

LENGTHS = [
    ("two lengths", fields(length() + length()), 400),
    ("two different lengths", fields(length() + length(0)), 400),
    ("list of lengths", fields(length(f"{len(BODY)}, {len(BODY)}")), 400),
    ("length with a sign", fields(length(f"+{len(BODY)}")), 400),
    ("negative length", fields(length("-1")), 400),
    ("hexadecimal length", fields(length(hex(len(BODY)))), 400),
    ("length with a fraction", fields(length("40.0")), 400),
    ("length in words", fields(length("forty")), 400),
    ("empty length", fields(length("")), 400),
    ("length with a blank inside", fields(length("4 0")), 400),
    ("length beyond 64 bits", fields(length("99999999999999999999999")), 400),
    ("length beyond the limit", fields(length(2**40)), 413),
    ("bytes behind the body", fields(length(), BODY + b"GET / HTTP/1.1\r\n\r\n"), 400),
]

CODINGS = [
    ("length and coding", chunked(CHUNKS, length() + b"Transfer-Encoding: chunked\r\n"), 400),
    ("coding and length", chunked(CHUNKS, b"Transfer-Encoding: chunked\r\n" + length()), 400),
    ("coding twice", chunked(CHUNKS, b"Transfer-Encoding: chunked\r\n" * 2), 400),
    ("chunked, chunked", chunked(CHUNKS, b"Transfer-Encoding: chunked, chunked\r\n"), 400),
    ("gzip, chunked", chunked(CHUNKS, b"Transfer-Encoding: gzip, chunked\r\n"), 400),
    ("chunked, identity", chunked(CHUNKS, b"Transfer-Encoding: chunked, identity\r\n"), 400),
    ("identity", chunked(BODY, b"Transfer-Encoding: identity\r\n"), 400),
    ("xchunked", chunked(CHUNKS, b"Transfer-Encoding: xchunked\r\n"), 400),
    ("coding in quotes", chunked(CHUNKS, b'Transfer-Encoding: "chunked"\r\n'), 400),
    ("coding with a vertical tab", chunked(CHUNKS, b"Transfer-Encoding: \x0bchunked\r\n"), 400),
    ("empty coding", chunked(CHUNKS, b"Transfer-Encoding:\r\n"), 400),
    (
        "chunked in HTTP/1.0",
        chunked(CHUNKS).replace(b"HTTP/1.1", b"HTTP/1.0"),
        400,
    ),
    ("chunk size is not hexadecimal", chunked(b"zz\r\n"), 400),
    ("chunk size is empty", chunked(b"\r\n"), 400),
    ("chunk size with a sign", chunked(b"+5\r\nhello\r\n0\r\n\r\n"), 400),
    ("chunk size with 0x", chunked(b"0x5\r\nhello\r\n0\r\n\r\n"), 400),
    ("chunk size with a blank", chunked(b" 5\r\nhello\r\n0\r\n\r\n"), 400),
    ("chunk size beyond 64 bits", chunked(b"fffffffffffffffff\r\n"), 413),
    ("bare LF behind a chunk size", chunked(b"5\nhello\r\n0\r\n\r\n"), 400),
    ("bare LF behind a chunk", chunked(b"5\r\nhello\n0\r\n\r\n"), 400),
    ("chunk longer than its size", chunked(b"5\r\nhellothere\r\n0\r\n\r\n"), 400),
    ("chunk extension without end", chunked(b"5;" + b"x" * 100_000), 413),
    ("trailer that is malformed", chunked(CHUNKS[:-2] + b"X : y\r\n\r\n"), 400),
]

ALL = [*FIRST_LINES, *PATHS, *FIELDS, *HOSTS, *LENGTHS, *CODINGS]
