# SPDX-License-Identifier: Apache-2.0
"""The endpoint from which a container of ECS, or a pod of EKS, gets its cloud identity."""

import datetime

from fakes.sigv4 import Principal
from fakes.wire import Connection, Request, Server


class ContainerCredentials(Server):
    """Gives out one principal to whoever shows the token in Authorization."""

    def __init__(self, principal: Principal, token: str, life: float = 3600, **options) -> None:
        super().__init__(**options)
        self.principal, self.token, self.life = principal, token, life

    @property
    def uri(self) -> str:
        return self.url + "/creds"

    async def handle(self, request: Request, connection: Connection) -> None:
        if request.all("authorization") != [self.token]:
            connection.answer_json(401, {"code": "InvalidToken", "message": "wrong token"})
        elif (request.method, request.target) != ("GET", "/creds"):
            connection.answer_json(404, {"code": "NotFound", "message": "no such path"})
        else:
            connection.answer_json(200, self._credentials())

    def _credentials(self) -> dict[str, str | None]:
        end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=self.life)
        return {
            "AccessKeyId": self.principal.access_key,
            "SecretAccessKey": self.principal.secret_key,
            "Token": self.principal.token,
            "Expiration": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "RoleArn": self.principal.arn,
        }
