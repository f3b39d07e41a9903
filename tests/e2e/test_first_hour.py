# SPDX-License-Identifier: Apache-2.0
"""Goal: what a person gets wrong in the first hour is answered with what to do about it."""

import socket
from pathlib import Path

import pytest
from fakes.sidekey import run

pytestmark = pytest.mark.once
TARGET = "targets: {a: {apiBase: 'https://h/v1', apiKey: none}}\n"


@pytest.fixture
def configured(tmp_path: Path):
    """-c FILE of a configuration with these further lines."""

    def write(lines: str) -> list[str]:
        path = tmp_path / "sidekey.yaml"
        path.write_text(TARGET + lines + "\n")
        return ["-c", str(path)]

    return write


@pytest.mark.parametrize("verb", ["health", "status"])
def test_without_an_admin_port_that_is_said(configured, verb) -> None:
    done = run(verb, *configured("admin: []"))
    assert done.returncode == 1
    assert done.stdout == (
        f"sidekey {verb}: this configuration opens no admin port: `admin` is empty\n"
    )


def test_directory_of_a_socket_is_missing(configured, tmp_path: Path) -> None:
    done = run("serve", *configured(f"listen: ['unix:{tmp_path}/no/a.sock']\nadmin: []"))
    assert done.returncode == 1
    assert "No such file or directory; make its directory" in done.stdout


def test_what_is_no_socket_is_kept(configured, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("as it was")
    done = run("serve", *configured(f"listen: ['unix:{kept}']\nadmin: []"))
    assert done.returncode == 1
    assert "what lies there is no socket: remove it" in done.stdout
    assert kept.read_text() == "as it was"


def test_port_of_another_program(configured) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run("serve", *configured(f"listen: [127.0.0.1:{port}]\nadmin: []"))
    assert done.returncode == 1
    assert "another program holds it" in done.stdout


def test_address_of_another_machine(configured) -> None:
    done = run("serve", *configured("listen: [192.0.2.1:7717]\nunsafeListen: true\nadmin: []"))
    assert done.returncode == 1
    assert "this machine does not have the address" in done.stdout


def test_region_that_is_nowhere_said(tmp_path: Path) -> None:
    path = tmp_path / "sidekey.yaml"
    path.write_text("targets: {a: {provider: bedrock}}\n")
    assert "here, as aws.region or in AWS_REGION" in run("check", "-c", str(path)).stdout
    assert run("check", "-c", str(path), env={"AWS_REGION": "eu-west-1"}).returncode == 0


@pytest.mark.parametrize("on_a_socket", [True, False])
def test_users_without_a_socket_are_nobody(configured, tmp_path: Path, on_a_socket) -> None:
    socket_too = f"listen: ['unix:{tmp_path}/a.sock']\n" if on_a_socket else ""
    done = run("check", *configured(socket_too + "callers: [{name: me, uids: [1000]}]"))
    assert done.returncode == 0
    warned = "warning: callers.me: nobody can be this caller" in done.stdout
    assert warned != on_a_socket
