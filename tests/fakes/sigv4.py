# SPDX-License-Identifier: Apache-2.0
"""AWS Signature Version 4 as the service checks it: from the bytes that came, nothing else."""

import hashlib
import hmac
import math
import re
import time
from calendar import timegm
from dataclasses import dataclass
from fnmatch import fnmatchcase

from fakes.wire import Request

ALGORITHM = "AWS4-HMAC-SHA256"
UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")
SKEW_SECONDS = 300
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/,\s]+)/(\d{8})/([^/,\s]+)/([^/,\s]+)/aws4_request, ?"
    r"SignedHeaders=([a-z0-9;_-]+), ?Signature=([0-9a-f]{64})"
)


class Rejected(Exception):
    def __init__(self, kind: str, message: str, status: int = 403) -> None:
        super().__init__(message)
        self.kind, self.status = kind, status


@dataclass
class Principal:
    access_key: str
    secret_key: str
    token: str | None = None
    arn: str = "arn:aws:sts::123456789012:assumed-role/sidekey/test"
    expired: bool = False
    expires: float = math.inf  # by the clock of the service
    policy: list[dict] | None = None  # the statements that narrow its session

    def allows(self, action: str, resource: str) -> bool:
        """Whether its session's policy, if it has one, leaves it this."""
        return self.policy is None or any(
            statement["Effect"] == "Allow"
            and any(fnmatchcase(action, a) for a in listed(statement["Action"]))
            and any(fnmatchcase(resource, r) for r in listed(statement["Resource"]))
            for statement in self.policy
        )


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


@dataclass
class Claim:
    """What the Authorization header says."""

    access_key: str
    date: str
    region: str
    service: str
    signed: list[str]
    signature: str


def encode(data: bytes, keep: bytes = b"") -> str:
    return "".join(chr(b) if b in UNRESERVED or b in keep else f"%{b:02X}" for b in data)


def canonical_path(path: str) -> str:
    kept: list[str] = []
    for segment in path.split("/")[1:]:
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    slash = "/" if kept and path.endswith(("/", "/.", "/..")) else ""
    return encode(("/" + "/".join(kept) + slash).encode("latin-1"), b"/")


def canonical_query(query: str) -> str:
    pairs = [member.partition("=") for member in query.split("&") if member]
    return "&".join(f"{name}={value}" for name, value in sorted((n, v) for n, _, v in pairs))


def canonical_headers(request: Request, signed: list[str]) -> str:
    lines = []
    for name in signed:
        values = [re.sub(" +", " ", v.strip()) for v in request.all(name)]
        if not values:
            raise Rejected("InvalidSignatureException", f"'{name}' is signed and was not sent")
        lines.append(f"{name}:{','.join(values)}\n")
    return "".join(lines)


def canonical_request(request: Request, signed: list[str]) -> str:
    path, _, query = request.target.partition("?")
    return "\n".join(
        [
            request.method,
            canonical_path(path),
            canonical_query(query),
            canonical_headers(request, signed),
            ";".join(signed),
            hashlib.sha256(request.body).hexdigest(),
        ]
    )


def signature(principal: Principal, claim: Claim, moment: str, canonical: str) -> str:
    digest = hashlib.sha256(canonical.encode("latin-1")).hexdigest()
    scope = f"{claim.date}/{claim.region}/{claim.service}/aws4_request"
    key = ("AWS4" + principal.secret_key).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    text = f"{ALGORITHM}\n{moment}\n{scope}\n{digest}"
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def read_claim(request: Request) -> Claim:
    values = request.all("authorization")
    if len(values) != 1:
        raise Rejected("MissingAuthenticationTokenException", "no Authorization", 400)
    match = AUTHORIZATION.fullmatch(values[0])
    if not match:
        raise Rejected("IncompleteSignatureException", "Authorization is malformed", 400)
    access_key, date, region, service, signed, given = match.groups()
    return Claim(access_key, date, region, service, signed.split(";"), given)


def check_signed_headers(request: Request, claim: Claim) -> None:
    if claim.signed != sorted(set(claim.signed)):
        raise Rejected("IncompleteSignatureException", "SignedHeaders is not sorted", 400)
    needed = {"host", *(n.lower() for n, _ in request.headers if n.lower().startswith("x-amz-"))}
    missing = sorted(needed - set(claim.signed))
    if missing:
        raise Rejected("InvalidSignatureException", f"not signed: {missing}")


def check_moment(request: Request, claim: Claim, now: float) -> str:
    moment = request.header("x-amz-date") or ""
    if not re.fullmatch(r"\d{8}T\d{6}Z", moment) or moment[:8] != claim.date:
        raise Rejected("IncompleteSignatureException", "X-Amz-Date is missing or wrong", 400)
    apart = abs(now - timegm(time.strptime(moment, "%Y%m%dT%H%M%SZ")))
    if apart > SKEW_SECONDS:
        raise Rejected("InvalidSignatureException", f"Signature expired: {apart:.0f} s apart")
    return moment


def verify(
    request: Request,
    principals: dict[str, Principal],
    region: str,
    service: str,
    now: float | None = None,
) -> Principal:
    """The principal who signed; raises Rejected when the signature is not right."""
    now = time.time() if now is None else now
    claim = read_claim(request)
    principal = principals.get(claim.access_key)
    if principal is None:
        raise Rejected("UnrecognizedClientException", "The security token is invalid.")
    if (claim.region, claim.service) != (region, service):
        raise Rejected(
            "InvalidSignatureException",
            f"Credential should be scoped to {region}/{service}, not {claim.region}/{claim.service}",
        )
    check_signed_headers(request, claim)
    moment = check_moment(request, claim, now)
    expected = signature(principal, claim, moment, canonical_request(request, claim.signed))
    if not hmac.compare_digest(expected, claim.signature):
        raise Rejected("InvalidSignatureException", "The signature does not match.")
    if (request.header("x-amz-security-token") or None) != principal.token:
        raise Rejected("UnrecognizedClientException", "The security token is invalid.")
    if principal.expired or now >= principal.expires:
        raise Rejected("ExpiredTokenException", "The security token has expired.")
    return principal
