# SPDX-License-Identifier: Apache-2.0
"""Goal: which principal of a task may read or call what, by the module's own policies: the agent,
which has the task's role, nothing; sidekey what its configuration names, and nothing else."""

import json

import boto3
import botocore.exceptions
import pytest
from evaluator import ALLOWED, EXPLICIT, IMPLICIT, Request, decide
from fakes.sidekey import ROOT
from moto import mock_aws
from moto.core import set_initial_no_auth_action_count
from terraform import (
    ACCOUNT,
    EXTERNAL_ID,
    EXTERNAL_ID_ARN,
    REGION,
    Account,
    module,
    role_arn,
)

pytestmark = pytest.mark.once
POLICIES = ROOT / "policy" / "iam"
SECRETS = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:"
KEY, ACCESS = SECRETS + "litellm-proxy-AbCdEf", SECRETS + "cf-access-XyZ123"
OTHER_SECRET = SECRETS + "payroll-AbCdEf"
PARAMETER = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/llm/aig"
PROVIDER = (
    f"arn:aws:bedrock-agentcore:{REGION}:{ACCOUNT}:token-vault/default/apikeycredentialprovider/"
)
KMS_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
PROFILE = (
    f"arn:aws:bedrock:{REGION}:{ACCOUNT}:inference-profile/"
    "us.anthropic.claude-sonnet-4-20250514-v1:0"
)
CLAUDE = "arn:aws:bedrock:us-west-2::foundation-model/anthropic.claude-sonnet-4-20250514-v1:0"
NOVA = f"arn:aws:bedrock:{REGION}::foundation-model/amazon.nova-lite-v1:0"
COUNT = "bedrock:CountTokens"
READ, ASSUME, INVOKE = "secretsmanager:GetSecretValue", "sts:AssumeRole", "bedrock:InvokeModel"
ADMIN = f"arn:aws:iam::{ACCOUNT}:role/admin"
STRANGER = "arn:aws:iam::999999999999:role/thief"
LOG = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/ecs/agent:log-stream:agent/agent/0"
NAMED = {"sts__RoleSessionName": "sidekey-cd189a933e5849daa93386466019ab50"}
SHOWN = {"sts__ExternalId": EXTERNAL_ID, **NAMED}
THROUGH = {"bedrock__InferenceProfileArn": PROFILE}


@pytest.fixture(scope="module")
def reader() -> Account:
    return Account("litellm", model_arns=[NOVA])


@pytest.fixture(scope="module")
def env() -> Account:
    return Account("env")


# who, does what, to what, with what, verdict
READER_LAYOUT = [
    # The agent, or whoever else has the task's role.
    ("task", READ, KEY, {}, EXPLICIT),
    ("task", READ, ACCESS, {}, EXPLICIT),
    ("task", READ, EXTERNAL_ID_ARN, {}, EXPLICIT),
    ("task", "secretsmanager:BatchGetSecretValue", "*", {}, EXPLICIT),
    ("task", "ssm:GetParametersByPath", PARAMETER, {}, EXPLICIT),
    ("task", "bedrock-agentcore:GetResourceApiKey", PROVIDER + "openai", {}, EXPLICIT),
    ("task", INVOKE, NOVA, {}, IMPLICIT),
    ("task", ASSUME, role_arn("reader"), {}, IMPLICIT),
    ("task", ASSUME, role_arn("reader"), NAMED, IMPLICIT),
    ("task", ASSUME, role_arn("reader"), {**NAMED, "sts__ExternalId": "guess"}, IMPLICIT),
    ("task", ASSUME, role_arn("reader"), {**NAMED, "sts__ExternalId": "*"}, IMPLICIT),
    ("task", ASSUME, role_arn("reader"), {**NAMED, "sts__ExternalId": ""}, IMPLICIT),
    ("task", ASSUME, role_arn("invoke"), NAMED, IMPLICIT),
    ("task", ASSUME, role_arn("execution"), SHOWN, EXPLICIT),
    ("task", ASSUME, ADMIN, SHOWN, EXPLICIT),
    ("task", "iam:GetRole", role_arn("reader"), {}, EXPLICIT),
    ("task", "iam:UpdateAssumeRolePolicy", role_arn("reader"), {}, EXPLICIT),
    ("task", "iam:PassRole", role_arn("execution"), {}, EXPLICIT),
    ("task", "cloudtrail:LookupEvents", "*", {}, EXPLICIT),
    ("task", "ecs:RunTask", "*", {}, EXPLICIT),
    ("task", "ecs:ExecuteCommand", "*", {}, EXPLICIT),
    # sidekey, which has that role too, and the external id.
    ("task", ASSUME, role_arn("reader"), SHOWN, ALLOWED),
    ("task", ASSUME, role_arn("invoke"), SHOWN, ALLOWED),
    ("task", ASSUME, role_arn("reader"), {**SHOWN, "sts__RoleSessionName": "x"}, IMPLICIT),
    # What it is then.
    ("reader", READ, KEY, {}, ALLOWED),
    ("reader", READ, ACCESS, {}, ALLOWED),
    ("reader", READ, OTHER_SECRET, {}, IMPLICIT),
    ("reader", READ, KEY + "x", {}, IMPLICIT),
    ("reader", READ, EXTERNAL_ID_ARN, {}, IMPLICIT),
    ("reader", "secretsmanager:PutSecretValue", KEY, {}, IMPLICIT),
    ("reader", "secretsmanager:DescribeSecret", KEY, {}, IMPLICIT),
    ("reader", "ssm:GetParameter", PARAMETER, {}, IMPLICIT),
    ("reader", ASSUME, role_arn("invoke"), SHOWN, IMPLICIT),
    ("reader", INVOKE, NOVA, {}, IMPLICIT),
    ("invoke", INVOKE, NOVA, {}, ALLOWED),
    ("invoke", "bedrock:InvokeModelWithResponseStream", PROFILE, {}, ALLOWED),
    ("invoke", INVOKE, CLAUDE, THROUGH, ALLOWED),
    ("invoke", INVOKE, CLAUDE, {}, IMPLICIT),
    ("invoke", COUNT, NOVA, {}, ALLOWED),
    ("invoke", COUNT, CLAUDE, {}, ALLOWED),
    ("invoke", COUNT, NOVA.replace("lite", "pro"), {}, IMPLICIT),
    ("task", COUNT, NOVA, {}, IMPLICIT),
    ("invoke", INVOKE, CLAUDE, {"bedrock__InferenceProfileArn": PROFILE + "x"}, IMPLICIT),
    ("invoke", INVOKE, NOVA.replace("lite", "pro"), {}, IMPLICIT),
    ("invoke", READ, KEY, {}, IMPLICIT),
    # What ECS does before there is a container.
    ("execution", READ, EXTERNAL_ID_ARN, {}, ALLOWED),
    ("execution", READ, KEY, {}, IMPLICIT),
    (
        "execution",
        "ecr:BatchGetImage",
        f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/agent",
        {},
        ALLOWED,
    ),
    (
        "execution",
        "ecr:BatchGetImage",
        f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/x",
        {},
        IMPLICIT,
    ),
    ("execution", "ecr:PutImage", f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/agent", {}, IMPLICIT),
    ("execution", "logs:PutLogEvents", LOG, {}, ALLOWED),
    ("execution", "logs:GetLogEvents", LOG, {}, IMPLICIT),
    ("execution", "logs:PutLogEvents", LOG.replace("/ecs/agent", "/ecs/x"), {}, IMPLICIT),
    ("execution", ASSUME, role_arn("reader"), SHOWN, IMPLICIT),
    # Others.
    (ADMIN, ASSUME, role_arn("reader"), SHOWN, IMPLICIT),
    (STRANGER, ASSUME, role_arn("reader"), SHOWN, IMPLICIT),
    ("ecs-tasks.amazonaws.com", ASSUME, role_arn("reader"), SHOWN, IMPLICIT),
]
ENV_LAYOUT = [
    ("execution", READ, KEY, {}, ALLOWED),
    ("execution", READ, OTHER_SECRET, {}, IMPLICIT),
    ("task", READ, KEY, {}, EXPLICIT),
    ("task", ASSUME, role_arn("reader"), SHOWN, EXPLICIT),
    ("task", ASSUME, role_arn("execution"), SHOWN, EXPLICIT),
]


@pytest.mark.parametrize(("who", "action", "resource", "context", "verdict"), READER_LAYOUT)
def test_reader_layout(reader, who, action, resource, context, verdict) -> None:
    assert reader.may(who, action, resource, **context) == verdict


@pytest.mark.parametrize(("who", "action", "resource", "context", "verdict"), ENV_LAYOUT)
def test_env_layout(env, who, action, resource, context, verdict) -> None:
    assert env.may(who, action, resource, **context) == verdict
    assert not env.trust.get("reader") and not env.trust.get("invoke")


# The role of a task is for tasks of this account alone.
OF = {"aws__SourceAccount": ACCOUNT, "aws__SourceArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/c/t"}
TASKS = "ecs-tasks.amazonaws.com"
TASK_TRUST = [
    (TASKS, OF, ALLOWED),
    (TASKS, {}, IMPLICIT),
    (TASKS, {**OF, "aws__SourceAccount": "999999999999"}, IMPLICIT),
    (TASKS, {**OF, "aws__SourceArn": f"arn:aws:ecs:{REGION}:999999999999:task/c/t"}, IMPLICIT),
    ("ec2.amazonaws.com", OF, IMPLICIT),
    (ADMIN, OF, IMPLICIT),
]


@pytest.mark.parametrize("role", ["task", "execution"])
@pytest.mark.parametrize(("who", "context", "verdict"), TASK_TRUST)
def test_who_gets_the_role_of_a_task(reader, role, who, context, verdict) -> None:
    assert reader.may(who, ASSUME, role_arn(role), **context) == verdict


# service, who, does what, to what, whether it passes
ENDPOINTS = [
    ("secretsmanager", "reader", READ, KEY, True),
    ("secretsmanager", "execution", READ, EXTERNAL_ID_ARN, True),
    ("secretsmanager", ADMIN, READ, KEY, False),
    ("secretsmanager", ADMIN, "secretsmanager:PutSecretValue", KEY, False),
    ("secretsmanager", STRANGER, "secretsmanager:PutSecretValue", "*", False),
    ("secretsmanager", role_arn("task"), READ, KEY, False),
    ("sts", STRANGER, ASSUME, role_arn("reader"), False),
    ("sts", ADMIN, "sts:GetFederationToken", "*", False),
    ("logs", "execution", "logs:PutLogEvents", LOG, True),
    ("logs", STRANGER, "logs:PutLogEvents", "*", False),
    ("ecr.api", "execution", "ecr:GetAuthorizationToken", "*", True),
    ("ecr.dkr", STRANGER, "ecr:PutImage", "*", False),
    ("bedrock-runtime", "invoke", INVOKE, NOVA, True),
    ("bedrock-runtime", ADMIN, INVOKE, NOVA, False),
]


@pytest.mark.parametrize(("service", "who", "action", "resource", "passes"), ENDPOINTS)
def test_endpoint(reader, service, who, action, resource, passes) -> None:
    """Others have all rights of their own here: it is the endpoint that refuses them."""
    assert (reader.may(who, action, resource, service) == ALLOWED) == passes


def test_endpoint_of_sts_lets_sidekey_through(reader) -> None:
    assert reader.may("task", ASSUME, role_arn("reader"), "sts", **SHOWN) == ALLOWED
    assert reader.may("task", ASSUME, role_arn("reader"), "sts", **NAMED) == IMPLICIT


def test_keys_of_one_s_own_decrypt_for_the_named_secrets_alone() -> None:
    config = {"targets": {"a": {"apiKey": KEY}, "b": {"apiKey": PARAMETER}}}
    account = Account("litellm", config=config, kms_key_arns=[KMS_KEY])
    of_secret = {
        "kms__ViaService": "secretsmanager.us-east-1.amazonaws.com",
        "kms__EncryptionContext:SecretARN": KEY,
    }
    of_parameter = {
        "kms__ViaService": "ssm.us-east-1.amazonaws.com",
        "kms__EncryptionContext:PARAMETER_ARN": PARAMETER,
    }
    wrong = {**of_secret, "kms__EncryptionContext:SecretARN": OTHER_SECRET}

    def may(context: dict) -> bool:
        return account.may("reader", "kms:Decrypt", KMS_KEY, **context) == ALLOWED

    assert may(of_secret) and may(of_parameter)
    assert not may({}) and not may(wrong)
    assert not may({**of_secret, "kms__ViaService": "ssm.us-east-1.amazonaws.com"})


# ---- policy/iam ----

VARIED = {
    "read-secrets.json": ("reader_policy", [KEY, ACCESS], {"kms_key_arns": [KMS_KEY]}),
    "read-parameters.json": ("reader_policy", [PARAMETER], {"kms_key_arns": [KMS_KEY]}),
    "read-credential-providers.json": ("reader_policy", [PROVIDER + "openai"], {}),
    "invoke-models.json": ("invoke_policy", None, {"model_arns": [NOVA]}),
    "assume-role.json": ("assume_policy", None, {}),
    "assume-role-trust.json": ("role_trust", None, {}),
    "task-trust.json": ("task_trust", None, {}),
    "execution-role.json": ("execution_policy", None, {}),
    "deny-agent.json": ("deny_policy", None, {}),
    "endpoint-secretsmanager.json": ("secretsmanager", None, {}),
    "endpoint-sts.json": ("sts", None, {}),
}
BY_HAND = {"secret-resource.json"}


def read(name: str) -> dict:
    return json.loads((POLICIES / name).read_text())


@pytest.mark.parametrize("name", VARIED)
def test_file_is_what_the_module_makes(name: str) -> None:
    """So that what is shown of the module holds for the files; one has more, marked by its Sid."""
    local, references, changes = VARIED[name]
    if references:
        targets = {str(i): {"apiKey": reference} for i, reference in enumerate(references)}
        changes = {**changes, "config": {"targets": targets}}
    found = module("litellm", **changes)["locals"]
    wanted = found[local] if local in found else found["endpoint_policies"][local]
    kept = read(name)
    kept["Statement"] = [s for s in kept["Statement"] if "OnlyWithOp" not in s.get("Sid", "")]
    assert kept == wanted


def test_no_file_is_left_out() -> None:
    assert {p.name for p in POLICIES.glob("*.json")} == {*VARIED, *BY_HAND}


@pytest.mark.parametrize(
    ("who", "verdict"),
    [(role_arn("reader"), ALLOWED), (ADMIN, EXPLICIT), (role_arn("task"), EXPLICIT)],
)
def test_policy_of_the_secret_itself(who: str, verdict: str) -> None:
    """Whatever rights the others have."""
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    own = [{"Version": "2012-10-17", "Statement": [everything]}]
    assert decide(Request(who, READ, KEY), own, resource=read("secret-resource.json")) == verdict


# ---- a second opinion ----


@pytest.fixture
def moto(reader: Account):
    """The module's roles and policies in moto, which checks the documents as it takes them."""
    with mock_aws():
        iam = boto3.client("iam", REGION, **KEYS)
        for role, trust in reader.trust.items():
            iam.create_role(RoleName=f"agent-{role}", AssumeRolePolicyDocument=json.dumps(trust))
            for i, policy in enumerate(reader.identity[role]):
                iam.put_role_policy(
                    RoleName=f"agent-{role}", PolicyName=str(i), PolicyDocument=json.dumps(policy)
                )
        yield


KEYS = {"aws_access_key_id": "AKIAROOT", "aws_secret_access_key": "r" * 40}


def session(role: str):
    """boto3 with the keys of a role; to moto any role is anybody's."""
    sts = boto3.client("sts", REGION, **KEYS)
    given = sts.assume_role(RoleArn=role_arn(role), RoleSessionName="test")["Credentials"]
    return boto3.Session(
        given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], REGION
    )


def status_of(call) -> int:
    try:
        return call()["ResponseMetadata"]["HTTPStatusCode"]
    except botocore.exceptions.ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"]


# Role, service, method, arguments, what moto answers. It knows neither the resource of a call (so
# that only statements about * allow anything) nor what a condition asks of an identity's policy.
CALLS = [
    ("task", "secretsmanager", "get_secret_value", {"SecretId": "k"}, 403),
    ("task", "secretsmanager", "list_secrets", {}, 403),
    ("task", "ssm", "get_parameter", {"Name": "/llm/aig"}, 403),
    ("task", "iam", "get_role", {"RoleName": "agent-reader"}, 403),
    ("task", "ecs", "list_clusters", {}, 403),
    ("reader", "secretsmanager", "delete_secret", {"SecretId": "k"}, 403),
    ("reader", "sts", "assume_role", {"RoleArn": ADMIN, "RoleSessionName": "ab"}, 403),
    ("execution", "ecr", "get_authorization_token", {}, 200),
    ("execution", "ecr", "create_repository", {"repositoryName": "ab"}, 403),
    ("invoke", "secretsmanager", "get_secret_value", {"SecretId": "k"}, 403),
]


@pytest.mark.parametrize(("role", "service", "method", "arguments", "status"), CALLS)
def test_moto_agrees(moto, role, service, method, arguments, status) -> None:
    boto3.client("secretsmanager", REGION, **KEYS).create_secret(Name="k", SecretString="x")
    client = session(role).client(service)
    call = set_initial_no_auth_action_count(0)(lambda: getattr(client, method)(**arguments))
    assert status_of(call) == status
