# SPDX-License-Identifier: Apache-2.0
"""Goal: a command under `sidekey exec` works as if it had been run by itself, finds sidekey by its
environment alone, and finds no secret: neither there nor in the processes beside it."""

import contextlib
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes import processes
from fakes.agent import Agent
from fakes.apibase import ApiBase
from fakes.bedrock import Bedrock
from fakes.execs import ORDINARY, PYTHON, SCOPES_ABI, Execs, can_isolate, landlock_abi
from fakes.pki import Authority, server_context
from fakes.sidekey import ROOT, SANITIZED, environment, program
from fakes.terminal import CTRL_C, CTRL_Z, Terminal
from fakes.wire import free_port, wait_for
from fakes.world import World

AGENTS = ROOT / ".cache" / "venv-agents" / "bin" / "python"
SHELL = "/bin/bash"
Make = Callable[..., Execs]

ASK = """
import json, openai
with openai.OpenAI() as client:
    ask = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
    plain = client.chat.completions.create(**ask).choices[0].message.content
    parts = client.chat.completions.create(**ask, stream=True)
    streamed = "".join(p.choices[0].delta.content or "" for p in parts if p.choices)
print(json.dumps([plain, streamed]))
"""

CONVERSE = """
import boto3
ask = {"modelId": "m", "messages": [{"role": "user", "content": [{"text": "hello"}]}]}
answer = boto3.client("bedrock-runtime").converse(**ask)
print(answer["output"]["message"]["content"][0]["text"])
"""

MESSAGE = """
import anthropic
ask = {"model": "c", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}
print(anthropic.Anthropic().messages.create(**ask).content[0].text)
"""

# What a program can see of how it was started.
SITUATION = """
import json, os, resource, sys
status = dict(l.split(":", 1) for l in open("/proc/self/status").read().splitlines())
names = ("Umask", "SigBlk", "SigIgn", "SigCgt", "Uid", "Gid", "Groups", "CapEff")
said = {n: status[n].strip() for n in names}
said["descriptors"] = {fd: os.readlink(f"/proc/self/fd/{fd}") for fd in sorted(os.listdir(
    "/proc/self/fd")) if os.path.exists(f"/proc/self/fd/{fd}")}
said["place"] = [os.getcwd(), os.getppid(), os.getpgrp() == os.getpid(), os.nice(0)]
said["limits"] = {n: resource.getrlimit(getattr(resource, n)) for n in dir(resource)
                  if n.startswith("RLIMIT_")}
said["children"] = open(f"/proc/self/task/{os.getpid()}/children").read()
print(json.dumps(said))
"""

# Tries what a hostile program of the same user would: each line is a process it could look into.
SNOOP = """
import ctypes, json, os, socket
libc = ctypes.CDLL(None, use_errno=True)
found = []
for pid in filter(str.isdigit, os.listdir("/proc")):
    if int(pid) == os.getpid():
        continue
    for name in ("environ", "mem", "maps", "fd/0", "auxv", "root", "exe"):
        path = f"/proc/{pid}/{name}"
        try:
            if name in ("fd/0", "root", "exe"):
                got = os.readlink(path)
            else:
                with open(path, "rb") as file:
                    got = file.read(1) if name != "mem" else b"open"
        except OSError:
            continue
        if got:
            found.append([int(pid), name])
    try:
        os.kill(int(pid), 0)
        found.append([int(pid), "signal"])
    except OSError:
        pass
    if libc.ptrace(16, int(pid), 0, 0) == 0:  # PTRACE_ATTACH
        found.append([int(pid), "ptrace"])
abstract = socket.socket(socket.AF_UNIX)
try:
    abstract.connect("\\0" + os.environ["ABSTRACT"])
    found.append([0, "abstract socket"])
except OSError:
    pass
print(json.dumps(found))
"""

# Tries to type, in each way that the kernel takes the request; tells the errno of each, 0 where it
# worked, None where this kernel has no such way (or ended the process that tried).
TYPE = """
import ctypes, errno, json, mmap, os, sys, termios
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
IOCTL, X32, PASTE = 16 if os.uname().machine == "x86_64" else 29, 0x40000000 | 514, 0x541C
def page(protection, *flags):
    return mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | sum(flags), protection)
def address(of):
    return ctypes.addressof(ctypes.c_char.from_buffer(of))
def native(number, request):
    done = libc.syscall(ctypes.c_long(number), ctypes.c_long(0), ctypes.c_ulong(request), b"x")
    return ctypes.get_errno() if done < 0 else 0
def i386(number, request):
    low = page(mmap.PROT_READ | mmap.PROT_WRITE, 0x40)  # MAP_32BIT
    low.write(b"x")
    code = page(mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    # push %rbx; mov $number,%eax; mov %edi,%ebx; mov %esi,%ecx; int $0x80; pop %rbx; ret
    code.write(bytes.fromhex("53b8") + number.to_bytes(4, "little"))
    code.write(bytes.fromhex("89fb89f1cd805bc3"))
    kinds = ctypes.c_int, ctypes.c_long, ctypes.c_long, ctypes.c_long
    return max(0, -ctypes.CFUNCTYPE(*kinds)(address(code))(0, request, address(low)))
ways = {
    "plainly": lambda: native(IOCTL, termios.TIOCSTI),
    "with high bits": lambda: native(IOCTL, termios.TIOCSTI | 0xDEADBEEF << 32),
    "pasted": lambda: native(IOCTL, PASTE),
}
if os.uname().machine == "x86_64":
    ways["by x32"] = lambda: native(X32, termios.TIOCSTI)
    ways["by i386"] = lambda: i386(54, termios.TIOCSTI)
    ways["pasted by i386"] = lambda: i386(54, PASTE)
    ways["nothing, by i386"] = lambda: i386(20, 0)  # getpid
told = {}
for name, way in ways.items():
    pid = os.fork()
    if pid == 0:
        os._exit(way())
    status = os.waitpid(pid, 0)[1]
    told[name] = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
json.dump(told, open("told", "w"))
print("over")
"""

# Makes a call for each line that it reads, of the model that stands there.
CALLS = """
import json, os, sys, urllib.error, urllib.request
for line in sys.stdin:
    body = {"model": line.strip(), "messages": [{"role": "user", "content": "hello"}]}
    key = {"Content-Type": "application/json", "Authorization": "Bearer " + os.environ["OPENAI_API_KEY"]}
    url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), key)) as a:
            print(a.status, flush=True)
    except urllib.error.HTTPError as error:
        print(error.code, json.load(error)["error"]["code"], flush=True)
"""

# Says what it meets, a line each, and goes on until it is told to end. A signal that comes just
# before a read would wait for its end: the pipe wakes it up.
WITNESS = """
import os, select, signal, sys
def say(text):
    os.write(1, text.encode() + b"\\n")
def size(*_):
    say(f"window {os.get_terminal_size(0).lines}x{os.get_terminal_size(0).columns}")
seen = []
def meet(number, _):
    seen.append(number)
    say(f"{signal.Signals(number).name} {seen.count(number)}")
woken, wakes = os.pipe()
os.set_blocking(wakes, False)
signal.set_wakeup_fd(wakes)
for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGCONT"):
    signal.signal(getattr(signal, name), meet)
signal.signal(signal.SIGWINCH, size)
say("begun")
while True:
    ready, _, _ = select.select([0, woken], [], [])
    if woken in ready:
        os.read(woken, 64)
    for line in os.read(0, 4096).decode().split() if 0 in ready else ():
        if line == "end":
            sys.exit(5)
        say("read " + line)
"""


@pytest.fixture(params=["as it is", "isolated"])
def options(request) -> tuple[str, ...]:
    if request.param == "as it is":
        return ()
    if not can_isolate():
        pytest.skip("needs user namespaces, and a /proc that is not masked")
    if ROOT.is_relative_to("/tmp") or ROOT.is_relative_to("/run"):
        pytest.skip("the packages are in a folder that --isolate empties")
    return ("--isolate",)


@pytest.fixture
def make(folder: Path) -> Iterator[Make]:
    made: list[Execs] = []

    def one(config: dict, env: dict[str, str], user=None) -> Execs:
        where = folder / f"exec{len(made)}"
        where.mkdir()
        made.append(Execs(config, where, env, user))
        return made[-1]

    yield one
    for execs in made:
        wait_for(execs.is_gone, 20, f"the end of {execs.processes()}")


@pytest.fixture
def execs(plain_world: World, make: Make) -> Execs:
    return make(plain_world.config(), plain_world.env())


def ordinary(make: Make, world: World, **extra: str) -> Execs:
    if PYTHON is None:
        pytest.skip("needs a python3 in /usr/bin, which every user may run")
    return make(world.config(), world.env(**extra), ORDINARY)


# ---- the SDKs, by the environment alone ----


def test_openai(execs: Execs, options, plain_world: World) -> None:
    done = execs.run(sys.executable, "-c", ASK, options=options)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["You said: hello"] * 2
    assert done.stderr == "" or landlock_abi() < SCOPES_ABI
    assert plain_world.api.last().header("authorization") == f"Bearer {plain_world.key}"


def test_bedrock(make: Make, options, plain_world: World) -> None:
    with Bedrock("eu-west-1", principals=plain_world.store.principals) as bedrock:
        target = {"provider": "bedrock", "apiBase": bedrock.url, "region": "eu-west-1"}
        config = {"targets": {"bedrock": {**target, "allowPlaintext": True}}}
        execs = make(config, plain_world.env())
        done = execs.run(sys.executable, "-c", CONVERSE, options=options)
        assert (done.returncode, done.stdout) == (0, "I am m\n"), done.stderr
        assert bedrock.calls[-1].principal == plain_world.principal.arn


@pytest.mark.parametrize(
    ("target", "aws", "env", "region"),
    [
        ({"region": "eu-west-1"}, {}, {"AWS_REGION": "us-west-2"}, "eu-west-1"),
        ({"apiBase": "https://bedrock-runtime.eu-west-2.amazonaws.com"}, {}, {}, "eu-west-2"),
        ({"apiBase": "https://gateway.example/bedrock"}, {"region": "eu-west-3"}, {}, "eu-west-3"),
        ({"aws": {"region": "eu-north-1"}}, {"region": "eu-west-3"}, {}, "eu-north-1"),
        ({}, {}, {"AWS_REGION": "us-west-2"}, "us-west-2"),
        ({"apiBase": "https://gateway.example/bedrock"}, {}, {}, "us-east-1"),
        (
            {"deployments": [{"region": "ca-central-1"}, {"region": "us-east-2"}]},
            {},
            {"AWS_REGION": "us-west-2"},
            "ca-central-1",
        ),
    ],
    ids=["target", "host", "stores", "identity", "environment", "nobody", "deployments"],
)
@pytest.mark.parametrize("key", [{"apiKey": "env:KEY"}, {}], ids=["key", "signed"])
def test_region_of_bedrock(make: Make, plain_world: World, target, aws, env, region, key) -> None:
    """What boto3 is told is what the target says, whether its calls are signed or not."""
    if region == "us-east-1" and not key:
        pytest.skip("who signs for no region is refused")
    if "aws" in target and key:
        pytest.skip("a key stands in the place of an identity")
    bedrock = {"provider": "bedrock", **target, **key}
    targets = {"other": {"apiBase": "https://a.example", "apiKey": "env:KEY"}, "b": bedrock}
    config = plain_world.config(targets=targets, aws=aws, defaultTarget={"openai": "other"})
    execs = make(config, {**plain_world.env(), "AWS_REGION": "", "KEY": "k" * 20, **env})
    done = execs.run("/bin/sh", "-c", "echo $AWS_REGION $AWS_DEFAULT_REGION")
    assert (done.returncode, done.stdout) == (0, f"{region} {region}\n"), done.stderr


@pytest.mark.skipif(not AGENTS.exists(), reason="needs tests/clients/requirements.txt")
def test_anthropic(make: Make, options) -> None:
    with ApiBase("a-key-of-anthropic-0123", prefix="", key_header="x-api-key") as api:
        target = {"provider": "anthropic", "apiBase": api.base, "apiKey": "env:KEY"}
        config = {"targets": {"a": {**target, "allowPlaintext": True}}}
        execs = make(config, {"KEY": "a-key-of-anthropic-0123"})
        done = execs.run(str(AGENTS), "-c", MESSAGE, options=options)
        assert (done.returncode, done.stdout) == (0, "You said: hello\n"), done.stderr


# ---- what it must not see ----


def test_environment(make: Make, options, plain_world: World) -> None:
    target = plain_world.target(apiKey="env:GATEWAY_KEY")
    secrets = {
        "GATEWAY_KEY": plain_world.key,
        "COPY_OF_IT": f"Bearer {plain_world.key}",
        "AWS_EXECUTION_ENV": "real",
        "AWS_PROFILE": "real",
        "OPENAI_API_KEY": "real",
        "SIDEKEY_CONFIG_CONTENT": "real",
    }
    execs = make(plain_world.config(target), plain_world.env(KEPT="yes", **secrets))
    done = execs.run("/bin/cat", "/proc/self/environ", options=options)
    assert done.returncode == 0, done.stderr
    assert plain_world.found_in(done.stdout.encode()) == []
    env = dict(line.split("=", 1) for line in done.stdout.rstrip("\0").split("\0"))
    token, address = env["OPENAI_API_KEY"], env["OPENAI_BASE_URL"]
    assert token.startswith("sk-sidekey-") and address.endswith("/v1")
    inherited = {n for n in environment() if n not in secrets}
    assert set(env) == inherited | {
        "KEPT",
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        "LITELLM_PROXY_API_BASE",
        "LITELLM_PROXY_API_KEY",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_EC2_METADATA_DISABLED",
        "NO_PROXY",
        "no_proxy",
    }
    assert "real" not in env.values()


def test_variable_of_a_role_that_nothing_needs(make: Make, options, plain_world: World) -> None:
    role = {"roleArn": "arn:aws:iam::123456789012:role/llm", "externalId": "env:EXTERNAL"}
    target = {"apiBase": plain_world.api.base, "allowPlaintext": True, "apiKey": "env:KEY"}
    config = {"targets": {"main": target}, "aws": {"assumeRole": role}}
    execs = make(config, plain_world.env(KEY=plain_world.key, EXTERNAL="x-1"))
    done = execs.run("/bin/sh", "-c", "echo ${EXTERNAL-none}", options=options)
    assert (done.returncode, done.stdout) == (0, "none\n"), done.stderr


def test_neighbours(make: Make, options, plain_world: World) -> None:
    """Neither sidekey's processes nor others of the same user, whose environment has the keys."""
    if landlock_abi() < SCOPES_ABI:
        pytest.skip("needs Landlock's sixth ABI (Linux 6.12)")
    name = f"sidekey-test-{os.getpid()}"
    execs = ordinary(make, plain_world, ABSTRACT=name)
    outsider = subprocess.Popen(
        ["/bin/sleep", "60"],
        env={"KEY": plain_world.key},
        user=execs.user,
        group=execs.user,
        extra_groups=[] if execs.user is not None else None,
    )
    with socket.socket(socket.AF_UNIX) as listener, contextlib.closing(listener):
        listener.bind("\0" + name)
        listener.listen()
        try:
            seen = execs.directly(str(PYTHON), "-c", SNOOP)
            assert [outsider.pid, "environ"] in json.loads(seen.stdout), "the test sees nothing"
            assert [0, "abstract socket"] in json.loads(seen.stdout)
            done = execs.run(str(PYTHON), "-c", SNOOP, options=options)
        finally:
            outsider.kill()
            outsider.wait()
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


def test_memory(execs: Execs, plain_world: World) -> None:
    """The watcher and what the command was before keep nothing of the environment."""
    with execs.start("/bin/cat", stdin=subprocess.PIPE) as cat:
        wait_for(
            lambda: "cat" in Path(f"/proc/{cat.pid}/comm").read_text(),
            20,
            "the command",
        )
        for pid in (cat.pid, execs.pid_of("watcher"), execs.pid_of("parent")):
            assert plain_world.found_in(Path(f"/proc/{pid}/environ").read_bytes()) == []
        if os.geteuid() == 0 and not SANITIZED:  # whose memory is too large to be searched
            assert processes.search_memory(execs.pid_of("watcher"), plain_world.traces()) == []
        cat.communicate(timeout=20)


# ---- two side by side ----


def test_two(make: Make, options, plain_world: World) -> None:
    """Each has a port and a token of its own, and neither takes the other's."""
    told = 'echo "$OPENAI_BASE_URL $OPENAI_API_KEY"; read line; exit 3'
    both = [make(plain_world.config(), plain_world.env()) for _ in range(2)]
    runs = [e.start("/bin/sh", "-c", told, options=options, stdin=subprocess.PIPE) for e in both]
    said = [run.stdout.readline().split() for run in runs]
    ports = [int(base.split(":")[2].removesuffix("/v1")) for base, _ in said]
    tokens = [token for _, token in said]
    assert tokens[0] != tokens[1]
    if not options:  # isolated, nobody else reaches either
        assert ports[0] != ports[1]
        for port, own, foreign in zip(ports, tokens, reversed(tokens), strict=True):
            with Agent(port) as agent:
                assert agent.chat().status == 401
                assert agent.chat(headers=[("x-api-key", foreign)]).status == 401
                assert agent.chat(headers=[("x-api-key", own)]).status == 200
    for run in runs:
        run.communicate("\n", timeout=20)
        assert run.returncode == 3


# ---- as if it had been run directly ----


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (["/bin/true"], 0),
        (["/bin/sh", "-c", "exit 7"], 7),
        (["/bin/sh", "-c", "exit 255"], 255),
        (["/bin/sh", "-c", "kill -TERM $$"], -signal.SIGTERM),
        (["/bin/sh", "-c", "kill -KILL $$"], -signal.SIGKILL),
        (["/bin/sh", "-c", "kill -SEGV $$"], -signal.SIGSEGV),
        (["./nothing"], 127),
        (["no-such-command"], 127),
        (["/etc/passwd"], 126),
        (["/"], 126),
    ],
)
def test_status(execs: Execs, options, command: list[str], status: int) -> None:
    done = execs.run(*command, options=options)
    assert done.returncode == status, done.stderr
    assert ("could not be executed" in done.stderr) == (status in (126, 127)), done.stderr


def test_situation(execs: Execs) -> None:
    """Signals, descriptors, limits, place: as they were; and no child that it does not know."""

    def prepare() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR2])
        os.umask(0o027)

    with open("/dev/null") as extra:
        how = {
            "preexec_fn": prepare,
            "pass_fds": [extra.fileno()],
            "stderr": subprocess.DEVNULL,
        }
        how = {**how, "stdout": subprocess.PIPE, "capture_output": False}
        direct = execs.directly(sys.executable, "-c", SITUATION, **how)
        done = execs.run(sys.executable, "-c", SITUATION, **how)
    before, now = json.loads(direct.stdout), json.loads(done.stdout)
    for said in (before, now):
        del said["descriptors"]["1"]  # a pipe of its own
    assert now == before


def test_pipes(execs: Execs, options) -> None:
    """What is piped in and out passes, and nobody else keeps the far end waiting."""
    done = execs.run("/bin/cat", options=options, input="a\nb\n" * 50_000)
    assert (done.returncode, done.stdout) == (0, "a\nb\n" * 50_000)
    line = " ".join(execs.line("/bin/echo", "hello", options=options))
    shell = subprocess.run(
        [
            SHELL,
            "-c",
            f'x=$({line}); echo "<$x>" $?; {line} | {{ read y; echo "<$y>"; }}',
        ],
        env=execs.env,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert shell.stdout == "<hello> 0\n<hello>\n"


def test_closed_descriptors(execs: Execs, options) -> None:
    """What the shell has closed is closed for the command, and serves nobody else."""
    check = "import os; assert not any(os.path.exists(f'/proc/self/fd/{n}') for n in (0, 1))"
    line = execs.line(sys.executable, "-c", f"{check}\n{ASK}", options=options)
    done = execs.directly(SHELL, "-c", '"$@" <&- >&-', "shell", *line)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"])
def test_signal(execs: Execs, options, name: str) -> None:
    number = getattr(signal, name)
    with execs.start(sys.executable, "-c", WITNESS, options=options, stdin=subprocess.PIPE) as run:
        assert run.stdout and run.stdout.readline() == "begun\n"
        run.send_signal(number)
        assert run.stdout.readline() == f"{name} 1\n"
        out, _ = run.communicate("end\n", timeout=20)
    assert (out, run.returncode) == ("", 5)


def test_signal_that_ends_it(execs: Execs, options) -> None:
    with execs.start("/bin/sh", "-c", "echo begun; exec sleep 60", options=options) as run:
        assert run.stdout and run.stdout.readline() == "begun\n"
        run.send_signal(signal.SIGTERM)
        assert run.wait(20) == -signal.SIGTERM


# ---- the terminal ----


def witness(execs: Execs, options) -> str:
    script = execs.folder / "work" / "witness.py"
    script.write_text(WITNESS)
    return " ".join(execs.line(sys.executable, str(script), options=options))


@pytest.fixture
def shell(execs: Execs) -> Iterator[Terminal]:
    command = [SHELL, "--norc", "--noprofile", "--noediting", "-i"]
    with Terminal(command, {**execs.env, "PS1": "prompt> "}, execs.work) as made:
        made.expect("prompt> ")
        yield made


def test_terminal(execs: Execs, options, shell: Terminal) -> None:
    """It reads what is typed, each key of the terminal reaches it once, and it knows the size."""
    shell.type(witness(execs, options) + "\n")
    shell.expect("begun")
    shell.type("hello\n")
    shell.expect("read hello")
    shell.type(CTRL_C)
    shell.expect("SIGINT 1")
    shell.resize(33, 77)
    shell.expect("window 33x77")
    shell.type(CTRL_C)
    shell.expect("SIGINT 2")
    shell.type("end\n")
    shell.expect("prompt> ")
    shell.type('echo "status $?"\n')
    shell.expect("status 5")
    assert shell.seen.count(b"SIGINT 2") == 1 and b"SIGINT 3" not in shell.seen


def test_job_control(execs: Execs, options, shell: Terminal) -> None:
    """Ctrl-Z stops it, `fg` goes on with it, `kill %1` reaches it, and its calls still work."""
    shell.type(witness(execs, options) + "\n")
    shell.expect("begun")
    for _ in range(2):
        shell.type(CTRL_Z)
        shell.expect("Stopped")
        shell.expect("prompt> ")
        shell.type("jobs\n")
        shell.expect("Stopped")
        shell.type("fg\n")
        shell.expect("SIGCONT")
    shell.type("again\n")
    shell.expect("read again")
    shell.type(CTRL_Z)
    shell.expect("Stopped")
    shell.expect("prompt> ")
    shell.type("kill -USR1 %1; fg\n")
    shell.expect("SIGUSR1 ")  # two may come at once: the job's, and the one passed on
    shell.type("end\n")
    shell.expect("prompt> ")
    shell.type('echo "status $?"\n')
    shell.expect("status 5")


def test_pipeline_in_a_terminal(execs: Execs, options, shell: Terminal) -> None:
    """A pipeline's other end stays in the foreground, and Ctrl-C reaches all of it."""
    line = " ".join(execs.line("/bin/cat", options=options))
    shell.type(f"{line} | sed -u s/^/got:/\n")
    shell.type("one\n")
    shell.expect("got:one")
    shell.type(CTRL_C)
    shell.expect("prompt> ")
    shell.type('echo "status ${PIPESTATUS[@]}"\n')
    shell.expect("status 130 130")


def test_typing_for_the_shell(execs: Execs, options) -> None:
    """What it pushed into the terminal, the user's shell would read as commands when it has ended,
    and that shell has the keys."""
    line = execs.line(sys.executable, "-c", TYPE, options=options)
    with Terminal(line, execs.env, execs.work) as terminal:
        terminal.expect("over")
    told = json.loads((execs.work / "told").read_text())
    for name in ("plainly", "with high bits", "pasted"):
        assert told.pop(name) == errno.EPERM, name
    harmless = told.pop("nothing, by i386", None)
    assert harmless in ((errno.ENOSYS, None) if options else (0, None))
    assert set(told.values()) <= {errno.EPERM, errno.ENOSYS, None}, told


# ---- whom sidekey trusts ----


def ask(run: subprocess.Popen, model: str = "gpt-4o") -> str:
    assert run.stdin and run.stdout
    run.stdin.write(model + "\n")
    run.stdin.flush()
    return run.stdout.readline().strip()


def test_authority_that_is_overwritten(make: Make, options, world: World, folder: Path) -> None:
    """The command's user may write that file, and so may the command; a key that is rotated is taken
    all the same."""
    impostors, key = Authority("the impostor's CA"), folder / "key"
    key.write_text(world.key)
    execs = make(world.config(world.target(apiKey=f"file:{key}")), world.env())
    command = (sys.executable, "-c", CALLS)
    impostor = ApiBase(tls=server_context(impostors.server()), port=world.api.port)
    with execs.start(*command, options=options, stdin=subprocess.PIPE) as run:
        assert ask(run) == "200"
        impostors.write(world.ca)
        time.sleep(5)
        world.api.stop()
        with impostor:
            assert ask(run) == "502 upstream_untrusted"
            assert impostor.connections > 0
            assert impostor.requests == [] and impostor.application_bytes == 0
        world.api.key = "sk-the-next-key-of-the-gateway"
        key.write_text(world.api.key)
        world.api.start()
        assert ask(run) == "200"
        run.communicate(timeout=20)


def test_authority_that_comes_later(make: Make, plain_world: World, folder: Path) -> None:
    """Nor is it taken where none was found at the start."""
    impostors, place = Authority("the impostor's CA"), folder / "later.crt"
    with ApiBase(plain_world.key, tls=server_context(impostors.server())) as impostor:
        config = plain_world.beside(impostor.port, required=False, tls={"ca": str(place)})
        execs = make(config, plain_world.env())
        with execs.start(sys.executable, "-c", CALLS, stdin=subprocess.PIPE) as run:
            assert ask(run) == "200"
            impostors.write(place)
            time.sleep(5)
            assert ask(run, "long").startswith("503 ")
            assert impostor.connections == 0
            run.communicate(timeout=20)


# ---- ends ----


def test_killed(execs: Execs, options) -> None:
    """Whoever is killed, nothing is left behind."""
    with execs.start("/bin/cat", options=options, stdin=subprocess.PIPE) as run:
        wait_for(lambda: "ingress" in execs.processes().values(), 20, "sidekey")
        run.kill()
        assert run.wait(20) == -signal.SIGKILL
        wait_for(execs.is_gone, 20, "the end of everything")


@pytest.mark.parametrize("role", ["parent", "egress", "keeper"])
def test_sidekey_dies(execs: Execs, options, role: str) -> None:
    with execs.start("/bin/sh", "-c", "echo begun; exec sleep 60", options=options) as run:
        assert run.stdout and run.stdout.readline() == "begun\n"
        os.kill(execs.pid_of(role), signal.SIGKILL)
        _, said = run.communicate(timeout=20)
    assert run.returncode == -signal.SIGTERM
    assert "sidekey has ended, so that the command has no model any more" in said
    wait_for(execs.is_gone, 20, "the end of everything")


def test_watcher_dies(execs: Execs, options) -> None:
    script = "echo begun; exec cat"
    with execs.start("/bin/sh", "-c", script, options=options, stdin=subprocess.PIPE) as run:
        assert run.stdout and run.stdout.readline() == "begun\n"
        roles = {p for p, what in execs.processes().items() if what != "exec"}
        roles.add(execs.pid_of("parent"))
        os.kill(execs.pid_of("watcher"), signal.SIGKILL)
        wait_for(lambda: not roles & set(execs.processes()), 20, "the end of sidekey")
        run.communicate(timeout=20)
    assert run.returncode == 0


def test_hang_up_changes_nothing(execs: Execs, plain_world: World) -> None:
    """What the command may write into the file is not in force while it runs: a reload would send
    the key to where the file says by then, and for whoever asks."""
    script = 'echo "$OPENAI_BASE_URL"; exec cat'
    options = ("--log", str(execs.folder / "log"))
    how = {"options": options, "stdin": subprocess.PIPE}
    with (
        ApiBase(plain_world.key, plain_world.access) as other,
        execs.start("/bin/sh", "-c", script, **how) as run,
    ):
        assert run.stdout
        port = int(run.stdout.readline().rsplit(":", 1)[1].split("/")[0])
        changed = plain_world.config(plain_world.target(apiBase=other.base))
        execs.path.write_text(json.dumps(changed))
        os.kill(execs.pid_of("parent"), signal.SIGHUP)
        os.kill(execs.pid_of("parent"), signal.SIGUSR1)  # seen, when that one was
        log = execs.folder / "log"
        wait_for(lambda: "refreshing every secret" in log.read_text(), 20, "a signal is seen")
        with Agent(port) as agent:
            assert agent.chat().status == 401
        run.communicate(timeout=20)
        assert other.requests == [] and "reload" not in log.read_text()


def test_in_flight(execs: Execs, plain_world: World) -> None:
    """What the command leaves running in the background loses sidekey, and holds nothing up."""
    done = execs.run("/bin/sh", "-c", "sleep 30 >/dev/null 2>&1 & echo $!")
    assert done.returncode == 0
    wait_for(execs.is_gone, 20, "the end of sidekey")
    os.kill(int(done.stdout), signal.SIGKILL)


# ---- what keeps it from running ----


def test_missing_secret(make: Make, options, plain_world: World) -> None:
    arn = plain_world.key_arn.replace("litellm-proxy", "not-there")
    config = plain_world.config(plain_world.target(apiKey=arn))
    execs = make(config, plain_world.env())
    done = execs.run("/usr/bin/touch", "ran", options=options)
    assert done.returncode == 1
    assert "the secret main.apiKey is missing (ResourceNotFoundException)" in done.stderr
    assert "the target main cannot be called" in done.stderr
    assert "the command was not started" in done.stderr
    assert not (execs.work / "ran").exists()


def test_unset_variable(make: Make, options, plain_world: World) -> None:
    config = plain_world.config(plain_world.target(apiKey="env:NOT_SET"))
    execs = make(config, plain_world.env())
    done = execs.run("/usr/bin/touch", "ran", options=options)
    assert done.returncode == 1
    assert "main.apiKey" in done.stderr
    assert not (execs.work / "ran").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ([], 2, "which command?"),
        (["--"], 2, "which command?"),
        (["--nonsense", "--", "true"], 2, "usage: sidekey exec"),
        (["-c", "/nowhere/sidekey.yaml", "true"], 2, "there is no such file"),
        (["--caller", "nobody", "true"], 2, "none of the configured `callers`"),
        (["--log", "/nowhere/log", "true"], 1, "/nowhere/log"),
        (["--help"], 0, "Exit status: CMD's"),
    ],
)
def test_usage(execs: Execs, arguments: list[str], status: int, words: str) -> None:
    config = [] if "-c" in arguments else ["-c", str(execs.path)]
    done = subprocess.run(
        [str(program()), "exec", *config, *arguments],
        env=execs.env,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == status
    assert words in done.stdout + done.stderr


def test_faults(make: Make, plain_world: World) -> None:
    execs = make({"targets": {}, "nonsense": 1}, plain_world.env())
    done = execs.run("/bin/true")
    assert done.returncode == 2
    assert "nonsense: unknown key" in done.stderr


# ---- whose rules hold, and what is said ----


def test_caller(make: Make, options, plain_world: World) -> None:
    """The callers' own tokens are not taken; with --caller, that one's rules hold."""
    callers = [
        {"name": "narrow", "token": "env:NARROW", "models": ["small"], "uids": [12345]},
        {"name": "other", "token": "env:ABSENT"},
    ]
    execs = make(
        plain_world.config(callers=callers),
        plain_world.env(NARROW="sk-sidekey-" + "5e" * 32),
    )
    assert execs.run(sys.executable, "-c", ASK, options=options).returncode == 0
    script = ASK.replace("openai.OpenAI()", "openai.OpenAI(max_retries=0)")
    log = ("--caller", "narrow", "--log", str(execs.folder / "log"))
    done = execs.run(sys.executable, "-c", script, options=(*options, *log))
    assert done.returncode == 1 and "may not use the model" in done.stderr, done.stderr
    wait_for(execs.is_gone, 20, "the end of sidekey")
    lines = [json.loads(line) for line in (execs.folder / "log").read_text().splitlines()]
    calls = [line for line in lines if line["msg"] == "call"]
    assert [(c["caller"], c["code"]) for c in calls] == [("narrow", "model_not_allowed")]
    assert lines[-1]["msg"] == "ended" and lines[-1]["status"] == 0
    assert (execs.folder / "log").stat().st_mode & 0o777 == 0o600
    told = execs.run("/usr/bin/printenv", "NARROW", options=options)
    assert (told.returncode, told.stdout) == (1, "")


def test_configured_ports_are_not_used(make: Make, plain_world: World) -> None:
    """Another sidekey may have them, and other users' agents know them."""
    port = free_port()
    where = [f"127.0.0.1:{port}"]
    execs = make(plain_world.config(listen=where, admin=[]), plain_world.env())
    done = execs.run("/usr/bin/printenv", "OPENAI_BASE_URL")
    assert done.returncode == 0 and f":{port}/" not in done.stdout


@pytest.mark.skipif(SANITIZED, reason="says nothing of a sanitizer's build")
def test_file_that_cannot_be_read(make: Make, options, plain_world: World) -> None:
    """Installed with mode 0111, as an ordinary user."""
    execs = ordinary(make, plain_world)
    done = execs.run("/usr/bin/id", "-u", options=options)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{os.geteuid() if execs.user is None else execs.user}\n"
