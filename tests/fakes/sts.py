# SPDX-License-Identifier: Apache-2.0
"""A Security Token Service: roles against signatures and web identity tokens, all in its XML."""

import json
import re
import uuid
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from fakes.awsservice import ACCOUNT, AwsService
from fakes.iam import Issuer, Role, iso, session_arn
from fakes.sigv4 import Principal, Rejected
from fakes.wire import Connection, Request

NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
FORM = "application/x-www-form-urlencoded; charset=utf-8"
HOUR_SECONDS, SHORTEST, LONGEST = 3600, 900, 43200
POLICY_MAX = 2048
# What the checker of signatures says, in the words of this service.
KINDS = {
    "UnrecognizedClientException": "InvalidClientTokenId",
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "IncompleteSignatureException": "IncompleteSignature",
    "MissingAuthenticationTokenException": "MissingAuthenticationToken",
    "ExpiredTokenException": "ExpiredToken",
}


def element(name: str, content: dict | str) -> str:
    if isinstance(content, dict):
        inner = "".join(f"\n{element(n, c)}" for n, c in content.items()) + "\n"
    else:
        inner = escape(content)
    return f"<{name}>{inner}</{name}>"


class Sts(AwsService):
    service = "sts"
    content_type = "text/xml"
    opening = f'<AssumeRoleResponse xmlns="{NAMESPACE}"><AssumeRoleResult>'.encode()

    def __init__(self, region: str = "us-east-1", **options) -> None:
        super().__init__(region, **options)
        self.roles: dict[str, Role] = {}
        self.forms: list[dict[str, str]] = []  # as they were asked
        self.issuer = Issuer(self.principals)
        self.life: float | None = None  # of what it gives, whatever was asked

    def add(self, role: Role) -> Role:
        self.roles[role.arn] = role
        return role

    # ---- reading ----

    def asked(self, request: Request) -> str:
        form = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        return f"{form.get('Action')} {form.get('RoleArn', '')}".strip()

    def identify(self, request: Request) -> Principal | None:
        if "Action=AssumeRoleWithWebIdentity&" in request.body.decode():
            if request.all("authorization"):
                raise Rejected("InvalidAction", "this action is not to be signed", 400)
            return None
        try:
            return super().identify(request)
        except Rejected as refusal:
            kind = KINDS[refusal.kind]
            raise Rejected(kind, str(refusal), refusal.status) from None

    def respond(self, request: Request, principal: Principal | None) -> bytes:
        pairs = parse_qsl(request.body.decode(), keep_blank_values=True, strict_parsing=True)
        form = dict(pairs)
        self.forms.append(form)
        if (request.method, request.target) != ("POST", "/"):
            raise Rejected("InvalidAction", "POST / is due", 400)
        if (request.header("content-type") or "") != FORM or len(form) != len(pairs):
            raise Rejected("MalformedInput", "a form with each member once is due", 400)
        if form.get("Version") != "2011-06-15":
            raise Rejected("InvalidAction", "no such version", 400)
        actions = {
            "AssumeRole": self._assume,
            "AssumeRoleWithWebIdentity": self._assume_with_token,
            "GetCallerIdentity": self._who,
        }
        action = form.get("Action", "")
        if action not in actions:
            raise Rejected("InvalidAction", f"Could not find operation {action}", 400)
        return self._wrap(action, actions[action](form, principal))

    # ---- the actions ----

    def _who(self, _: dict[str, str], principal: Principal | None) -> dict:
        assert principal
        return {"Arn": principal.arn, "UserId": principal.access_key, "Account": ACCOUNT}

    def _assume(self, form: dict[str, str], principal: Principal | None) -> dict:
        assert principal
        role = self.roles.get(form.get("RoleArn", ""))
        if (
            role is None
            or principal.arn in self.denied
            or role.trusted not in (None, principal.arn)
            or role.external_id != form.get("ExternalId")
        ):
            raise Rejected(
                "AccessDenied",
                f"User: {principal.arn} is not authorized to perform: sts:AssumeRole on "
                f"resource: {form.get('RoleArn')}",
            )
        if ":assumed-role/" in principal.arn and self._duration(form) > HOUR_SECONDS:
            raise Rejected(
                "ValidationError",
                "The requested DurationSeconds exceeds the 1 hour session limit for roles "
                "assumed by role chaining",
                400,
            )
        return self._session(form, role)

    def _assume_with_token(self, form: dict[str, str], _: Principal | None) -> dict:
        token = form.get("WebIdentityToken", "")
        role = self.roles.get(form.get("RoleArn", ""))
        if role and token in role.expired_tokens:
            raise Rejected("ExpiredTokenException", "Token expired: current date/time", 400)
        if token.count(".") != 2:
            raise Rejected("InvalidIdentityToken", "The ID Token is not a valid JWT", 400)
        if role is None or token not in role.tokens:
            why = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
            raise Rejected("AccessDenied", why)
        subject = {"SubjectFromWebIdentityToken": "system:serviceaccount:default:agent"}
        return {**subject, **self._session(form, role)}

    def _duration(self, form: dict[str, str]) -> int:
        seconds = int(form.get("DurationSeconds", HOUR_SECONDS))
        if not SHORTEST <= seconds <= LONGEST:
            raise Rejected("ValidationError", "DurationSeconds is out of its bounds", 400)
        return seconds

    def _policy(self, form: dict[str, str]) -> list[dict] | None:
        text = form.get("Policy")
        if text is None:
            return None
        if len(text) > POLICY_MAX:
            raise Rejected("PackedPolicyTooLarge", "Packed policy consumes 120%", 400)
        try:
            policy = json.loads(text)
            assert policy["Version"] == "2012-10-17"
            return policy["Statement"]
        except (ValueError, KeyError, AssertionError):
            raise Rejected("MalformedPolicyDocument", "Syntax errors in policy.", 400) from None

    def _session(self, form: dict[str, str], role: Role) -> dict:
        name = form.get("RoleSessionName", "")
        if not re.fullmatch(r"[\w+=,.@-]{2,64}", name, re.ASCII):
            raise Rejected("ValidationError", "roleSessionName fails its pattern", 400)
        life = self._duration(form) if self.life is None else self.life
        arn = session_arn(role.arn, name)
        now = self.now()
        given = self.issuer.issue(now, arn=arn, expires=now + life, policy=self._policy(form))
        return {
            "AssumedRoleUser": {"AssumedRoleId": f"AROAEXAMPLE:{name}", "Arn": arn},
            "Credentials": {
                "AccessKeyId": given.access_key,
                "SecretAccessKey": given.secret_key,
                "SessionToken": str(given.token),
                "Expiration": iso(given.expires),
            },
        }

    # ---- answering ----

    def _wrap(self, action: str, result: dict) -> bytes:
        whole = {
            f"{action}Result": result,
            "ResponseMetadata": {"RequestId": str(uuid.uuid4())},
        }
        text = element(f"{action}Response", whole)
        return text.replace(">", f' xmlns="{NAMESPACE}">', 1).encode()

    def refuse(self, connection: Connection, kind: str, message: str, status: int) -> None:
        sender = "Sender" if status < 500 else "Receiver"
        whole = {
            "Error": {"Type": sender, "Code": kind, "Message": message},
            "RequestId": str(uuid.uuid4()),
        }
        text = element("ErrorResponse", whole).replace(">", f' xmlns="{NAMESPACE}">', 1)
        connection.answer(status, self.headers(), text.encode())
