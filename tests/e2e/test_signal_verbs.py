# SPDX-License-Identifier: Apache-2.0
"""Goal: `sidekey reload` and `sidekey refresh` reach the sidekey that is meant, and say how it
went."""

import json
import os
import shutil
import subprocess
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml
from fakes.reload import IN_FORCE, SECONDS, generation, rewrite, told, wait_told
from fakes.secretsmanager import Fault
from fakes.sidekey import Sidekey, environment, program, run
from fakes.wire import free_port, wait_for
from fakes.world import World


@pytest.fixture
def own_name(monkeypatch, tmp_path: Path) -> str:
    """The program under a name of this test's own, so that no other test's is found."""
    name = f"sk{os.getpid()}{threading.get_native_id()}"[:15]
    copy = tmp_path / name
    shutil.copy(program(), copy)
    monkeypatch.setenv("SIDEKEY", str(copy))
    return name


def file_of(sidekey: Sidekey) -> str:
    return str(sidekey.folder / "sidekey.yaml")


@pytest.fixture
def named(own_name: str, world: World, start) -> Sidekey:
    return start(world.config(), world.env())


def test_reload_verb(world: World, named: Sidekey) -> None:
    done = run("reload", "-c", file_of(named), env=world.env())
    assert (done.returncode, done.stdout) == (
        0,
        "the new configuration is in force (generation 2)\n",
    )
    assert generation(named) == 2
    done = run("reload", env=world.env())  # it is the only one, and its -c says which file
    assert (done.returncode, generation(named)) == (0, 3)
    done = run("reload", "--no-wait", "--pid", str(named.pid), env=world.env())
    assert (done.returncode, done.stdout) == (0, "")
    wait_told(named, IN_FORCE, generation=4)


def test_reload_verb_says_what_takes_a_restart(world: World, named: Sidekey) -> None:
    """A file with other listeners is in force but for them; and so it stays with the next one."""
    good = "the new configuration is in force (generation {})"
    rewrite(named, world.config(listen=[f"127.0.0.1:{free_port()}"]))
    for number in (2, 3):
        done = run("reload", "-c", file_of(named), env=world.env())
        assert done.returncode == 0
        assert done.stdout.startswith(f"{good.format(number)}, but `listen` and `admin` are what")
        assert "restart" in done.stdout
        assert json.loads(named.admin("/readyz")[1])["restart_needed"] is True
    rewrite(named, world.config())
    done = run("reload", "-c", file_of(named), env=world.env())
    assert (done.returncode, done.stdout) == (0, f"{good.format(4)}\n")
    assert "restart_needed" not in json.loads(named.admin("/readyz")[1])


def test_reload_verb_with_another_admin_port(world: World, named: Sidekey) -> None:
    """Nobody is there whom it could ask; where the old one is named too, that one is asked."""
    moved = free_port()
    rewrite(named, world.config(admin=[f"127.0.0.1:{moved}"]))
    done = run("reload", "-c", file_of(named), env=world.env())
    assert done.returncode == 0 and "is in force" not in done.stdout
    assert "takes a restart" in done.stdout and "its log alone says" in done.stdout
    wait_told(named, IN_FORCE, generation=2)
    rewrite(named, world.config(admin=[f"127.0.0.1:{p}" for p in (moved, named.admin_port)]))
    done = run("reload", "-c", file_of(named), env=world.env())
    assert done.returncode == 0 and "(generation 3), but `listen` and `admin`" in done.stdout


def test_reload_verb_finds_the_faults(world: World, named: Sidekey) -> None:
    path = rewrite(named, world.config())
    path.write_text(path.read_text() + "targetz: {}\n")
    done = run("reload", "-c", str(path), env=world.env())
    assert done.returncode == 2
    line = path.read_text().count("\n")
    assert f"{path}:{line}:1: targetz: " in done.stdout
    assert done.stdout.endswith("sidekey reload: nothing was changed\n")
    assert not told(named, "a fault in the new configuration"), "it was not even asked"


def test_reload_verb_without_a_check(world: World, named: Sidekey) -> None:
    """A variable that only the running one has does not stand in the way."""
    path = rewrite(named, world.config())
    path.write_text(path.read_text() + "hosts: ['${LC_NOBODY_HAS_THIS}']\n")
    assert run("reload", "-c", str(path)).returncode == 2
    done = run("reload", "-c", str(path), "--no-check")
    assert (done.returncode, "its log alone says" in done.stdout) == (0, True)
    wait_told(named, "the new configuration is refused; the running one stays in force")


def test_reload_verb_that_fails(world: World, named: Sidekey) -> None:
    """The configuration can be read, and does not take force before sidekey ends."""
    world.store.fail(Fault("stall"))
    rewrite(named, world.config())
    named.expected_death = True
    results = []

    def verb() -> None:
        results.append(run("reload", "-c", file_of(named), env=world.env()))

    thread = threading.Thread(target=verb)
    thread.start()
    wait_told(named, "reloading")
    assert thread.is_alive()
    assert named.stop(10) == 0
    thread.join(SECONDS)
    assert results[0].returncode == 1
    assert f"is not in force; the log of process {named.pid} says why" in results[0].stdout


def test_refresh_verb(world: World, named: Sidekey) -> None:
    before = world.store.fetches(world.key_arn)
    done = run("refresh", "-c", file_of(named))
    assert (done.returncode, done.stdout) == (0, "")
    wait_for(lambda: world.store.fetches(world.key_arn) > before, SECONDS, "a fresh fetch")


@pytest.mark.parametrize("verb", ["reload", "refresh"])
def test_verb_without_anybody(own_name: str, verb: str) -> None:
    done = run(verb)
    assert done.returncode == 1
    assert done.stdout == f"sidekey {verb}: no sidekey of this user is running here\n"


@pytest.mark.parametrize("verb", ["reload", "refresh"])
def test_verb_s_usage(own_name: str, verb: str) -> None:
    assert run(verb, "--help").returncode == 0
    assert run(verb, "--help").stdout.startswith(f"usage: sidekey {verb} [-c FILE] [--pid PID]")
    for wrong in (["--pid", "0"], ["--pid", "x"], ["-c"], ["more"], ["--sudden"]):
        assert run(verb, *wrong).returncode == 2, wrong
    assert run("refresh", "--no-wait").returncode == 2


def test_verbs_with_several(own_name: str, world: World, start) -> None:
    one, two = (start(world.config(), world.env()) for _ in range(2))
    done = run("refresh")
    assert done.returncode == 1 and "several are running; name one" in done.stdout
    for sidekey in (one, two):
        line = f"  --pid {sidekey.pid}  started with -c {file_of(sidekey)}\n"
        assert line in done.stdout
    assert run("reload", "-c", file_of(two), env=world.env()).returncode == 0
    assert (generation(one), generation(two)) == (1, 2)
    assert run("reload", "--pid", str(one.pid), env=world.env()).returncode == 0
    assert (generation(one), generation(two)) == (2, 2)
    for pid in (os.getpid(), one.children()[0]):
        done = run("refresh", "--pid", str(pid))
        assert done.returncode == 1 and f"process {pid} is not a running sidekey" in done.stdout
    done = run("refresh", "-c", "/nowhere.yaml")
    assert done.returncode == 1 and "was started with -c /nowhere.yaml" in done.stdout


@pytest.mark.parametrize("words", [["--config", ""], ["--config="]])
def test_reload_verb_however_the_file_was_named(
    world: World, own_name: str, tmp_path: Path, words: list[str]
) -> None:
    sidekey = Sidekey(world.config(), tmp_path, world.env())
    sidekey.arguments = ["serve", *words[:-1], words[-1] + file_of(sidekey)]
    with sidekey:
        for arguments in ([], ["-c", file_of(sidekey)]):
            assert run("reload", *arguments, env=world.env()).returncode == 0
        assert generation(sidekey) == 3


def by_variable(world: World, folder: Path, name: str = "SIDEKEY_CONFIG") -> Sidekey:
    """One that is started without -c, and its file (or its text) named by that variable."""
    ports = free_port(), free_port()
    listen = {"listen": [f"127.0.0.1:{ports[0]}"], "admin": [f"127.0.0.1:{ports[1]}"]}
    path = folder / "sidekey.yaml"
    path.write_text(yaml.safe_dump({**world.config(), **listen}))
    path.chmod(0o600)
    value = str(path) if name == "SIDEKEY_CONFIG" else path.read_text()
    sidekey = Sidekey(None, folder, {**world.env(), name: value})
    sidekey.port, sidekey.admin_port = ports
    return sidekey


def test_verbs_find_the_file_of_the_environment(world: World, own_name: str, tmp_path: Path):
    """-c names the file that SIDEKEY_CONFIG named to the one that runs."""
    with by_variable(world, tmp_path) as sidekey:
        before = world.store.fetches(world.key_arn)
        (tmp_path / "other name.yaml").symlink_to(file_of(sidekey))
        for name in (file_of(sidekey), str(tmp_path / "other name.yaml")):
            assert run("refresh", "-c", name, env=sidekey.env).returncode == 0
        wait_for(lambda: world.store.fetches(world.key_arn) > before, SECONDS, "a fresh fetch")
        done = run("reload", "-c", file_of(sidekey), env=sidekey.env)
        assert (done.returncode, generation(sidekey)) == (0, 2)


def test_verbs_do_not_guess_the_file(world: World, own_name: str, tmp_path: Path) -> None:
    """Of one whose file cannot be known, they say how to name it."""
    (tmp_path / "c").mkdir()
    with by_variable(world, tmp_path) as sidekey:
        elsewhere = {**sidekey.env, "SIDEKEY_CONFIG": "/nowhere.yaml"}
        for env in (elsewhere, world.env()):
            done = run("reload", "-c", file_of(sidekey), env=env)
            assert done.returncode == 1 and generation(sidekey) == 1
            assert f"no running sidekey was started with -c {file_of(sidekey)}" in done.stdout
            assert "SIDEKEY_CONFIG" in done.stdout and "--pid" in done.stdout
            assert f"  --pid {sidekey.pid}  started without -c\n" in done.stdout
        done = run("refresh", "-c", "/nowhere.yaml", env=sidekey.env)
        assert done.returncode == 1
    with by_variable(world, tmp_path / "c", "SIDEKEY_CONFIG_CONTENT") as sidekey:
        done = run("reload", "-c", file_of(sidekey), env=sidekey.env)
        assert (done.returncode, generation(sidekey)) == (1, 1)


def test_file_of_c_and_that_of_the_environment(
    world: World, own_name: str, start, tmp_path: Path
) -> None:
    """Which of the two reads the file cannot be known where the environment names it too."""
    named = start(world.config(), world.env())
    (tmp_path / "c").mkdir()
    with by_variable(world, tmp_path / "c") as other:
        env = {**world.env(), "SIDEKEY_CONFIG": file_of(named)}
        done = run("reload", "-c", file_of(named), env=env)
        assert done.returncode == 1 and "several are running; name one" in done.stdout
        assert f"  --pid {other.pid}  started without -c\n" in done.stdout
        assert (generation(named), generation(other)) == (1, 1)
        assert run("reload", "-c", file_of(named), env=world.env()).returncode == 0
        assert run("reload", "--pid", str(named.pid), env=env).returncode == 0
        assert (generation(named), generation(other)) == (3, 1)


@pytest.mark.parametrize("verb", ["reload", "refresh"])
def test_process_that_has_our_name_and_file(
    world: World, own_name: str, tmp_path: Path, verb: str
) -> None:
    """An agent's own program whose arguments name the file does not get the signal instead."""
    program = tmp_path / "agent" / own_name
    program.parent.mkdir()
    shutil.copy("/bin/grep", program)
    with by_variable(world, tmp_path) as sidekey:
        arguments = [str(program), "-c", file_of(sidekey)]
        with subprocess.Popen(arguments, env=environment(), stdin=subprocess.PIPE) as decoy:
            done = run(verb, "-c", file_of(sidekey), env=sidekey.env)
            assert done.returncode == 1 and "several are running; name one" in done.stdout
            assert f"  --pid {decoy.pid}  started with -c {file_of(sidekey)}\n" in done.stdout
            assert f"  --pid {sidekey.pid}  started without -c\n" in done.stdout
            done = run(verb, "--pid", str(sidekey.pid), env=sidekey.env)
            assert done.returncode == 0, done.stdout
            assert decoy.poll() is None, "no signal has ended it"


def test_more_of_our_name_than_are_looked_at(world: World, own_name: str, tmp_path: Path) -> None:
    """The one that is meant may stand behind them."""
    program = tmp_path / "agent" / own_name
    program.parent.mkdir()
    shutil.copy("/bin/grep", program)
    with ExitStack() as stack:
        for i in range(16):
            path = tmp_path / "sidekey.yaml" if i == 0 else f"/{i}.yaml"
            arguments = [str(program), "-c", str(path)]
            stack.enter_context(
                subprocess.Popen(arguments, env=environment(), stdin=subprocess.PIPE)
            )
        with by_variable(world, tmp_path) as sidekey:
            done = run("refresh", "-c", file_of(sidekey), env=world.env())
            assert done.returncode == 1 and "several are running; name one" in done.stdout


def test_process_that_has_our_name(world: World, named: Sidekey, own_name: str, tmp_path: Path):
    """An agent's own program of that name gets the verbs to ask, and nothing else."""
    folder = tmp_path / "agent"
    folder.mkdir()
    shutil.copy("/bin/sh", folder / own_name)
    (folder / "serve").write_text("trap 'echo hit' USR1; echo up; while read x; do :; done\n")
    with subprocess.Popen(
        [str(folder / own_name), "serve"],
        cwd=folder,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as decoy:
        assert decoy.stdout and decoy.stdout.readline() == b"up\n"
        done = run("refresh")
        assert done.returncode == 1 and "several are running" in done.stdout
        before = world.store.fetches(world.key_arn)
        assert run("refresh", "-c", file_of(named)).returncode == 0
        wait_for(lambda: world.store.fetches(world.key_arn) > before, SECONDS, "a fresh fetch")
        decoy.kill()
        assert decoy.stdout.read() == b""
