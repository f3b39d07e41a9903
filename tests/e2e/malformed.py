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
    (
        "folded first line",
        POST + b" Host: HOST\r\n" + HOST + length() + END + BODY,
        400,
    ),
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
    (
        "Connection names Content-Length",
        with_field(b"Connection: content-length\r\n"),
        400,
    ),
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
    (
        "length and coding",
        chunked(CHUNKS, length() + b"Transfer-Encoding: chunked\r\n"),
        400,
    ),
    (
        "coding and length",
        chunked(CHUNKS, b"Transfer-Encoding: chunked\r\n" + length()),
        400,
    ),
    ("coding twice", chunked(CHUNKS, b"Transfer-Encoding: chunked\r\n" * 2), 400),
    (
        "chunked, chunked",
        chunked(CHUNKS, b"Transfer-Encoding: chunked, chunked\r\n"),
        400,
    ),
    ("gzip, chunked", chunked(CHUNKS, b"Transfer-Encoding: gzip, chunked\r\n"), 400),
    (
        "chunked, identity",
        chunked(CHUNKS, b"Transfer-Encoding: chunked, identity\r\n"),
        400,
    ),
    ("identity", chunked(BODY, b"Transfer-Encoding: identity\r\n"), 400),
    ("xchunked", chunked(CHUNKS, b"Transfer-Encoding: xchunked\r\n"), 400),
    ("coding in quotes", chunked(CHUNKS, b'Transfer-Encoding: "chunked"\r\n'), 400),
    (
        "coding with a vertical tab",
        chunked(CHUNKS, b"Transfer-Encoding: \x0bchunked\r\n"),
        400,
    ),
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


# ---- requests that are HTTP/1.1, and still not to be taken: name, bytes, status, code ----


def posted(body: bytes, kind: bytes = JSON) -> bytes:
    return POST + HOST + kind + length(len(body)) + END + body


def member(raw: bytes) -> bytes:
    """A body with this beside a model and messages."""
    return posted(b'{"model":"gpt-4o",' + raw + b',"messages":[]}')


def get(target: bytes, lines: bytes = b"", method: bytes = b"GET") -> bytes:
    return method + b" " + target + b" HTTP/1.1\r\n" + HOST + lines + END


BAD = (400, "malformed_request")
FIELD = (403, "field_not_allowed")
HOST_NO = (403, "host_not_allowed")
BROWSER = (403, "browser_refused")
NOT_OPERATION = (403, "operation_not_allowed")
NOWHERE = (404, "route_not_found")
TEXT = '{"model":"gpt-4o","messages":[]}'
DEEP = b'"x":' + b"[" * 200 + b"]" * 200

BODIES = [
    ("model twice", member(b'"model":"b"'), *BAD),
    (
        "model twice, far apart",
        member(b'"pad":"' + b"x" * 70_000 + b'","model":"b"'),
        *BAD,
    ),
    ("model in capitals", member(b'"MODEL":"b"'), *BAD),
    ("model escaped", member(b'"mod\\u0065l":"b"'), *BAD),
    ("model all escaped", member(rb'"\u006d\u006f\u0064\u0065\u006c":"b"'), *BAD),
    ("model in escaped capitals", member(rb'"\u004d\u004F\u0044el":"b"'), *BAD),
    ("model is a number", posted(b'{"model":4}'), *BAD),
    ("model is true", posted(b'{"model":true}'), *BAD),
    ("model is null", posted(b'{"model":null}'), *BAD),
    ("model is an object", posted(b'{"model":{"id":"gpt-4o"}}'), *BAD),
    ("model is a list", posted(b'{"model":["gpt-4o","o9"]}'), *BAD),
    ("model with NUL", posted(rb'{"model":"gpt-4o\u0000x"}'), *BAD),
    ("model with half a pair", posted(rb'{"model":"gpt\ud83d"}'), *BAD),
    ("model of 3000 bytes", posted(b'{"model":"' + b"m" * 3000 + b'"}'), *BAD),
    ("name of a member with NUL", member(rb'"model\u0000":"b"'), *BAD),
    ("name with half a pair", member(rb'"\udc00":"b"'), *BAD),
    ("200 levels", member(DEEP), *BAD),
    (
        "a level too deep of objects",
        member(b'"x":' + b'{"x":' * 200 + b"1" + b"}" * 200),
        *BAD,
    ),
    ("byte order mark", posted(b"\xef\xbb\xbf" + TEXT.encode()), *BAD),
    ("UTF-16, little", posted(TEXT.encode("utf-16-le")), *BAD),
    ("UTF-16, big", posted(TEXT.encode("utf-16-be")), *BAD),
    ("UTF-16 with its mark", posted(TEXT.encode("utf-16")), *BAD),
    ("UTF-32", posted(TEXT.encode("utf-32")), *BAD),
    ("UTF-7 of a quote", posted(b'+AHs-"model":"gpt-4o"}'), *BAD),
    ("overlong quote", member(b'"x":"\xc0\xa2"'), *BAD),
    ("overlong slash", member(b'"x":"\xe0\x80\xaf"'), *BAD),
    ("surrogate in UTF-8", member(b'"x":"\xed\xa0\x80"'), *BAD),
    ("beyond Unicode", member(b'"x":"\xf4\x90\x80\x80"'), *BAD),
    ("cut UTF-8", member(b'"x":"\xe2\x82"'), *BAD),
    ("Latin-1", member(b'"x":"caf\xe9"'), *BAD),
    ("comment", member(b'/* "model":"b" */ "x":1'), *BAD),
    ("comment to the end of line", member(b'//x\n"x":1'), *BAD),
    ("trailing comma", member(b'"x":[1,]'), *BAD),
    ("bare name", member(b"x:1"), *BAD),
    ("hexadecimal number", member(b'"x":0x10'), *BAD),
    ("infinity", member(b'"x":Infinity'), *BAD),
    ("plus sign", member(b'"x":+1'), *BAD),
    ("wrong escape in a string", member(rb'"x":"\x41"'), *BAD),
    ("two documents", posted(TEXT.encode() * 2), *BAD),
    ("NUL behind the document", posted(TEXT.encode() + b"\0"), *BAD),
    ("vertical tab for a blank", member(b'\x0b"x":1'), *BAD),
    ("no-break space for a blank", member(b'\xc2\xa0"x":1'), *BAD),
    ("JSON lines", posted(TEXT.encode() + b"\n" + TEXT.encode()), *BAD),
    (
        "form for JSON",
        posted(b"model=gpt-4o", b"Content-Type: x-www-form-urlencoded\r\n"),
        *BAD,
    ),
    (
        "multipart for JSON",
        posted(BODY, b"Content-Type: multipart/form-data\r\n"),
        *BAD,
    ),
    ("two content types", posted(BODY, JSON + b"Content-Type: text/plain\r\n"), *BAD),
    ("deflated", posted(BODY, JSON + b"Content-Encoding: deflate\r\n"), *BAD),
]

STEERING = [
    ("api_base", member(b'"api_base":"https://evil.example"'), *FIELD),
    ("API_BASE", member(b'"API_BASE":"https://evil.example"'), *FIELD),
    ("api_base escaped", member(rb'"api\u005fbase":"https://evil.example"'), *FIELD),
    (
        "api_base escaped in capitals",
        member(rb'"\u0041PI_Base":"https://evil.example"'),
        *FIELD,
    ),
    (
        "base_url with a Kelvin sign's cousin",
        member('"ba\u017fe_url":"x"'.encode()),
        *FIELD,
    ),
    ("api_key with a Kelvin sign", member('"api_\u212aey":"x"'.encode()), *FIELD),
    ("api_key with an escaped Kelvin sign", member(rb'"api_\u212Aey":"x"'), *FIELD),
    ("fallbacks", member(b'"fallbacks":["o9"]'), *FIELD),
    ("an aws_ member", member(b'"aws_bedrock_runtime_endpoint":"x"'), *FIELD),
    ("before the model", posted(b'{"api_key":"x","model":"gpt-4o"}'), *FIELD),
    ("without a value to speak of", member(b'"api_base":null'), *FIELD),
    ("in the query", path(b"/v1/chat/completions?api_base=x"), *FIELD),
    ("in the query, capitals", path(b"/v1/chat/completions?a=b&Base_URL=x"), *FIELD),
    ("in the query, escaped", path(b"/v1/chat/completions?api%5Fbase=x"), *FIELD),
    (
        "in the query, all escaped",
        path(
            b"/v1/chat/completions?" + b"".join(b"%%%02x" % c for c in b"context_window_fallbacks")
        ),
        *FIELD,
    ),
    (
        "in the query, behind a long name",
        path(b"/v1/chat/completions?" + b"a" * 193 + b"&api_base=x"),
        *BAD,
    ),
    ("in the query, half-escaped", path(b"/v1/chat/completions?%61pi_base=x"), *FIELD),
]

SENDERS = [
    ("rebinding host", hosts(b"Host: rebind.evil.example\r\n"), *HOST_NO),
    ("rebinding host with our port", hosts(b"Host: evil.example:PORT\r\n"), *HOST_NO),
    ("another address", hosts(b"Host: 169.254.169.254\r\n"), *HOST_NO),
    ("any address", hosts(b"Host: 0.0.0.0:PORT\r\n"), *HOST_NO),
    ("our address, another port", hosts(b"Host: 127.0.0.1:1\r\n"), *HOST_NO),
    ("our address as a number", hosts(b"Host: 2130706433:PORT\r\n"), *HOST_NO),
    ("our address in octal", hosts(b"Host: 0177.0.0.1:PORT\r\n"), *HOST_NO),
    ("our address, cut", hosts(b"Host: 127.1:PORT\r\n"), *HOST_NO),
    ("our name with a dot", hosts(b"Host: localhost.:PORT\r\n"), *HOST_NO),
    ("our name as a prefix", hosts(b"Host: localhost.evil.example:PORT\r\n"), *HOST_NO),
    ("mapped address", hosts(b"Host: [::ffff:127.0.0.1]:PORT\r\n"), *HOST_NO),
    ("a page's origin", with_field(b"Origin: https://evil.example\r\n"), *BROWSER),
    ("the null origin", with_field(b"Origin: null\r\n"), *BROWSER),
    ("our own origin", with_field(b"Origin: http://HOST\r\n"), *BROWSER),
    ("an empty origin", with_field(b"Origin:\r\n"), *BROWSER),
    ("a cross-site page", with_field(b"Sec-Fetch-Site: cross-site\r\n"), *BROWSER),
    ("a same-site page", with_field(b"Sec-Fetch-Site: same-site\r\n"), *BROWSER),
    ("a preflight", get(b"/v1/models", b"Origin: http://a\r\n", b"OPTIONS"), *BROWSER),
    (
        "websocket",
        get(b"/v1/responses", b"Connection: upgrade\r\nUpgrade: websocket\r\n"),
        426,
        "upgrade_refused",
    ),
]

ROUTES = [
    ("TRACE", get(b"/v1/models", method=b"TRACE"), *NOT_OPERATION),
    ("OPTIONS", get(b"/v1/models", method=b"OPTIONS"), *NOT_OPERATION),
    ("HEAD", get(b"/v1/chat/completions", method=b"PROPFIND"), *NOT_OPERATION),
    ("method in lower case", get(b"/v1/models", method=b"get"), *NOT_OPERATION),
    (
        "method as a field",
        get(b"/v1/models/a", b"X-HTTP-Method: x\r\n", b"DELETE"),
        *NOT_OPERATION,
    ),
    ("path in capitals", path(b"/V1/chat/completions"), *NOWHERE),
    ("escaped letter", path(b"/v1/ch%61t/completions"), *NOWHERE),
    ("slash at the end", path(b"/v1/chat/completions/"), *NOWHERE),
    ("semicolon", path(b"/v1/chat/completions;x"), *NOWHERE),
    ("/v1 twice", path(b"/v1/v1/chat/completions"), *NOWHERE),
    ("keys", get(b"/key/list"), *NOWHERE),
    ("admin keys", get(b"/v1/organization/admin_api_keys"), *NOWHERE),
    ("metadata", get(b"/latest/meta-data/iam/security-credentials/"), *NOWHERE),
    ("our own status", get(b"/status"), *NOWHERE),
    (
        "a body where none is due",
        get(b"/v1/models", b"Content-Length: 2\r\n") + b"{}",
        *BAD,
    ),
]

REFUSED = [*BODIES, *STEERING, *SENDERS, *ROUTES]

# Odd, and good: name, bytes. Every parser must see the same method, path and body.
GOOD = [
    ("chunks", chunked(CHUNKS)),
    (
        "chunk sizes in capitals",
        chunked(CHUNKS.replace(b"%x" % len(BODY), b"%X" % len(BODY))),
    ),
    ("chunk size with zeros", chunked(b"000" + CHUNKS)),
    (
        "single bytes",
        chunked(b"".join(b"1\r\n%c\r\n" % b for b in BODY) + b"0\r\n\r\n"),
    ),
    ("chunk extension", chunked(CHUNKS.replace(b"\r\n", b";a=b\r\n", 1))),
    ("trailer", chunked(CHUNKS[:-2] + b"X-After: y\r\n\r\n")),
    ("Chunked", chunked(CHUNKS, b"Transfer-Encoding: Chunked\r\n")),
    (
        "blanks about values",
        fields(b"Content-Length:  %d \r\nX-A:b\t \r\n" % len(BODY)),
    ),
    ("names in odd case", fields(b"cONTENT-lENGTH: %d\r\n" % len(BODY))),
    ("length with zeros", fields(b"Content-Length: 00%d\r\n" % len(BODY))),
    ("empty value", with_field(b"X-A:\r\n")),
    ("raw bytes in a value", with_field(b"X-A: caf\xe9\r\n")),
    ("a field twice", with_field(b"X-A: b\r\nX-A: c\r\n")),
    ("query", path(b"/v1/chat/completions?a=b&c=%2F..%2F&d")),
    ("empty query", path(b"/v1/chat/completions?")),
    ("without /v1", path(b"/chat/completions")),
    ("HTTP/1.0", line(POST.replace(b"1.1", b"1.0"))),
    ("Connection: close", with_field(b"Connection: close\r\n")),
    ("no body", get(b"/v1/models")),
    ("length of nothing", get(b"/v1/models", b"Content-Length: 0\r\n")),
]
