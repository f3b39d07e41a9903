# SPDX-License-Identifier: Apache-2.0
"""Goal: whoever copies the commands of a document, in their order, gets what it says.

Each command is run in a scratch place, moto standing in for AWS and a stand-in for the upstream,
or stands in NOT_RUN with the reason.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import markdown
import pytest
import yaml
from fakes.apibase import ApiBase
from fakes.execs import can_isolate
from fakes.moto import empty, moto_server
from fakes.sidekey import ROOT, program
from fakes.wire import free_port

pytestmark = [pytest.mark.once, pytest.mark.timeout(150)]
CLI = ROOT / ".cache" / "venv-ecs" / "bin"  # of tests/ecs/requirements.txt
REGION = "eu-west-1"
KEY, NEW_KEY = "sk-old-0123456789abcdef", "sk-new-0123456789abcdef"

# How a command begins, and why it is not run here.
NOT_RUN = {
    "make demo": "installs packages and builds; tests/demo is what it runs",
    "make deps": "installs packages",
    "make": "builds, as `make test` has done before",
    "sudo make install": "writes into the machine; tests/e2e/test_install.py installs into a folder",
    "sudo systemd-sysusers": "makes a user of the machine",
    "sudo install": "writes into the machine, and waits for a key to be pasted",
    "sudoedit": "opens an editor",
    "sudo systemctl": "needs systemd as init; tests/e2e/test_systemd.py runs what the unit says",
    "docker": "needs a container engine; tests/image builds and runs the image without one",
    "OPENAI_API_KEY=… docker": "needs a container engine; tests/e2e/test_compose.py reads the file",
    "kubectl": "needs a cluster; tests/k8s renders the manifests and plays the kubelet",
    "aws eks": "moto does not know Pod Identity's associations",
}
# Documents whose commands another test runs, as they stand there.
ELSEWHERE = {"deploy/ecs/README.md": "tests/ecs/test_guide.py"}

# What is done before the first command of a document.
SERVE = """
sidekey -c sidekey.yaml >>serve.log 2>&1 &
until sidekey health -c sidekey.yaml --ready >/dev/null; do kill -0 $!; sleep 0.1; done
"""
BEFORE = {
    "docs/operations.md": """
arn=$(aws secretsmanager create-secret --name agent/openai --secret-string "$OPENAI_API_KEY" \\
  --query ARN --output text)
sed -i "s|apiKey: .*|apiKey: $arn|" sidekey.yaml
"""
    + SERVE,
}
# What is done in place of a command that does not end, or after one that has written a file
# which points to the real world.
IN_PLACE = {"sidekey -c sidekey.yaml": SERVE}
AFTER = {"sidekey init -o sidekey.yaml": "cp here.yaml sidekey.yaml"}
# Whether the test's machine has a weakness is not the question.
MAY_FIND = ("sidekey doctor", "sidekey exec --isolate -- sidekey doctor")

AGENT = """\
import json, os, urllib.request
url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
headers = {"content-type": "application/json", "authorization": "Bearer " + os.environ["OPENAI_API_KEY"]}
body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
request = urllib.request.Request(url, json.dumps(body).encode(), headers)
print("the model said", json.load(urllib.request.urlopen(request))["choices"])
"""
LITELLM = """\
model_list:
  - model_name: gpt-4o
    litellm_params: {model: openai/gpt-4o, api_key: os.environ/OPENAI_API_KEY}
"""


def first_words(command: str) -> str:
    """The command without its comments and blanks."""
    return re.sub(r"\s+#.*", "", command).strip()


def begins(command: str, with_words: str) -> bool:
    return re.match(re.escape(with_words) + r"(\s|$)", first_words(command)) is not None


def reason(command: str) -> str | None:
    """Why it is not run; the longest beginning that fits says so. None: it is run."""
    fitting = [words for words in NOT_RUN if begins(command, words)]
    if fitting == ["make"] and first_words(command) != "make":
        return None
    if not fitting and "--isolate" in command and not can_isolate():
        return "needs user namespaces, which this machine does not give"
    return NOT_RUN[max(fitting, key=len)] if fitting else None


GUIDES = {
    str(path.relative_to(ROOT)): markdown.commands(path.read_text())
    for path in markdown.documents()
    if markdown.blocks(path.read_text(), "sh")
}
RUN = {
    name: [c for c in commands if reason(c) is None]
    for name, commands in GUIDES.items()
    if name not in ELSEWHERE
}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with moto_server() as url:
        yield url


@pytest.fixture
def moto(server: str) -> str:
    """With nothing in it."""
    empty(server)
    return server


@pytest.fixture
def api() -> Iterator[ApiBase]:
    with ApiBase(None) as served:
        yield served


class Stage:
    """A scratch place with what the documents say is at hand."""

    def __init__(self, place: Path, name: str, moto: str, api: ApiBase) -> None:
        self.place, self.name, self.moto = place, name, moto
        self.port, self.admin = free_port(), free_port()
        for folder in ("deploy", "k8s", "policy"):
            shutil.copytree(ROOT / folder, place / folder)
        (place / "bin").mkdir()
        shutil.copy(program(), place / "bin" / "sidekey")
        self._script("python", f'exec "{sys.executable}" "$@"')
        if (CLI / "aws").exists():
            self._script("aws", f'exec "{CLI / "aws"}" "$@"')
        (place / "agent.py").write_text(AGENT)
        (place / "config.yaml").write_text(LITELLM)
        here = yaml.safe_dump(self._config(api), sort_keys=False)
        own = markdown.blocks((ROOT / name).read_text(), "yaml")
        keep = name in ("docs/eks.md", "docs/ecs.md")  # theirs is checked, and never served
        self._write("here.yaml", here)
        if name != "README.md":  # whose first command makes it
            self._write("sidekey.yaml", own[0] if keep else here)
        self._write(".config/sidekey/sidekey.yaml", here)
        self._write("key", KEY)

    def _script(self, name: str, line: str) -> None:
        path = self.place / "bin" / name
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)

    def _write(self, name: str, text: str) -> None:
        path = self.place / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_text(text)
        path.chmod(0o600)

    def _config(self, api: ApiBase) -> dict:
        laptop = self.name == "docs/laptop.md"  # whose commands put the key in its place
        key = ".config/sidekey/keys/openai" if laptop else "key"
        main = {"provider": "openaiCompatible", "apiBase": api.base, "allowPlaintext": True}
        return {
            "listen": [f"127.0.0.1:{self.port}"],
            "admin": [f"127.0.0.1:{self.admin}", f"unix:{self.place}/admin.sock"],
            "targets": {"main": {**main, "apiKey": f"file:{self.place}/{key}"}},
            "aws": {"region": REGION},
        }

    def _step(self, command: str) -> str:
        after = next((s for w, s in AFTER.items() if begins(command, w)), "")
        for words, instead in IN_PLACE.items():
            if first_words(command) == words:
                return f"echo '+ {words}' >&2\n{instead}"
        said = first_words(command).replace("'", "").splitlines()[0]
        step = f"echo '+ {said}' >&2\n{{ {command}}}"
        if any(begins(command, words) for words in MAY_FIND):
            step += " || test $? = 1"
        return f"{step}\n{after}\n"

    def script(self, commands: list[str]) -> str:
        """Ports that a document names are free ones here; what was started ends with the script."""
        text = "".join(self._step(c) for c in commands)
        text = text.replace("127.0.0.1:7717", f"127.0.0.1:{self.port}")
        text = text.replace("127.0.0.1:7718", f"127.0.0.1:{self.admin}")
        end = "trap 'for job in $(jobs -p); do kill $job; done; wait' EXIT\n"
        return f"set -eu\n{end}{BEFORE.get(self.name, '')}{text}"

    def run(self, commands: list[str]) -> subprocess.CompletedProcess:
        env = {
            "PATH": f"{self.place / 'bin'}:/usr/bin:/bin",
            "HOME": str(self.place),
            "NO_PROXY": "*",
            "AWS_ENDPOINT_URL": self.moto,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "AKIAMOTO",
            "AWS_SECRET_ACCESS_KEY": "m" * 40,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
            "OPENAI_API_KEY": KEY,
            "NEW_KEY": NEW_KEY,
        }
        return subprocess.run(
            ["bash", "-c", self.script(commands)],
            cwd=self.place,
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


def test_every_reason_is_needed() -> None:
    every = [c for commands in GUIDES.values() for c in commands]
    unused = [w for w in NOT_RUN if not any(begins(c, w) for c in every)]
    assert unused == []
    for where in ELSEWHERE.values():
        assert (ROOT / where).exists()
    for why in NOT_RUN.values():
        for path in re.findall(r"tests/[\w/.]+", why):
            assert (ROOT / path).exists(), why


@pytest.mark.parametrize("name", [n for n, commands in RUN.items() if commands])
def test_commands(tmp_path: Path, moto: str, api: ApiBase, name: str) -> None:
    commands = RUN[name]
    if any("aws " in c for c in commands) and not (CLI / "aws").exists():
        pytest.skip("needs the packages of tests/ecs/requirements.txt in .cache/venv-ecs")
    place = tmp_path / "p"
    place.mkdir(mode=0o700)
    api.key = None if name == "docs/operations.md" else KEY
    stage = Stage(place, name, moto, api)
    done = stage.run(commands)
    log = place / "serve.log"
    served = log.read_text() if log.exists() else ""
    assert done.returncode == 0, done.stderr + done.stdout + served
    calls = sum("exec" in c and "agent.py" in c for c in commands)
    assert done.stdout.count("the model said") == calls
    assert [r.method for r in api.requests].count("POST") == calls
    for secret in (KEY, NEW_KEY):
        assert secret not in done.stdout + done.stderr + served
    if name == "docs/operations.md":
        lines = map(json.loads, served.splitlines())
        versions = [line["version_id"] for line in lines if "version_id" in line]
        assert versions[0] != versions[-1], "the drill brings the new key"
