# SPDX-License-Identifier: Apache-2.0
"""The agent, or an init container, of the tests of order: knows of the model what its environment
says, makes one call as WORK says (call, stream or none), and ends with the status EXIT. Its argument is the user to be.

Told to end, it finishes its stream first. Writes each thing that happens as a line."""

import encodings.idna  # noqa: F401  (later, as another user, the interpreter may be out of reach)
import http.client
import json
import os
import signal
import sys
from urllib.parse import urlsplit


def say(*words):
    print(*words, flush=True)


def ask(stream):
    base = urlsplit(os.environ["OPENAI_BASE_URL"])
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
    connection = http.client.HTTPConnection(base.hostname, base.port, timeout=30)
    connection.request(
        "POST",
        f"{base.path}/chat/completions",
        json.dumps({**body, "stream": stream}),
        {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}",
        },
    )
    answer = connection.getresponse()
    say("status", answer.status)
    return answer


def follow(answer):
    last = b""
    for line in answer:
        if line.startswith(b"data:"):
            last = line.strip()
            say("piece")
    say("whole" if last == b"data: [DONE]" else "cut")


def become(uid):
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def main():
    become(int(sys.argv[1]))
    signal.signal(signal.SIGTERM, lambda *_: say("told to end"))
    work = os.environ.get("WORK", "call")
    if work == "call":
        ask(False).read()
    elif work == "stream":
        follow(ask(True))
    sys.exit(int(os.environ.get("EXIT", "0")))


main()
