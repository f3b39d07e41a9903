# SPDX-License-Identifier: Apache-2.0
"""Goal: keys come from Secrets Manager, by signed requests, and calls survive what a store does."""

import json
import os
import signal
import time
from pathlib import Path

import boto3
import pytest
from fakes.agent import chat
from fakes.containercredentials import ContainerCredentials
from fakes.iam import Issuer
from fakes.secretsmanager import Fault, SecretsManager, error, throttle
from fakes.sidekey import SANITIZED, Sidekey
from fakes.wire import Server, wait_for
from fakes.world import World, principal
from moto.server import ThreadedMotoServer

REGION = "us-east-1"
QUICK = {"secrets": {"failureTtl": "1s", "ttl": "1s"}}
HEAL_SECONDS = 30 if SANITIZED else 10


def readiness(sidekey: Sidekey) -> dict:
    return json.loads(sidekey.admin("/readyz")[1])


# ---- the good way ----


def test_our_store_checks_every_signature(world: World, sidekey: Sidekey) -> None:
    assert chat(sidekey).status == 200
    assert {c.outcome for c in world.store.calls} == {"ok"}
    assert {c.principal for c in world.store.calls} == {world.principal.arn}
    assert {c.asked for c in world.store.calls} == {world.key_arn, world.access_arn}


def test_each_secret_is_asked_for_once(world: World, sidekey: Sidekey) -> None:
    """Two references to one secret (its two JSON keys) share a request."""
    for _ in range(5):
        assert chat(sidekey).status == 200
    assert world.store.fetches(world.key_arn) == 1
    assert world.store.fetches(world.access_arn) == 1


def test_moto_as_a_real_secrets_manager(plain_world: World, start) -> None:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        given = {
            "aws_access_key_id": plain_world.principal.access_key,
            "aws_secret_access_key": plain_world.principal.secret_key,
        }
        store = boto3.client("secretsmanager", region_name=REGION, endpoint_url=url, **given)
        access = {"client_id": plain_world.access[0], "client_secret": plain_world.access[1]}
        key_arn = store.create_secret(Name="key", SecretString=plain_world.key)["ARN"]
        pair_arn = store.create_secret(Name="pair", SecretString=json.dumps(access))["ARN"]
        pair = {
            "clientId": f"{pair_arn}:client_id::",
            "clientSecret": f"{pair_arn}:client_secret::",
        }
        target = plain_world.target(apiKey=key_arn, cloudflareAccess=pair)
        env = plain_world.env(AWS_ENDPOINT_URL_SECRETS_MANAGER=url)
        assert chat(start(plain_world.config(target), env)).status == 200
    finally:
        server.stop()


def test_endpoint_from_the_configuration(plain_world: World, start) -> None:
    env = plain_world.env()
    url = env.pop("AWS_ENDPOINT_URL_SECRETS_MANAGER")
    config = plain_world.config(aws={"endpoints": {"secretsmanager": url}})
    assert chat(start(config, env)).status == 200


def test_endpoint_for_all_services(plain_world: World, start) -> None:
    env = plain_world.env()
    env["AWS_ENDPOINT_URL"] = env.pop("AWS_ENDPOINT_URL_SECRETS_MANAGER")
    assert chat(start(plain_world.config(), env)).status == 200


def test_session_token_is_sent_and_signed(plain_world: World, start) -> None:
    temporary = plain_world.store.admit(principal(token="FwoGZXIvYXdzE/" + "x" * 300 + "=="))
    env = plain_world.env(
        AWS_ACCESS_KEY_ID=temporary.access_key,
        AWS_SECRET_ACCESS_KEY=temporary.secret_key,
        AWS_SESSION_TOKEN=str(temporary.token),
    )
    assert chat(start(plain_world.config(), env)).status == 200


def test_region_comes_from_the_arn(plain_world: World, start) -> None:
    with SecretsManager("eu-central-1") as store:
        store.admit(plain_world.principal)
        target = plain_world.target(apiKey=store.create("key", plain_world.key))
        del target["cloudflareAccess"]
        plain_world.api.access = None
        env = plain_world.env(AWS_REGION="us-west-2", AWS_ENDPOINT_URL_SECRETS_MANAGER=store.url)
        assert chat(start(plain_world.config(target), env)).status == 200


def container_env(world: World, endpoint: ContainerCredentials, token: Path) -> dict[str, str]:
    return {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": endpoint.uri,
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token),
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": world.store.url,
    }


@pytest.mark.parametrize("credentials", ["auto", "container"])
def test_identity_from_the_container_endpoint(
    plain_world: World, start, tmp_path: Path, credentials: str
) -> None:
    world = plain_world
    role = Issuer(world.store.principals)
    token = tmp_path / "token" / "eks"
    token.parent.mkdir()
    token.write_text("projected-token")
    with ContainerCredentials(role, "projected-token") as endpoint:
        config = world.config(aws={"credentials": credentials})
        assert chat(start(config, container_env(world, endpoint, token))).status == 200
        assert {c.principal for c in world.store.calls} == {role.arn}
        assert endpoint.requests[0].header("accept") == "application/json"


def test_container_token_from_the_environment(plain_world: World, start) -> None:
    world = plain_world
    role = Issuer(world.store.principals)
    with ContainerCredentials(role, "plain-token") as endpoint:
        env = container_env(world, endpoint, Path("/nowhere"))
        del env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]
        env["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "plain-token"
        assert chat(start(world.config(), env)).status == 200


# ---- which value ----


@pytest.mark.parametrize("suffix", [":api_key::", ":api_key:AWSCURRENT:", ":api_key::{id}"])
def test_ecs_suffix(plain_world: World, start, suffix: str) -> None:
    world = plain_world
    arn = world.store.create("json", {"other": "wrong", "api_key": world.key})
    version = next(iter(world.store.secrets[arn].versions))
    target = world.target(apiKey=arn + suffix.format(id=version))
    assert chat(start(world.config(target), world.env())).status == 200
    assert arn in {c.asked for c in world.store.calls}, "the suffix must be cut off"


def test_a_stage_of_the_suffix(plain_world: World, start) -> None:
    world = plain_world
    world.store.put(world.key_arn, "sk-a-newer-one-that-is-not-wanted")
    target = world.target(apiKey=f"{world.key_arn}::AWSPREVIOUS:")
    assert chat(start(world.config(target), world.env())).status == 200


@pytest.mark.parametrize("name", ["api_key_value", "whatever"])
def test_json_object_with_one_obvious_value(plain_world: World, start, name: str) -> None:
    world = plain_world
    target = world.target(apiKey=world.store.create("json", {name: world.key}))
    assert chat(start(world.config(target), world.env())).status == 200


def test_env_and_file_references(plain_world: World, start, tmp_path: Path) -> None:
    world = plain_world
    secret = tmp_path / "secrets" / "access"
    secret.parent.mkdir()
    secret.write_text(world.access[1] + "\n")
    secret.chmod(0o600)
    pair = {"clientId": "env:ACCESS_ID", "clientSecret": f"file:{secret}"}
    target = world.target(apiKey="env:MODEL_KEY", cloudflareAccess=pair)
    env = {"MODEL_KEY": world.key, "ACCESS_ID": world.access[0]}
    assert chat(start(world.config(target), env)).status == 200
    assert not world.store.calls


def test_reference_inside_a_header(plain_world: World, start) -> None:
    world = plain_world
    header = {"cf-aig-authorization": f"Bearer ${{{world.key_arn}}}"}
    assert chat(start(world.config(world.target(headers=header)), world.env())).status == 200
    assert world.api.last().header("cf-aig-authorization") == f"Bearer {world.key}"


def test_rotation_is_followed(plain_world: World, start) -> None:
    world = plain_world
    sidekey = start(world.config(**QUICK), world.env())
    assert chat(sidekey).status == 200
    world.api.key = "sk-rotated-" + "9" * 24
    world.store.put(world.key_arn, world.api.key)
    wait_for(lambda: chat(sidekey).status == 200, HEAL_SECONDS, "the new key")


# ---- when the store is not there, or says no ----


def test_store_down_at_the_start(world: World, start) -> None:
    world.store.stop()
    sidekey = start(world.config(**QUICK), world.env(), wait=False)
    sidekey.wait_listening()
    sidekey.wait_status(503)
    wait_for(lambda: chat(sidekey).code == "credential_unavailable", 10)
    answer = chat(sidekey)
    assert (answer.status, answer.header("x-should-retry")) == (503, "true")
    wait_for(lambda: sidekey.admin("/healthz")[0] == 200, what="its processes answer")
    assert not world.api.requests
    world.store.start()
    began = time.monotonic()
    sidekey.wait_ready(HEAL_SECONDS)
    assert chat(sidekey).status == 200
    assert SANITIZED or time.monotonic() - began < 5


BROKEN = {
    "throttled": throttle(),
    "failing": error("InternalServiceError", 500),
    "unavailable": error("ServiceUnavailable", 503),
    "truncating": Fault("truncate"),
    "endless": Fault("huge"),
    "a captive portal": Fault("html"),
    "dropping": Fault("drop"),
    "silent": Fault("stall"),
}


@pytest.mark.parametrize("fault", BROKEN.values(), ids=BROKEN.keys())
def test_store_that_is_broken_heals(world: World, start, fault: Fault) -> None:
    world.store.fail(fault)
    sidekey = start(world.config(**QUICK), world.env(), wait=False)
    sidekey.wait_listening()
    answer = chat(sidekey)
    assert (answer.status, answer.code) == (503, "credential_unavailable")
    wait_for(lambda: len(world.store.calls) > 0, 5, "the store is asked")
    assert sidekey.readiness() == 503
    world.store.fail(None)
    sidekey.wait_ready(25)
    assert chat(sidekey).status == 200


def test_store_s_redirect_is_not_followed(world: World, start) -> None:
    class Lure(Server):
        async def handle(self, request, connection) -> None:
            connection.answer_json(200, {"SecretString": "sk-wrong-wrong-wrong"})

    with Lure() as lure:
        world.store.fail(Fault("redirect", location=lure.url + "/"))
        sidekey = start(world.config(**QUICK), world.env(), wait=False)
        sidekey.wait_listening()
        wait_for(lambda: len(world.store.calls) >= 2, 15, "a second attempt")
        assert lure.connections == 0
        assert chat(sidekey).status == 503


def test_a_good_value_outlives_the_store(world: World, start) -> None:
    sidekey = start(world.config(**QUICK), world.env())
    assert chat(sidekey).status == 200
    world.store.stop()
    time.sleep(3)  # beyond the ttl, and a failed refresh or two
    assert chat(sidekey).status == 200
    states = {s["state"] for s in readiness(sidekey)["slots"].values()}
    assert "stale" in states and states <= {"stale", "fresh"}
    assert sidekey.readiness() == 200


def test_nothing_usable_is_missing(world: World, start) -> None:
    """Whether nobody has answered yet, nobody answers, or the store says no: `error` tells."""
    world.store.fail(Fault("stall"))
    sidekey = start(world.config(**QUICK), world.env(), wait=False)
    sidekey.wait_listening()
    wait_for(lambda: world.store.calls, 10, "the store is asked")

    def told() -> tuple[str, str | None]:
        slot = readiness(sidekey)["slots"]["main.apiKey"]
        return slot["state"], slot.get("error")

    assert told() == ("missing", None)
    assert chat(sidekey).code == "credential_unavailable"
    world.store.stop()
    wait_for(lambda: told()[1] == "Unreachable", 20, "nobody answers")
    assert told()[0] == "missing" and chat(sidekey).code == "credential_unavailable"
    world.store.denied.add(world.principal.arn)
    world.store.fail(None)
    world.store.start()
    wait_for(lambda: told()[1] == "AccessDeniedException", 20, "the store says no")
    assert told()[0] == "missing" and chat(sidekey).code == "credential_refused"
    logged = sidekey.records(msg="a secret could not be fetched")
    assert logged and {r["state"] for r in logged} == {"missing"}


REFUSALS = ["denied", "not there", "unknown client", "wrong signature", "decryption"]


def refuse(world: World, how: str) -> tuple[dict, dict, str]:
    """Arranges a no; the target, the environment, and the type that the store will name."""
    target, env = world.target(), world.env()
    if how == "denied":
        world.store.denied.add(world.principal.arn)
        return target, env, "AccessDeniedException"
    if how == "not there":
        target["apiKey"] = world.store.arn("nowhere")
        return target, env, "ResourceNotFoundException"
    if how == "unknown client":
        env["AWS_ACCESS_KEY_ID"] = "AKIANOBODYKNOWSTHIS0"
        return target, env, "UnrecognizedClientException"
    if how == "wrong signature":
        env["AWS_SECRET_ACCESS_KEY"] = "w" * 40
        return target, env, "InvalidSignatureException"
    world.store.fail(error("DecryptionFailure", 400, "KMS said no"))
    return target, env, "DecryptionFailure"


@pytest.mark.parametrize("how", REFUSALS)
def test_store_says_no(world: World, start, how: str) -> None:
    target, env, kind = refuse(world, how)
    sidekey = start(world.config(target, **QUICK), env, wait=False)
    sidekey.wait_listening()
    wait_for(lambda: chat(sidekey).code == "credential_refused", 10)
    answer = chat(sidekey)
    assert (answer.status, answer.header("x-should-retry")) == (503, "false")
    assert sidekey.readiness() == 503

    def told() -> list[dict]:
        return [r for r in sidekey.records() if kind in json.dumps(r)]

    wait_for(told, 5, "the log, which another thread reads")
    lines = told()
    assert any(target["apiKey"] in json.dumps(r) for r in lines), "the log names the reference"
    assert target["apiKey"].encode() not in answer.body, "the agent learns no reference"
    assert target["apiKey"].encode() not in sidekey.admin("/readyz")[1]
    if how == "denied":
        assert any(world.principal.arn in json.dumps(r) for r in lines), "and the principal"
    assert not world.api.requests


def test_readyz_names_who_was_refused(world: World, start) -> None:
    """What a person needs to ask their cloud's operators: no log has to be found for it."""
    world.store.denied.add(world.principal.arn)
    sidekey = start(world.config(secrets={"failureTtl": "60s"}), world.env(), wait=False)
    sidekey.wait_listening()
    wait_for(lambda: sidekey.records(slot="main.apiKey", error_type="AccessDeniedException"), 10)
    logged = sidekey.records(slot="main.apiKey", error_type="AccessDeniedException")[0]
    wait_for(lambda: "error" in readiness(sidekey)["slots"]["main.apiKey"], 5)
    slot = readiness(sidekey)["slots"]["main.apiKey"]
    assert slot["error"] == "AccessDeniedException" and slot["next_attempt_seconds"] > 0
    assert slot["principal"] == logged["principal"] == world.principal.arn
    assert slot["store_request_id"] == logged["store_request_id"]
    assert len(slot["store_request_id"]) == 36
    said = sidekey.admin("/readyz")[1].decode().replace(world.principal.arn, "")
    assert "arn:" not in said, "and no reference"
    world.store.denied.clear()
    os.kill(sidekey.pid, signal.SIGUSR1)
    sidekey.wait_ready(HEAL_SECONDS)
    slot = readiness(sidekey)["slots"]["main.apiKey"]
    assert slot.keys().isdisjoint({"error", "principal", "store_request_id"})


def test_no_is_not_asked_again_at_once(world: World, start) -> None:
    world.store.denied.add(world.principal.arn)
    config = world.config(secrets={"failureTtl": "60s"})
    sidekey = start(config, world.env(), wait=False)
    sidekey.wait_listening()
    wait_for(lambda: chat(sidekey).code == "credential_refused", 10)
    wait_for(lambda: len(world.store.calls) >= 2, 10, "the key's no and the Access pair's")
    for _ in range(20):
        chat(sidekey)
    assert len(world.store.calls) == 2


def test_no_is_not_asked_again_for_another_identity_s_sake(plain_world: World, start) -> None:
    """A target's role that STS does not give is tried again soon; the store is left alone."""
    world = plain_world
    world.store.denied.add(world.principal.arn)
    role = {"assumeRole": {"roleArn": "arn:aws:iam::123456789012:role/invoke"}}
    bedrock = {"provider": "bedrock", "region": REGION, "aws": role}
    config = {
        "targets": {"main": world.target(), "bedrock": bedrock},
        "models": [{"match": "*", "target": "main"}],
        "secrets": {"failureTtl": "60s"},
    }
    with Server() as nobody:
        url = nobody.url
    sidekey = start(config, world.env(AWS_ENDPOINT_URL_STS=url), wait=False)
    wait_for(lambda: sidekey.records(msg="no AWS identity"), 10, "the role is not given")
    wait_for(lambda: len(world.store.calls) >= 2, 10, "the key's no and the Access pair's")
    time.sleep(3)
    assert len(world.store.calls) == 2


def test_no_is_not_asked_again_for_a_certificate_s_sake(world: World, start) -> None:
    """A certificate that is renewed wants its key, which the store has just denied."""
    key = world.key_arn.replace("litellm-proxy", "missing")
    target = world.target()
    target["tls"]["clientKey"] = key
    sidekey = start(world.config(target, secrets={"failureTtl": "60s"}), world.env(), wait=False)
    slot = "main.tls.clientCert"
    wait_for(lambda: sidekey.records(slot=slot, version=1), 10, "the certificate")
    wait_for(lambda: sidekey.records(reference=key, state="missing"), 10, "the key's no")
    world.authority.client().write(world.cert_path.parent, "tls")
    wait_for(lambda: sidekey.records(slot=slot, version=2), 10, "the renewed one")
    time.sleep(0.5)
    assert [c.asked for c in world.store.calls].count(key) == 1


def test_no_identity_at_all(world: World, start) -> None:
    """Nothing that could still come: said at once, with what to set, and not to be retried."""
    env = {k: v for k, v in world.env().items() if "ACCESS_KEY" not in k and "SESSION" not in k}
    env["AWS_EC2_METADATA_DISABLED"] = "true"  # else an instance is asked for its role
    sidekey = start(world.config(**QUICK), env, wait=False)
    sidekey.wait_listening()
    wait_for(lambda: chat(sidekey).code == "credential_refused", 10, "a refusal")
    assert chat(sidekey).header("x-should-retry") == "false"
    wait_for(lambda: sidekey.records(error_type="NoIdentity"), 5, "the log")
    record = sidekey.records(error_type="NoIdentity")[0]
    assert "AWS_ACCESS_KEY_ID" in record["why"] and record["reference"] == world.key_arn
    assert not world.api.requests
