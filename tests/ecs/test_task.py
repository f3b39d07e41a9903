# SPDX-License-Identifier: Apache-2.0
"""Goal: the module's task, played through: sidekey in its container does the main job and meets a
rotated key; the agent, with the same task role, its own environment and boto3, gets at nothing."""

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import botocore.exceptions
import pytest
from evaluator import ALLOWED
from fakes.agent import chat
from fakes.cloud import Cloud
from fakes.iam import Role, session_arn
from fakes.sidekey import Sidekey, run
from fakes.sigv4 import Rejected
from fakes.sts import Sts
from fakes.wire import free_port, wait_for
from fakes.world import World
from terraform import EXTERNAL_ID, REGION, Account, role_arn

pytestmark = pytest.mark.once
TASK = "cd189a933e5849daa93386466019ab50"
MINE = f"sidekey-{TASK}-2495160603"


class Governed(Sts):
    """One that decides by the account's own policies; so do the stores, for whom it lets in."""

    def __init__(self, account: Account, **options) -> None:
        super().__init__(**options)
        self.account = account

    def _assume(self, form, principal):
        role = form["RoleArn"]
        context = {"sts__RoleSessionName": form["RoleSessionName"]}
        if "ExternalId" in form:
            context["sts__ExternalId"] = form["ExternalId"]
        verdict = self.account.may(whose(principal.arn), "sts:AssumeRole", role, "sts", **context)
        if verdict != ALLOWED:
            raise Rejected("AccessDenied", f"{principal.arn} may not assume {role}: {verdict}")
        made = self._session(form, Role(role))
        govern(self.account, self.issuer.issued[-1])
        return made


def whose(arn: str) -> str:
    """The role of the module that a session is of."""
    return arn.split("/")[1].removeprefix("agent-")


def govern(account: Account, principal) -> None:
    principal.allows = lambda action, resource: (
        account.may(whose(principal.arn), action, resource, "secretsmanager") == ALLOWED
    )


class Task:
    """AWS as a task of the module finds it, and what its two containers are started with."""

    def __init__(self, cloud: Cloud, layout: str) -> None:
        self.cloud, self.world = cloud, cloud.world
        self.port, self.admin_port = free_port(), free_port()
        target = self.world.target()
        del target["cloudflareAccess"]
        self.world.api.access = None
        if layout == "env":
            target["apiKey"] = "env:LITELLM_API_KEY"
        config = {
            "targets": {"main": target},
            "secrets": {"ttl": "1s", "failureTtl": "1s"},
            "listen": [f"127.0.0.1:{self.port}"],
            "admin": [f"127.0.0.1:{self.admin_port}"],
        }
        example = {"reader": "litellm", "env": "env"}[layout]
        self.account = Account(example, config=config)
        cloud.sts = Governed(self.account, principals=self.world.store.principals)
        cloud.container.issuer.arn = session_arn(role_arn("task"), TASK)
        issue = cloud.container.issuer.issue

        def governed(now: float, **changes):
            given = issue(now, **changes)
            govern(self.account, given)
            return given

        cloud.container.issuer.issue = governed

    def given_to_all(self) -> dict[str, str]:
        """What ECS puts into each container of a task, and where the services are here."""
        return {
            **self.cloud.endpoints(),
            **self.cloud.task(),
            "ECS_CONTAINER_METADATA_URI_V4": f"http://169.254.170.2/v4/{TASK}-2495160603",
        }

    def environment(self, container: str, **injected: str) -> dict[str, str]:
        """injected: what the execution role reads for `secrets`, by name of the variable."""
        found = self.account.containers[container]
        wanted = {row["name"] for row in found.get("secrets", [])}
        assert set(injected) <= wanted
        literal = {row["name"]: row["value"] for row in found["environment"]}
        return {**self.given_to_all(), **literal, **injected}

    def sidekey(self, folder: Path, **injected: str) -> Sidekey:
        made = Sidekey(None, folder, self.environment("sidekey", **injected), wait=False)
        made.port, made.admin_port = self.port, self.admin_port
        return made


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path, mtls=False) as made:
        yield made


@pytest.fixture
def task(world: World) -> Iterator[Task]:
    cloud = Cloud(world)
    made = Task(cloud, "reader")
    with cloud:
        yield made


def healthy(task: Task) -> bool:
    """As ECS asks: by the container's own command, in its environment."""
    command = task.account.containers["sidekey"]["healthCheck"]["command"]
    assert command[:2] == ["CMD", "/sidekey"]
    return run(*command[2:], env=task.environment("sidekey")).returncode == 0


def test_main_job_and_rotation(task: Task, tmp_path: Path) -> None:
    with task.sidekey(tmp_path, SIDEKEY_EXTERNAL_ID=EXTERNAL_ID) as sidekey:
        wait_for(lambda: healthy(task), 20, "a good health check")
        assert chat(sidekey).status == 200
        task.world.api.key = "sk-rotated-" + "5" * 30
        task.world.store.put(task.world.key_arn, task.world.api.key)
        assert chat(sidekey).status == 200
    asked = {call.principal for call in task.world.store.calls}
    assert asked == {session_arn(role_arn("reader"), MINE)}
    assert EXTERNAL_ID not in sidekey.text()
    assert task.cloud.found_in(sidekey.output) == []


@pytest.mark.parametrize(
    ("injected", "said"),
    [
        ({"SIDEKEY_EXTERNAL_ID": "guess-of-the-agent"}, "STS said no: AccessDenied"),
        ({"SIDEKEY_EXTERNAL_ID": "*"}, "STS said no: AccessDenied"),
        ({}, "was not set when sidekey started"),
    ],
    ids=["wrong", "a star", "none"],
)
def test_without_the_external_id_no_agent_starts(task: Task, tmp_path, injected, said) -> None:
    with task.sidekey(tmp_path, **injected) as sidekey:
        sidekey.wait_listening()
        wait_for(lambda: said in sidekey.text(), 20, "a word on what is wrong")
        assert chat(sidekey).code in ("credential_refused", "credential_unavailable")
        assert not healthy(task)
    assert not task.world.store.calls


# ---- the agent in its container ----


@pytest.fixture
def agent(task: Task, monkeypatch: pytest.MonkeyPatch) -> Iterator[boto3.Session]:
    """boto3 as it finds itself in the agent's container, with the task's role."""
    for name, value in task.environment("agent").items():
        if name not in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):  # which say `none`
            monkeypatch.setenv(name, value)
    session = boto3.Session(region_name=REGION)
    assert session.client("sts").get_caller_identity()["Arn"].endswith(f"agent-task/{TASK}")
    return session


def refused(call, **arguments) -> str:
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


@pytest.mark.parametrize(
    "shown",
    [
        {},
        {"ExternalId": "guess"},
        {"ExternalId": EXTERNAL_ID[:-1]},
        {"ExternalId": EXTERNAL_ID + "x"},
    ],
    ids=["none", "a guess", "too short", "too long"],
)
@pytest.mark.parametrize("role", ["reader", "invoke", "execution"])
def test_agent_assumes_nothing(task: Task, agent, role: str, shown: dict) -> None:
    call = agent.client("sts").assume_role
    named = {"RoleArn": role_arn(role), "RoleSessionName": MINE}
    assert refused(call, **named, **shown) == "AccessDenied"
    assert not task.cloud.sts.issuer.issued


def test_agent_reads_no_secret(task: Task, agent) -> None:
    """Also not while sidekey, of the same task, reads it."""
    store = task.world.store
    other = store.create("agent/external-id", EXTERNAL_ID)
    for arn in (task.world.key_arn, other):
        call = agent.client("secretsmanager").get_secret_value
        assert refused(call, SecretId=arn) == "AccessDeniedException"


def test_agent_is_told_nothing(task: Task) -> None:
    env = json.dumps(task.environment("agent"))
    secrets = {**task.world.wire_secrets(), "external id": EXTERNAL_ID.encode()}
    assert [name for name, value in secrets.items() if value.decode() in env] == []


def test_env_layout(world: World, tmp_path: Path) -> None:
    """Nobody is asked; a new value of the variable takes a new task."""
    cloud = Cloud(world)
    task = Task(cloud, "env")
    with cloud, task.sidekey(tmp_path, LITELLM_API_KEY=world.key) as sidekey:
        wait_for(lambda: healthy(task), 20, "a good health check")
        assert chat(sidekey).status == 200
        world.api.key = "sk-rotated-" + "5" * 30
        assert chat(sidekey).status == 401
    assert not cloud.sts.calls and not cloud.container.calls and not world.store.calls
