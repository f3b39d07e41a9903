# SPDX-License-Identifier: Apache-2.0
"""Load, from a process of its own; prints what came of it as one JSON object.

python load.py requests PORT TOTAL CONNECTIONS     keep-alive calls, shared out evenly
python load.py streams PORT COUNT                  so many streams at the same time
python load.py steady PORT RATE CONNECTIONS        so many calls a second, until standard input
                                                   ends; every other connection is for one call
python load.py paced PORT TOTAL RATE               so many calls a second, each with a number
"""

import asyncio
import collections
import json
import resource
import sys
import time

BODY = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "x" * 900}]})
STREAMED = json.dumps({"model": "slow-stream", "stream": True, "messages": []})
DIALS_AT_ONCE = 128
HOST = "127.0.0.1"


def request(port: int, body: str) -> bytes:
    return (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


async def one_call(reader, writer, raw: bytes) -> str:
    writer.write(raw)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
    body = await reader.readexactly(length)
    return "ok" if b" 200 " in head[:16] and b"You said" in body else head[:12].decode()


async def calls(port: int, count: int, outcomes: collections.Counter) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    raw = request(port, BODY)
    for _ in range(count):
        outcomes[await one_call(reader, writer, raw)] += 1
    writer.close()


class Pool:
    """Connections for calls that begin when it is time, however long those before them take."""

    def __init__(self, port: int) -> None:
        self.port, self.idle = port, []

    async def call(self, number: int, outcomes: collections.Counter) -> None:
        body = json.dumps({**json.loads(BODY), "user": f"call {number}"})
        pair = self.idle.pop() if self.idle else await asyncio.open_connection(HOST, self.port)
        outcomes[await one_call(*pair, request(self.port, body))] += 1
        self.idle.append(pair)


async def paced(port: int, total: int, rate: int, outcomes: collections.Counter) -> None:
    pool, tasks, began = Pool(port), [], time.monotonic()
    for number in range(total):
        await asyncio.sleep(began + number / rate - time.monotonic())
        tasks.append(asyncio.create_task(guarded(pool.call(number, outcomes), outcomes)))
    await asyncio.gather(*tasks)
    for _, writer in pool.idle:
        writer.close()


async def stream(port: int, dials: asyncio.Semaphore, outcomes: collections.Counter) -> None:
    async with dials:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(port, STREAMED))
        head = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in head[:16]:
        outcomes[head[:12].decode()] += 1
    else:
        body = await reader.readuntil(b"\r\n0\r\n\r\n")
        outcomes["ok" if b"[DONE]" in body else "cut short"] += 1
    writer.close()


async def steadily(port: int, pause: float, keep: bool, stop, outcomes) -> None:
    """Calls with pauses, as a client that heeds `Connection: close` and retries nothing."""
    raw, writer = request(port, BODY), None
    while not stop.is_set():
        if writer is None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(raw)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
        outcomes["ok" if b" 200 " in head[:16] else head[:12].decode()] += 1
        if not keep or b"\r\nconnection: close\r\n" in head:
            writer.close()
            writer = None
        await asyncio.sleep(pause)


async def steady(port: int, rate: int, connections: int, outcomes: collections.Counter) -> None:
    stop = asyncio.Event()
    pause = connections / rate
    work = [steadily(port, pause, n % 2 == 0, stop, outcomes) for n in range(connections)]
    tasks = [asyncio.create_task(guarded(w, outcomes)) for w in work]
    await asyncio.to_thread(sys.stdin.read)
    stop.set()
    await asyncio.gather(*tasks)


async def guarded(coroutine, outcomes: collections.Counter) -> None:
    try:
        await coroutine
    except (OSError, asyncio.IncompleteReadError) as error:
        outcomes[type(error).__name__] += 1


async def main(kind: str, port: int, total: int, connections: int = 0) -> dict:
    outcomes: collections.Counter = collections.Counter()
    if kind == "requests":
        shares = [len(range(i, total, connections)) for i in range(connections)]
        work = [calls(port, share, outcomes) for share in shares]
    elif kind == "steady":
        work = [steady(port, total, connections, outcomes)]
    elif kind == "paced":
        work = [paced(port, total, connections, outcomes)]
    else:
        dials = asyncio.Semaphore(DIALS_AT_ONCE)
        work = [stream(port, dials, outcomes) for _ in range(total)]
    began = time.monotonic()
    await asyncio.gather(*(guarded(w, outcomes) for w in work))
    return {"seconds": time.monotonic() - began, "outcomes": outcomes}


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(json.dumps(asyncio.run(main(sys.argv[1], *(int(a) for a in sys.argv[2:])))))
