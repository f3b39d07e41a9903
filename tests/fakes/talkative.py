# SPDX-License-Identifier: Apache-2.0
"""A TLS server by libssl itself, since Python's has no word for it: before its answer it says a
great many messages of the handshake, all at once."""

import contextlib
import ctypes
import socket
import threading
from pathlib import Path
from typing import Self

from fakes.raw import accepted

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
PEM, MEMORY = 1, 3  # SSL_FILETYPE_PEM, BIO_CTRL_INFO
MOST, TLS12 = 124, 0x0303  # SSL_CTRL_SET_MAX_PROTO_VERSION
ENDLESS = ("session tickets", "hello requests")
UPDATES = "key updates"  # of which there are 1,000 at most


def library() -> tuple[ctypes.CDLL, ctypes.CDLL]:
    tls, crypto = ctypes.CDLL("libssl.so.3"), ctypes.CDLL("libcrypto.so.3")
    for lib, names in (
        (tls, ("TLS_server_method", "SSL_CTX_new", "SSL_new")),
        (crypto, ("BIO_new", "BIO_s_mem")),
    ):
        for name in names:
            getattr(lib, name).restype = ctypes.c_void_p
    crypto.BIO_ctrl.restype = ctypes.c_long
    return tls, crypto


class Talkative:
    """`speaks` is set once it has begun to say count of them to a client with a request, `ended`
    once the client has heard enough; `reply` is what it says to that, in records."""

    def __init__(self, cert: Path, key: Path, messages: str, count: int) -> None:
        self.messages, self.count = messages, count
        self.tls, self.crypto = library()
        method = ctypes.c_void_p(self.tls.TLS_server_method())
        self.context = ctypes.c_void_p(self.tls.SSL_CTX_new(method))
        for read, path in (
            (self.tls.SSL_CTX_use_certificate_file, cert),
            (self.tls.SSL_CTX_use_PrivateKey_file, key),
        ):
            assert read(self.context, str(path).encode(), PEM) == 1
        if messages == "hello requests":  # TLS 1.3 has none
            assert self.tls.SSL_CTX_ctrl(self.context, MOST, ctypes.c_long(TLS12), None) == 1
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.speaks, self.ended, self.reply = threading.Event(), threading.Event(), b""

    def __enter__(self) -> Self:
        threading.Thread(target=self._run, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _run(self) -> None:
        for peer in accepted(self.listener):
            with peer:
                self._meet(peer)

    def _meet(self, peer: socket.socket) -> None:
        ssl = ctypes.c_void_p(self.tls.SSL_new(self.context))
        self.tls.SSL_set_fd(ssl, peer.fileno())
        if self.tls.SSL_accept(ssl) == 1 and self._hears_request(ssl):
            said = self._speech(ssl)
            if not self._is_gone(peer):  # while that was made up
                self._say(peer, said)
        self.tls.SSL_free(ssl)

    def _say(self, peer: socket.socket, said: bytes) -> None:
        self.speaks.set()
        with contextlib.suppress(OSError):
            peer.sendall(said)
            while piece := peer.recv(65536):
                self.reply += piece
        self.ended.set()

    def _is_gone(self, peer: socket.socket) -> bool:
        try:
            return peer.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _hears_request(self, ssl: ctypes.c_void_p) -> bool:
        piece, heard = ctypes.create_string_buffer(65536), b""
        while not heard.endswith(b"}"):
            n = self.tls.SSL_read(ssl, piece, len(piece))
            if n <= 0:
                return False
            heard += piece.raw[:n]
        return True

    def _speech(self, ssl: ctypes.c_void_p) -> bytes:
        memory = ctypes.c_void_p(self.crypto.BIO_new(ctypes.c_void_p(self.crypto.BIO_s_mem())))
        self.tls.SSL_set0_wbio(ssl, memory)
        for _ in range(self.count):
            if self.messages == UPDATES:
                self.tls.SSL_key_update(ssl, 0)
            elif self.messages == "hello requests":
                assert self.tls.SSL_renegotiate(ssl) == 1
            else:
                self.tls.SSL_new_session_ticket(ssl)
            assert self.tls.SSL_do_handshake(ssl) == 1
        self.tls.SSL_write(ssl, ANSWER, len(ANSWER))
        at = ctypes.c_void_p()
        length = self.crypto.BIO_ctrl(memory, MEMORY, 0, ctypes.byref(at))
        return ctypes.string_at(at, length)
