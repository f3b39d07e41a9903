# SPDX-License-Identifier: Apache-2.0
"""Four upstreams of four kinds, each with a key of its own, and rules that lead to each."""

from typing import Self

from fakes.apibase import ApiBase

KINDS = {  # the path of apiBase, and where the key is due
    "litellm": ("", "Authorization"),
    "openai": ("/v1", "Authorization"),
    "azure": ("", "api-key"),
    "anthropic": ("", "x-api-key"),
}
# The ids as harnesses send them (reference/llm.md 4.1): some cut the prefix themselves.
MODELS = [
    {"match": "litellm_proxy/*", "target": "litellm", "stripPrefix": "litellm_proxy/"},
    {"match": "azure/*", "target": "azure", "stripPrefix": "azure/"},
    {"match": "openai/*", "target": "openai", "stripPrefix": "openai/"},
    {"match": "anthropic/*", "target": "anthropic", "stripPrefix": "anthropic/"},
    {"match": "my-gpt", "target": "azure", "sendAs": "deployment-7"},
    {"match": "gpt-4o", "target": "openai"},
    {"match": "claude-*", "target": "anthropic"},
    {"match": "team-*", "target": "litellm"},
]


class Four:
    def __init__(self) -> None:
        self.apis: dict[str, ApiBase] = {}
        self.targets: dict[str, dict] = {}
        self.env: dict[str, str] = {}
        for name, (prefix, header) in KINDS.items():
            variable, key = f"KEY_{name.upper()}", f"key-of-{name}-0123456789abcdef"
            self.apis[name] = ApiBase(key, prefix=prefix, key_header=header)
            self.env[variable] = key
            self.targets[name] = {
                "provider": name,
                "apiKey": f"env:{variable}",
                "allowPlaintext": True,
            }
        self.targets["azure"]["query"] = {"api-version": "2024-10-21"}

    def __enter__(self) -> Self:
        for name, api in self.apis.items():
            api.start()
            self.targets[name]["apiBase"] = api.base
        return self

    def __exit__(self, *_) -> None:
        for api in self.apis.values():
            api.stop()

    def config(self, **changes) -> dict:
        return {
            "targets": self.targets,
            "models": MODELS,
            "defaultTarget": {"openai": "openai", "anthropic": "anthropic"},
            **changes,
        }

    def heard(self) -> dict[str, list[str]]:
        """The request targets that each upstream saw."""
        return {name: [r.target for r in api.requests] for name, api in self.apis.items()}
