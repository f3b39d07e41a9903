# SPDX-License-Identifier: Apache-2.0
"""A Parameter Store that speaks GetParameter and believes no signature it has not checked."""

import base64
import re
from dataclasses import dataclass, field

from fakes.awsservice import ACCOUNT, JsonService
from fakes.sigv4 import Principal, Rejected

SELECTOR = re.compile(r"(?P<name>arn:[^:]*:ssm:[^:]*:\d*:[^:]+|[^:]+)(?::(?P<selector>[^:]+))?")


@dataclass
class Parameter:
    name: str
    type: str
    values: list[str]
    labels: dict[str, int] = field(default_factory=dict)


class Ssm(JsonService):
    service = "ssm"
    operation = "AmazonSSM.GetParameter"
    subject = "Name"
    opening = b'{"Parameter":{"Value":"sk'

    def __init__(self, region: str = "us-east-1", **options) -> None:
        super().__init__(region, **options)
        self.parameters: dict[str, Parameter] = {}

    # ---- what the test arranges ----

    def arn(self, name: str) -> str:
        return f"arn:aws:ssm:{self.region}:{ACCOUNT}:parameter/{name.lstrip('/')}"

    def create(self, name: str, value: str, kind: str = "SecureString") -> str:
        self.parameters[self.arn(name)] = Parameter(name, kind, [value])
        return self.arn(name)

    def put(self, arn: str, value: str) -> int:
        self.parameters[arn].values.append(value)
        return len(self.parameters[arn].values)

    # ---- what it answers ----

    def get(self, asked: dict, principal: Principal) -> dict:
        match = SELECTOR.fullmatch(asked.get("Name", ""))
        if not match:
            raise Rejected("ValidationException", "Name fails its pattern", 400)
        wanted = match["name"] if match["name"].startswith("arn:") else self.arn(match["name"])
        self.authorize(principal, "ssm:GetParameter", wanted)
        parameter = self.parameters.get(wanted)
        if parameter is None:
            raise Rejected("ParameterNotFound", "", 400)
        version = self._version(parameter, match["selector"])
        value = parameter.values[version - 1]
        if parameter.type == "SecureString" and not asked.get("WithDecryption"):
            value = base64.b64encode(b"encrypted" * 12).decode()
        selector = {"Selector": f":{match['selector']}"} if match["selector"] else {}
        return {
            "Parameter": {
                "Name": parameter.name,
                "Type": parameter.type,
                "Value": value,
                "Version": version,
                "LastModifiedDate": round(self.now(), 3),
                "ARN": wanted,
                "DataType": "text",
                **selector,
            }
        }

    def _version(self, parameter: Parameter, selector: str | None) -> int:
        if selector is None:
            return len(parameter.values)
        number = int(selector) if selector.isdecimal() else parameter.labels.get(selector, 0)
        if not 1 <= number <= len(parameter.values):
            raise Rejected("ParameterVersionNotFound", "There is no such version.", 400)
        return number
