# SPDX-License-Identifier: Apache-2.0
"""Session keys: who gives them out, and the roles that they are of."""

import datetime
import secrets
from dataclasses import dataclass, field

from fakes.awsservice import ACCOUNT
from fakes.sigv4 import Principal

HOUR = 3600.0


def iso(moment: float) -> str:
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def role_arn(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def session_arn(role: str, session: str) -> str:
    """The ARN of a role's session; the role's path is no part of it."""
    return f"arn:aws:sts::{ACCOUNT}:assumed-role/{role.rpartition('/')[2]}/{session}"


@dataclass
class Issuer:
    """Gives out keys, new ones each time, that the services of the same registry then admit."""

    principals: dict[str, Principal]
    arn: str = session_arn(role_arn("node"), "i-0123456789abcdef0")
    life: float = HOUR
    issued: list[Principal] = field(default_factory=list)

    def issue(self, now: float, **changes) -> Principal:
        defaults = {
            "arn": self.arn,
            "expires": now + self.life,
            # As long as real ones are, with the characters that an encoder could get wrong.
            "token": "IQoJb3JpZ2luX2Vj/+==" + secrets.token_urlsafe(400) + "+/==",
        }
        given = Principal(
            "ASIA" + secrets.token_hex(8).upper(),
            secrets.token_urlsafe(30),
            **{**defaults, **changes},
        )
        self.principals[given.access_key] = given
        self.issued.append(given)
        return given


@dataclass
class Role:
    """One that may be assumed: by whom, and with what."""

    arn: str
    external_id: str | None = None
    trusted: str | None = None  # the ARN of the one who may; None: whoever can sign
    tokens: set[str] = field(default_factory=set)  # web identity tokens that are good for it
    expired_tokens: set[str] = field(default_factory=set)
