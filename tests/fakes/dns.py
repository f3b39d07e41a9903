# SPDX-License-Identifier: Apache-2.0
"""A name server for addresses that can change its mind, fall silent, or cut its answers short.

A name may have several addresses, with spaces between them.
"""

import contextlib
import socket
import struct
import threading
from typing import Self

HEADER = struct.Struct("!6H")
CUT = 0x0200  # the TC bit: ask again over TCP
IN = 1
TYPES = {socket.AF_INET: 1, socket.AF_INET6: 28}  # A and AAAA


def question(packet: bytes) -> tuple[str, int, bytes]:
    labels, at = [], HEADER.size
    while size := packet[at]:
        labels.append(packet[at + 1 : at + 1 + size].decode())
        at += 1 + size
    kind = struct.unpack_from("!H", packet, at + 1)[0]
    return ".".join(labels).lower(), kind, packet[HEADER.size : at + 5]


def family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def record(address: str) -> bytes:
    data = socket.inet_pton(family(address), address)
    return struct.pack("!HHHIH", 0xC00C, TYPES[family(address)], IN, 1, len(data)) + data


class NameServer:
    """Port 53 of a loopback address, since resolv.conf knows no ports; needs root."""

    def __init__(self, names: dict[str, str], host: str = "127.0.77.53") -> None:
        self.names, self.host = names, host
        self.silent = self.cut = False
        self.late: set[str] = set()  # names that are not answered yet
        self.asked = self.streamed = 0
        self.questions: set[str] = set()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 53))
        self.stream = socket.create_server((host, 53))
        self.threads = [
            threading.Thread(target=serve, daemon=True)
            for serve in (self._serve, self._serve_streams)
        ]

    def __enter__(self) -> Self:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        for each in (self.socket, self.stream):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)  # wakes its thread
        for thread in self.threads:
            thread.join(5)
        self.socket.close()
        self.stream.close()

    def _serve(self) -> None:
        try:
            while True:
                packet, client = self.socket.recvfrom(4096)
                if not packet:
                    return
                self.asked += 1
                answer = self._answer(packet, self.cut)
                if not self.silent and question(packet)[0] not in self.late:
                    self.socket.sendto(answer, client)
        except OSError:
            return  # closed

    def _serve_streams(self) -> None:
        """One question after the other, each in a frame of its length."""
        try:
            while True:
                with self.stream.accept()[0] as client, client.makefile("rb") as questions:
                    client.settimeout(5)
                    while size := questions.read(2):
                        answer = self._answer(questions.read(int.from_bytes(size)), False)
                        self.streamed += 1
                        client.sendall(len(answer).to_bytes(2) + answer)
        except OSError:
            return  # closed

    def _answer(self, packet: bytes, cut: bool) -> bytes:
        name, kind, asked = question(packet)
        self.questions.add(name)
        number = struct.unpack_from("!H", packet)[0]
        addresses = self.names.get(name, "").split()
        records = [record(a) for a in addresses if kind == TYPES[family(a)] and not cut]
        flags = (0x8180 if addresses else 0x8183) | (CUT if cut else 0)
        return HEADER.pack(number, flags, 1, len(records), 0, 0) + asked + b"".join(records)
