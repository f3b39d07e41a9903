# SPDX-License-Identifier: Apache-2.0
"""A Secrets Manager that speaks GetSecretValue and believes no signature it has not checked."""

import json
import random
import string
import time
import uuid
from collections import deque
from dataclasses import dataclass, field

from fakes.sigv4 import Principal, Rejected, verify
from fakes.wire import Connection, Gone, Request, Server

ACCOUNT = "123456789012"
TARGET = "secretsmanager.GetSecretValue"
JSON_TYPE = ("Content-Type", "application/x-amz-json-1.1")
HUGE_BYTES = 8 * 1024 * 1024
STALL_SECONDS = 60


@dataclass
class Version:
    value: str | bytes
    stages: set[str]


@dataclass
class Secret:
    arn: str
    name: str
    versions: dict[str, Version] = field(default_factory=dict)


@dataclass
class Call:
    """What was asked, by whom (None: the signature was refused), and what came of it."""

    principal: str | None
    secret_id: str
    outcome: str
    at: float


@dataclass
class Fault:
    """Something that goes wrong in place of an answer; kind names which."""

    kind: str
    type: str = "InternalServiceError"
    status: int = 500
    message: str = "injected"
    location: str = "http://127.0.0.1:9/"


def error(kind: str, status: int = 400, message: str = "injected") -> Fault:
    return Fault("error", kind, status, message)


def throttle() -> Fault:
    return error("ThrottlingException", 400, "Rate exceeded")


class SecretsManager(Server):
    def __init__(self, region: str = "us-east-1", **options) -> None:
        super().__init__(**options)
        self.region = region
        self.principals: dict[str, Principal] = {}
        self.secrets: dict[str, Secret] = {}
        self.denied: set[str] = set()
        self.calls: list[Call] = []
        self.standing: Fault | None = None
        self.faults: deque[Fault] = deque()
        self.ahead = 0.0  # seconds, of its clock

    # ---- what the test arranges ----

    def admit(self, principal: Principal) -> Principal:
        self.principals[principal.access_key] = principal
        return principal

    def arn(self, name: str) -> str:
        suffix = "".join(random.choices(string.ascii_letters + string.digits, k=6))
        return f"arn:aws:secretsmanager:{self.region}:{ACCOUNT}:secret:{name}-{suffix}"

    def create(self, name: str, value: str | bytes | dict) -> str:
        arn = self.arn(name)
        self.secrets[arn] = Secret(arn, name)
        self.put(arn, value)
        return arn

    def put(self, arn: str, value: str | bytes | dict, version: str | None = None) -> str:
        """Rotates: the new version is AWSCURRENT, the one before it AWSPREVIOUS."""
        secret = self.secrets[arn]
        version = version or str(uuid.uuid4())
        for old in secret.versions.values():
            old.stages.discard("AWSPREVIOUS")
            if "AWSCURRENT" in old.stages:
                old.stages = (old.stages - {"AWSCURRENT"}) | {"AWSPREVIOUS"}
        text = json.dumps(value) if isinstance(value, dict) else value
        secret.versions[version] = Version(text, {"AWSCURRENT"})
        return version

    def fail(self, fault: Fault | None, times: int | None = None) -> None:
        """Injects a fault: for good (None ends it), or for the next calls only."""
        if times is None:
            self.standing = fault
        elif fault:
            self.faults.extend([fault] * times)

    def fetches(self, arn: str | None = None) -> int:
        return sum(c.outcome == "ok" and arn in (None, c.secret_id) for c in self.calls)

    # ---- what it answers ----

    async def handle(self, request: Request, connection: Connection) -> None:
        asked = request.json().get("SecretId", "") if request.body.startswith(b"{") else ""
        fault = self.faults.popleft() if self.faults else self.standing
        if fault:
            self._note(None, asked, fault.type if fault.kind == "error" else fault.kind)
            await self._misbehave(fault, connection)
            return
        principal = None
        try:
            principal = verify(
                request, self.principals, self.region, "secretsmanager", self.ahead
            )
            answer = self._get(request, principal)
        except Rejected as refusal:
            self._note(principal, asked, refusal.kind)
            self._refuse(connection, refusal.kind, str(refusal), refusal.status)
            return
        self._note(principal, asked, "ok")
        connection.answer(200, self._headers(), json.dumps(answer).encode())

    def _note(self, principal: Principal | None, asked: str, outcome: str) -> None:
        arn = principal.arn if principal else None
        self.calls.append(Call(arn, asked, outcome, time.monotonic()))

    def _headers(self) -> list[tuple[str, str]]:
        return [JSON_TYPE, ("x-amzn-RequestId", str(uuid.uuid4()))]

    def _refuse(self, connection: Connection, kind: str, message: str, status: int) -> None:
        body = json.dumps({"__type": kind, "Message": message}).encode()
        connection.answer(status, self._headers(), body)

    def _get(self, request: Request, principal: Principal) -> dict:
        if (request.method, request.target) != ("POST", "/"):
            raise Rejected("UnknownOperationException", "POST / is due", 404)
        if request.header("x-amz-target") != TARGET:
            raise Rejected("UnknownOperationException", "X-Amz-Target is wrong", 400)
        if request.header("content-type") != JSON_TYPE[1]:
            raise Rejected("SerializationException", "Content-Type is wrong", 400)
        asked = request.json()
        secret = self._find(asked.get("SecretId", ""))
        if principal.arn in self.denied:
            raise Rejected(
                "AccessDeniedException",
                f"User: {principal.arn} is not authorized to perform: "
                f"secretsmanager:GetSecretValue on resource: {asked.get('SecretId')} because no "
                "identity-based policy allows the secretsmanager:GetSecretValue action",
                400,
            )
        return self._answer(secret, *self._version(secret, asked))

    def _find(self, asked: str) -> Secret:
        for secret in self.secrets.values():
            if asked in (secret.arn, secret.name, secret.arn[:-7]):
                return secret
        if asked.count(":") > 6:
            raise Rejected("InvalidParameterException", "Invalid name.", 400)
        raise Rejected("ResourceNotFoundException", "Secrets Manager can't find it.", 400)

    def _version(self, secret: Secret, asked: dict) -> tuple[str, Version]:
        stage, wanted = asked.get("VersionStage"), asked.get("VersionId")
        if not stage and not wanted:
            stage = "AWSCURRENT"
        for name, version in secret.versions.items():
            if wanted in (None, name) and (stage is None or stage in version.stages):
                return name, version
        raise Rejected("ResourceNotFoundException", "There is no such version.", 400)

    def _answer(self, secret: Secret, name: str, version: Version) -> dict:
        is_text = isinstance(version.value, str)
        return {
            "ARN": secret.arn,
            "Name": secret.name,
            "VersionId": name,
            "VersionStages": sorted(version.stages),
            "CreatedDate": round(time.time(), 3),
            "SecretString" if is_text else "SecretBinary": version.value,
        }

    # ---- faults ----

    async def _misbehave(self, fault: Fault, connection: Connection) -> None:
        html = [("Content-Type", "text/html")]
        if fault.kind == "error":
            self._refuse(connection, fault.type, fault.message, fault.status)
        elif fault.kind == "stall":
            await connection.sleep(STALL_SECONDS)
        elif fault.kind == "truncate":
            connection.send(
                b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + b'{"SecretString":"sk'
            )
            connection.abort()
        elif fault.kind == "huge":
            connection.answer(200, self._headers(), b'{"SecretString":"' + b"x" * HUGE_BYTES)
        elif fault.kind == "redirect":
            connection.answer(307, [("Location", fault.location)], b"")
        elif fault.kind == "html":
            connection.answer(200, html, b"<html><body>Welcome to the portal</body></html>")
        elif fault.kind == "drop":
            connection.abort()
            raise Gone
        else:
            raise AssertionError(f"no such fault: {fault.kind}")
