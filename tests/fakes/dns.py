# SPDX-License-Identifier: Apache-2.0
"""A name server for A records that can change its mind, or fall silent.

A name may have several addresses, with spaces between them.
"""

import contextlib
import socket
import struct
import threading
from typing import Self

HEADER = struct.Struct("!6H")
TYPE_A, IN = 1, 1


def question(packet: bytes) -> tuple[str, int, bytes]:
    labels, at = [], HEADER.size
    while size := packet[at]:
        labels.append(packet[at + 1 : at + 1 + size].decode())
        at += 1 + size
    kind = struct.unpack_from("!H", packet, at + 1)[0]
    return ".".join(labels).lower(), kind, packet[HEADER.size : at + 5]


class NameServer:
    """UDP on port 53 of a loopback address, since resolv.conf knows no ports; needs root."""

    def __init__(self, names: dict[str, str], host: str = "127.0.77.53") -> None:
        self.names, self.host = names, host
        self.silent = False
        self.asked = 0
        self.questions: set[str] = set()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 53))
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)  # wakes the thread
        self.thread.join(5)
        self.socket.close()

    def _serve(self) -> None:
        try:
            while True:
                packet, client = self.socket.recvfrom(4096)
                if not packet:
                    return
                self.asked += 1
                if not self.silent:
                    self.socket.sendto(self._answer(packet), client)
        except OSError:
            return  # closed

    def _answer(self, packet: bytes) -> bytes:
        name, kind, asked = question(packet)
        self.questions.add(name)
        number = struct.unpack_from("!H", packet)[0]
        addresses = self.names.get(name, "").split()
        records = [
            struct.pack("!HHHIH", 0xC00C, TYPE_A, IN, 1, 4) + socket.inet_aton(address)
            for address in addresses
            if kind == TYPE_A
        ]
        flags = 0x8180 if addresses else 0x8183
        return HEADER.pack(number, flags, 1, len(records), 0, 0) + asked + b"".join(records)
