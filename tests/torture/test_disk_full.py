# SPDX-License-Identifier: Apache-2.0
"""Goal: a log that cannot be written holds nobody up, and tells of its gap when it can."""

import ctypes
import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from fakes import processes
from fakes.agent import CHAT, STREAM, Agent
from fakes.apibase import Act
from fakes.sidekey import Sidekey, environment, program
from fakes.wire import wait_for
from fakes.world import World

SECONDS = 30
DISK_BYTES = 64 * 1024
PIPE_BYTES = 16384
LOST = "lines of the log were lost"
MS_NOSUID_NODEV = 6
CLONE_NEWNS = 0x20000
MS_REC_PRIVATE = 0x44000


class Logged(Sidekey):
    """Its log goes where the test says."""

    def __init__(self, out: int, *arguments, **options) -> None:
        super().__init__(*arguments, **options)
        self.out = out

    def start(self) -> "Logged":
        self.process = subprocess.Popen(
            [str(program()), *self.arguments],
            env=environment(self.env),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=self.out,
            stderr=self.out,
        )
        return self

    def wait_end(self, seconds: float = 35) -> int:
        assert self.process
        return self.process.wait(seconds)


Begin = Callable[[int], Logged]


@pytest.fixture
def begin(plain_world: World, tmp_path: Path) -> Iterator[Begin]:
    with ExitStack() as stack:

        def run(out: int, **sections) -> Logged:
            config = plain_world.config(**sections)
            return stack.enter_context(Logged(out, config, tmp_path, plain_world.env()))

        yield run


def calls(sidekey: Sidekey, count: int) -> None:
    with Agent(sidekey.port) as agent:
        assert {agent.chat().status for _ in range(count)} == {200}


def serves(sidekey: Sidekey, world: World) -> None:
    """All that a role could be held up in by its log: calls, streams, the store's turn."""
    calls(sidekey, 40)
    world.api.script(Act(events=20, gap=0.02))
    with Agent(sidekey.port) as agent:
        agent.begin("POST", CHAT, STREAM)
        answer = agent.read_head()
        calls(sidekey, 40)
        assert b"".join(agent.pieces(answer)).endswith(b"[DONE]\n\n")
    before = world.store.fetches()
    os.kill(sidekey.pid, signal.SIGUSR1)
    wait_for(lambda: world.store.fetches() > before, SECONDS, "the keeper works")
    assert sidekey.readiness() == 200


def lines(log: bytes) -> list[dict]:
    """Each whole line is JSON; one that was cut off stands by itself."""
    found = []
    for line in log.split(b"\n"):
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def gaps(log: bytes) -> list[dict]:
    return [r for r in lines(log) if r["msg"].startswith(LOST)]


def counted(log: bytes) -> int:
    """Calls that the log tells of, and ingress's lines that it says were lost."""
    lost = sum(r["lines"] for r in gaps(log) if r["role"] == "ingress")
    return lost + sum(r["msg"] == "call" for r in lines(log))


# ---- disks ----


def test_a_device_that_is_full(plain_world: World, begin: Begin) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    sidekey = begin(full)
    serves(sidekey, plain_world)
    os.close(full)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small one, seen by this test's thread and its children alone."""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a disk")
    place = tmp_path / "disk"
    place.mkdir()
    own, here = os.open("/proc/thread-self/ns/mnt", os.O_RDONLY), Path.cwd()
    try:
        if libc.unshare(CLONE_NEWNS) != 0:
            pytest.skip("mount namespaces are not to be had here")
        options = f"size={DISK_BYTES}".encode()
        if (
            libc.mount(None, b"/", None, MS_REC_PRIVATE, None) != 0
            or libc.mount(b"disk", bytes(place), b"tmpfs", MS_NOSUID_NODEV, options) != 0
        ):
            pytest.skip(f"mount: {os.strerror(ctypes.get_errno())}")
        yield place
    finally:
        libc.umount2(bytes(place), 2)
        libc.setns(own, CLONE_NEWNS)
        os.close(own)
        os.chdir(here)


def fill(place: Path) -> Path:
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return filler


def test_a_disk_that_is_full_for_a_while(plain_world: World, begin: Begin, disk: Path) -> None:
    path = disk / "log"
    with path.open("ab") as file:
        sidekey = begin(file.fileno())
    filler = fill(disk)
    size = path.stat().st_size
    serves(sidekey, plain_world)
    assert path.stat().st_size < size + 4096, "the disk was full"
    filler.unlink()
    calls(sidekey, 3)
    wait_for(lambda: counted(path.read_bytes()) >= 84, what="every call is told, or counted")
    log = path.read_bytes()
    told = [r for r in gaps(log) if r["role"] == "ingress"]
    assert len(told) == 1 and told[0]["lines"] > 40
    cut = [line for line in log.split(b"\n")[:-1] if line and not line.endswith(b"}")]
    assert len(cut) <= 1, "what the full disk cut off stands by itself"
    assert len(lines(log)) + len(cut) == len([line for line in log.split(b"\n") if line])


# ---- pipes and sockets ----


def test_a_reader_that_is_gone(plain_world: World, begin: Begin) -> None:
    ours, theirs = os.pipe()
    sidekey = begin(theirs)
    os.close(theirs)
    os.close(ours)
    serves(sidekey, plain_world)


def read_all(fd: int) -> bytes:
    log = b""
    while select.select([fd], [], [], 0.2)[0] and (piece := os.read(fd, 65536)):
        log += piece
    return log


def goes_on_after_a_gap(world: World, sidekey: Logged, ours: int) -> None:
    serves(sidekey, world)
    first = read_all(ours)
    calls(sidekey, 2)
    log = first + read_all(ours)
    assert gaps(log)
    assert counted(log) >= 83
    assert lines(log)[-1]["msg"] == "call"
    assert world.found_in(log) == []


def test_a_pipe_that_nobody_reads(plain_world: World, begin: Begin) -> None:
    ours, theirs = os.pipe()
    fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    sidekey = begin(theirs)
    goes_on_after_a_gap(plain_world, sidekey, ours)
    while select.select([], [theirs], [], 0)[1]:
        calls(sidekey, 1)
    pids = sidekey.children()
    before = [processes.cpu_seconds(pid) for pid in pids]
    time.sleep(1)
    for pid, was in zip(pids, before, strict=True):
        assert processes.cpu_seconds(pid) - was < 0.5, "nobody tries again and again"
    assert os.get_blocking(theirs), "others write there too, and may want to wait"
    os.close(theirs)
    assert sidekey.stop() == 0
    os.close(ours)


def test_a_socket_that_nobody_reads(plain_world: World, begin: Begin) -> None:
    """As a service's log goes to journald."""
    ours, theirs = socket.socketpair()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, PIPE_BYTES)
    sidekey = begin(theirs.fileno())
    goes_on_after_a_gap(plain_world, sidekey, ours.fileno())
    theirs.close()
    assert sidekey.stop() == 0
    ours.close()


def test_a_fifo_that_nobody_reads(plain_world: World, begin: Begin, tmp_path: Path) -> None:
    """With a name, for which the kernel does not know how to write without a wait."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    ours = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    theirs = os.open(path, os.O_WRONLY)
    fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    sidekey = begin(theirs)
    goes_on_after_a_gap(plain_world, sidekey, ours)
    os.close(theirs)
    assert sidekey.stop() == 0
    os.close(ours)


def test_a_terminal_that_is_stopped(plain_world: World, begin: Begin) -> None:
    ours, theirs = os.openpty()
    sidekey = begin(theirs)
    serves(sidekey, plain_world)  # and nobody reads what the terminal shows
    os.close(theirs)
    assert sidekey.stop() == 0
    os.close(ours)


def test_no_standard_error_at_all(plain_world: World, tmp_path: Path) -> None:
    """What is opened first must not take its place, and get the log."""
    shell = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]
    with Sidekey(plain_world.config(), tmp_path, plain_world.env(), wrap=shell) as sidekey:
        serves(sidekey, plain_world)
        for pid in sidekey.children():
            assert os.readlink(f"/proc/{pid}/fd/2") == "/dev/null"


# ---- exec ----


def test_exec_with_its_log_on_a_full_disk(plain_world: World, tmp_path: Path) -> None:
    path = tmp_path / "sidekey.yaml"
    path.write_text(json.dumps(plain_world.config()))
    path.chmod(0o600)
    agent = (
        "import os, urllib.request as u;"
        "r = u.Request(os.environ['OPENAI_BASE_URL'] + '/models',"
        " headers={'Authorization': 'Bearer ' + os.environ['OPENAI_API_KEY']});"
        "print([u.urlopen(r, timeout=20).status for _ in range(20)])"
    )
    command = [str(program()), "exec", "-c", str(path), "--log", "/dev/full", "--"]
    done = subprocess.run(
        [*command, "python3", "-c", agent],
        env=environment(plain_world.env()),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str([200] * 20)
