# SPDX-License-Identifier: Apache-2.0
"""A Secrets Manager that speaks GetSecretValue and believes no signature it has not checked."""

import base64
import json
import random
import string
import uuid
from dataclasses import dataclass, field

from fakes.awsservice import ACCOUNT, Fault, JsonService, error, throttle
from fakes.sigv4 import Principal, Rejected

# A test of the store gets its faults from here too.
__all__ = ["Fault", "SecretsManager", "error", "throttle"]


@dataclass
class Version:
    value: str | bytes
    stages: set[str]


@dataclass
class Secret:
    arn: str
    name: str
    versions: dict[str, Version] = field(default_factory=dict)


class SecretsManager(JsonService):
    service = "secretsmanager"
    operation = "secretsmanager.GetSecretValue"
    subject = "SecretId"
    opening = b'{"SecretString":"sk'

    def __init__(self, region: str = "us-east-1", **options) -> None:
        super().__init__(region, **options)
        self.secrets: dict[str, Secret] = {}

    # ---- what the test arranges ----

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

    # ---- what it answers ----

    def get(self, asked: dict, principal: Principal) -> dict:
        wanted = asked.get("SecretId", "")
        secret = self._find(wanted)
        self.authorize(principal, "secretsmanager:GetSecretValue", wanted)
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
        value = version.value
        kept = (
            {"SecretString": value}
            if isinstance(value, str)
            else {"SecretBinary": base64.b64encode(value).decode()}
        )
        return {
            "ARN": secret.arn,
            "Name": secret.name,
            "VersionId": name,
            "VersionStages": sorted(version.stages),
            "CreatedDate": round(self.now(), 3),
            **kept,
        }
