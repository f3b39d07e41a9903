# SPDX-License-Identifier: Apache-2.0
"""Goal: AWS's stand-ins answer as AWS does; botocore gets its keys and secrets from each of them."""

import botocore.config
import botocore.session
import pytest
from botocore.credentials import SSOProvider
from botocore.exceptions import (
    ClientError,
    MetadataRetrievalError,
    UnauthorizedSSOTokenError,
)
from botocore.tokens import SSOTokenProvider
from botocore.utils import (
    ContainerMetadataFetcher,
    IMDSFetcher,
    InstanceMetadataFetcher,
)
from fakes.awsservice import Fault, error
from fakes.cloud import Cloud, jwt
from fakes.iam import Role, role_arn
from fakes.sigv4 import Principal
from fakes.world import principal

pytestmark = pytest.mark.once
REGION = "us-east-1"
UNSIGNED = botocore.config.Config(signature_version=botocore.UNSIGNED, retries={"max_attempts": 1})
ONCE = botocore.config.Config(retries={"max_attempts": 1})


def client(name: str, url: str, who: Principal | dict | None = None, config=ONCE):
    """A client with these keys; a dict is what STS answers with."""
    if isinstance(who, dict):
        who = Principal(who["AccessKeyId"], who["SecretAccessKey"], who["SessionToken"])
    keys = (
        {
            "aws_access_key_id": who.access_key,
            "aws_secret_access_key": who.secret_key,
            "aws_session_token": who.token,
        }
        if who
        else {}
    )
    session = botocore.session.get_session()
    return session.create_client(name, region_name=REGION, endpoint_url=url, config=config, **keys)


def code(call, **arguments) -> tuple[str, int]:
    """How the call is refused."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


# ---- STS ----


@pytest.fixture
def sts(cloud: Cloud):
    return client("sts", cloud.sts.url, cloud.world.principal)


def test_sts_says_who_asks(cloud: Cloud, sts) -> None:
    answer = sts.get_caller_identity()
    assert (answer["Arn"], answer["Account"]) == (cloud.world.principal.arn, "123456789012")


def test_session_of_a_role_is_admitted_by_the_store(cloud: Cloud) -> None:
    user = cloud.sts.admit(principal(arn="arn:aws:iam::123456789012:user/somebody"))
    role = cloud.sts.add(Role(role_arn("path/llm"), external_id="ext=1&2"))
    answer = client("sts", cloud.sts.url, user).assume_role(
        RoleArn=role.arn, RoleSessionName="me", ExternalId="ext=1&2", DurationSeconds=7200
    )
    store = client("secretsmanager", cloud.world.store.url, answer["Credentials"])
    value = store.get_secret_value(SecretId=cloud.world.key_arn)["SecretString"]
    assert value == cloud.world.key
    assert answer["AssumedRoleUser"]["Arn"].endswith(":assumed-role/llm/me")
    assert cloud.world.store.calls[-1].principal == answer["AssumedRoleUser"]["Arn"]
    assert cloud.sts.forms[-1]["DurationSeconds"] == "7200"


def test_a_policy_narrows_the_session(cloud: Cloud, sts) -> None:
    arn = cloud.world.key_arn
    cloud.sts.add(Role(role_arn("llm")))
    policy = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow",'
        f'"Action":"secretsmanager:GetSecretValue","Resource":"{arn}"}}]}}'
    )
    asked = {"RoleArn": role_arn("llm"), "RoleSessionName": "me"}
    keys = sts.assume_role(**asked, Policy=policy)["Credentials"]
    store = client("secretsmanager", cloud.world.store.url, keys)
    assert store.get_secret_value(SecretId=arn)["SecretString"] == cloud.world.key
    denied = code(store.get_secret_value, SecretId=cloud.world.access_arn)
    assert denied == ("AccessDeniedException", 400)
    refused = code(sts.assume_role, **asked, Policy="{nonsense")
    assert refused == ("MalformedPolicyDocument", 400)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"RoleArn": role_arn("nobody-s")}, ("AccessDenied", 403)),
        ({"ExternalId": "wrong"}, ("AccessDenied", 403)),
        ({"DurationSeconds": 3601}, ("ValidationError", 400)),  # a session asks: one hour
        ({"RoleSessionName": "no spaces"}, ("ValidationError", 400)),
    ],
)
def test_sts_refuses(cloud: Cloud, sts, changes: dict, refusal: tuple[str, int]) -> None:
    cloud.sts.add(Role(role_arn("llm")))
    asked = {"RoleArn": role_arn("llm"), "RoleSessionName": "me", **changes}
    assert code(sts.assume_role, **asked) == refusal


@pytest.mark.parametrize(
    ("secret", "token", "refusal"),
    [
        ("w" * 40, None, ("SignatureDoesNotMatch", 403)),
        (None, "made-up", ("InvalidClientTokenId", 403)),
    ],
)
def test_sts_checks_signatures(cloud: Cloud, secret, token, refusal: tuple[str, int]) -> None:
    own = cloud.world.principal
    bad = Principal(own.access_key, secret or own.secret_key, token)
    assert code(client("sts", cloud.sts.url, bad).get_caller_identity) == refusal
    assert cloud.sts.calls[-1].asked == "GetCallerIdentity"


def test_sts_takes_a_web_identity(cloud: Cloud) -> None:
    good, over = jwt(), jwt()
    arn = role_arn("irsa")
    cloud.sts.add(Role(arn, tokens={good}, expired_tokens={over}))
    unsigned = client("sts", cloud.sts.url, config=UNSIGNED).assume_role_with_web_identity
    asked = {"RoleArn": arn, "RoleSessionName": "pod"}
    keys = unsigned(**asked, WebIdentityToken=good)["Credentials"]
    store = client("secretsmanager", cloud.world.store.url, keys)
    assert store.get_secret_value(SecretId=cloud.world.key_arn)["SecretString"]
    for token, refusal in (
        (over, ("ExpiredTokenException", 400)),
        ("no-jwt", ("InvalidIdentityToken", 400)),
        (jwt(), ("AccessDenied", 403)),
    ):
        assert code(unsigned, **asked, WebIdentityToken=token) == refusal


def test_expired_keys_are_refused(cloud: Cloud) -> None:
    cloud.sts.life = 0
    cloud.sts.add(Role(role_arn("llm")))
    sts = client("sts", cloud.sts.url, cloud.world.principal)
    answer = sts.assume_role(RoleArn=role_arn("llm"), RoleSessionName="me")
    store = client("secretsmanager", cloud.world.store.url, answer["Credentials"])
    refusal = code(store.get_secret_value, SecretId=cloud.world.key_arn)
    assert refusal == ("ExpiredTokenException", 403)
    again = client("sts", cloud.sts.url, answer["Credentials"])
    assert code(again.get_caller_identity) == ("ExpiredToken", 403)


def test_clocks_that_differ_are_noticed(cloud: Cloud, sts) -> None:
    cloud.sts.clock_offset = 1200
    assert code(sts.get_caller_identity)[0] == "SignatureDoesNotMatch"


# ---- IMDS ----


def imds(cloud: Cloud, **options) -> InstanceMetadataFetcher:
    config = {"ec2_metadata_v1_disabled": True}
    return InstanceMetadataFetcher(
        timeout=2, num_attempts=1, base_url=cloud.imds.url + "/", config=config, **options
    )


def test_instance_gives_keys_for_a_token(cloud: Cloud) -> None:
    found = imds(cloud).retrieve_iam_role_credentials()
    given = cloud.imds.issuer.issued[-1]
    assert (found["access_key"], found["token"]) == (given.access_key, given.token)
    assert [c.asked.split()[0] for c in cloud.imds.calls] == ["PUT", "GET", "GET"]
    assert cloud.imds.without_token == 0


def test_instance_refuses_version_1(cloud: Cloud) -> None:
    fetcher = IMDSFetcher(timeout=2, num_attempts=1, base_url=cloud.imds.url + "/")
    path = "/latest/meta-data/iam/security-credentials/"
    for v1, status in ((False, 401), (True, 200)):
        cloud.imds.v1 = v1
        answer = fetcher._get_request(path.lstrip("/"), lambda _: False)
        assert answer.status_code == status
    assert cloud.imds.without_token == 2


@pytest.mark.parametrize("what", ["no role", "no success"])
def test_instance_without_keys(cloud: Cloud, what: str) -> None:
    if what == "no role":
        cloud.imds.role = ""
    else:
        cloud.imds.code = "AssumeRoleUnauthorizedAccess"
    assert imds(cloud).retrieve_iam_role_credentials() == {}
    assert not cloud.imds.issuer.issued


def test_instance_that_gives_no_token(cloud: Cloud) -> None:
    cloud.imds.fail(error("Forbidden", 403), 1)
    with pytest.raises(MetadataRetrievalError, match="IMDSv1 has been disabled"):
        imds(cloud).retrieve_iam_role_credentials()


# ---- the container endpoint ----


def test_container_gives_keys_for_its_token(cloud: Cloud) -> None:
    fetcher = ContainerMetadataFetcher(sleep=lambda _: None)
    shown = {"Authorization": cloud.container.token}
    found = fetcher.retrieve_full_uri(cloud.container.uri, shown)
    assert found["AccessKeyId"] == cloud.container.issuer.issued[-1].access_key
    with pytest.raises(MetadataRetrievalError, match="InvalidToken"):
        fetcher.retrieve_full_uri(cloud.container.uri, {"Authorization": "wrong"})


def test_container_through_the_whole_chain(cloud: Cloud, monkeypatch) -> None:
    for name, value in cloud.pod().items():
        monkeypatch.setenv(name, value)
    found = botocore.session.get_session().get_credentials()
    assert found and found.method == "container-role"
    assert found.access_key == cloud.container.issuer.issued[-1].access_key


# ---- IAM Identity Center ----


@pytest.mark.parametrize("session", ["corp", ""])
def test_sign_in_gives_keys(cloud: Cloud, monkeypatch, session: str) -> None:
    cloud.write_shared(cloud.sso.profile("dev", session))
    cloud.sso.sign_in(cloud.home, session)
    found = signed_in(cloud, monkeypatch)
    assert found.access_key == cloud.sso.issuer.issued[-1].access_key
    cloud.sso.token = "another"
    with pytest.raises(UnauthorizedSSOTokenError):
        signed_in(cloud, monkeypatch)


def signed_in(cloud: Cloud, monkeypatch):
    """Keys as botocore gets them with a profile, from a home of their own."""
    cache = str(cloud.home / ".aws" / "sso" / "cache")
    monkeypatch.setattr(SSOProvider, "_SSO_TOKEN_CACHE_DIR", cache)
    monkeypatch.setattr(SSOTokenProvider, "_SSO_TOKEN_CACHE_DIR", cache)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(cloud.home / ".aws" / "config"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSO", cloud.sso.url)
    found = botocore.session.Session(profile="dev").get_credentials()
    assert found
    return found.get_frozen_credentials()


# ---- the other stores ----


def test_parameter_store(cloud: Cloud) -> None:
    arn = cloud.ssm.create("/llm/key", "first")
    ssm = client("ssm", cloud.ssm.url, cloud.world.principal)
    cloud.ssm.put(arn, "second")
    cloud.ssm.parameters[arn].labels["blue"] = 1
    wanted = {arn: "second", "/llm/key": "second", "/llm/key:1": "first", f"{arn}:blue": "first"}
    for name, value in wanted.items():
        got = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]
        assert (got["Value"], got["ARN"], got["Type"]) == (value, arn, "SecureString")
    assert ssm.get_parameter(Name=arn)["Parameter"]["Value"] not in wanted.values()
    assert code(ssm.get_parameter, Name=arn + "x") == ("ParameterNotFound", 400)
    assert code(ssm.get_parameter, Name=arn + ":9") == ("ParameterVersionNotFound", 400)
    bad = Principal(cloud.world.principal.access_key, "w" * 40)
    refused = code(client("ssm", cloud.ssm.url, bad).get_parameter, Name=arn)
    assert refused == ("InvalidSignatureException", 403)


def test_credential_providers(cloud: Cloud) -> None:
    control = client("bedrock-agentcore-control", cloud.agentcore.url, cloud.world.principal)
    get = control.get_api_key_credential_provider
    managed = cloud.agentcore.manage("open_ai", cloud.world.store, "sk-managed")
    cloud.agentcore.point("own", cloud.world.access_arn, "client_id")
    answer = get(name="open_ai")
    assert answer["apiKeySecretArn"]["secretArn"] == managed
    assert answer["apiKeySecretJsonKey"] == "api_key_value"
    assert get(name="own")["apiKeySecretSource"] == "EXTERNAL"
    assert code(get, name="nobody-s") == ("ResourceNotFoundException", 404)
    cloud.agentcore.denied.add(cloud.world.principal.arn)
    assert code(get, name="own") == ("AccessDeniedException", 403)


# ---- faults ----

FAULTS = ["stalled body", "truncate", "huge", "redirect", "html", "drop"]


@pytest.mark.parametrize("kind", FAULTS)
def test_faults_break_a_real_client_too(cloud: Cloud, kind: str) -> None:
    """Whatever botocore makes of it, it is no session."""
    cloud.sts.add(Role(role_arn("llm")))
    cloud.sts.fail(Fault(kind))
    hasty = botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=1)
    sts = client("sts", cloud.sts.url, cloud.world.principal, hasty)
    try:
        answer = sts.assume_role(RoleArn=role_arn("llm"), RoleSessionName="me")
    except Exception as refusal:  # noqa: BLE001 - of many kinds, some of urllib3
        answer = {"failed": str(refusal)}
    assert "Credentials" not in answer
    assert cloud.sts.outcomes() == [kind]
