# SPDX-License-Identifier: Apache-2.0
"""Everything that the main job needs: a store that holds the keys, a demanding upstream, and
the configuration and environment by which sidekey finds both."""

import base64
import secrets
from pathlib import Path
from typing import Self

from fakes.apibase import ApiBase
from fakes.pki import Authority, server_context
from fakes.secretsmanager import SecretsManager
from fakes.sigv4 import Principal

TEAM = "research"


def principal(**options) -> Principal:
    return Principal("AKIA" + secrets.token_hex(8).upper(), secrets.token_urlsafe(30), **options)


class World:
    """The upstream demands a client certificate, the key and the Access pair."""

    def __init__(self, folder: Path, mtls: bool = True) -> None:
        self.folder, self.mtls = folder, mtls
        self.key = "sk-" + secrets.token_hex(24)
        self.access = (secrets.token_hex(16) + ".access", secrets.token_hex(32))
        self.authority = Authority()
        self.ca = self.authority.write(folder / "tls" / "ca.crt")
        self.client = self.authority.client()
        self.cert_path, self.key_path = self.client.write(folder / "tls", "tls")
        self.principal = principal()
        self.store = SecretsManager()
        self.store.admit(self.principal)
        self.key_arn = self.store.create("litellm-proxy", self.key)
        self.access_arn = self.store.create(
            "cf-access", {"client_id": self.access[0], "client_secret": self.access[1]}
        )
        context = server_context(self.authority.server(), self.authority) if mtls else None
        self.api = ApiBase(self.key, self.access, tls=context)

    def __enter__(self) -> Self:
        self.store.start()
        self.api.start()
        return self

    def __exit__(self, *_) -> None:
        self.api.stop()
        self.store.stop()

    def target(self, **changes) -> dict:
        target = {
            "provider": "openaiCompatible",
            "apiBase": self.api.base,
            "apiKey": self.key_arn,
            "headers": {"X-Team": TEAM},
            "cloudflareAccess": {
                "clientId": f"{self.access_arn}:client_id::",
                "clientSecret": f"{self.access_arn}:client_secret::",
            },
        }
        if self.mtls:
            target["tls"] = {
                "ca": str(self.ca),
                "clientCert": str(self.cert_path),
                "clientKey": str(self.key_path),
            }
        else:
            target["allowPlaintext"] = True
        return {**target, **changes}

    def config(self, target: dict | None = None, **sections) -> dict:
        return {"targets": {"main": target or self.target()}, **sections}

    def beside(self, port: int, **changes) -> dict:
        """The model "long" leads to another upstream, by TLS and without a key."""
        models = [{"match": "long", "target": "long"}, {"match": "*", "target": "main"}]
        target = {
            "provider": "openaiCompatible",
            "apiBase": f"https://127.0.0.1:{port}/v1",
            "apiKey": "none",
            "tls": {"ca": str(self.ca)},
            "required": True,
        }
        targets = {"main": self.target(required=True), "long": {**target, **changes}}
        return {"targets": targets, "models": models}

    def env(self, **extra: str) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": self.principal.access_key,
            "AWS_SECRET_ACCESS_KEY": self.principal.secret_key,
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": self.store.url,
            **extra,
        }

    def wire_secrets(self) -> dict[str, bytes]:
        """What must never be seen by an agent, in the plain form."""
        return {
            "API key": self.key.encode(),
            "Access client id": self.access[0].encode(),
            "Access client secret": self.access[1].encode(),
            "AWS secret key": self.principal.secret_key.encode(),
        }

    def traces(self) -> dict[str, bytes]:
        """Every form of every secret that a search should look for."""
        found = {f"client TLS key ({k})": v for k, v in self.client.key_traces().items()}
        for name, value in self.wire_secrets().items():
            found[name] = value
            found[f"{name} (hex)"] = value.hex().encode()
            # The piece that is the same wherever the secret begins in a longer text.
            for shift in range(3):
                piece = base64.b64encode(b"\0" * shift + value)[4:-4]
                found[f"{name} (base64, {shift})"] = piece
        return found

    def found_in(self, data: bytes) -> list[str]:
        return [name for name, trace in self.traces().items() if trace in data]
