# SPDX-License-Identifier: Apache-2.0
"""IAM Identity Center's portal, which gives keys of a role for the token of a sign-in; and the
files in which `aws sso login` leaves that token."""

import hashlib
import json
import secrets
from pathlib import Path
from urllib.parse import parse_qs

from fakes.awsservice import ACCOUNT, Faulty
from fakes.iam import Issuer, iso
from fakes.sigv4 import Principal, Rejected
from fakes.wire import Connection, Request

START_URL = "https://d-1234567890.awsapps.com/start"
ROLE = "PowerUser+Access"


class Sso(Faulty):
    opening = b'{"roleCredentials":{"'

    def __init__(self, issuer: Issuer, **options) -> None:
        super().__init__(**options)
        self.issuer = issuer
        self.token = "aoaAAAAAG" + secrets.token_urlsafe(200)

    def identify(self, request: Request) -> Principal | None:
        if request.header("x-amz-sso_bearer_token") != self.token:
            raise Rejected("UnauthorizedException", "Session token not found or invalid", 401)
        return None

    def respond(self, request: Request, principal: Principal | None) -> bytes:
        path, _, query = request.target.partition("?")
        if (request.method, path) != ("GET", "/federation/credentials"):
            raise Rejected("ResourceNotFoundException", "no such path", 404)
        if parse_qs(query) != {"role_name": [ROLE], "account_id": [ACCOUNT]}:
            raise Rejected("ForbiddenException", "No access", 403)
        given = self.issuer.issue(self.now())
        keys = {
            "accessKeyId": given.access_key,
            "secretAccessKey": given.secret_key,
            "sessionToken": given.token,
            "expiration": int(given.expires * 1000),
        }
        return json.dumps({"roleCredentials": keys}).encode()

    def refuse(self, connection: Connection, kind: str, message: str, status: int) -> None:
        body = {"message": message, "__type": f"com.amazonaws.switchboard.portal#{kind}"}
        connection.answer_json(status, body, ("x-amzn-ErrorType", kind))

    # ---- what stands on the disk of whoever signed in ----

    def profile(self, name: str, session: str = "corp") -> str:
        """The sections of ~/.aws/config; without a session the older form, all in the profile."""
        where = f"sso_start_url = {START_URL}\nsso_region = us-east-1\n"
        role = f"sso_account_id = {ACCOUNT}\nsso_role_name = {ROLE}\nregion = us-east-1\n"
        if not session:
            return f"[profile {name}]\n{where}{role}"
        scopes = "sso_registration_scopes = sso:account:access\n"
        section = f"[sso-session {session}]\n{where}{scopes}"
        return f"[profile {name}]\nsso_session = {session}\n{role}{section}"

    def sign_in(self, home: Path, session: str = "corp", life: float = 3600) -> Path:
        """Leaves what `aws sso login` leaves; an earlier file is replaced as one."""
        name = hashlib.sha1((session or START_URL).encode()).hexdigest() + ".json"
        path = home / ".aws" / "sso" / "cache" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "startUrl": START_URL,
            "region": "us-east-1",
            "accessToken": self.token,
            "expiresAt": iso(self.now() + life),
        }
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(content))
        fresh.chmod(0o600)
        fresh.rename(path)
        return path
