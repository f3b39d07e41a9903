# SPDX-License-Identifier: Apache-2.0
"""Goal: an OpenAI SDK uses bedrock-mantle with no key at all. Its host's own name, over TLS, says
under which region and service the call is signed.

A mount namespace gives sidekey a resolv.conf that points at a name server of ours.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from fakes.bedrock import Mantle
from fakes.dns import NameServer
from fakes.iam import Role, role_arn
from fakes.pki import Authority, server_context
from fakes.sidekey import Sidekey
from fakes.sigv4 import read_claim
from fakes.sts import Sts
from fakes.wire import wait_for
from fakes.world import World

REGION = "eu-west-1"
HOST = f"bedrock-mantle.{REGION}.api.aws"
MODEL = "openai.gpt-oss-120b"
MESSAGES = [{"role": "user", "content": "hello big world"}]
SAID = "You said: hello big world"


@pytest.fixture
def names(root) -> Iterator[NameServer]:
    if subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("needs the right to make a mount namespace")
    try:
        server = NameServer({HOST: "127.0.0.1"}, host="127.0.77.55")
    except OSError as why:
        pytest.skip(f"port 53 of a loopback address cannot be had: {why}")
    with server:
        yield server


@pytest.fixture
def mantle(plain_world: World) -> Iterator[Mantle]:
    context = server_context(plain_world.authority.server(HOST))
    with Mantle(REGION, principals=plain_world.store.principals, tls=context) as made:
        yield made


@pytest.fixture
def run(names: NameServer, mantle: Mantle, plain_world: World, start, tmp_path: Path):
    """Starts sidekey where that name is known; keys of the target may be given."""
    config = tmp_path / "resolv.conf"
    config.write_text(f"nameserver {names.host}\noptions timeout:1 attempts:1\n")
    command = f'mount --bind {config} /etc/resolv.conf && exec "$@"'

    def begin(more: dict[str, str] | None = None, **changes) -> Sidekey:
        target = {
            "provider": "openai",
            "auth": "sigv4",
            "apiBase": f"https://{HOST}:{mantle.port}/openai/v1",
            "tls": {"ca": str(plain_world.ca)},
            **changes,
        }
        # The identity thinks itself elsewhere: the host's region is the one that counts.
        env = plain_world.env(AWS_REGION="us-west-2", **(more or {}))
        wrap = ["unshare", "-m", "sh", "-c", command, "sh"]
        return start({"targets": {"mantle": target}}, env, wrap=wrap)

    return begin


def test_plain_and_streamed(run, names: NameServer, mantle: Mantle, plain_world: World) -> None:
    sidekey = run()
    with openai.OpenAI(base_url=sidekey.base, api_key="none") as sdk:
        plain = sdk.chat.completions.create(model=MODEL, messages=MESSAGES)
        assert plain.choices[0].message.content == SAID
        stream = sdk.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
        assert "".join(c.choices[0].delta.content or "" for c in stream if c.choices) == SAID
    assert mantle.outcomes() == ["ok", "ok"]
    assert {c.principal for c in mantle.calls} == {plain_world.principal.arn}
    assert [r.target for r in mantle.requests] == ["/openai/v1/chat/completions"] * 2
    for request in mantle.requests:
        claim = read_claim(request)
        assert (claim.region, claim.service) == (REGION, "bedrock-mantle")
        assert request.header("host") == f"{HOST}:{mantle.port}"
        assert b"none" not in request.raw_head, "the SDK's own key is not passed on"
    assert HOST in names.questions
    wait_for(lambda: sidekey.calls(), 5, "the calls are logged")
    call = sidekey.calls()[0]
    assert (call["target"], call["tokens_in"], call["tokens_out"]) == ("mantle", 7, 5)


def test_what_it_refuses_is_an_error_of_the_sdk(run, mantle: Mantle, plain_world: World) -> None:
    plain_world.principal.expired = True
    sidekey = run()
    with (
        openai.OpenAI(base_url=sidekey.base, api_key="none") as sdk,
        pytest.raises(openai.PermissionDeniedError, match="expired") as refused,
    ):
        sdk.chat.completions.create(model=MODEL, messages=MESSAGES)
    assert refused.value.code == "ExpiredTokenException"
    assert mantle.outcomes() == ["ExpiredTokenException"]


@pytest.mark.parametrize("form", ["AWS's words", "OpenAI's words"])
def test_a_session_that_is_revoked_is_replaced(
    run, mantle: Mantle, plain_world: World, form: str
) -> None:
    """Its errors are in OpenAI's form: the type stands in error.code, or the status says it all."""
    if form == "OpenAI's words":
        mantle.words = {"ExpiredTokenException": ("invalid_api_key", 401)}
    with Sts(principals=plain_world.store.principals) as sts:
        role = {"roleArn": sts.add(Role(role_arn("invoke"))).arn}
        own = {"region": "us-east-1", "assumeRole": role}
        sidekey = run({"AWS_ENDPOINT_URL_STS": sts.url}, aws=own)
        sts.issuer.issued[-1].expired = True
        with openai.OpenAI(base_url=sidekey.base, api_key="none", max_retries=0) as sdk:
            answer = sdk.chat.completions.create(model=MODEL, messages=MESSAGES)
        assert answer.choices[0].message.content == SAID
        assert mantle.outcomes() == ["ExpiredTokenException", "ok"]
        assert len(sts.issuer.issued) == 2


def test_a_clock_that_is_off(run, mantle: Mantle) -> None:
    mantle.clock_offset = 1800
    sidekey = run()
    with openai.OpenAI(base_url=sidekey.base, api_key="none", max_retries=0) as sdk:
        answer = sdk.chat.completions.create(model=MODEL, messages=MESSAGES)
    assert answer.choices[0].message.content == SAID
    assert mantle.outcomes() == ["InvalidSignatureException", "ok"]


def test_a_host_that_is_not_the_name_s(run, mantle: Mantle, tmp_path: Path) -> None:
    """Whoever answers at its address without its certificate gets no signature to use."""
    sidekey = run(tls={"ca": str(Authority("another CA").write(tmp_path / "another.crt"))})
    with (
        openai.OpenAI(base_url=sidekey.base, api_key="none", max_retries=0) as sdk,
        pytest.raises(openai.InternalServerError) as refused,
    ):
        sdk.chat.completions.create(model=MODEL, messages=MESSAGES)
    assert refused.value.code == "upstream_untrusted"
    assert mantle.application_bytes == 0
