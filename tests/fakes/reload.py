# SPDX-License-Identifier: Apache-2.0
"""Changing the configuration of a running sidekey, and what its log and processes tell of it."""

import json
import os
import signal
from pathlib import Path

import yaml

from fakes.sidekey import ROLES, SANITIZED, Sidekey
from fakes.wire import wait_for

SECONDS = 60 if SANITIZED else 20
IN_FORCE = "the new configuration is in force; calls in flight finish"


def rewrite(sidekey: Sidekey, config: dict) -> Path:
    """The next configuration, on the same listeners unless it says otherwise."""
    listeners = {
        "listen": [f"127.0.0.1:{sidekey.port}"],
        "admin": [f"127.0.0.1:{sidekey.admin_port}"],
    }
    path = sidekey.folder / "sidekey.yaml"
    path.write_text(yaml.safe_dump({**listeners, **config}, sort_keys=False))
    return path


def hang_up(sidekey: Sidekey) -> None:
    os.kill(sidekey.pid, signal.SIGHUP)


def generation(sidekey: Sidekey) -> int:
    return json.loads(sidekey.admin("/readyz")[1])["generation"]


def told(sidekey: Sidekey, message: str, **wanted) -> list[dict]:
    return sidekey.records(msg=message, **wanted)


def wait_told(sidekey: Sidekey, message: str, **wanted) -> dict:
    what = f"{message} {wanted}"
    wait_for(lambda: told(sidekey, message, **wanted) or not sidekey.alive(), SECONDS, what)
    assert told(sidekey, message, **wanted), sidekey.text()
    return told(sidekey, message, **wanted)[0]


def reload(sidekey: Sidekey) -> int:
    """SIGHUP, and the number of the generation that serves after it."""
    number = generation(sidekey) + 1
    hang_up(sidekey)
    wait_told(sidekey, IN_FORCE, generation=number)
    assert generation(sidekey) == number
    return number


def wait_alone(sidekey: Sidekey) -> None:
    """Until the serving generation is the only one."""
    wait_for(lambda: len(sidekey.children()) == len(ROLES), SECONDS, "old generations are gone")


def roles_of(sidekey: Sidekey, number: int) -> dict[str, dict]:
    return {r["process"]: r for r in told(sidekey, "boxed", generation=number)}
