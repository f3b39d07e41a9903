# SPDX-License-Identifier: Apache-2.0
"""Goal: the evaluator that the other tests lean on decides as AWS's own documents say: row for row
what "Policy evaluation logic", "Condition operators" and "Policy variables" have as examples."""

import pytest
from evaluator import ALLOWED, EXPLICIT, IMPLICIT, Request, decide

pytestmark = pytest.mark.once
ROLE, OTHER = "arn:aws:iam::123456789012:role/r", "arn:aws:iam::210987654321:role/r"
ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def policy(*statements: dict) -> dict:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def ask(action="s3:GetObject", resource="arn:aws:s3:::b/k", principal=ROLE, **context) -> Request:
    return Request(
        principal, action, resource, {k.replace("__", ":"): v for k, v in context.items()}
    )


def allow(**members) -> dict:
    return {**ALL, **members}


def when(operator: str, key: str, wanted) -> dict:
    return allow(Condition={operator: {key: wanted}})


# statement, request, whether it allows, why
STATEMENTS = [
    (allow(Action="s3:Get*"), ask(), True, "a star in an action"),
    (allow(Action="S3:getobject"), ask(), True, "actions know no case"),
    (allow(Action="s3:GetObjec?"), ask(), True, "one character"),
    (allow(Action="s3:GetObject?"), ask(), False, "exactly one"),
    ({**allow(), "Action": ["s3:Put*", "s3:Get*"]}, ask(), True, "any of a list"),
    (allow(Resource="arn:aws:s3:::B/*"), ask(), False, "resources know case"),
    (allow(Resource="arn:aws:s3:::b.k"), ask(), False, "a dot is a dot"),
    ({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}, ask(), False, "NotAction"),
    ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, ask(), True, "NotAction"),
    ({"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::c/*"}, ask(), True, "NotRes."),
    (when("StringEquals", "k", "a"), ask(k="a"), True, ""),
    (when("StringEquals", "K", "a"), ask(k="a"), True, "keys know no case"),
    (when("StringEquals", "k", "a"), ask(k="A"), False, "values do"),
    (when("StringEquals", "k", "a*"), ask(k="ab"), False, "no star without Like"),
    (when("StringEquals", "k", "a"), ask(), False, "a missing key does not match"),
    (when("StringEqualsIfExists", "k", "a"), ask(), True, "but with IfExists"),
    (when("StringEqualsIfExists", "k", "a"), ask(k="b"), False, "which is no excuse otherwise"),
    (when("StringNotEquals", "k", "a"), ask(), True, "nor does its opposite fail"),
    (when("StringNotEquals", "k", ["a", "b"]), ask(k="b"), False, "none of them"),
    (when("StringEqualsIgnoreCase", "k", "A"), ask(k="a"), True, ""),
    (when("StringLike", "k", ["x", "a?c*"]), ask(k="abcd"), True, "any value of the policy"),
    (when("StringNotLike", "k", "a*"), ask(k="abc"), False, ""),
    (when("ArnLike", "k", "arn:aws:ecs:*:1:*"), ask(k="arn:aws:ecs:eu:1:task/t"), True, ""),
    (when("ArnLike", "k", "arn:aws:*:1:*"), ask(k="arn:aws:ecs:eu:1:t"), False, "part by part"),
    (when("ArnEquals", "aws:PrincipalArn", ROLE), ask(), True, ""),
    (when("ArnNotEquals", "aws:PrincipalArn", ROLE), ask(), False, ""),
    (when("Bool", "k", "true"), ask(k="true"), True, ""),
    (when("Bool", "k", False), ask(k="true"), False, "JSON's own words"),
    (when("Null", "k", "true"), ask(), True, "the key is missing"),
    (when("Null", "k", "false"), ask(), False, "and is wanted"),
    (when("Null", "k", "false"), ask(k="x"), True, ""),
    (when("IpAddress", "aws:SourceIp", "10.0.0.0/8"), ask(aws__SourceIp="10.1.2.3"), True, ""),
    (when("NotIpAddress", "aws:SourceIp", "10.0.0.0/8"), ask(aws__SourceIp="10.1.2.3"), False, ""),
    (when("ForAnyValue:StringEquals", "k", ["a", "b"]), ask(k=["b", "c"]), True, "one will do"),
    (when("ForAnyValue:StringEquals", "k", ["a"]), ask(), False, "of none"),
    (when("ForAllValues:StringEquals", "k", ["a", "b"]), ask(k=["b", "c"]), False, "c"),
    (when("ForAllValues:StringEquals", "k", ["a"]), ask(), True, "true of none: a trap"),
    (when("StringEquals", "k", "${aws:PrincipalAccount}"), ask(k="123456789012"), True, "variable"),
    (when("StringEquals", "k", "${no:such}"), ask(k=""), False, "a variable without value"),
    (when("StringEquals", "k", "${no:such, 'd'}"), ask(k="d"), True, "its default"),
    (when("StringLike", "k", "a${*}"), ask(k="a*"), True, "a star as itself"),
    (when("StringLike", "k", "a${*}"), ask(k="ab"), False, ""),
    (allow(Resource="arn:aws:s3:::${aws:PrincipalAccount}/*"), ask(), False, "in a resource"),
]


@pytest.mark.parametrize(("statement", "request_", "may", "why"), STATEMENTS)
def test_statement(statement: dict, request_: Request, may: bool, why: str) -> None:
    assert (decide(request_, [policy(statement)]) == ALLOWED) == may, why


def test_all_conditions_must_hold() -> None:
    both = allow(Condition={"StringEquals": {"k": "a", "l": "b"}})
    assert decide(ask(k="a", l="b"), [policy(both)]) == ALLOWED
    assert decide(ask(k="a"), [policy(both)]) == IMPLICIT


NAMED = {**ALL, "Principal": {"AWS": ROLE}}
ACCOUNT = {**ALL, "Principal": {"AWS": "arn:aws:iam::123456789012:root"}}
EVERYONE = {**ALL, "Principal": "*"}
DENIED = {**ALL, "Effect": "Deny"}
DENIED_TO = {**DENIED, "Principal": "*", "Condition": {"ArnEquals": {"aws:PrincipalArn": ROLE}}}
ASSUME = ask("sts:AssumeRole", "arn:aws:iam::123456789012:role/x")
MINE, NONE = [policy(ALL)], []
# request, own policies, the others, verdict, why
WHOLE = [
    (ask(), NONE, {}, IMPLICIT, "nobody said so"),
    (ask(), MINE, {}, ALLOWED, ""),
    (ask(), [policy(ALL), policy(DENIED)], {}, EXPLICIT, "a denial wins, wherever it stands"),
    (ask(), NONE, {"resource": policy(NAMED)}, ALLOWED, "the resource's word is enough"),
    (ask(), MINE, {"resource": policy(DENIED_TO)}, EXPLICIT, "and its denial too"),
    (ask(principal=OTHER), MINE, {"resource": policy(DENIED_TO)}, ALLOWED, "of another"),
    (ask(), MINE, {"endpoint": policy(EVERYONE)}, ALLOWED, "an endpoint that lets all through"),
    (ask(), NONE, {"endpoint": policy(EVERYONE)}, IMPLICIT, "gives nothing itself"),
    (ask(), MINE, {"endpoint": policy({**NAMED, "Action": "s3:Put*"})}, IMPLICIT, "and bounds"),
    (ask(), MINE, {"session": policy(allow(Action="s3:Put*"))}, IMPLICIT, "as a session does"),
    (ask(), NONE, {"session": policy(ALL)}, IMPLICIT, "which gives nothing either"),
    (ASSUME, MINE, {}, IMPLICIT, "a role that trusts nobody"),
    (ASSUME, NONE, {"resource": policy(NAMED)}, ALLOWED, "one that trusts this very role"),
    (ASSUME, NONE, {"resource": policy(ACCOUNT)}, IMPLICIT, "the account: it must be allowed too"),
    (ASSUME, MINE, {"resource": policy(ACCOUNT)}, ALLOWED, ""),
]


@pytest.mark.parametrize(("request_", "own", "others", "verdict", "why"), WHOLE)
def test_policies_together(request_, own, others, verdict: str, why: str) -> None:
    assert decide(request_, own, **others) == verdict, why


@pytest.mark.parametrize(
    "statement",
    [
        when("StringMatches", "k", "a"),
        {**ALL, "Effect": "allow"},
        {**ALL, "Resources": "*"},
    ],
    ids=["operator", "effect", "member"],
)
def test_what_is_not_known_is_an_error(statement: dict) -> None:
    with pytest.raises((AssertionError, KeyError)):
        decide(ask(k="a"), [policy(statement)])
