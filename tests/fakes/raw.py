# SPDX-License-Identifier: Apache-2.0
"""A server that speaks no TLS, or not as it is meant."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager


def accepted(listener: socket.socket) -> Iterator[socket.socket]:
    """Its connections, until it is shut down."""
    while True:
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        yield peer


class Raw:
    """Meets a connection as it likes, and keeps all that it is sent after that."""

    def __init__(self, meet: Callable[[socket.socket], socket.socket | None]) -> None:
        self.meet, self.received = meet, b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        for peer in accepted(self.listener):
            threading.Thread(target=self._meet, args=(peer,), daemon=True).start()

    def _meet(self, peer: socket.socket) -> None:
        self.connections += 1
        try:
            peer = self.meet(peer) or peer
            while piece := peer.recv(65536):
                self.received += piece
        except OSError:
            pass
        finally:
            peer.close()

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@contextmanager
def black_hole() -> Iterator[int]:
    """A listener whose backlog is full: what dials its port hears nothing."""
    with socket.socket() as listener, ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def record(kind: int, body: bytes) -> bytes:
    return struct.pack("!BHH", kind, 0x0303, len(body)) + body


def asks_again_and_again(peer: socket.socket) -> None:
    """HelloRequest, which libssl passes over in a handshake, however many there are."""
    peer.recv(65536)
    while True:
        peer.sendall(record(22, bytes(4)) * 8192)
