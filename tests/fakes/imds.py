# SPDX-License-Identifier: Apache-2.0
"""An instance's metadata service, version 2; what version 1 would do is noted, for nobody may ask."""

import json
import secrets

from fakes.awsservice import Faulty
from fakes.iam import Issuer, iso
from fakes.sigv4 import Principal, Rejected
from fakes.wire import Connection, Request

TOKEN_PATH = "/latest/api/token"
ROLES_PATH = "/latest/meta-data/iam/security-credentials/"
REGION_PATH = "/latest/meta-data/placement/region"
TTL_HEADER = "x-aws-ec2-metadata-token-ttl-seconds"
LONGEST = 21600


class Imds(Faulty):
    """`fail(Fault("stall", only="PUT"))` is what a hop limit of 1 looks like from a container."""

    content_type = "text/plain"
    opening = b'{"Code" : "Succ'

    def __init__(self, issuer: Issuer, role: str = "node", v1: bool = False, **options) -> None:
        super().__init__(**options)
        self.issuer, self.role, self.v1 = issuer, role, v1
        self.code = "Success"
        self.tokens: set[str] = set()
        self.without_token = 0  # how often it was asked as version 1 is

    def forget(self) -> None:
        """No token is good any more, as after a restart."""
        self.tokens.clear()

    def asked(self, request: Request) -> str:
        return f"{request.method} {request.target}"

    def identify(self, request: Request) -> Principal | None:
        if request.method == "PUT" and request.target == TOKEN_PATH:
            return None
        shown = request.header("x-aws-ec2-metadata-token")
        if shown is None:
            self.without_token += 1
        if shown in self.tokens or (shown is None and self.v1):
            return None
        raise Rejected("Unauthorized", "401 - Unauthorized", 401)

    def respond(self, request: Request, principal: Principal | None) -> bytes:
        if request.method == "PUT":
            return self._token(request)
        if request.method != "GET":
            raise Rejected("MethodNotAllowed", "405 - Method Not Allowed", 405)
        if request.target == ROLES_PATH and self.role:
            return self.role.encode()
        if request.target == ROLES_PATH + self.role and self.role:
            return self._keys()
        if request.target == REGION_PATH:
            return b"us-east-1"
        raise Rejected("NotFound", "404 - Not Found", 404)

    def _token(self, request: Request) -> bytes:
        if request.all("x-forwarded-for"):
            raise Rejected("Forbidden", "403 - Forbidden", 403)
        life = request.header(TTL_HEADER) or ""
        if not life.isdecimal() or not 1 <= int(life) <= LONGEST:
            raise Rejected("BadRequest", "400 - Bad Request", 400)
        token = "AQAEA" + secrets.token_urlsafe(40) + "=="
        self.tokens.add(token)
        return token.encode()

    def _keys(self) -> bytes:
        if self.code != "Success":
            why = {"Code": self.code, "Message": "The role cannot be assumed."}
            return json.dumps(why, indent=2).encode()
        given = self.issuer.issue(self.now())
        answer = {
            "Code": "Success",
            "LastUpdated": iso(self.now()),
            "Type": "AWS-HMAC",
            "AccessKeyId": given.access_key,
            "SecretAccessKey": given.secret_key,
            "Token": given.token,
            "Expiration": iso(given.expires),
        }
        return json.dumps(answer, indent=2).encode()

    def refuse(self, connection: Connection, kind: str, message: str, status: int) -> None:
        page = f"<html><head><title>{message}</title></head><body>{message}</body></html>"
        connection.answer(status, [("Content-Type", "text/html")], page.encode())
