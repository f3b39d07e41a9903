# SPDX-License-Identifier: Apache-2.0
"""What an upstream can do wrong on the wire: pieces for Act(play=...)."""

import socket
import struct
import threading
from collections.abc import Awaitable, Callable

from fakes.wire import Connection

Play = Callable[[Connection], Awaitable[None]]
RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no time: close() sends a RST
HOUR = 3600
PIECE = 64 * 1024
FLOOD = 64 * 1024 * 1024  # more than anybody should keep of it


def says(*pieces: bytes) -> Play:
    """Says this, and closes in good order."""

    async def play(connection: Connection) -> None:
        for piece in pieces:
            connection.send(piece)
            await connection.sleep(0.01)
        connection.transport.close()

    return play


def stays_open(said: threading.Event, *pieces: bytes) -> Play:
    """Says this, tells so, and waits for the next request."""

    async def play(connection: Connection) -> None:
        try:
            for piece in pieces:
                connection.send(piece)
                await connection.sleep(0.01)
        finally:
            said.set()

    return play


def then_resets(raw: bytes) -> Play:
    async def play(connection: Connection) -> None:
        connection.send(raw)
        await connection.sleep(0.05)
        peer = connection.transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        connection.transport.abort()

    return play


def then_half_closes(raw: bytes) -> Play:
    """A FIN, while it goes on to listen."""

    async def play(connection: Connection) -> None:
        connection.send(raw)
        connection.transport.write_eof()
        await connection.sleep(HOUR)

    return play


def then_stalls(raw: bytes) -> Play:
    async def play(connection: Connection) -> None:
        connection.send(raw)
        await connection.sleep(HOUR)

    return play


def drips(front: bytes, raw: bytes, gap: float = 0.05) -> Play:
    async def play(connection: Connection) -> None:
        connection.send(front)
        for byte in raw:
            connection.send(bytes([byte]))
            await connection.sleep(gap)
        await connection.sleep(HOUR)

    return play


def floods(front: bytes, again: bytes, total: int = FLOOD) -> Play:
    """The same over and over, as fast as it is taken, and then the end."""
    piece = again * (PIECE // len(again) + 1)

    async def play(connection: Connection) -> None:
        connection.send(front)
        for _ in range(0, total, len(piece)):
            connection.send(piece)
            await connection.drain()
        connection.transport.close()

    return play


def streams_until(gate: threading.Event, event: bytes) -> Play:
    """An event now and then until the gate opens, and a clean end."""

    async def play(connection: Connection) -> None:
        connection.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        connection.chunk(event)
        while not gate.is_set():
            await connection.sleep(0.05)
            connection.chunk(event)
        connection.chunk(b"data: [DONE]\n\n")
        connection.end_chunks()

    return play
