# SPDX-License-Identifier: Apache-2.0
"""The endpoint from which a container of ECS, or a pod of EKS, gets its cloud identity."""

import json

from fakes.awsservice import Faulty
from fakes.iam import Issuer, iso
from fakes.sigv4 import Principal, Rejected
from fakes.wire import Connection, Request


class ContainerCredentials(Faulty):
    """Gives keys to whoever shows the token in Authorization."""

    opening = b'{"AccessKeyId":"AKIA'

    def __init__(self, issuer: Issuer, token: str, **options) -> None:
        super().__init__(**options)
        self.issuer, self.token = issuer, token

    @property
    def uri(self) -> str:
        return self.url + "/creds"

    def identify(self, request: Request) -> Principal | None:
        if request.all("authorization") != [self.token]:
            raise Rejected("InvalidToken", "wrong token", 401)
        return None

    def respond(self, request: Request, principal: Principal | None) -> bytes:
        if (request.method, request.target) != ("GET", "/creds"):
            raise Rejected("NotFound", "no such path", 404)
        given = self.issuer.issue(self.now())
        return json.dumps(
            {
                "AccessKeyId": given.access_key,
                "SecretAccessKey": given.secret_key,
                "Token": given.token,
                "Expiration": iso(given.expires),
                "RoleArn": given.arn,
            }
        ).encode()

    def refuse(self, connection: Connection, kind: str, message: str, status: int) -> None:
        connection.answer_json(status, {"code": kind, "message": message})
