# SPDX-License-Identifier: Apache-2.0
"""`sidekey check --resolve`: what it tries, what it tells, and what it never shows."""

import hashlib
import json
import time
from collections.abc import Iterator

import pytest
import yaml
from fakes.pki import Authority
from fakes.secretsmanager import error
from fakes.sidekey import run
from fakes.sts import Sts
from fakes.world import World


@pytest.fixture(autouse=True)
def sts(world: World) -> Iterator[Sts]:
    with Sts(principals=world.store.principals) as made:
        world.sts = made
        yield made


def write(world: World, target: dict | None = None, **sections) -> str:
    path = world.folder / "sidekey.yaml"
    path.write_text(yaml.safe_dump(world.config(target, **sections)))
    path.chmod(0o600)
    return str(path)


def resolve(world: World, target: dict | None = None, *more: str, env=None, **sections):
    path = write(world, target, **sections)
    env = {"AWS_ENDPOINT_URL_STS": world.sts.url, **(env or world.env())}
    return run("check", "--resolve", *more, "-c", path, env=env)


def rows(result) -> dict[tuple[str, str], dict]:
    found = json.loads(result.stdout)
    return {(c["kind"], c["name"]): c for c in found["checks"]}


def test_all_is_well(world: World) -> None:
    result = resolve(world, None, "--json")
    assert result.returncode == 0, result.stdout
    checks = rows(result)
    assert checks["identity", "aws"]["principal"] == world.principal.arn
    key = checks["secret", "main.apiKey"]
    assert key["ok"] and key["length"] == len(world.key)
    assert hashlib.sha256(world.key.encode()).hexdigest().startswith(key["fingerprint"])
    assert 0 <= key["age_seconds"] < 60
    assert key["version_id"] in world.store.secrets[world.key_arn].versions
    target = checks["target", "main"]
    assert target["ok"] and target["tls"].startswith("TLSv1.")
    assert target["client_certificate"] == "accepted"
    assert "CN=" in target["subject"] and target["status"] == 403
    assert world.found_in(result.stdout.encode()) == []


def test_the_upstream_gets_no_secret(world: World) -> None:
    assert resolve(world).returncode == 0
    assert world.api.requests
    for request in world.api.requests:
        assert request.method == "GET"
        assert world.found_in(repr(request.headers).encode() + request.body) == []


def test_the_table_is_for_people(world: World) -> None:
    result = resolve(world)
    assert result.returncode == 0, result.stdout
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["ok", "secret", "main.apiKey"] in [line[:3] for line in lines]
    assert "client certificate accepted" in result.stdout
    assert world.found_in(result.stdout.encode()) == []


def test_a_value_that_is_hardly_a_key_is_told(world: World) -> None:
    """It could be fetched, so nothing failed; but the upstream will not say what it dislikes."""
    arn = world.store.create("odd", "\ufeff" + world.key)
    result = resolve(world, world.target(apiKey=arn))
    assert result.returncode == 0, result.stdout
    warned = [line for line in result.stdout.splitlines() if "EF BB BF" in line]
    assert len(warned) == 1 and "main.apiKey" in warned[0] and arn in warned[0], result.stdout
    assert world.found_in(result.stdout.encode()) == []


def test_a_terminal_obeys_nothing_that_a_store_says(world: World) -> None:
    version = "v\x1b]0;owned\x07\x9b31m\u202e"
    arn = world.store.create("odd", world.key)
    world.store.put(arn, world.key, version)
    result = resolve(world, world.target(apiKey=arn))
    assert result.returncode == 0, result.stdout
    assert "version v?]0;owned?" in result.stdout
    assert all(c == "\n" or c.isascii() and c.isprintable() for c in result.stdout), result.stdout
    checks = rows(resolve(world, world.target(apiKey=arn), "--json"))
    assert checks["secret", "main.apiKey"]["version_id"] == version


def test_a_denied_secret_fails(world: World) -> None:
    world.store.fail(error("AccessDeniedException", 400, "no"))
    result = resolve(world, None, "--json")
    # Standard error comes along: the log's line says more, the JSON stands by itself.
    assert result.returncode == 1
    assert "AccessDeniedException" in result.stdout


def test_an_upstream_without_trust_fails(world: World) -> None:
    other = Authority().write(world.folder / "tls" / "other.crt")
    target = world.target()
    target["tls"]["ca"] = str(other)
    result = resolve(world, target)
    assert result.returncode == 1
    failed = [line for line in result.stdout.splitlines() if line.strip().startswith("FAILED")]
    assert len(failed) == 1 and "upstream_untrusted" in failed[0]
    assert "certificate" in failed[0], "libcurl's sentence says what is wrong"


def test_a_client_certificate_that_is_refused_fails(world: World) -> None:
    stranger = Authority().client()
    cert, key = stranger.write(world.folder / "tls", "stranger")
    target = world.target()
    target["tls"].update(clientCert=str(cert), clientKey=str(key))
    result = resolve(world, target)
    assert result.returncode == 1
    assert "upstream_untrusted" in result.stdout


@pytest.mark.parametrize("which", ["ca", "clientKey"])
def test_tls_material_that_cannot_be_used(world: World, which: str) -> None:
    path = world.folder / "tls" / "worthless.pem"
    path.write_bytes(Authority().client().key)
    target = world.target()
    target["tls"][which] = str(path)
    began = time.monotonic()
    result = resolve(world, target)
    assert result.returncode == 1
    failed = [line for line in result.stdout.splitlines() if line.strip().startswith("FAILED")]
    assert len(failed) == 1 and "upstream_untrusted" in failed[0], result.stdout
    assert f"tls.{which}" in failed[0], "what to change"
    assert time.monotonic() - began < 10, "there is nothing to wait for"


def test_nobody_at_the_api_base(world: World) -> None:
    world.api.stop()
    result = resolve(world)
    assert result.returncode == 1
    assert "upstream_unreachable" in result.stdout


def test_keys_that_nobody_knows(world: World) -> None:
    world.store.principals.clear()
    result = resolve(world)
    assert result.returncode == 1
    failed = [line for line in result.stdout.splitlines() if line.strip().startswith("FAILED")]
    assert any("identity" in line and "InvalidClientTokenId" in line for line in failed), failed


def test_sts_out_of_reach_is_told_and_no_failure(world: World) -> None:
    world.sts.stop()
    result = resolve(world, None, "--json")
    assert result.returncode == 0, result.stdout
    identity = rows(result)["identity", "aws"]
    assert identity["ok"] and identity["principal"] == "" and "STS" in identity["why"]


def test_no_identity_is_told_with_what_was_tried(world: World) -> None:
    result = resolve(world, env={"AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "us-east-1"})
    assert result.returncode == 1
    assert "AWS_ACCESS_KEY_ID" in result.stdout


@pytest.mark.parametrize("arguments", [["--json"], ["--resolve", "more"]])
def test_usage(world: World, arguments: list[str]) -> None:
    assert run("check", "-c", write(world), *arguments, env=world.env()).returncode == 2
