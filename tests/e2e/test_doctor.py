# SPDX-License-Identifier: Apache-2.0
"""`sidekey doctor`: each weakness is planted in a place of its own and must be found by its name;
in a place without one nothing may be found."""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest
import yaml
from fakes.awsservice import Fault
from fakes.containercredentials import ContainerCredentials
from fakes.iam import Issuer
from fakes.imds import Imds
from fakes.pki import Authority, Pair
from fakes.place import Place, why_not
from fakes.sidekey import ROOT
from fakes.sidekey import run as run_program
from fakes.wire import Connection, Request, Server

# A sanitizer's runtime must read its own maps, which a process that is not dumpable may not.
pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(bool(why_not()), reason=why_not() or "namespaces"),
]

IMDS, TASK, POD = "169.254.169.254", "169.254.170.2", "169.254.170.23"
STRANGER = 999
KEY = "sk-planted-0123456789abcdef0123456789abcdef"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.planted-token-of-a-pod.c2lnbmF0dXJl"
PORT, ADMIN = 7717, 7718


class Says(Server):
    """Answers a request for one of its paths with 200, and any other with 404."""

    def __init__(self, *paths: str, body: bytes = b"{}", **options) -> None:
        super().__init__(**options)
        self.paths, self.body = paths, body

    async def handle(self, request: Request, connection: Connection) -> None:
        known = request.path in self.paths
        connection.answer(200 if known else 404, [], self.body if known else b"")


class Pod(ContainerCredentials):
    """Pod Identity's own path."""

    async def handle(self, request: Request, connection: Connection) -> None:
        request.target = request.target.replace("/v1/credentials", "/creds")
        await super().handle(request, connection)


def over(path: str, file: object) -> str:
    return f"mount --bind {file} {path}"


@dataclass
class Scene:
    """A place, and what sidekey needs in it."""

    place: Place
    authority: Authority
    stack: ExitStack
    config: dict = field(default_factory=dict)
    secrets: list[str] = field(default_factory=lambda: [KEY, TOKEN])

    # ---- planting ----

    def settle(self) -> None:
        """The configuration and its files, as they should be."""
        p = self.place
        self.pair(self.authority.client())
        p.write("tls/ca.crt", self.authority.pem, 0o444, 0)
        key = p.write("key", KEY)
        self.config = {
            "listen": [f"127.0.0.1:{PORT}"],
            "admin": [f"127.0.0.1:{ADMIN}"],
            "targets": {
                "main": {
                    "provider": "openaiCompatible",
                    "apiBase": "https://127.0.0.1:9/v1",
                    "apiKey": f"file:{key}",
                    "tls": {
                        "ca": str(p.folder / "tls" / "ca.crt"),
                        "clientCert": str(p.folder / "tls" / "tls.crt"),
                        "clientKey": str(p.folder / "tls" / "tls.key"),
                    },
                }
            },
        }

    def pair(self, pair: Pair, key: Pair | None = None) -> None:
        self.place.write("tls/tls.crt", pair.cert, 0o444, 0)
        self.place.write("tls/tls.key", (key or pair).key)

    def serve(self, server: Server, address: str = "", uid: int = 0) -> Server:
        """Lets a stand-in answer inside, at an address of its own if need be, on a socket of
        that user's."""
        if address:
            self.place.address(address)
        with self.place.network():
            os.seteuid(uid)
            try:
                return self.stack.enter_context(server)
            finally:
                os.seteuid(0)

    @property
    def beside(self) -> str:
        """A line of shell: sidekey runs in this place too, and answers."""
        path = str(self.place.folder / "sidekey.yaml")
        serve = self.place.as_user(str(self.place.program), "serve", "-c", path)
        health = self.place.as_user(str(self.place.program), "health", "-c", path)
        return f"{serve} >/dev/null 2>&1 &\nuntil {health} 2>/dev/null; do sleep 0.05; done"

    def running(self, uid: int, name: str = "agent") -> str:
        """A line of shell: a process of that user and name runs, once the line has ended."""
        self.place.write(name, "#!/bin/sh\necho started >&3\nexec sleep 600\n", 0o555, 0)
        fifo = self.place.folder / f"{name}.fifo"
        started = self.place.as_user(str(self.place.folder / name), uid=uid)
        return f"mkfifo {fifo}; {started} 3>{fifo} >/dev/null 2>&1 & read line <{fifo}"

    # ---- looking ----

    def write_config(self) -> str:
        text = yaml.safe_dump(self.config)
        return str(self.place.write("sidekey.yaml", text, 0o444, 0))

    def look(self, *arguments: str, **options) -> "Report":
        """doctor in sidekey's place."""
        if "-c" not in arguments:
            arguments = ("-c", self.write_config(), *arguments)
        return self.report("--json", *arguments, **options)

    def look_as_agent(self, *arguments: str, **options) -> "Report":
        return self.report("--as-agent", "--json", *arguments, **options)

    def report(self, *arguments: str, **options) -> "Report":
        result = self.place.run("doctor", *arguments, **options)
        said = result.stdout + result.stderr
        for secret in self.secrets:
            assert secret not in said
        assert result.stdout, said
        return Report(result.returncode, json.loads(result.stdout))


@dataclass
class Report:
    status: int
    whole: dict

    def __post_init__(self) -> None:
        weak = [f for f in self.whole["findings"] if f["verdict"] == "weak"]
        assert self.whole["weak"] == len(weak)
        assert self.status == (1 if weak else 0), self.whole
        for finding in self.whole["findings"]:
            assert finding["verdict"] in ("ok", "note", "unknown", "weak")
            assert finding["found"]
            assert bool(finding["remedy"]) == (finding["verdict"] != "ok"), finding

    def names(self, verdict: str = "weak") -> set[str]:
        return {f["name"] for f in self.whole["findings"] if f["verdict"] == verdict}

    def found(self, name: str, verdict: str = "weak") -> str:
        """The sentences of that finding."""
        rows = [
            f["found"]
            for f in self.whole["findings"]
            if f["name"] == name and f["verdict"] == verdict
        ]
        assert rows, f"{name} is not {verdict}: {json.dumps(self.whole, indent=1)}"
        return "\n".join(rows)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def scene(authority: Authority) -> Iterator[Scene]:
    with Place() as place, ExitStack() as stack:
        made = Scene(place, authority, stack)
        made.settle()
        yield made


# ---- nothing is found where nothing is ----


def test_a_good_place_of_sidekeys_has_no_weakness(scene: Scene) -> None:
    report = scene.look()
    assert report.status == 0
    assert report.names() == set() == report.names("unknown")
    assert {"configuration_writable", "secret_file", "certificate", "same_uid"} <= report.names("ok")
    assert {"port_taken", "program_file", "metadata_reachable", "root"} <= report.names("ok")


def test_nor_while_sidekey_runs_in_it(scene: Scene) -> None:
    report = scene.look(before=scene.beside)
    assert report.names() == set()
    assert "sidekey listens on 127.0.0.1:7717" in report.found("port_taken", "ok")
    assert "ok" in {f["verdict"] for f in report.whole["findings"] if f["name"] == "same_uid"}


def test_a_good_place_of_the_agents_has_no_weakness(scene: Scene) -> None:
    env = {"OPENAI_API_KEY": "none", "GPG_KEY": "A035C8C19219BA821ECEA86B64E628F8D684696D"}
    report = scene.look_as_agent("--reach", "192.0.2.1:443", uid=STRANGER, env=env)
    assert report.whole["as_agent"] is True
    assert report.names() == set() == report.names("unknown")


def test_the_table_is_for_people(scene: Scene) -> None:
    scene.place.write("key", KEY, 0o444)
    result = scene.place.run("doctor", "-c", scene.write_config())
    lines = result.stdout.splitlines()
    assert result.returncode == 1
    assert lines[0].startswith("WEAK     secret_file"), result.stdout
    assert "-> chmod 0400" in lines[1]
    assert lines[-1].startswith("1 weak, ")
    assert KEY not in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["--as-agent", "-c", "x"],
        ["--reach", "a:1"],
        ["--as-agent", "--reach", "host"],
        ["--as-agent", "--reach", "a:0"],
        ["more"],
    ],
)
def test_usage(arguments: list[str]) -> None:
    result = run_program("doctor", *arguments)
    assert result.returncode == 2
    assert "usage:" in result.stdout
    assert result.stdout.startswith("sidekey doctor: "), "what is wrong comes first"


def test_without_a_configuration(scene: Scene) -> None:
    path = scene.place.write("sidekey.yaml", "targets: {a: {unknown: 1}}", 0o444, 0)
    result = scene.place.run("doctor", "-c", str(path))
    assert result.returncode == 2
    assert "unknown key" in result.stderr
    assert scene.place.run("doctor", "-c", "/no/such/file").returncode == 2


# ---- the layouts that we ship ----


def shipped_pod() -> tuple[dict[str, str], dict]:
    """The configuration and the pod of the example, as kustomize renders it."""
    kubectl = ROOT / ".cache" / "venv-k8s" / "bin" / "kubectl"
    if not kubectl.exists():
        pytest.skip("needs the packages of tests/k8s/requirements.txt")
    command = [str(kubectl), "kustomize", str(ROOT / "k8s" / "examples" / "strands-agent")]
    text = subprocess.run(command, stdout=subprocess.PIPE, timeout=60, check=True).stdout
    documents = {document["kind"]: document for document in yaml.safe_load_all(text)}
    return documents["ConfigMap"]["data"], documents["Job"]["spec"]["template"]["spec"]


def test_the_pod_that_we_ship(authority: Authority) -> None:
    """Pod Identity answers to both; sidekey has its token, a file of its group's."""
    config, pod = shipped_pod()
    sidekey, agent = pod["initContainers"][0], pod["containers"][0]
    user, group = sidekey["securityContext"]["runAsUser"], pod["securityContext"]["fsGroup"]
    with Place(uid=user) as place, ExitStack() as stack:
        scene = Scene(place, authority, stack)
        scene.serve(Pod(Issuer({}), TOKEN, host=POD, port=80), POD + "/32")
        place.write("etc/sidekey/sidekey.yaml", config["sidekey.yaml"], 0o644, 0, group)
        env = {e["name"]: e["value"] for e in sidekey["env"]}
        token = env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]
        place.write(token.replace("/var/run/", "run/", 1), TOKEN, 0o640, 0, group)
        mounts = [over(f"/{name}", place.folder / name) for name in ("etc", "run")]
        report = scene.look("-c", "/etc/sidekey/sidekey.yaml", env=env, before=";".join(mounts))
        assert report.names() == set() == report.names("unknown")
        assert token in report.found("secret_file", "note")
        env = {e["name"]: e["value"] for e in agent["env"]}
        uid = agent["securityContext"]["runAsUser"]
        report = scene.look_as_agent(env=env, uid=uid, before="mount -t tmpfs none /run")
        assert report.names() == set() == report.names("unknown")


def test_the_task_that_we_ship(scene: Scene) -> None:
    """Both reach the task's role, of whose external id only sidekey knows."""
    task = json.loads((ROOT / "deploy" / "ecs" / "task.json").read_text())
    sidekey, agent = task["containerDefinitions"]
    scene.serve(Says("/v2/credentials/a-b", host=TASK, port=80), TASK + "/32")
    with_task = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/a-b"}
    env = {e["name"]: e["value"] for e in sidekey["environment"]}
    env |= {s["name"]: KEY for s in sidekey["secrets"]} | with_task
    report = scene.report("--json", env=env, uid=int(sidekey["user"].split(":")[0]))
    assert report.names() == set() == report.names("unknown")
    assert "external id" in report.found("container_credentials", "note")
    assert agent["linuxParameters"]["capabilities"]["drop"] == ["ALL"]
    env = {e["name"]: e["value"] for e in agent["environment"]} | with_task
    more = "--bounding-set=-all --inh-caps=-all"
    uid = int(agent["user"].split(":")[0])
    report = scene.look_as_agent(env=env, uid=uid, more=more, before="mount -t tmpfs none /run")
    assert report.names() == {"container_credentials"}, "what they are good for it cannot know"
    assert report.names("unknown") == set()


# ---- files ----


def test_a_configuration_that_others_may_write(scene: Scene) -> None:
    scene.write_config()
    path = scene.place.folder / "sidekey.yaml"
    path.chmod(0o666)
    assert str(path) in scene.look("-c", str(path)).found("configuration_writable")


def test_a_directory_above_it_that_others_may_write(scene: Scene) -> None:
    path = scene.write_config()
    scene.place.folder.chmod(0o777)
    assert str(scene.place.folder) in scene.look("-c", path).found("configuration_writable")


@pytest.mark.parametrize("name", ["key", "tls/tls.key"])
def test_a_secret_that_everybody_may_read(scene: Scene, name: str) -> None:
    (scene.place.folder / name).chmod(0o404)
    report = scene.look()
    assert report.names() == {"secret_file"}
    assert str(scene.place.folder / name) in report.found("secret_file")


def test_a_key_that_lies_in_the_file_of_its_certificate(scene: Scene) -> None:
    pair = scene.authority.client()
    path = str(scene.place.write("tls/both.pem", pair.cert + pair.key, 0o444))
    scene.config["targets"]["main"]["tls"].update(clientCert=path, clientKey=path)
    assert path in scene.look().found("secret_file")


def test_a_secret_in_a_closed_directory_is_not_readable(scene: Scene) -> None:
    folder = scene.place.folder / "tls"
    (folder / "tls.key").chmod(0o444)
    folder.chmod(0o700)
    os.chown(folder, scene.place.uid, 0)
    assert scene.look().names() == set()


def test_a_secret_that_another_group_may_read(scene: Scene) -> None:
    scene.place.write("key", KEY, 0o440, gid=STRANGER)
    assert f"group {STRANGER}" in scene.look().found("secret_file")


def test_a_secret_that_its_own_group_may_read_is_a_note(scene: Scene) -> None:
    scene.place.write("key", KEY, 0o440)
    report = scene.look()
    assert report.names() == set()
    assert "in which sidekey is " in report.found("secret_file", "note")


def test_a_secret_of_another_user(scene: Scene) -> None:
    scene.place.write("key", KEY, 0o444, STRANGER)
    assert f"owned by uid {STRANGER}" in scene.look().found("secret_file")


def test_an_authority_that_others_may_replace(scene: Scene) -> None:
    (scene.place.folder / "tls" / "ca.crt").chmod(0o666)
    assert scene.look().names() == {"file_writable"}


def test_an_authority_that_its_own_group_may_replace_is_a_note(scene: Scene) -> None:
    scene.place.write("tls/ca.crt", scene.authority.pem, 0o664, 0, scene.place.uid)
    report = scene.look()
    assert report.names() == set()
    assert "ca.crt" in report.found("file_writable", "note")


def test_a_directory_of_keys_that_others_may_write(scene: Scene) -> None:
    (scene.place.folder / "tls").chmod(0o777)
    assert "directory on the way to" in scene.look().found("file_writable")


def test_a_link_to_a_key_in_a_directory_that_others_may_write(scene: Scene) -> None:
    """Where the file itself lies is as closed as can be: others choose which file that is."""
    shared = scene.place.folder / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    (shared / "link").symlink_to(scene.place.folder / "key")
    scene.config["targets"]["main"]["apiKey"] = f"file:{shared}/link"
    assert "directory on the way to" in scene.look().found("file_writable")


def test_the_token_of_the_identity(scene: Scene) -> None:
    token = scene.place.write("token", TOKEN, 0o444)
    scene.config["targets"]["main"]["apiKey"] = (
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:a-AbCdEf"
    )
    env = {
        "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/llm",
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
    }
    assert str(token) in scene.look(env=env).found("secret_file")


def test_keys_in_the_environment_are_a_note(scene: Scene) -> None:
    scene.config["targets"]["main"]["apiKey"] = (
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:a-AbCdEf"
    )
    env = {"AWS_ACCESS_KEY_ID": "AKIAPLANTED", "AWS_SECRET_ACCESS_KEY": KEY}
    report = scene.look(env=env)
    assert report.names() == set()
    assert "the environment" in report.found("static_keys", "note")


# ---- certificates ----


@pytest.mark.parametrize(
    ("days", "verdict", "says"),
    [(-1, "weak", "has ended"), (0.5, "weak", "within a day"), (10, "note", "ends in")],
)
def test_a_certificate_that_ends(scene: Scene, days: float, verdict: str, says: str) -> None:
    client = scene.authority.client
    scene.pair(client(expired=True) if days < 0 else client(days=days))
    report = scene.look()
    assert says in report.found("certificate", verdict)
    assert report.names() == ({"certificate"} if verdict == "weak" else set())


def test_a_certificate_and_the_key_of_another(scene: Scene) -> None:
    scene.pair(scene.authority.client(), scene.authority.client())
    assert "do not belong together" in scene.look().found("certificate")


# ---- listeners ----


@pytest.mark.parametrize("port", [PORT, ADMIN])
def test_a_port_that_another_user_has(scene: Scene, port: int) -> None:
    """Even one that has learnt sidekey's answers."""
    scene.serve(Says("/health/liveliness", "/healthz", body=b'"I\'m alive!"', port=port))
    assert f"another user, uid 0, listens on 127.0.0.1:{port}" in scene.look().found("port_taken")


def test_a_port_that_another_program_of_the_same_user_has(scene: Scene) -> None:
    """Its processes are out of sight, as in a pod."""
    scene.serve(Says("/", port=PORT), uid=scene.place.uid)
    assert "does not answer as sidekey" in scene.look().found("port_taken")


def test_a_socket_that_more_may_open_than_configured(scene: Scene) -> None:
    path = scene.place.folder / "run" / "agent.sock"
    path.parent.mkdir()
    os.chown(path.parent, scene.place.uid, 0)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))
        os.chown(path, scene.place.uid, 0)
        scene.config["listen"] = [f"unix:{path}"]
        path.chmod(0o600)
        assert scene.look().names() == set()
        path.chmod(0o666)
        assert "mode 0666, wider than the configured 0600" in scene.look().found("socket_mode")
        path.chmod(0o600)
        path.parent.chmod(0o777)
        assert "may be replaced" in scene.look().found("socket_mode")


def test_a_port_for_the_network(scene: Scene) -> None:
    scene.config.update(listen=[f"0.0.0.0:{PORT}"], unsafeListen=True)
    assert scene.look().names() == {"unsafe_listen"}
    scene.config["callers"] = [{"name": "a", "token": "sha256:" + "0" * 64}]
    assert scene.look().names() == set()


# ---- processes and the program ----


def test_another_program_of_the_same_user(scene: Scene) -> None:
    report = scene.look(before=scene.running(scene.place.uid))
    assert re.search(r"\((agent|sleep)\)", report.found("same_uid"))
    assert report.names() == {"same_uid", "shared_pid_namespace"}


def test_a_process_of_another_user(scene: Scene) -> None:
    report = scene.look(before=scene.running(STRANGER))
    assert report.names() == {"shared_pid_namespace"}
    assert re.search(r"\((agent|sleep)\)", report.found("shared_pid_namespace"))


def test_a_name_that_would_command_the_terminal(scene: Scene) -> None:
    fifo = scene.place.folder / "never"
    named = scene.place.as_user("sh", "-c", f"printf '\\033[2Jx' >/proc/$$/comm; read l <{fifo}")
    before = f"mkfifo -m 666 {fifo}; {named} & until grep -q 2Jx /proc/$!/comm; do :; done"
    result = scene.place.run("doctor", "-c", scene.write_config(), before=before)
    assert "(?[2Jx)" in result.stdout
    assert "\033" not in result.stdout


def test_a_program_that_can_be_read_beside_others_of_its_user(scene: Scene) -> None:
    scene.place.program.chmod(0o755)
    report = scene.look()
    assert report.names() == set()
    assert "readable" in report.found("program_file", "note")
    report = scene.look(before=scene.running(scene.place.uid))
    assert {"program_file", "same_uid"} <= report.names()


def test_a_program_that_others_may_replace(scene: Scene) -> None:
    scene.place.program.parent.chmod(0o777)
    assert scene.look().names() == {"program_file"}


def test_root(scene: Scene) -> None:
    assert "root" in scene.look(uid=0).names()


# ---- the kernel ----


def test_swap_is_a_note(scene: Scene) -> None:
    heading = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
    swaps = scene.place.write("swaps", heading + "/dev/sda2 partition 1 0 -2\n", 0o444)
    report = scene.look(before=over("/proc/swaps", swaps))
    assert report.names() == set()
    assert "swap is on" in report.found("swap", "note")


def test_core_files_that_are_piped_are_a_note(scene: Scene) -> None:
    pattern = scene.place.write("pattern", "|/usr/lib/systemd/systemd-coredump %P\n", 0o444)
    report = scene.look(before=over("/proc/sys/kernel/core_pattern", pattern))
    assert "pipes cores" in report.found("core_files", "note")


def test_no_room_for_secret_pages(scene: Scene) -> None:
    assert "secret_pages" in scene.look(before="ulimit -l 0").names()


def test_no_proc_is_said(scene: Scene) -> None:
    report = scene.look(before="umount /proc; mount -t tmpfs none /proc")
    assert {"shared_pid_namespace", "program_file", "swap"} <= report.names("unknown")


WITHOUT = """
import ctypes, os, struct, sys

class Program(ctypes.Structure):
    _fields_ = [("n", ctypes.c_ushort), ("code", ctypes.c_char_p)]

LOAD, IS, RETURN, ALLOW, FAIL = 0x20, 0x15, 0x06, 0x7FFF0000, 0x50000 + 38  # ENOSYS
steps = [(LOAD, 0, 0, 0), (IS, 0, 1, int(sys.argv[1])), (RETURN, 0, 0, FAIL), (RETURN, 0, 0, ALLOW)]
code = b"".join(struct.pack("HBBI", *step) for step in steps)
filter = Program(len(steps), code)
assert ctypes.CDLL(None).prctl(22, 2, ctypes.byref(filter), 0, 0) == 0
os.execvp(sys.argv[2], sys.argv[2:])
"""
LANDLOCK, MEMFD_SECRET = 444, 447
SECCOMP = {"x86_64": 317, "aarch64": 277}


def without(call: int) -> str:
    """A command that runs another on a kernel that lacks a system call."""
    return shlex.join([sys.executable, "-c", WITHOUT, str(call)])


@pytest.mark.parametrize(
    ("call", "name", "required"),
    [(LANDLOCK, "landlock", "landlock"), (MEMFD_SECRET, "secret_pages", "secretPages")],
)
def test_a_kernel_that_lacks_a_level(scene: Scene, call: int, name: str, required: str) -> None:
    report = scene.look(through=without(call))
    assert report.names() == set()
    assert report.found(name, "note")
    scene.config["sandbox"] = {"require": [required]}
    assert "will not start" in scene.look(through=without(call)).found(name)


def test_a_kernel_without_filters(scene: Scene) -> None:
    call = SECCOMP[os.uname().machine]
    assert scene.look(through=without(call)).names() == {"seccomp"}


# ---- the metadata service ----


@pytest.mark.parametrize("as_agent", [False, True], ids=["sidekey", "agent"])
@pytest.mark.parametrize("v1", [True, False], ids=["v1", "v2"])
def test_a_metadata_service_that_answers(scene: Scene, v1: bool, as_agent: bool) -> None:
    imds = scene.serve(Imds(Issuer({}), v1=v1, host=IMDS, port=80), IMDS + "/32")
    report = (scene.look_as_agent if as_agent else scene.look)()
    assert report.names() == {"metadata_reachable"}
    assert f"IMDSv{1 if v1 else 2}" in report.found("metadata_reachable")
    assert isinstance(imds, Imds) and imds.issuer.issued == [], "no keys were asked for"


def test_a_metadata_service_of_a_machine_without_a_role(scene: Scene) -> None:
    scene.serve(Imds(Issuer({}), role="", host=IMDS, port=80), IMDS + "/32")
    report = scene.look_as_agent()
    assert report.names() == set()
    assert "no role" in report.found("metadata_reachable", "note")


def test_a_metadata_service_behind_a_hop_limit(scene: Scene) -> None:
    imds = Imds(Issuer({}), host=IMDS, port=80)
    imds.fail(Fault("stall", only="PUT"))
    scene.serve(imds, IMDS + "/32")
    assert scene.look_as_agent().names() == set()
    assert imds.requests


def test_a_metadata_service_where_the_variable_says(scene: Scene) -> None:
    imds = scene.serve(Imds(Issuer({})))
    env = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url}
    assert "127.0.0.1" in scene.look_as_agent(env=env).found("metadata_reachable")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/metadata/instance", "azure_metadata"),
        ("/computeMetadata/v1/instance/service-accounts/", "google_metadata"),
    ],
)
def test_other_clouds(scene: Scene, path: str, name: str) -> None:
    scene.serve(Says(path, host=IMDS, port=80), IMDS + "/32")
    assert scene.look_as_agent().names() == {name}


# ---- the identity of containers ----


def test_the_credentials_of_a_task(scene: Scene) -> None:
    scene.serve(Says("/v2/credentials/a-b", host=TASK, port=80), TASK + "/32")
    env = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/a-b"}
    assert scene.look_as_agent(env=env).names() == {"container_credentials"}
    assert scene.look(env=env).names() == {"container_credentials"}
    assert scene.look_as_agent().names() == set(), "the agent does not know the path"


def test_credentials_where_a_variable_says(scene: Scene) -> None:
    scene.serve(Says("/get", host="127.0.0.1", port=4000))
    name, finding = "AWS_CONTAINER_CREDENTIALS_FULL_URI", "container_credentials"
    for look in (scene.look, scene.look_as_agent):
        assert "127.0.0.1" in look(env={name: "http://localhost:4000/get"}).found(finding)
        elsewhere = look(env={name: "https://keys.example/get"})
        assert "not tried" in elsewhere.found(finding, "unknown")


def test_the_credentials_of_a_task_whose_role_asks_for_more(scene: Scene) -> None:
    scene.serve(Says("/v2/credentials/a-b", host=TASK, port=80), TASK + "/32")
    scene.config["targets"]["main"]["apiKey"] = (
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:a-AbCdEf"
    )
    role = {"roleArn": "arn:aws:iam::123456789012:role/llm", "externalId": "env:SIDEKEY_EXTERNAL_ID"}
    scene.config["aws"] = {"region": "us-east-1", "assumeRole": role}
    env = {
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/a-b",
        "SIDEKEY_EXTERNAL_ID": "an-id-that-is-long",
    }
    report = scene.look(env=env)
    assert report.names() == set()
    assert "external id" in report.found("container_credentials", "note")


def test_pod_identity_is_found_by_the_token(scene: Scene) -> None:
    scene.serve(Pod(Issuer({}), TOKEN, host=POD, port=80), POD + "/32")
    assert scene.look_as_agent().names() == set(), "without the token it gives nothing"
    env = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://{POD}/v1/credentials"}
    assert scene.look(env=env).names() == set(), "the token guards it"
    token = scene.place.write("token", TOKEN + "\n")
    env = {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token)}
    assert scene.look_as_agent(env=env).names() == {"pod_identity", "mounted_token"}


# ---- what only the agent tries ----

ON_RUN = "mount -t tmpfs none /run; mkdir -p"


@pytest.mark.parametrize(
    ("kind", "file"),
    [
        ("kubernetes.io", "token"),
        ("eks.amazonaws.com", "token"),
        ("pods.eks.amazonaws.com", "eks-pod-identity-token"),
    ],
)
def test_a_token_that_is_mounted(scene: Scene, kind: str, file: str) -> None:
    folder = f"/run/secrets/{kind}/serviceaccount"
    before = f"{ON_RUN} {folder}; echo {TOKEN} >{folder}/{file}"
    assert kind in scene.look_as_agent(before=before).found("mounted_token")


AWS_FILES = ["credentials", "config", "sso/cache/a.json", "cli/cache/a.json", "login/cache/a.json"]


@pytest.mark.parametrize("name", AWS_FILES)
def test_what_the_aws_tools_keep(scene: Scene, name: str) -> None:
    path = scene.place.folder / ".aws" / name
    path.parent.mkdir(parents=True)
    path.write_text(f"[default]\naws_secret_access_key = {KEY}\n")
    env = {"HOME": str(scene.place.folder)}
    assert str(path) in scene.look_as_agent(env=env).found("aws_files")
    path.chmod(0o600)
    assert scene.look_as_agent(env=env).names() == set()


def test_variables_that_look_like_secrets(scene: Scene) -> None:
    env = {
        "OPENAI_API_KEY": KEY,
        "github_token": TOKEN,
        "AWS_SECRET_ACCESS_KEY": KEY,
        "ANTHROPIC_API_KEY": "sk-sidekey-" + "0" * 64,
        "LITELLM_API_KEY": "none",
        "KEYBOARD": "a-value-that-is-long-enough",
    }
    found = scene.look_as_agent(env=env).found("environment_secrets")
    assert all(name in found for name in ("OPENAI_API_KEY", "github_token", "AWS_SECRET_ACCESS"))
    assert not any(name in found for name in ("ANTHROPIC", "LITELLM", "KEYBOARD"))


def test_sidekeys_processes_in_sight(scene: Scene) -> None:
    scene.write_config()
    report = scene.look_as_agent(uid=STRANGER, before=scene.beside)
    assert report.names() == {"shared_pid_namespace"}, "and it cannot look into them"


def test_sidekeys_processes_of_the_same_user(scene: Scene) -> None:
    """The program refuses to be looked into, though another of its name would not."""
    scene.write_config()
    assert scene.look_as_agent(before=scene.beside).names() == {"shared_pid_namespace"}
    open_one = f"exec -a sidekey {scene.place.folder}/bin/open 600"
    before = (
        f"cp /bin/sleep {scene.place.folder}/bin/open; "
        + scene.place.as_user("bash", "-c", open_one)
        + " & until grep -q ^sidekey /proc/$!/cmdline; do :; done"
    )
    assert "(environ)" in scene.look_as_agent(before=before).found("process_memory")


def test_a_sidekey_that_started_the_agent_is_no_exception(scene: Scene) -> None:
    parent = """exec -a sidekey bash -c '"$@"; exit $?' - "$@\""""
    report = scene.look_as_agent(through=shlex.join(["bash", "-c", parent, "-"]))
    assert report.names() == {"shared_pid_namespace"}


def posing(first: str = "") -> list[str]:
    """Runs the rest of the line in a process that calls itself as process 1 of `exec --isolate`
    does."""
    script = f"""{first}printf 'sidekey: init' >/proc/self/comm; "$@"; exit $?"""
    return ["bash", "-c", f'exec -a sidekey bash -c {shlex.quote(script)} - "$@"', "-"]


def test_process_1_of_another_user_is_not_that_of_an_isolation(scene: Scene) -> None:
    report = scene.look_as_agent(through=shlex.join(posing()))
    assert report.names() == {"shared_pid_namespace"}


def test_what_poses_as_an_isolation_can_still_be_looked_into(scene: Scene) -> None:
    its_own = posing("until [[ $1 = */sidekey ]]; do shift; done; ")
    report = scene.look_as_agent(through=scene.place.as_user(*its_own))
    assert "1 (environ)" in report.found("process_memory")
    assert "shared_pid_namespace" not in report.names()


def test_only_process_1_is_that_of_an_isolation(scene: Scene) -> None:
    """By the name alone, another of sidekey's would be overlooked."""
    program = f"{scene.place.folder}/bin/sidekey: init"
    started = scene.place.as_user("bash", "-c", f"exec -a sidekey '{program}' 600")
    before = (
        f"cp /bin/sleep '{program}'; chmod 0111 '{program}'; {started} &"
        " until grep -q ^sidekey /proc/$!/cmdline; do :; done"
    )
    assert scene.look_as_agent(before=before).names() == {"shared_pid_namespace"}


def test_root_looks_into_them(scene: Scene) -> None:
    scene.write_config()
    report = scene.look_as_agent(uid=0, before=scene.beside, more="--reset-env")
    assert {"process_memory", "shared_pid_namespace", "capabilities"} <= report.names()


def test_processes_of_other_users(scene: Scene) -> None:
    report = scene.look_as_agent(uid=0, before=scene.running(STRANGER), more="--reset-env")
    assert "other users" in report.found("process_memory")


POWERS = ["net_raw", "chown", "dac_override", "fowner", "setgid", "setuid"]


@pytest.mark.parametrize("power", POWERS)
def test_capabilities(scene: Scene, power: str) -> None:
    """All but the first read another user's file, or make oneself that user."""
    more = f"--inh-caps=+{power} --ambient-caps=+{power}"
    assert power.upper() in scene.look_as_agent(more=more).found("capabilities")


def test_sidekeys_files_in_the_agents_container(scene: Scene) -> None:
    key = scene.place.write("etc/sidekey/tls/tls.key", KEY, 0o440)
    scene.place.write("etc/sidekey/sidekey.yaml", "{}", 0o444)
    scene.place.write("etc/sidekey/tls/tls.crt", "-", 0o444)
    scene.place.write("etc/sidekey/tokens/agent", "sk-sidekey-" + "0" * 64, 0o444)
    before = over("/etc", scene.place.folder / "etc")
    assert scene.look_as_agent(uid=STRANGER, before=before).names() == set()
    key.chmod(0o444)
    report = scene.look_as_agent(uid=STRANGER, before=before)
    assert report.names() == {"sidekey_files"}
    assert "/etc/sidekey/tls/tls.key" in report.found("sidekey_files")
    key.chmod(0o400)
    (scene.place.folder / "etc" / "sidekey").chmod(0o777)
    assert scene.look_as_agent(uid=STRANGER, before=before).names() == {"configuration_writable"}


def test_the_admin_socket(scene: Scene) -> None:
    scene.config["admin"].append({"unix": "/run/sidekey/admin.sock", "mode": "0666"})
    scene.write_config()
    made = f"{ON_RUN} /run/sidekey; chown {scene.place.uid} /run/sidekey\n{scene.beside}"
    report = scene.look_as_agent(uid=STRANGER, before=made)
    assert "/run/sidekey/admin.sock" in report.found("admin_socket")
    closed = scene.look_as_agent(uid=STRANGER, before=made + "\nchmod 0600 /run/sidekey/admin.sock")
    assert "admin_socket" not in closed.names()


def test_a_socket_that_commands_containers(scene: Scene) -> None:
    path = scene.place.folder / "engine.sock"
    before = f"{ON_RUN} /run/x; touch /run/docker.sock; {over('/run/docker.sock', path)}"
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(path))
        engine.listen()
        assert scene.look_as_agent(before=before).names() == set(), "it is root's alone"
        path.chmod(0o666)
        report = scene.look_as_agent(before=before)
    assert "/run/docker.sock" in report.found("container_engine")


def test_a_way_past_sidekey(scene: Scene) -> None:
    server = scene.serve(Says("/", port=4000))
    assert server.port == 4000
    report = scene.look_as_agent("--reach", "127.0.0.1:4000", "--reach", "localhost:4001")
    assert report.names() == {"direct_egress"}
    assert "127.0.0.1:4000" in report.found("direct_egress")
    by_name = scene.look_as_agent("--reach", "localhost:4000")
    assert "localhost:4000" in by_name.found("direct_egress")
    names = scene.place.write("hosts", "127.0.0.9 many\n::1 many\n127.0.0.1 many\n", 0o444)
    by_any = scene.look_as_agent("--reach", "many:4000", before=over("/etc/hosts", names))
    assert "many:4000" in by_any.found("direct_egress"), "whichever of its addresses it is"
