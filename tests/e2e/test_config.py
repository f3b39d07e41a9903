# SPDX-License-Identifier: Apache-2.0
"""Goal: a wrong configuration is explained completely, with positions, and never half obeyed."""

import json
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
import yaml
from fakes.agent import Agent
from fakes.pki import server_context
from fakes.reload import reload, rewrite
from fakes.sidekey import Sidekey, program, run
from fakes.wire import free_port, wait_for
from fakes.world import World

SECRET = "sk-live-0123456789abcdefghijklmnop"
BAD = """\
listen: [127.0.0.1:7717]
limits: {bodyBytes: lots}
colour: green
targets:
  one:
    provider: openay
    apiBase: https://api.example.com/v1
    apiKey: SECRET
  two:
    provider: openai
    apiBase: ftp://api.example.com
    apiKeyArn: arn:aws:secretsmanager:us-east-1:123456789012:secret:k-AbCdEf
    timeouts: {conect: 5s}
models:
  - {match: "a*", target: three}
""".replace("SECRET", SECRET)
# Line, path of the key, and words that the message must have.
FAULTS = [
    (2, "limits.bodyBytes", ""),
    (3, "colour", ""),
    (6, "targets.one.provider", "openai"),
    (8, "targets.one.apiKey", "env:"),
    (11, "targets.two.apiBase", "https"),
    (12, "targets.two.apiKeyArn", "apiKey"),
    (13, "targets.two.timeouts.conect", "connect"),
]


def check(folder: Path, text: str, env=None) -> tuple[int, str]:
    file = folder / "sidekey.yaml"
    file.write_text(text)
    file.chmod(0o600)
    done = run("check", "-c", str(file), env=env)
    return done.returncode, done.stdout


def test_all_faults_at_once_with_positions(tmp_path: Path) -> None:
    status, said = check(tmp_path, BAD)
    assert status == 2
    place = re.compile(rf"^{re.escape(str(tmp_path))}/sidekey\.yaml:(\d+):(\d+): ([^:]+): (.+)$")
    found = {(int(m[1]), m[3]): m[4] for m in map(place.match, said.splitlines()) if m}
    for line, path, words in FAULTS:
        assert (line, path) in found, said
        assert words in found[line, path]
    assert SECRET not in said, "a literal secret is not repeated"


def test_serve_refuses_it_in_the_same_words(tmp_path: Path) -> None:
    file = tmp_path / "sidekey.yaml"
    file.write_text(BAD)
    file.chmod(0o600)
    done = run("serve", "-c", str(file))
    assert done.returncode == 2
    assert "targets.one.apiKey" in done.stdout and SECRET not in done.stdout


TARGET = "targets: {one: {provider: openai, apiBase: 'https://a.example/v1', apiKey: KEY}}\n"
GOOD = TARGET.replace("KEY", "env:OPENAI_API_KEY")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "targets"),
        ("targets: {}\n", "targets"),
        ("targets: [", ":1:"),
        (GOOD + "targets: {}\n", ""),
        (TARGET.replace("KEY", "os.environ/OPENAI_API_KEY"), "env:OPENAI_API_KEY"),
        (TARGET.replace("KEY", "'${OPENAI_API_KEY}'"), "env:OPENAI_API_KEY"),
        (TARGET.replace("KEY", "arn:aws:s3:::bucket"), "targets.one.apiKey"),
        (TARGET.replace("KEY", "file:relative/path"), "targets.one.apiKey"),
        (GOOD + "hosts: ['${no closing']\n", "not followed by a variable's name and }"),
        (GOOD + "hosts: ['${A:-" + "y" * 70_000 + "}']\n", "hosts"),
        (GOOD + "listen: [0.0.0.0:7717]\n", "unsafeListen"),
        (GOOD + "listen: [127.0.0.1:99999]\n", "listen"),
        (GOOD + "secrets: {ttl: 5}\n", "secrets.ttl"),
        (GOOD + "defaultTarget: two\n", "two"),
        (GOOD + "callers: [{name: a}]\n", "neither token nor uids"),
        (GOOD + "adminToken: literal-token\n", "put the secret into"),
        (GOOD + "adminToken: sha256:abc\n", "64 hexadecimal digits"),
        (GOOD.replace("https:", "http:"), "allowPlaintext"),
        (GOOD.replace("https://a", "https://user:pw@a"), "apiBase"),
        (GOOD.replace("}}", ", headers: {Host: x}}}"), "Host"),
        (GOOD.replace("}}", ", headers: {Transfer-Encoding: x}}}"), "Transfer-Encoding"),
    ],
)
def test_fault(tmp_path: Path, text: str, words: str) -> None:
    status, said = check(tmp_path, text, {"OPENAI_API_KEY": SECRET})
    assert status == 2, said
    assert words in said
    assert SECRET not in said


def test_good_configuration(tmp_path: Path) -> None:
    status, said = check(tmp_path, GOOD)
    assert status == 0, said


def test_json_is_yaml(tmp_path: Path) -> None:
    text = (
        '{"targets":{"a":{"provider":"openai","apiBase":"https://a.example/v1","apiKey":"env:K"}}}'
    )
    assert check(tmp_path, text)[0] == 0


def test_variables_expand(tmp_path: Path) -> None:
    text = GOOD.replace("a.example", "${HOST:-b.example}") + "log: {level: '${LEVEL}'}\n"
    assert check(tmp_path, text, {"LEVEL": "debug"})[0] == 0
    status, said = check(tmp_path, text, {"LEVEL": "shouting"})
    assert status == 2 and "log.level" in said


def test_file_that_others_may_write_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "sidekey.yaml"
    file.write_text(GOOD)
    file.chmod(0o666)
    done = run("check", "-c", str(file))
    assert done.returncode != 0
    assert "sidekey.yaml" in done.stdout


def test_the_working_directory_is_not_looked_into(tmp_path: Path) -> None:
    (tmp_path / "sidekey.yaml").write_text(GOOD)
    env = {"HOME": str(tmp_path / "nobody"), "XDG_CONFIG_HOME": str(tmp_path / "nowhere")}
    if Path("/etc/sidekey/sidekey.yaml").exists():
        pytest.skip("this machine has a configuration of its own")
    assert run("check", cwd=tmp_path, env=env).returncode != 0


IDENTITIES = """\
targets:
  one:
    apiBase: https://api.example.com
    apiKey: arn:aws:secretsmanager:us-east-1:123456789012:secret:k-AbCdEf
    aws: {credentials: environment, assumeRole: {roleArn: "arn:aws:iam::123456789012:role/mine"}}
aws:
  assumeRole: {roleArn: "arn:aws:iam::123456789012:role/reader", narrow: true}
"""


def test_check_says_who_it_is(tmp_path: Path) -> None:
    """One line an identity: its source, and what decided for it."""
    env = {
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/x",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    status, said = check(tmp_path, IDENTITIES, env)
    assert status == 0, said
    lines = [line.strip() for line in said.splitlines()]
    first = next(line for line in lines if line.startswith("identity  container ("))
    assert "AWS_ACCESS_KEY_ID is not set" in first and "RELATIVE_URI" in first
    assert "role      arn:aws:iam::123456789012:role/reader, narrowed" in said
    own = next(line for line in lines if line.endswith("for targets.one.aws"))
    assert own.startswith("identity  none (") and "AWS_ACCESS_KEY_ID is not set" in own
    assert "warning: aws.credentials" in said


def undecided(*providers: str, **sections) -> str:
    targets = {
        f"t{i}": {"provider": p, "apiBase": "https://api.example.com", "apiKey": "env:KEY"}
        for i, p in enumerate(providers)
    }
    return yaml.safe_dump({"targets": targets, **sections})


@pytest.mark.parametrize(
    ("text", "warned"),
    [
        (undecided("openai", "openai"), ["targets: nothing can be called"]),
        (
            undecided("openai", "openai", "anthropic"),
            ["defaultTarget.openai: several targets speak it"],
        ),
        (
            undecided("litellm", "litellm", defaultTarget={"openai": "t0"}),
            ["defaultTarget.anthropic: several targets speak it"],
        ),
        (undecided("openai", "openai", defaultTarget="t1"), []),
        (undecided("openai", "openai", models=[{"match": "a*", "target": "t0"}]), []),
        (undecided("openai", "anthropic"), []),
        (undecided("openai"), []),
    ],
)
def test_check_warns_of_calls_that_nothing_decides(tmp_path, text: str, warned: list) -> None:
    status, said = check(tmp_path, text, {"KEY": SECRET})
    assert status == 0, said
    found = [line for line in said.splitlines() if "warning: " in line]
    assert len(found) == len(warned), said
    for line, words in zip(found, warned, strict=True):
        assert f"warning: {words}" in line and "`models`" in line


IN_VAIN = [
    (
        {"models": [{"match": m, "target": "t0"} for m in ("a*", "b", "ab", "a*", "*", "c*")]},
        {
            "models[2]": "models[0] stands before it",
            "models[3]": "models[0] stands before it",
            "models[5]": "models[4] stands before it",
        },
    ),
    ({"models": [{"match": m, "target": "t0"} for m in ("ab", "a*", "*")]}, {}),
    (
        {"deniedFields": ["store", "", "langfuse_*"]},
        {"deniedFields[1]": "is empty", "deniedFields[2]": "stands for itself"},
    ),
]


@pytest.mark.parametrize(("sections", "warned"), IN_VAIN, ids=["models", "in order", "fields"])
def test_check_warns_of_what_is_said_in_vain(tmp_path: Path, sections, warned) -> None:
    """It is permitted, so no error; but nobody means it."""
    status, said = check(tmp_path, undecided("openai", **sections), {"KEY": SECRET})
    assert status == 0, said
    found = [line.split("warning: ")[1] for line in said.splitlines() if "warning: " in line]
    assert [line.split(": ")[0] for line in found] == list(warned), said
    for line, words in zip(found, warned.values(), strict=True):
        assert words in line


def test_the_log_says_the_same_at_the_start_and_at_a_reload(plain_world: World, start) -> None:
    rules = [{"match": m, "target": "main"} for m in ("*", "gpt-4o")]
    sidekey = start(plain_world.config(models=rules), plain_world.env())

    def warned() -> list[tuple[str, str]]:
        records = sidekey.records(msg="a part of the configuration is of no use", level="warn")
        return [(r["path"], r["why"]) for r in records]

    wait_for(warned, 10, "the log, which another thread reads")
    assert [path for path, _ in warned()] == ["models[1]"] and "models[0]" in warned()[0][1]
    rewrite(sidekey, plain_world.config(models=[*rules, {"match": "gpt-4o", "target": "main"}]))
    reload(sidekey)
    assert [path for path, _ in warned()] == ["models[1]", "models[1]", "models[2]"]
    with Agent(sidekey.port) as agent:
        assert agent.chat().status == 200


def file_of_a_secret(folder: Path, kind: str) -> Path:
    """A key that others may choose, or, as "closed", may not."""
    shared, own = folder / "shared", folder / "own"
    for place in (shared, own):
        place.mkdir()
    (own / "key").write_text(SECRET)
    (own / "key").chmod(0o666 if kind == "file" else 0o600)
    if kind == "link":
        (shared / "link").symlink_to(own / "key")
        (own / "outer").symlink_to(shared / "link")
    if kind == "directory":
        shutil.copy(own / "key", shared)
    shared.chmod(0o777)
    return {"link": own / "outer", "directory": shared / "key"}.get(kind, own / "key")


@pytest.mark.parametrize("kind", ["file", "link", "directory", "closed"])
def test_check_warns_of_a_secret_that_others_choose(tmp_path: Path, kind: str) -> None:
    """They would have another's key sent, which sidekey may read and they may not."""
    path = file_of_a_secret(tmp_path, kind)
    status, said = check(tmp_path, TARGET.replace("KEY", f"file:{path}"))
    assert status == 0 and SECRET not in said, said
    warned = [line for line in said.splitlines() if "warning: one.apiKey: " in line]
    assert len(warned) == (kind != "closed"), said
    if kind == "file":
        assert f"another user owns {path} or may write it" in warned[0]
    elif warned:
        assert f"may write {tmp_path}/shared can put another file in the place of {path}" in said


def test_the_log_says_so_too(plain_world: World, start, tmp_path: Path) -> None:
    """At a reload it is the parent in its box that looks."""
    key = plain_world.folder / "a.key"
    key.write_text(plain_world.key)
    key.chmod(0o600)
    target = plain_world.target(apiKey=f"file:{key}")
    sidekey = start(plain_world.config(target), plain_world.env())
    said = "others may choose what is read from a file"
    assert not sidekey.records(msg=said)
    (plain_world.folder / "other").mkdir()
    path = file_of_a_secret(plain_world.folder / "other", "link")
    path.resolve().write_text(plain_world.key)
    rewrite(sidekey, plain_world.config(plain_world.target(apiKey=f"file:{path}")))
    reload(sidekey)
    wait_for(lambda: sidekey.records(msg=said, level="warn"), 10, "the log's line")
    (record,) = sidekey.records(msg=said)
    assert record["path"] == "main.apiKey" and f"place of {path}, " in record["why"]
    with Agent(sidekey.port) as agent:
        assert agent.chat().status == 200


def test_check_warns_of_a_reference_without_braces(tmp_path: Path) -> None:
    headers = {"X-Team": "env:KEY", "X-Role": "arn:aws:iam::123456789012:role/a", "X-Well": "${env:KEY}"}
    target = {"apiBase": "https://api.example.com", "apiKey": "env:KEY", "headers": headers}
    config = yaml.safe_dump({"targets": {"one": target}})
    status, said = check(tmp_path, config, {"KEY": SECRET})
    found = [line.split("warning: ")[1] for line in said.splitlines() if "warning: " in line]
    assert status == 0 and len(found) == 1, said
    assert found[0].startswith("targets.one.headers.X-Team: ") and "${…}" in found[0]


@pytest.mark.parametrize(
    ("operations", "warned"),
    [(["chat"], ""), (["images", "chat", "audio", "files", "batches"], "images, audio, files")],
)
@pytest.mark.parametrize("auth", ["apiKey", "sigv4"])
def test_check_warns_of_uploads_that_cannot_be_signed(
    tmp_path: Path, auth: str, operations: list, warned: str
) -> None:
    key = {"apiKey": "env:KEY"} if auth == "apiKey" else {"auth": auth, "region": "us-east-1"}
    place = {"apiBase": "https://bedrock-mantle.us-east-1.api.aws/v1"}
    spread = {"deployments": [place, {"apiBase": "https://mantle.example.com/v1"}]}
    targets = {
        name: {"provider": "openai", "operations": operations, **key, **where}
        for name, where in (("one", place), ("many", spread))
    }
    targets["many"].pop("region", None)
    config = json.dumps({"targets": targets, "defaultTarget": "one"})
    env = {"KEY": SECRET, "AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "x"}
    status, said = check(tmp_path, config, {**env, "AWS_REGION": "us-east-1"})
    found = [line.split("warning: ")[1] for line in said.splitlines() if "warning: " in line]
    due = bool(warned) and auth == "sigv4"
    assert status == 0 and len(found) == 2 * due, said
    for line, name in zip(found, targets, strict=False):
        assert line.startswith(f"targets.{name}.operations: {warned}: ") and "signed" in line


def test_check_names_what_is_not_here(tmp_path: Path) -> None:
    """Names of variables and files, and never what they hold; and no error on a build machine."""
    (tmp_path / "there").write_text(SECRET)
    headers = {"X-File": "${file:/nowhere/token}", "X-May": "${env:MAY_BE_UNSET?}"}
    target = {
        "apiBase": "https://api.example.com",
        "apiKey": "env:NOBODY_HAS_THIS",
        "headers": {**headers, "X-There": f"${{file:{tmp_path}/there}}", "X-Set": "${env:KEY}"},
        "tls": {"ca": f"{tmp_path}/there/ca.crt"},
    }
    env = {"KEY": SECRET}
    status, said = check(tmp_path, yaml.safe_dump({"targets": {"one": target}}), env)
    assert status == 0, said
    found = [line.split("warning: ")[1] for line in said.splitlines() if "warning: " in line]
    assert sorted(found) == [
        "one.apiKey: NOBODY_HAS_THIS is not set in this environment",
        "one.headers.X-File: /nowhere/token cannot be read here: No such file or directory",
        f"one.tls.ca: {tmp_path}/there/ca.crt cannot be read here: Not a directory",
    ]
    assert SECRET not in said


def test_a_call_that_nothing_decides_is_told_so(plain_world: World, start) -> None:
    """Naming a model, as the call did, would not help."""
    targets = {name: plain_world.target(provider="openai") for name in ("one", "two")}
    sidekey = start({"targets": targets}, plain_world.env(), wait=False)
    sidekey.wait_listening()
    with Agent(sidekey.port) as agent:
        for answer in (agent.chat(), agent.call("GET", "/v1/models")):
            assert (answer.status, answer.code) == (403, "model_not_allowed")
            message = answer.json()["error"]["message"]
            assert "`models`" in message and "`defaultTarget`" in message
            assert "name a model" not in message and "names no model" not in message
    assert not plain_world.api.requests


def test_occupied_port(world: World, start) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        config = world.config(listen=[f"127.0.0.1:{port}"])
        sidekey = start(config, world.env(), wait=False)
        sidekey.expected_death = True
        assert sidekey.wait_end(10) == 1
        assert f"127.0.0.1:{port}" in sidekey.text()
        assert "another program" in sidekey.text(), "it says why that matters"


def test_several_listeners(world: World, start) -> None:
    first, second = free_port(), free_port()
    config = world.config(listen=[f"127.0.0.1:{first}", f"127.0.0.1:{second}"])
    start(config, world.env())
    for port in (first, second):
        with Agent(port) as agent:
            assert agent.chat().status == 200


def test_configuration_in_the_environment(world: World, start) -> None:
    """As a task definition of ECS gives it."""
    port, admin = free_port(), free_port()
    listen = {"listen": [f"127.0.0.1:{port}"], "admin": [f"127.0.0.1:{admin}"]}
    content = yaml.safe_dump({**listen, **world.config()})
    sidekey = start(None, world.env(SIDEKEY_CONFIG_CONTENT=content), wait=False)
    sidekey.port, sidekey.admin_port = port, admin
    sidekey.wait_ready()
    with Agent(port) as agent:
        assert agent.chat().status == 200


# ---- without a file ----


def need_default_ports() -> None:
    for port in (7717, 7718):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                pytest.skip(f"port {port}, the default, is taken on this machine")


SYSTEM_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")


@pytest.mark.usefixtures("root")
def test_start_without_a_file(world: World, start) -> None:
    """SIDEKEY_API_BASE and SIDEKEY_API_KEY are enough; the system's authorities are trusted."""
    need_default_ports()
    namespaces = subprocess.run(["unshare", "-m", "true"], check=False).returncode == 0
    if not SYSTEM_BUNDLE.exists() or not namespaces:
        pytest.skip("needs the system's bundle and a mount namespace to put a CA into it")
    if Path("/etc/sidekey/sidekey.yaml").exists():
        pytest.skip("this machine has a configuration of its own")
    world.api.stop()
    world.api.access, world.api.tls = None, server_context(world.authority.server())
    world.api.start()
    mount = f'mount --bind {world.ca} {SYSTEM_BUNDLE} && exec "$@"'
    env = {
        "SIDEKEY_API_BASE": world.api.base,
        "SIDEKEY_API_KEY": "env:THE_KEY",
        "THE_KEY": world.key,
    }
    sidekey: Sidekey = start(None, env, wrap=["unshare", "-m", "sh", "-c", mount, "sh"])
    with Agent(sidekey.port) as agent:
        assert agent.chat().status == 200
        assert world.found_in(bytes(agent.received)) == []
    assert sorted(world.api.last().all("authorization")) == [f"Bearer {world.key}"]


def test_literal_key_in_the_environment_is_refused() -> None:
    env = {"SIDEKEY_API_BASE": "https://a.example/v1", "SIDEKEY_API_KEY": SECRET}
    done = run("check", env=env)
    assert done.returncode == 2
    assert SECRET not in done.stdout and "SIDEKEY_API_KEY" in done.stdout


# ---- verbs ----


def test_version() -> None:
    done = run("version")
    assert done.returncode == 0
    assert re.search(r"\d+\.\d+", done.stdout)


@pytest.mark.parametrize("verb", [[], ["serve"], ["check"], ["health"]])
def test_help(verb: list[str]) -> None:
    done = run(*verb, "--help")
    assert done.returncode == 0 and "sidekey" in done.stdout


def test_unknown_verb_is_a_usage_error() -> None:
    assert run("serv").returncode == 2
    assert run("check", "--bogus").returncode == 2


def test_the_program_is_there() -> None:
    assert program().exists()
