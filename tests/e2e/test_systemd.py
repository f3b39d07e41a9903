# SPDX-License-Identifier: Apache-2.0
"""Goal: the unit is well formed, as hard as its README says, and sidekey's own sandbox is whole
inside of it, with the secrets in systemd's credentials."""

import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from fakes.agent import HELLO, Agent
from fakes.apibase import ApiBase
from fakes.sidekey import ROLES, ROOT, Sidekey, environment, program, run
from fakes.wire import free_port, wait_for

pytestmark = pytest.mark.once
SYSTEMD = ROOT / "deploy" / "systemd"
UNIT = SYSTEMD / "sidekey.service"
CONFINED = ROOT / "tests" / "fakes" / "confined.py"
KEY = "sk-in-a-credential-0123456789"


def analyze(*arguments: str) -> subprocess.CompletedProcess:
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs Debian's systemd")
    return subprocess.run(
        ["systemd-analyze", *arguments],
        env={**environment(), "SYSTEMD_PAGER": "", "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """Every setting is known and has a value of its kind; verify warns of any that is not."""
    unit = tmp_path / "sidekey.service"
    unit.write_text(UNIT.read_text().replace("/usr/bin/sidekey", str(program())))
    done = analyze("verify", "--man=no", str(unit))
    ours = [line for line in done.stdout.splitlines() if "sidekey" in line]
    assert done.returncode == 0 and ours == [], done.stdout


def test_verify_would_have_seen_a_mistake(tmp_path: Path) -> None:
    unit = tmp_path / "sidekey.service"
    unit.write_text(UNIT.read_text().replace("ProtectHome=yes", "ProtectHouse=yes"))
    assert "ProtectHouse" in analyze("verify", "--man=no", str(unit)).stdout


def test_its_score_is_what_the_readme_says() -> None:
    done = analyze("security", "--offline=true", str(UNIT))
    score = float(re.search(r"Overall exposure level for sidekey.service: ([\d.]+)", done.stdout)[1])
    said = re.search(r"scores ([\d.]+)", (SYSTEMD / "README.md").read_text())
    assert said, "the README names the score"
    # Each release of systemd weighs a little differently.
    assert abs(score - float(said[1])) <= 0.3
    assert score <= 2.0


def test_sysusers_makes_the_user_of_the_unit(tmp_path: Path) -> None:
    if not shutil.which("systemd-sysusers"):
        pytest.skip("needs Debian's systemd")
    (tmp_path / "etc").mkdir()
    command = ["systemd-sysusers", f"--root={tmp_path}", str(SYSTEMD / "sidekey.sysusers")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if "Operation not permitted" in done.stderr or "Permission denied" in done.stderr:
        pytest.skip("needs root")
    assert done.returncode == 0, done.stderr
    user = [r for r in (tmp_path / "etc/passwd").read_text().splitlines() if r.startswith("sidekey:")]
    assert len(user) == 1 and user[0].endswith("nologin")
    assert "User=sidekey\n" in UNIT.read_text()


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    """As LoadCredential= makes them of a folder: its id, an underscore, the file's name."""
    folder = tmp_path / "credentials"
    folder.mkdir(mode=0o500)
    folder.chmod(0o700)
    file = folder / "key_openai"
    file.write_text(KEY + "\n")
    file.chmod(0o400)
    folder.chmod(0o500)
    return folder


def levels(sidekey) -> dict[str, dict]:
    """What each process says of its box."""

    def boxed() -> list[dict]:
        return sidekey.records(msg="boxed")

    wait_for(lambda: {record["process"] for record in boxed()} == set(ROLES), 10, "all boxes")
    return {r["process"]: {k: r[k] for k in r if k not in ("time", "pid")} for r in boxed()}


def test_the_sandbox_is_whole_inside_the_unit(credentials: Path, start) -> None:
    """All four roles in their boxes, secret pages too, and a call through them; then a reload."""
    analyze("--version")
    with ApiBase(key=KEY) as api:
        target = {
            "provider": "openaiCompatible",
            "apiBase": api.base,
            "allowPlaintext": True,
            "apiKey": "file:${CREDENTIALS_DIRECTORY}/key_openai",
        }
        wrap = [sys.executable, str(CONFINED), str(UNIT)]
        env = {"CREDENTIALS_DIRECTORY": str(credentials)}
        sidekey = start({"targets": {"openai": target}}, env, wrap=wrap)
        boxed = levels(sidekey)
        plain = start({"targets": {"openai": target}}, env)
        assert levels(plain) == boxed, "the unit takes none away"
        with Agent(sidekey.port) as agent:
            assert agent.chat(HELLO).status == 200
        sidekey.process.send_signal(signal.SIGHUP)  # ExecReload=
        wait_for(lambda: len(sidekey.records(msg="boxed")) == 2 * len(ROLES))
        with Agent(sidekey.port) as agent:
            assert agent.chat(HELLO).status == 200


def test_without_the_added_calls_it_would_not_start(credentials: Path, tmp_path: Path) -> None:
    """What the unit adds to systemd's groups is needed: the sandbox is not left out in silence."""
    analyze("--version")
    unit = tmp_path / "bare.service"
    kept = [x for x in UNIT.read_text().splitlines() if "=seccomp " not in x]
    unit.write_text("\n".join(kept) + "\n")
    config = tmp_path / "sidekey.yaml"
    config.write_text(
        f"listen: [127.0.0.1:{free_port()}]\nadmin: []\n"
        "targets: {a: {apiBase: 'https://a.invalid', apiKey: none, provider: openai}}\n"
    )
    config.chmod(0o600)
    done = subprocess.run(
        [sys.executable, str(CONFINED), str(unit), str(program()), "serve", "-c", str(config)],
        env=environment(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr


def test_the_example_of_its_readme_is_a_configuration(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", (SYSTEMD / "README.md").read_text(), re.DOTALL)
    file = tmp_path / "sidekey.yaml"
    file.write_text(example)
    file.chmod(0o600)
    env = {"CREDENTIALS_DIRECTORY": "/run/credentials/sidekey.service"}
    done = run("check", "-c", str(file), env=env)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_systemd_is_told_when_it_serves(tmp_path: Path, start, abstract: bool) -> None:
    """Type=notify: READY=1 once, when the agent's port answers, be the secrets there or not."""
    assert "Type=notify\n" in UNIT.read_text()
    name = f"sidekey-{tmp_path.name}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, ApiBase(key=KEY) as api:
        notify.bind(f"\0{name}" if abstract else name)
        notify.settimeout(10)
        target = {
            "provider": "openaiCompatible",
            "apiBase": api.base,
            "allowPlaintext": True,
            "apiKey": f"file:{tmp_path}/missing",
        }
        where = f"@{name}" if abstract else name
        sidekey = start({"targets": {"a": target}}, {"NOTIFY_SOCKET": where}, wait=False)
        assert notify.recv(64) == b"READY=1"
        with Agent(sidekey.port) as agent:
            assert agent.chat().status == 503
        sidekey.process.send_signal(signal.SIGHUP)
        wait_for(lambda: len(sidekey.records(msg="boxed")) > len(ROLES), 10, "a reload")
        notify.settimeout(1)
        with pytest.raises(TimeoutError):
            notify.recv(64)


def test_systemd_is_told_nothing_of_a_bad_configuration(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(tmp_path / "notify"))
        notify.settimeout(1)
        env = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
        sidekey = Sidekey({"targets": {"a": {"apiBase": "http://x"}}}, tmp_path, env, wait=False)
        sidekey.start()
        assert sidekey.wait_end() == 2
        with pytest.raises(TimeoutError):
            notify.recv(64)


@pytest.mark.parametrize("where", ["relative", "@", "/", "vsock:2:1", "/nowhere/notify", "/" * 200])
def test_a_service_manager_that_cannot_be_told(tmp_path: Path, start, where: str) -> None:
    """It starts all the same, and says so."""
    config = {"targets": {"a": {"apiBase": "https://x.invalid", "apiKey": "none"}}}
    sidekey = start(config, {"NOTIFY_SOCKET": where}, wait=False)
    wait_for(lambda: sidekey.records(msg="listening"), 10, "the start")
    assert sidekey.records(level="warn")[0]["msg"].startswith("who NOTIFY_SOCKET names")
