# SPDX-License-Identifier: Apache-2.0
"""AWS around a world: every way to an identity, and every store, all of one registry of
principals, so that what one has given out another admits."""

import base64
import json
import secrets
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from fakes.agentcore import AgentCore
from fakes.containercredentials import ContainerCredentials
from fakes.iam import HOUR, Issuer, Role, role_arn
from fakes.imds import Imds
from fakes.ssm import Ssm
from fakes.sso import Sso
from fakes.sts import Sts
from fakes.world import World


def jwt() -> str:
    """A token of the form that a cluster projects."""
    parts = [
        json.dumps({"alg": "RS256", "kid": secrets.token_hex(20)}),
        json.dumps({"aud": ["sts.amazonaws.com"], "jti": secrets.token_hex(16)}),
        secrets.token_hex(128),
    ]
    return ".".join(base64.urlsafe_b64encode(p.encode()).decode().rstrip("=") for p in parts)


class Cloud:
    """Each source gives out sessions of a principal of its own, by which tests tell them apart."""

    def __init__(self, world: World) -> None:
        self.world, self.home = world, world.folder / "home"
        principals = world.store.principals
        self.sts = Sts(principals=principals)
        self.ssm = Ssm(principals=principals)
        self.agentcore = AgentCore(principals=principals)
        self.imds = Imds(self._issuer("instance"))
        self.sso = Sso(self._issuer("signed-in"))
        self.container = ContainerCredentials(self._issuer("task"), "container-token-" + "t" * 40)
        self.token_file = world.folder / "token" / "token"
        self.web_tokens: list[str] = []
        self._stack = ExitStack()

    def _issuer(self, name: str) -> Issuer:
        principals = self.world.store.principals
        return Issuer(principals, f"arn:aws:sts::123456789012:assumed-role/{name}/session", HOUR)

    def __enter__(self) -> Self:
        started = (self.sts, self.ssm, self.agentcore, self.imds, self.sso, self.container)
        for service in started:
            self._stack.enter_context(service)
        return self

    def __exit__(self, *_) -> None:
        self._stack.close()

    # ---- what stands on the disk ----

    def write_token(self, text: str) -> Path:
        """The projected token, replaced as one, as kubelet does."""
        self.token_file.parent.mkdir(exist_ok=True)
        fresh = self.token_file.with_name("fresh")
        fresh.write_text(text)
        fresh.chmod(0o600)
        fresh.rename(self.token_file)
        return self.token_file

    def write_shared(self, config: str = "", credentials: str = "") -> None:
        folder = self.home / ".aws"
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in (("config", config), ("credentials", credentials)):
            path = folder / name
            path.write_text(text)
            path.chmod(0o600)

    def keys_profile(self, name: str = "default") -> str:
        """A section of ~/.aws/credentials."""
        own = self.world.principal
        return (
            f"[{name}]\naws_access_key_id = {own.access_key}\n"
            f"aws_secret_access_key = {own.secret_key}\n"
        )

    # ---- what stands in the environment ----

    def endpoints(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.imds.url,
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": self.world.store.url,
            "AWS_ENDPOINT_URL_SSM": self.ssm.url,
            "AWS_ENDPOINT_URL_STS": self.sts.url,
            "AWS_ENDPOINT_URL_SSO": self.sso.url,
            "AWS_ENDPOINT_URL_BEDROCK_AGENTCORE_CONTROL": self.agentcore.url,
        }

    def keys(self) -> dict[str, str]:
        """The environment's own keys: the one identity that nobody gave out."""
        principal = self.world.principal
        return {
            "AWS_ACCESS_KEY_ID": principal.access_key,
            "AWS_SECRET_ACCESS_KEY": principal.secret_key,
        }

    def web(self, name: str = "irsa") -> dict[str, str]:
        """A service account's token, and the role that it is good for."""
        token = jwt()
        self.web_tokens.append(token)
        role = self.sts.add(Role(role_arn(name), tokens={token}))
        return {
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(self.write_token(token)),
            "AWS_ROLE_ARN": role.arn,
        }

    def task(self) -> dict[str, str]:
        """A container's endpoint, with its token in the environment."""
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": self.container.uri,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": self.container.token,
        }

    def pod(self) -> dict[str, str]:
        """The same with the token in a file, which is how EKS Pod Identity has it."""
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": self.container.uri,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(self.write_token(self.container.token)),
        }

    # ---- what nobody may find ----

    def given(self) -> dict[str, bytes]:
        """What was given out, and what it was given out for."""
        found = {}
        for giver in (self.sts, self.imds, self.sso, self.container):
            for n, given in enumerate(giver.issuer.issued):
                name = f"{type(giver).__name__} {n}"
                found[f"{name} secret key"] = given.secret_key.encode()
                found[f"{name} session token"] = str(given.token).encode()
        for n, token in enumerate(self.web_tokens):
            found[f"web identity token {n}"] = token.encode()
        found["container token"] = self.container.token.encode()
        found["sign-in"] = self.sso.token.encode()
        return found

    def found_in(self, data: bytes) -> list[str]:
        everything = {**self.world.wire_secrets(), **self.given()}
        return [name for name, value in everything.items() if value in data]
