# SPDX-License-Identifier: Apache-2.0
"""Goal: a secret in a file is followed when the file changes, however that is done, and outlives
the file; a file that does not change is not read again."""

import ctypes
import json
import os
import shutil
import time
from pathlib import Path

import pytest
from fakes.agent import Agent
from fakes.sidekey import SANITIZED, Sidekey
from fakes.wire import wait_for
from fakes.world import World

SEEN_SECONDS = 30 if SANITIZED else 15
NEWER = "sk-newer-" + "7" * 44
IN_OPEN = 0x20


def chat(sidekey: Sidekey) -> int:
    with Agent(sidekey.port) as agent:
        return agent.chat().status


def slot(sidekey: Sidekey) -> dict:
    return json.loads(sidekey.admin("/readyz")[1])["slots"]["main.apiKey"]


def begin(world: World, start, path: Path, **sections) -> Sidekey:
    target = world.target(apiKey=f"file:{path}")
    del target["cloudflareAccess"]
    world.api.access = None
    return start(world.config(target, **sections), {})


@pytest.fixture
def key_file(plain_world: World, tmp_path: Path) -> Path:
    path = tmp_path / "keys" / "key"
    path.parent.mkdir()
    path.write_text(plain_world.key + "\n")
    return path


def rewrite(path: Path) -> None:
    path.write_text(NEWER)


def rename(path: Path) -> None:
    fresh = path.with_name("fresh")
    fresh.write_text(NEWER)
    fresh.rename(path)


def rewrite_with_the_old_time(path: Path) -> None:
    """As `cp --preserve` and `touch -r` do: the time of the content lies."""
    before = path.stat()
    path.write_text(NEWER[: before.st_size].ljust(before.st_size, "x"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert path.stat().st_size == before.st_size


@pytest.mark.parametrize("change", [rewrite, rename, rewrite_with_the_old_time])
def test_a_change_is_followed(plain_world: World, start, key_file: Path, change) -> None:
    sidekey = begin(plain_world, start, key_file)
    assert chat(sidekey) == 200
    change(key_file)
    plain_world.api.key = key_file.read_text()
    wait_for(lambda: chat(sidekey) == 200, SEEN_SECONDS, "the new key")
    assert slot(sidekey)["version"] == 2


def test_two_changes_within_one_tick_of_the_file_system(
    plain_world: World, start, key_file: Path
) -> None:
    """Same size, same inode, perhaps the same times: what is young is not trusted."""
    sidekey = begin(plain_world, start, key_file)
    size = key_file.stat().st_size
    for letter in "abc":
        key_file.write_text(letter * size)
    plain_world.api.key = "c" * size
    wait_for(lambda: chat(sidekey) == 200, SEEN_SECONDS, "the last key")


def test_kubernetes_swaps_a_link_above(plain_world: World, start, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    for name, value in (("..1", plain_world.key), ("..2", NEWER)):
        (volume / name).mkdir(parents=True)
        (volume / name / "key").write_text(value)
    (volume / "..data").symlink_to("..1")
    (volume / "key").symlink_to("..data/key")
    sidekey = begin(plain_world, start, volume / "key")
    assert chat(sidekey) == 200
    (volume / "..data_tmp").symlink_to("..2")
    (volume / "..data_tmp").rename(volume / "..data")
    shutil.rmtree(volume / "..1")
    plain_world.api.key = NEWER
    wait_for(lambda: chat(sidekey) == 200, SEEN_SECONDS, "the new volume's key")


def test_a_file_that_vanishes(plain_world: World, start, key_file: Path) -> None:
    sidekey = begin(plain_world, start, key_file)
    away = key_file.with_name("away")
    key_file.rename(away)
    wait_for(lambda: slot(sidekey)["state"] == "stale", SEEN_SECONDS, "it is missed")
    assert slot(sidekey)["error"] == "NoSuchFile"
    assert slot(sidekey).get("next_attempt_seconds", 0) <= 2
    assert chat(sidekey) == 200 and sidekey.readiness() == 200
    away.rename(key_file)
    wait_for(lambda: slot(sidekey)["state"] == "fresh", SEEN_SECONDS, "it is back")
    assert "error" not in slot(sidekey) and slot(sidekey)["version"] == 1


def test_a_file_that_turns_bad_and_good_again(
    plain_world: World, start, key_file: Path
) -> None:
    sidekey = begin(plain_world, start, key_file)
    key_file.write_text("two\nlines")
    wait_for(lambda: slot(sidekey)["state"] == "stale", SEEN_SECONDS, "it is refused")
    assert slot(sidekey)["error"] == "BadCharacter"
    assert chat(sidekey) == 200, "the value before is kept"
    key_file.write_text(NEWER)
    plain_world.api.key = NEWER
    wait_for(lambda: chat(sidekey) == 200, SEEN_SECONDS, "the new key")


def test_a_file_that_comes_later(plain_world: World, start, key_file: Path) -> None:
    key_file.unlink()
    target = plain_world.target(apiKey=f"file:{key_file}")
    del target["cloudflareAccess"]
    plain_world.api.access = None
    sidekey = start(plain_world.config(target), {}, wait=False)
    sidekey.wait_listening()
    wait_for(lambda: slot(sidekey).get("error") == "NoSuchFile", 10, "it is missed")
    key_file.write_text(plain_world.key)
    sidekey.wait_ready(SEEN_SECONDS)
    assert chat(sidekey) == 200


def make_folder(path: Path) -> None:
    path.mkdir()


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_link_out(path: Path) -> None:
    path.symlink_to("/etc/passwd")


@pytest.mark.parametrize(
    ("make", "kind"),
    [(make_folder, "NotAFile"), (make_pipe, "NotAFile"), (make_link_out, "PermissionDenied")],
)
def test_what_is_no_file_of_ours(plain_world: World, start, key_file: Path, make, kind) -> None:
    """A pipe must not hold the keeper; a link must not lead out of the folder."""
    key_file.unlink()
    make(key_file)
    target = plain_world.target(apiKey=f"file:{key_file}")
    sidekey = start(plain_world.config(target), plain_world.env(), wait=False)
    sidekey.wait_listening()
    wait_for(lambda: slot(sidekey).get("error") == kind, 10, "the reason")
    wait_for(lambda: sidekey.records(error_type=kind), 5, "the log")
    assert slot(sidekey)["state"] == "missing"


class Opens:
    """When a file was opened last, by inotify; the clock starts with the watch."""

    def __init__(self, path: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.inotify_init1(os.O_NONBLOCK)
        assert libc.inotify_add_watch(self.fd, str(path).encode(), IN_OPEN) > 0
        self.last, self.count = time.monotonic(), 0

    def quiet_seconds(self) -> float:
        try:
            while os.read(self.fd, 4096):
                self.last, self.count = time.monotonic(), self.count + 1
        except BlockingIOError:
            pass
        return time.monotonic() - self.last


@pytest.mark.once
def test_a_file_at_rest_is_not_read_again(plain_world: World, start, key_file: Path) -> None:
    sidekey = begin(plain_world, start, key_file)
    opens = Opens(key_file)
    wait_for(lambda: opens.quiet_seconds() > 6, 40, "three looks without a read")
    assert slot(sidekey)["state"] == "fresh"
    count = opens.count
    os.utime(key_file)
    wait_for(lambda: opens.quiet_seconds() >= 0 and opens.count > count, SEEN_SECONDS, "a read")
    os.close(opens.fd)
