# SPDX-License-Identifier: Apache-2.0
"""A real LiteLLM proxy, with our stand-ins as its providers and a file as the keeper of its keys."""

import http.client
import json
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Self

import yaml

from fakes.apibase import ApiBase
from fakes.bedrock import Bedrock
from fakes.sidekey import ROOT
from fakes.wire import free_port, wait_for

VENV = ROOT / ".cache" / "venv-proxy"
KEEPER = ROOT / "tests" / "clients" / "virtual_keys.py"
START_SECONDS = 150
MODELS = ("team-haiku", "team-opus")
TAGGED = "team-tagged"  # of two deployments, of which a request's tags choose one
SONNET = "us.anthropic.claude-sonnet-4-20250514-v1:0"  # Bedrock's, under two names


def installed() -> bool:
    return (VENV / "bin" / "litellm").exists()


class LiteLlmProxy:
    """Reaches nothing beyond loopback: its prices are its own copy, and it reports to nobody."""

    def __init__(self, folder: Path, api: ApiBase, bedrock: Bedrock, signs: dict[str, str]) -> None:
        self.folder, self.api, self.bedrock, self.signs = folder, api, bedrock, signs
        self.port = free_port()
        self.keys = folder / "keys.json"
        self.log = folder / "proxy.log"
        self.process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def admit(self, keys: dict[str, list[str]]) -> None:
        """The keys that are good from now on, and the models of each; no other one is."""
        fresh = self.keys.with_suffix(".new")
        fresh.write_text(json.dumps(keys))
        fresh.rename(self.keys)

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    # ---- life ----

    def _config(self) -> dict:
        provider = {"api_base": self.api.base, "api_key": self.api.key}
        models = [
            {"model_name": name, "litellm_params": {"model": f"openai/{name}-1", **provider}}
            for name in MODELS
        ]
        models += [
            {
                "model_name": TAGGED,
                "litellm_params": {"model": f"openai/{tag}-1", "tags": [tag], **provider},
            }
            for tag in ("default", "dear")
        ]
        on_bedrock = {"model": f"bedrock/{SONNET}", "aws_bedrock_runtime_endpoint": self.bedrock.url}
        models += [
            {"model_name": name, "litellm_params": on_bedrock} for name in ("team-sonnet", SONNET)
        ]
        return {
            "model_list": models,
            "litellm_settings": {"enable_post_custom_auth_checks": True, "num_retries": 0},
            "general_settings": {
                "custom_auth": f"{KEEPER.stem}.keeper",
                "custom_auth_run_common_checks": True,
            },
            "router_settings": {
                "num_retries": 0,
                "disable_cooldowns": True,
                "enable_tag_filtering": True,
            },
        }

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": f"{VENV / 'bin'}:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(self.folder),
            "NO_PROXY": "*",
            "VIRTUAL_KEYS": str(self.keys),
            # It refuses to start without one; nobody is ever told this one.
            "LITELLM_MASTER_KEY": "sk-" + secrets.token_hex(32),
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_TELEMETRY": "False",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_REGION_NAME": self.bedrock.region,
            "AWS_REGION": self.bedrock.region,
            **self.signs,
        }

    def __enter__(self) -> Self:
        (self.folder / "config.yaml").write_text(yaml.safe_dump(self._config()))
        shutil.copy(KEEPER, self.folder)  # it looks for the module beside its configuration
        self.admit({})
        command = [str(VENV / "bin" / "litellm"), "--config", str(self.folder / "config.yaml")]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--host", "127.0.0.1", "--port", str(self.port)],
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_for(lambda: self._alive() or self._ended(), START_SECONDS, "LiteLLM's proxy")
            assert not self._ended(), self.text()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def _alive(self) -> bool:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            client.request("GET", "/health/liveliness")
            return client.getresponse().status == 200
        except OSError:
            return False
        finally:
            client.close()

    def __exit__(self, *_) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
