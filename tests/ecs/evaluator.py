# SPDX-License-Identifier: Apache-2.0
"""Decides as AWS says that it does ("Policy evaluation logic"): a denial anywhere decides, and
else every kind of policy that bounds a request must allow it.

Kinds: of the principal, of the resource (a role's trust policy and a secret's own policy are such),
of the VPC endpoint that the request comes through, of the session. What a policy says that is not
known here is an error, never a guess.
"""

import ipaddress
import re
from dataclasses import dataclass, field

ALLOWED, IMPLICIT, EXPLICIT = "allowed", "implicitly denied", "explicitly denied"


@dataclass
class Request:
    """principal: the ARN of the role behind a session, or of a service such as
    ecs-tasks.amazonaws.com. context: further condition keys; a list has several values."""

    principal: str
    action: str
    resource: str
    context: dict[str, str | list[str]] = field(default_factory=dict)

    def values(self, key: str) -> list[str]:
        """Empty where the request has no such key. Keys are compared whatever their case."""
        known = {"aws:principalarn": self.principal}
        if self.principal.startswith("arn:"):
            known["aws:principalaccount"] = self.principal.split(":")[4]
        known |= {k.lower(): v for k, v in self.context.items()}
        return listed(known.get(key.lower(), []))


def listed(value) -> list:
    return value if isinstance(value, list) else [value]


def like(pattern: str, text: str, flags: int = 0) -> bool:
    """* and ? are the only characters with a meaning; of ${*}, ${?} and ${$} they have none."""
    pieces = re.split(r"(\$\{[*?$]\}|[*?])", pattern)
    signs = {"*": ".*", "?": "."}
    expression = "".join(
        re.escape(p[2]) if p.startswith("${") else signs.get(p) or re.escape(p) for p in pieces
    )
    return re.fullmatch(expression, text, flags | re.DOTALL) is not None


def arn_like(pattern: str, text: str) -> bool:
    """Part by part: a star does not reach over a colon, but for the last part."""
    theirs, ours = pattern.split(":", 5), text.split(":", 5)
    if pattern == "*":
        return True
    return len(theirs) == len(ours) == 6 and all(map(like, theirs, ours))


def in_network(pattern: str, text: str) -> bool:
    return ipaddress.ip_address(text) in ipaddress.ip_network(pattern, strict=False)


# What each asks of a value of the policy and one of the request.
OPERATORS = {
    "StringEquals": lambda p, v: re.sub(r"\$\{([*?$])\}", r"\1", p) == v,
    "StringEqualsIgnoreCase": lambda p, v: p.lower() == v.lower(),
    "StringLike": like,
    "ArnEquals": arn_like,
    "ArnLike": arn_like,
    "Bool": lambda p, v: p.lower() == v.lower(),
    "IpAddress": in_network,
    "NumericEquals": lambda p, v: float(p) == float(v),
    "NumericLessThanEquals": lambda p, v: float(v) <= float(p),
}
NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NotIpAddress": "IpAddress",
}


def fill(text: str, request: Request) -> str | None:
    """With the variables of the request; None where one is missing and has no default."""
    missing = False

    def one(match: re.Match) -> str:
        nonlocal missing
        values = request.values(match[1].strip())
        if values:
            return values[0]
        if match[2] is None:
            missing = True
            return ""
        return match[2]

    filled = re.sub(r"\$\{([\w:/-]+)(?:\s*,\s*'([^']*)')?\}", one, text)
    return None if missing else filled


def holds(operator: str, key: str, wanted, request: Request) -> bool:
    """One row of a Condition."""
    quantifier, _, name = operator.rpartition(":")
    optional = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    values = request.values(key)
    if name == "Null":
        return any((w in ("true", True)) == (not values) for w in listed(wanted))
    if not values and optional:
        return True
    negated = name in NEGATED
    test = OPERATORS[NEGATED.get(name, name)]
    filled = [fill(str(w).lower() if isinstance(w, bool) else w, request) for w in listed(wanted)]
    found = [any(f is not None and test(f, v) for f in filled) != negated for v in values]
    if quantifier == "ForAnyValue":
        return any(found)
    if quantifier == "ForAllValues":
        return all(found)
    assert not quantifier, operator
    return all(found) if negated else any(found)


def applies(statement: dict, request: Request) -> bool:
    unknown = set(statement) - {
        *("Sid", "Effect", "Principal", "Action", "NotAction"),
        *("Resource", "NotResource", "Condition"),
    }
    assert not unknown and statement["Effect"] in ("Allow", "Deny"), statement
    return (
        names(statement, "Action", request.action, request, re.IGNORECASE)
        and names(statement, "Resource", request.resource, request, 0)
        and all(
            holds(operator, key, wanted, request)
            for operator, rows in statement.get("Condition", {}).items()
            for key, wanted in rows.items()
        )
    )


def names(statement: dict, member: str, text: str, request: Request, flags: int) -> bool:
    """Action or NotAction, Resource or NotResource; a trust policy has no Resource."""
    if f"Not{member}" in statement:
        assert member not in statement
        return not any(matches(p, text, request, flags) for p in listed(statement[f"Not{member}"]))
    if member not in statement:
        assert member == "Resource"
        return True
    return any(matches(p, text, request, flags) for p in listed(statement[member]))


def matches(pattern: str, text: str, request: Request, flags: int) -> bool:
    filled = fill(pattern, request)
    return filled is not None and like(filled, text, flags)


def is_named(statement: dict, request: Request) -> str | None:
    """How a resource's statement names the principal: by itself, by its account, or not."""
    wanted = statement["Principal"]
    everyone = {"AWS": "*", "Service": "*"} if wanted == "*" else wanted
    for kind, name in ((k, n) for k, v in everyone.items() for n in listed(v)):
        assert kind in ("AWS", "Service"), kind
        if name in ("*", request.principal):
            return "itself"
        account = request.values("aws:PrincipalAccount")
        if kind == "AWS" and account and name in account + [f"arn:aws:iam::{account[0]}:root"]:
            return "account"
    return None


def judge(policies: list[dict], request: Request) -> str:
    """Policies without a Principal: those of a principal or a session."""
    effects = {
        s["Effect"]
        for policy in policies
        for s in listed(policy["Statement"])
        if applies(s, request)
    }
    return EXPLICIT if "Deny" in effects else ALLOWED if "Allow" in effects else IMPLICIT


def judge_resource(policy: dict, request: Request) -> tuple[str, str | None]:
    """The verdict of a policy with Principals, and how the statement that allows names ours."""
    how = None
    for statement in listed(policy["Statement"]):
        named = is_named(statement, request)
        if not named or not applies(statement, request):
            continue
        if statement["Effect"] == "Deny":
            return EXPLICIT, named
        how = "itself" if "itself" in (how, named) else named
    return (ALLOWED, how) if how else (IMPLICIT, None)


def decide(
    request: Request,
    identity: list[dict],
    resource: dict | None = None,
    endpoint: dict | None = None,
    session: dict | None = None,
) -> str:
    """Principal and resource are of one account. Assuming a role needs its trust policy, and a
    role that trusts no more than the account leaves the rest to the principal's own policies."""
    own = judge(identity, request)
    theirs, how = judge_resource(resource, request) if resource else (IMPLICIT, None)
    ways = [judge_resource(endpoint, request)[0]] if endpoint else []
    ways += [judge([session], request)] if session else []
    if EXPLICIT in (own, theirs, *ways):
        return EXPLICIT
    if any(verdict != ALLOWED for verdict in ways):
        return IMPLICIT
    if request.action == "sts:AssumeRole":
        granted = theirs == ALLOWED and (how == "itself" or own == ALLOWED)
    else:
        granted = ALLOWED in (own, theirs)
    return ALLOWED if granted else IMPLICIT
