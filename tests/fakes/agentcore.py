# SPDX-License-Identifier: Apache-2.0
"""AgentCore's control plane as far as it tells where the key of a credential provider lies."""

import json
import re
from dataclasses import dataclass

from fakes.awsservice import ACCOUNT, AwsService
from fakes.secretsmanager import SecretsManager
from fakes.sigv4 import Principal, Rejected
from fakes.wire import Connection, Request

PATH = "/identities/GetApiKeyCredentialProvider"
VAULT = "token-vault/default"


@dataclass
class Provider:
    name: str
    source: str  # MANAGED or EXTERNAL
    secret_arn: str
    json_key: str | None


class AgentCore(AwsService):
    service = "bedrock-agentcore"
    opening = b'{"apiKeySecretArn":{"secretArn":"arn:aws'

    def __init__(self, region: str = "us-east-1", **options) -> None:
        super().__init__(region, **options)
        self.providers: dict[str, Provider] = {}

    # ---- what the test arranges ----

    def arn(self, name: str, service: str = "bedrock-agentcore") -> str:
        own = f"{VAULT}/apikeycredentialprovider/{name}"
        return f"arn:aws:{service}:{self.region}:{ACCOUNT}:{own}"

    def manage(self, name: str, store: SecretsManager, key: str) -> str:
        """A provider whose secret AgentCore keeps; the secret's ARN."""
        secret = f"bedrock-agentcore-identity!default/apikey/{name}"
        arn = store.create(secret, {"api_key_value": key})
        self.providers[name] = Provider(name, "MANAGED", arn, "api_key_value")
        return arn

    def point(self, name: str, secret_arn: str, json_key: str) -> None:
        """A provider whose secret is somebody's own."""
        self.providers[name] = Provider(name, "EXTERNAL", secret_arn, json_key)

    # ---- what it answers ----

    def asked(self, request: Request) -> str:
        return request.json().get("name", "") if request.body.startswith(b"{") else ""

    def respond(self, request: Request, principal: Principal | None) -> bytes:
        assert principal
        if (request.method, request.target) != ("POST", PATH):
            raise Rejected("UnknownOperationException", "no such operation", 404)
        if request.header("content-type") != "application/json":
            raise Rejected("ValidationException", "Content-Type is wrong", 400)
        name = request.json().get("name", "")
        if not re.fullmatch(r"[a-zA-Z0-9\-_]{1,128}", name):
            raise Rejected("ValidationException", "name fails its pattern", 400)
        action = "bedrock-agentcore:GetApiKeyCredentialProvider"
        self.authorize(principal, action, self.arn(name), 403)
        if name not in self.providers:
            raise Rejected("ResourceNotFoundException", f"no provider {name}", 404)
        return json.dumps(self._describe(self.providers[name])).encode()

    def _describe(self, provider: Provider) -> dict:
        key = {"apiKeySecretJsonKey": provider.json_key} if provider.json_key else {}
        return {
            "apiKeySecretArn": {"secretArn": provider.secret_arn},
            "apiKeySecretSource": provider.source,
            "name": provider.name,
            "credentialProviderArn": self.arn(provider.name, "acps"),
            "createdTime": round(self.now(), 3),
            "lastUpdatedTime": round(self.now(), 3),
            **key,
        }

    def refuse(self, connection: Connection, kind: str, message: str, status: int) -> None:
        types = f"{kind}:http://internal.amazon.com/coral/com.amazon.bedrock.agentcore/"
        headers = [*self.headers(), ("x-amzn-ErrorType", types)]
        connection.answer(status, headers, json.dumps({"message": message}).encode())
