# SPDX-License-Identifier: Apache-2.0
"""Bedrock around a world: both of its hosts and STS, of the store's registry of principals, and
a target that reaches them under a role that is not the store's."""

from contextlib import ExitStack
from typing import Self

from fakes.bedrock import Bedrock, BedrockAgents
from fakes.iam import Role, role_arn
from fakes.sts import Sts
from fakes.world import World

EVERYTHING = [
    "converse",
    "converseStream",
    "invoke",
    "invokeStream",
    "countTokens",
    "guardrails",
    "agents",
    "knowledgeBases",
]


def session(role: str) -> str:
    """Who signs when sidekey has assumed that role."""
    return f"arn:aws:sts::123456789012:assumed-role/{role}/sidekey"


class BedrockWorld:
    def __init__(self, world: World) -> None:
        principals = world.store.principals
        self.world = world
        self.runtime = Bedrock(principals=principals)
        self.agents = BedrockAgents(principals=principals)
        self.sts = Sts(principals=principals)
        self.invoker = self.sts.add(Role(role_arn("invoke")))
        self.reader = self.sts.add(Role(role_arn("reader")))
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for service in (self.runtime, self.agents, self.sts):
            self._stack.enter_context(service)
        return self

    def __exit__(self, *_) -> None:
        self._stack.close()

    def config(self, targets: dict | None = None, **sections) -> dict:
        """Bedrock beside further targets; the store's role reads, Bedrock's invokes."""
        bedrock = {
            "provider": "bedrock",
            "allowPlaintext": True,
            "region": self.runtime.region,
            "operations": EVERYTHING,
            "aws": {"assumeRole": {"roleArn": self.invoker.arn}},
        }
        endpoints = {"bedrockRuntime": self.runtime.url, "bedrockAgentRuntime": self.agents.url}
        return {
            "targets": {**(targets or {}), "bedrock": bedrock},
            "aws": {"assumeRole": {"roleArn": self.reader.arn}, "endpoints": endpoints},
            **sections,
        }

    def env(self, **extra: str) -> dict[str, str]:
        return self.world.env(AWS_ENDPOINT_URL_STS=self.sts.url, AWS_REGION="us-east-1", **extra)

    def signers(self) -> set[str | None]:
        """Who signed what Bedrock admitted."""
        calls = [*self.runtime.calls, *self.agents.calls]
        return {call.principal for call in calls if call.outcome == "ok"}
