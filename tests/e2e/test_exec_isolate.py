# SPDX-License-Identifier: Apache-2.0
"""Goal: an isolated command, run by an ordinary user, reaches sidekey and nothing else, and finds
no secret in any file; where that cannot be had, it says why and runs nothing."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import processes
from fakes.execs import ORDINARY, PYTHON, SCOPES_ABI, Execs, can_isolate, landlock_abi
from fakes.sidekey import SANITIZED
from fakes.wire import wait_for
from fakes.world import World

ISOLATE = ("--isolate",)
UNSHARE = shutil.which("unshare")

# Each attempt by its name; what is printed is the names of those that came through. PLACES says
# where the test has put services that answer.
ATTEMPTS = """
import ctypes, ctypes.util, json, os, socket, sys
places = json.loads(os.environ["PLACES"])
libc = ctypes.CDLL(None, use_errno=True)
KEYCTL = 219 if os.uname().machine == "aarch64" else 250
def dial(family, address, kind=socket.SOCK_STREAM):
    with socket.socket(family, kind) as s:
        s.settimeout(3)
        s.connect(address)
        return True
def send(family, address):
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        return s.sendto(b"x" * 12, address) > 0
def must(result):
    if result < 0:
        raise OSError(ctypes.get_errno())
    return True
def holds(path, text):
    with open(path) as file:
        return text in file.read()
def nested():
    # Root of namespaces of its own takes away what covers a file of the ones around them.
    must(libc.unshare(0x10000000 | 0x00020000))  # CLONE_NEWUSER | CLONE_NEWNS
    for path in (places["secret"], os.path.dirname(places["secret"]), "/run", "/tmp"):
        libc.umount2(path.encode(), 2)
    return holds(places["secret"], "secret")
attempts = {
    "loopback": lambda: dial(socket.AF_INET, ("127.0.0.1", places["port"])),
    "loopback by name": lambda: bool(socket.create_connection(("localhost", places["port"]), 3)),
    "another loopback": lambda: dial(socket.AF_INET, ("127.1.2.3", places["port"])),
    "loopback IPv6": lambda: dial(socket.AF_INET6, ("::1", places["port6"])),
    "mapped IPv6": lambda: dial(socket.AF_INET6, ("::ffff:127.0.0.1", places["port"])),
    "the host's address": lambda: dial(socket.AF_INET, (places["host"], places["port"])),
    "the internet": lambda: dial(socket.AF_INET, ("192.0.2.1", 443)),
    "metadata": lambda: dial(socket.AF_INET, ("169.254.169.254", 80)),
    "datagram": lambda: send(socket.AF_INET, ("192.0.2.1", 53)),
    "link-local": lambda: send(socket.AF_INET6, ("fe80::1", 53, 0, 1)),
    "all nodes": lambda: send(socket.AF_INET6, ("ff02::1", 53)),
    "DNS": lambda: bool(socket.getaddrinfo("example.com", 443)),
    "raw": lambda: bool(socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)),
    "raw IPv6": lambda: bool(socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58)),
    "packets": lambda: bool(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3)),
    "virtual machine's host": lambda: bool(socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)),
    "socket in /tmp": lambda: dial(socket.AF_UNIX, places["tmp"]),
    "socket at home": lambda: dial(socket.AF_UNIX, places["home"]),
    "socket beside the work": lambda: dial(socket.AF_UNIX, places["work"]),
    "socket that was moved": lambda: dial(socket.AF_UNIX, places["moved"]),
    "socket by a relative name": lambda: dial(socket.AF_UNIX, places["relative"]),
    "abstract socket": lambda: dial(socket.AF_UNIX, "\\0" + places["abstract"]),
    "inherited socket": lambda: socket.socket(fileno=places["inherited"]).send(b"x") > 0,
    "secret": lambda: holds(places["secret"], "secret"),
    "secret that was replaced": lambda: holds(places["replaced"], "secret"),
    "secret at home": lambda: holds(places["at home"], "secret"),
    "secret behind a link": lambda: holds(places["linked"], "secret"),
    "profile behind a link": lambda: holds(places["linked profile"], "secret"),
    "TLS key": lambda: holds(places["key"], "PRIVATE KEY"),
    "AWS profile": lambda: holds(places["aws"], "secret"),
    "file in /tmp": lambda: holds(places["file"], "secret"),
    "shared memory": lambda: holds(places["shm"], "secret"),
    "init's memory": lambda: bool(open("/proc/1/mem", "rb")),
    "init's environment": lambda: bool(open("/proc/1/environ", "rb").read()),
    "init's root": lambda: bool(os.listdir("/proc/1/root/")),
    "signal to init": lambda: os.kill(1, 0) is None,
    "sidekey": lambda: os.path.exists(f"/proc/{places['outside']}"),
    "its user": lambda: os.setuid(0) is None,
    "mounts": lambda: must(libc.umount2(b"/run", 2)),
    "host's name": lambda: must(libc.sethostname(b"x", 1)),
    "keys in the kernel": lambda: must(libc.syscall(KEYCTL, 0, -3, 0)),
    "another terminal": lambda: bool(open(places["terminal"], "w")),
    "devices": lambda: bool({"mem", "kmsg", "input", "snd"} & set(os.listdir("/dev"))),
    "groups of processes": lambda: bool(os.listdir("/sys/fs/cgroup")),
    "a device of its own making": lambda: os.mknod("here", 0o20666, os.makedev(1, 1)) is None,
    "nested namespaces": nested,
}
came_through = []
for name, attempt in attempts.items():
    try:
        if attempt():
            came_through.append(name)
    except OSError:
        pass
print(json.dumps(came_through))
"""

# Binds as OpenSSH does for ControlMaster, which gives its socket the name of ControlPath once it
# listens; by a relative name, from the directory in which it goes on.
MASTER = """
import os, socket, sys
with socket.socket(socket.AF_UNIX) as s:
    s.bind("master.AbCdEf")
    os.chmod("master.AbCdEf", 0o777)
    s.listen()
    os.link("master.AbCdEf", "master")
    os.unlink("master.AbCdEf")
    print("listens", flush=True)
    sys.stdin.read()
"""

# Those that succeed without isolation: what shows that the services answer.
REACHABLE = {
    "loopback",
    "loopback by name",
    "loopback IPv6",
    "mapped IPv6",
    "socket in /tmp",
    "socket at home",
    "socket beside the work",
    "socket that was moved",
    "socket by a relative name",
    "abstract socket",
    "inherited socket",
    "secret",
    "secret that was replaced",
    "secret at home",
    "secret behind a link",
    "profile behind a link",
    "TLS key",
    "AWS profile",
    "file in /tmp",
    "shared memory",
    "another terminal",
}

ASK = """
import json, os, urllib.request
body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
request = urllib.request.Request(
    os.environ["OPENAI_BASE_URL"] + "/chat/completions",
    json.dumps(body).encode(),
    {"Content-Type": "application/json", "Authorization": "Bearer " + os.environ["OPENAI_API_KEY"]},
)
with urllib.request.urlopen(request, timeout=30) as answer:
    print(json.load(answer)["choices"][0]["message"]["content"])
"""

pytestmark = pytest.mark.skipif(
    PYTHON is None or not can_isolate(),
    reason="needs a python3 in /usr/bin, user namespaces, and a /proc that is not masked",
)


class Home:
    """The home of an ordinary user, with what a laptop has in it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "home"
        secrets = ("keys", "replaced", "links", "dotfiles", ".aws")
        for name in (*secrets, "work", ".sockets", ".ssh", "run"):
            (self.path / name).mkdir(parents=True)
        self.user = ORDINARY if os.geteuid() == 0 else None
        self.keep("keys/gateway", "secret-of-the-gateway")
        self.keep("replaced/gateway", "another-secret")
        self.keep("key-at-home", "a-secret-that-lies-at-home")
        self.keep("dotfiles/gateway", "a-secret-behind-a-link")
        (self.path / "links/gateway").symlink_to("../dotfiles/gateway")
        self.keep(".aws/credentials", "[default]\naws_secret_access_key = secret\n")
        self.keep("dotfiles/aws", "[default]\nregion = secret\n")
        (self.path / ".aws/config").symlink_to("../dotfiles/aws")
        self.give()

    def keep(self, name: str, text: str) -> Path:
        path = self.path / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def give(self) -> None:
        if self.user is not None:
            for path in [self.path, *self.path.rglob("*")]:
                os.lchown(path, self.user, self.user)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not below /tmp, which is empty in there."""
    with tempfile.TemporaryDirectory(prefix="sk", dir="/var/tmp") as made:
        os.chmod(made, 0o755)
        yield Path(made)


@pytest.fixture
def home(folder: Path) -> Home:
    return Home(folder)


def config(world: World, home: Home) -> dict:
    certificate, key = world.client.write(home.path / "tls", "tls")
    target = world.target(
        apiKey=world.key_arn,
        headers={
            "X-A": f"${{file:{home.path}/keys/gateway}}",
            "X-B": f"${{file:{home.path}/replaced/gateway}}",
            "X-C": f"${{file:{home.path}/key-at-home}}",
            "X-D": f"${{file:{home.path}/links/gateway}}",
        },
        tls={"ca": str(world.ca), "clientCert": str(certificate), "clientKey": str(key)},
    )
    return world.config(target)


@pytest.fixture
def execs(world: World, folder: Path, home: Home) -> Iterator[Execs]:
    for name in ("ca.crt", "tls.crt", "tls.key"):  # which an ordinary user's sidekey reads
        os.chmod(world.folder / "tls" / name, 0o644)
    authority = home.path / "ca.crt"
    shutil.copy(world.ca, authority)
    world.ca = authority
    made = Execs(
        config(world, home),
        folder,
        world.env(HOME=str(home.path), XDG_RUNTIME_DIR="/run/user/0"),
        ORDINARY,
    )
    home.give()
    made.work = home.path / "work"
    yield made
    wait_for(made.is_gone, 20, "the end of everything")


def listen(stack: contextlib.ExitStack, family: int, address) -> socket.socket:
    s = stack.enter_context(socket.socket(family))
    if family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.bind(address)
    s.listen()
    if family == socket.AF_UNIX and isinstance(address, str) and address[0] == "/":
        os.chmod(address, 0o777)
    return s


def master(stack: contextlib.ExitStack, home: Home, place: Path) -> Path:
    """Of the same user: who else stands where is not for everybody to see."""
    user = {} if home.user is None else {"user": home.user, "group": home.user, "extra_groups": []}
    run = stack.enter_context(
        subprocess.Popen(
            [str(PYTHON), "-c", MASTER],
            cwd=place,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            **user,
        )
    )
    assert run.stdout and run.stdout.readline() == "listens\n"
    return place / "master"


@pytest.fixture
def places(home: Home) -> Iterator[dict]:
    """Services and secrets of the host, of which none is an isolated command's business."""
    with contextlib.ExitStack() as stack:
        tmp = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sk", dir="/tmp")))
        tmp.chmod(0o755)
        (tmp / "file").write_text("secret")
        shm = stack.enter_context(tempfile.NamedTemporaryFile("w", dir="/dev/shm"))
        shm.write("secret")
        shm.flush()
        os.chmod(shm.name, 0o644)
        paths = {"tmp": tmp / "s", "home": home.path / ".sockets/docker.sock"}
        paths["work"] = home.path / "work" / "agent.sock"
        for path in paths.values():
            listen(stack, socket.AF_UNIX, str(path))
        paths["moved"] = home.path / ".ssh" / "cm"
        listen(stack, socket.AF_UNIX, str(home.path / ".ssh" / "cm.AbCdEf"))
        os.link(home.path / ".ssh" / "cm.AbCdEf", paths["moved"])
        os.unlink(home.path / ".ssh" / "cm.AbCdEf")
        paths["relative"] = master(stack, home, home.path / "run")
        abstract = f"sidekey-isolate-{os.getpid()}"
        listen(stack, socket.AF_UNIX, "\0" + abstract)
        terminal, name = os.openpty()
        stack.callback(os.close, terminal)
        stack.callback(os.close, name)
        os.chmod(os.ttyname(name), 0o666)
        ours, theirs = socket.socketpair()
        stack.enter_context(ours)
        stack.enter_context(theirs)
        port = listen(stack, socket.AF_INET, ("127.0.0.1", 0)).getsockname()[1]
        port6 = port
        with contextlib.suppress(OSError):
            port6 = listen(stack, socket.AF_INET6, ("::1", 0)).getsockname()[1]
        yield {
            **{name: str(path) for name, path in paths.items()},
            "abstract": abstract,
            "inherited": theirs.fileno(),
            "port": port,
            "port6": port6,
            "host": socket.gethostbyname(socket.gethostname()),
            "secret": str(home.path / "keys/gateway"),
            "replaced": str(home.path / "replaced/gateway"),
            "at home": str(home.path / "key-at-home"),
            "linked": str(home.path / "dotfiles/gateway"),
            "linked profile": str(home.path / "dotfiles/aws"),
            "key": str(home.path / "tls/tls.key"),
            "aws": str(home.path / ".aws/credentials"),
            "file": str(tmp / "file"),
            "shm": shm.name,
            "terminal": os.ttyname(name),
            "outside": os.getpid(),
        }


def attempt(execs: Execs, places: dict, run) -> set[str]:
    execs.env["PLACES"] = json.dumps(places)
    done = run(str(PYTHON), "-c", ATTEMPTS, pass_fds=[places["inherited"]])
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


def test_nothing_but_sidekey(execs: Execs, places: dict) -> None:
    seen = attempt(execs, places, execs.directly)
    assert REACHABLE - {"loopback IPv6", "mapped IPv6"} <= seen, "the test reaches nothing"
    assert attempt(execs, places, lambda *c, **o: execs.run(*c, options=ISOLATE, **o)) == set()


def test_call(execs: Execs, world: World) -> None:
    done = execs.run(str(PYTHON), "-c", ASK, options=ISOLATE)
    assert (done.returncode, done.stdout) == (0, "You said: hello\n"), done.stderr
    assert done.stderr == "" or landlock_abi() < SCOPES_ABI
    assert world.api.last().header("x-a") == "secret-of-the-gateway"


def test_rotated_while_it_runs(execs: Execs, home: Home) -> None:
    """A secret file that is replaced under its name stays out of sight."""
    script = "echo begun; read line; cat ../keys/gateway ../replaced/gateway; echo end"
    with execs.start("/bin/sh", "-c", script, options=ISOLATE, stdin=subprocess.PIPE) as run:
        assert run.stdout and run.stdout.readline() == "begun\n"
        home.keep("replaced/new", "the-next-secret").rename(home.path / "replaced/gateway")
        home.give()
        out, _ = run.communicate("\n", timeout=20)
    assert out == "end\n"


def test_place(execs: Execs, home: Home) -> None:
    """The working directory is as it was, and what is written there stays; the rest is empty."""
    script = (
        "set -e; pwd; id -u; echo done > result; ls -A /tmp /run /dev/shm ~/.aws ../keys; "
        "grep -c . /proc/net/route; grep Cap /proc/self/status; ls /proc | grep -c '^[0-9]'"
    )
    done = execs.run("/bin/bash", "-c", script, options=ISOLATE)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == str(home.path / "work")
    assert lines[1] == str(os.geteuid() if execs.user is None else execs.user)
    listed = [line for line in lines[2:] if line]
    wanted = ["../keys:", "/dev/shm:", "/run:", "/tmp:", f"{home.path}/.aws:"]
    assert sorted(listed[:5]) == sorted(wanted)
    assert listed[5] == "1", "a route leads out"
    assert [line.split()[1] for line in listed[6:11]] == ["0" * 16] * 5
    assert int(listed[11]) <= 5, "it sees other processes"
    assert (home.path / "work" / "result").read_text() == "done\n"


def test_authority(execs: Execs, world: World) -> None:
    """The next run would trust whom the command writes there; for programs to read, it is there."""
    script = 'cat "$0"; echo x >>"$0" || mv "$0" "$0.old" || rm -f "$0"'
    before = world.ca.read_text()
    done = execs.run("/bin/sh", "-c", script, str(world.ca), options=ISOLATE)
    assert done.returncode != 0 and done.stdout == before, done.stderr
    assert world.ca.read_text() == before and not world.ca.with_suffix(".crt.old").exists()
    done = execs.directly("/bin/sh", "-c", script, str(world.ca))
    assert done.returncode == 0 and world.ca.read_text() != before, "the test can write nothing"


def findings(done: subprocess.CompletedProcess) -> dict[str, str]:
    """What doctor says of each, the worst of it."""
    order = ("ok", "note", "unknown", "weak")
    found: dict[str, str] = {}
    for row in json.loads(done.stdout)["findings"]:
        before = found.get(row["name"], "ok")
        found[row["name"]] = max(before, row["verdict"], key=order.index)
    assert done.returncode == (1 if "weak" in found.values() else 0), done.stdout
    return found


@pytest.mark.parametrize("user", [ORDINARY, 0], ids=["an ordinary user", "root"])
def test_doctor_finds_nothing_weak_in_there(execs: Execs, home: Home, user: int) -> None:
    """Process 1 in there is sidekey's, and no weakness; outside, those that hold secrets are."""
    if execs.user is not None:
        execs.user = home.user = user
        home.give()
    doctor = (str(execs.program), "doctor", "--as-agent", "--json")
    outside, inside = findings(execs.run(*doctor)), execs.run(*doctor, options=ISOLATE)
    assert outside["shared_pid_namespace"] == "weak"
    assert "weak" not in findings(inside).values(), inside.stdout
    assert "process 1 is that of `exec --isolate`" in inside.stdout


def test_work_below_tmp(world: World, home: Home, folder: Path) -> None:
    """It stays, with nothing around it, and without the secrets that lie below it."""
    with tempfile.TemporaryDirectory(prefix="sk", dir="/tmp") as made:
        work = Path(made) / "a" / "b"
        (work / "keys").mkdir(parents=True)
        (work / "keys" / "k").write_text("secret-of-the-gateway")
        (Path(made) / "neighbour").write_text("")
        target = world.target(headers={"X-A": f"${{file:{work}/keys/k}}"})
        execs = Execs(world.config(target), folder, world.env(HOME=str(home.path)))
        execs.work = work
        script = f"pwd; ls -A keys {made}; echo there > result"
        done = execs.run("/bin/sh", "-c", script, options=ISOLATE)
        assert done.stdout == f"{work}\n{made}:\na\n\nkeys:\n", done.stderr
        assert (work / "result").read_text() == "there\n"


@pytest.mark.parametrize("place", [".aws", "keys"])
def test_work_in_a_hidden_place(execs: Execs, home: Home, place: str) -> None:
    """Of the two, the working directory of ~/.aws is refused; a directory of keys is not hidden as a
    whole when the command is started in it, but the secret in it is."""
    execs.work = home.path / place
    done = execs.run("/bin/cat", "gateway" if place == "keys" else "credentials", options=ISOLATE)
    assert "secret" not in done.stdout
    if place == "keys":
        assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_processes_end_with_it(execs: Execs) -> None:
    """In the background too; and orphans are reaped meanwhile."""
    script = "(sleep 0 &); (setsid sleep 60 &); echo begun; read line; grep -l Z /proc/[0-9]*/stat"
    with execs.start("/bin/sh", "-c", script, options=ISOLATE, stdin=subprocess.PIPE) as run:
        assert run.stdout and run.stdout.readline() == "begun\n"
        init = next(p for p in children(run.pid))
        wait_for(lambda: len(children(init)) == 2, 20, "the orphans")
        inside = children(init)
        out, _ = run.communicate("\n", timeout=20)
    assert out == ""
    wait_for(lambda: not any(Path(f"/proc/{p}").exists() for p in [init, *inside]), 20, "the end")


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found]


BOMB = """
import http.client, os, time, urllib.parse
refused = 0
while refused < 20:
    try:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
    except BlockingIOError:
        refused += 1
base = urllib.parse.urlparse(os.environ["OPENAI_BASE_URL"])
for _ in range(3):
    client = http.client.HTTPConnection(base.hostname, base.port, timeout=20)
    key = {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"]}
    client.request("GET", base.path + "/models", headers=key)
    print(client.getresponse().status)
"""


def with_processes(execs: Execs, most: int, *command: str):
    if os.geteuid() != 0:
        pytest.skip("needs root, whose tests run as a user without other processes")
    line = execs.line(*command, options=ISOLATE)
    return execs.directly("/usr/bin/prlimit", f"--nproc={most}", *line)


def test_a_command_that_takes_every_process(execs: Execs) -> None:
    """sidekey needs none of them, and is well; all of them end with the command."""
    done = with_processes(execs, 200, str(PYTHON), "-c", BOMB)
    assert (done.returncode, done.stdout) == (0, "200\n" * 3), done.stderr
    wait_for(execs.is_gone, 20, "the end of everything")
    assert execs.run("/bin/true", options=ISOLATE).returncode == 0


def test_no_process_is_to_be_had(execs: Execs) -> None:
    done = with_processes(execs, 1, "/bin/true")
    assert done.returncode == 1
    assert "may have no further process" in done.stderr
    assert "user namespaces" not in done.stderr, "which are not to blame"


def test_init_is_killed(execs: Execs) -> None:
    with execs.start("/bin/sleep", "60", options=ISOLATE) as run:
        wait_for(lambda: children(run.pid) and children(children(run.pid)[0]), 20, "the command")
        os.kill(children(run.pid)[0], signal.SIGKILL)
        _, said = run.communicate(timeout=20)
    assert run.returncode == -signal.SIGKILL
    assert "process 1 of the isolated command was killed" in said


@pytest.mark.skipif(SANITIZED, reason="a sanitizer's memory is too large to be searched")
def test_waiting_process_holds_no_secret(execs: Execs, world: World) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to read the memory of others")
    with execs.start("/bin/cat", options=ISOLATE, stdin=subprocess.PIPE) as run:
        wait_for(lambda: children(run.pid) and children(children(run.pid)[0]), 20, "the command")
        for pid in (run.pid, children(run.pid)[0]):
            assert world.found_in(Path(f"/proc/{pid}/environ").read_bytes()) == []
            assert processes.search_memory(pid, world.traces()) == []
        run.communicate(timeout=20)


def test_devices(execs: Execs) -> None:
    """What programs take for granted is there, terminals of its own included."""
    script = (
        "import os, pty\n"
        "assert not os.read(os.open('/dev/null', os.O_RDWR), 1)\n"
        "assert len(open('/dev/urandom', 'rb').read(9)) == 9\n"
        "open('/dev/full', 'rb').close(); open('/dev/zero', 'rb').close()\n"
        "open('/dev/stdin', 'rb').close(); open('/dev/shm/x', 'w').close()\n"
        "one, other = pty.openpty(); os.write(other, b'x')\n"
        "assert os.read(one, 1) == b'x' and os.ttyname(other) == '/dev/pts/0'\n"
    )
    done = execs.run(str(PYTHON), "-c", script, options=ISOLATE)
    assert done.returncode == 0, done.stderr


# ---- where it cannot be had ----


def refused(execs: Execs, before: str, *words: str) -> None:
    """What root of a namespace of its own can set, an administrator may have set."""
    execs.env["SIDEKEY_CONFIG_CONTENT"] = execs.path.read_text()  # the file is nobody's in there
    line = f"{execs.program} exec --isolate -- /usr/bin/touch ran"
    done = execs.directly(str(UNSHARE), "-Urm", "/bin/sh", "-c", f"{before}; exec {line}")
    assert done.returncode == 1, done.stdout + done.stderr
    for word in words:
        assert word in done.stderr, done.stderr
    assert not (execs.work / "ran").exists()


@pytest.mark.skipif(UNSHARE is None, reason="needs unshare(1)")
def test_no_user_namespaces(execs: Execs) -> None:
    refused(
        execs,
        "echo 0 >/proc/sys/user/max_user_namespaces",
        "--isolate needs user namespaces",
        "user.max_user_namespaces",
        "kernel.unprivileged_userns_clone=1",
        "or go without --isolate",
    )


@pytest.mark.skipif(UNSHARE is None or SANITIZED, reason="needs unshare(1), and no sanitizer")
def test_masked_proc(execs: Execs) -> None:
    """As in a container."""
    refused(execs, "mount -t tmpfs none /proc/tty", "gives no new /proc", "must not be masked")


def test_faults_of_the_configuration_come_first(world: World, folder: Path) -> None:
    execs = Execs({"targets": {}}, folder, world.env())
    done = execs.run(sys.executable, "-c", "", options=ISOLATE)
    assert done.returncode == 2 and "targets" in done.stderr
    wait_for(execs.is_gone, 20, "the end of everything")
