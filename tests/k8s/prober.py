# SPDX-License-Identifier: Apache-2.0
"""Run inside a network namespace as a user without a power: tries what it is asked, and says how
each try ended.

    prober.py UID[:GROUP]  JSON comes in: [{"how": ..., "address": ..., "port": ...}, ...];
                           JSON goes out: ["ok", "ECONNREFUSED", "timeout", ...]
    prober.py UID serve    answers on all addresses and ports that come in, until its input ends
"""

import contextlib
import ctypes
import errno
import json
import os
import selectors
import socket
import sys

SECONDS = 1
PR_SET_DUMPABLE = 4
PR_SET_NO_NEW_PRIVS = 38
CLONE_NEWUSER = 0x10000000
SIDEKEY = 65532
LIBC = ctypes.CDLL(None, use_errno=True)


def become(uid, *groups):
    if uid:
        os.setgroups(groups)
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        # Else its own /proc files are root's, as they would not be after an exec.
        LIBC.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
    LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def exchange(sock, where):
    sock.settimeout(SECONDS)
    sock.connect((where["address"], where["port"]))
    sock.sendall(b"hello")
    return "ok" if sock.recv(16) == b"hello" else "nothing"


def tcp(where):
    with socket.socket(family(where["address"]), socket.SOCK_STREAM) as sock:
        return exchange(sock, where)


def udp(where):
    with socket.socket(family(where["address"]), socket.SOCK_DGRAM) as sock:
        return exchange(sock, where)


def connect(where):
    with socket.socket(family(where["address"]), socket.SOCK_STREAM) as sock:
        sock.settimeout(SECONDS)
        sock.connect((where["address"], where["port"]))
        return "ok"


def unix(where):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.connect(where["address"])
        return "ok"


def echo(where):
    """A ping, which takes no power where the kernel's ping_group_range allows it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as sock:
        sock.settimeout(SECONDS)
        sock.connect((where["address"], 0))
        sock.send(bytes([8, 0, 0, 0, 0, 0, 0, 0]))
        return "ok" if sock.recv(64) else "nothing"


def raw(where):
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP) as sock:
        return "ok" if sock.sendto(b"\0" * 20, (where["address"], 0)) else "nothing"


def packet(where):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x800)) as sock:
        return "ok" if sock else "nothing"


def by_loopback(where):
    with socket.socket(family(where["address"]), socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
        return exchange(sock, where)


def as_sidekey(where):
    """Takes sidekey's uid outright."""
    os.setresuid(SIDEKEY, SIDEKEY, SIDEKEY)
    return tcp(where)


def named_sidekey(where):
    """Is sidekey's uid in a user namespace of its own making. In a child: it cannot be undone."""
    outside = os.geteuid()
    pid = os.fork()
    if pid == 0:
        code = 255
        try:
            if LIBC.unshare(CLONE_NEWUSER) != 0:
                os._exit(254)
            with open("/proc/self/uid_map", "w") as file:
                file.write(f"{SIDEKEY} {outside} 1")
            assert os.geteuid() == SIDEKEY
            code = 0 if tcp(where) == "ok" else 1
        except OSError as error:
            code = error.errno or 253
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return {0: "ok", 254: "no user namespaces"}.get(code) or errno.errorcode.get(code, "timeout")


def attempt(where):
    try:
        return globals()[where["how"]](where)
    except TimeoutError:
        return "timeout"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))


def listen(where):
    kind = socket.SOCK_DGRAM if where["how"] == "udp" else socket.SOCK_STREAM
    sock = socket.socket(family(where["address"]), kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((where["address"], where["port"]))
    if kind == socket.SOCK_STREAM:
        sock.listen()
    return sock


def answer(sock):
    with contextlib.suppress(OSError):
        if sock.type == socket.SOCK_DGRAM:
            data, peer = sock.recvfrom(64)
            sock.sendto(data, peer)
            return
        caller, _ = sock.accept()
        with caller:
            caller.settimeout(SECONDS)
            caller.sendall(caller.recv(64))


def serve(places):
    with selectors.DefaultSelector() as ready:
        for place in places:
            ready.register(listen(place), selectors.EVENT_READ)
        ready.register(sys.stdin, selectors.EVENT_READ)
        print("listening", flush=True)
        while True:
            for key, _ in ready.select():
                if key.fileobj is sys.stdin:
                    return
                answer(key.fileobj)


def main():
    asked = json.loads(sys.stdin.readline())
    become(*map(int, sys.argv[1].split(":")))
    if sys.argv[2:] == ["serve"]:
        serve(asked)
    else:
        print(json.dumps([attempt(where) for where in asked]))


main()
