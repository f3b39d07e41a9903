# SPDX-License-Identifier: Apache-2.0
"""The egress lock's image, as k8s/egress-lock makes it: its files, and what it starts."""

import json
import subprocess
from pathlib import Path

from fakes.sidekey import ROOT

LOCK = ROOT / "k8s" / "egress-lock"


def lock_image(folder: Path) -> Path:
    """Its files, in that folder."""
    done = subprocess.run(
        [LOCK / "rootfs.sh", folder], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


def entry_point() -> list[str]:
    lines = (LOCK / "Dockerfile").read_text().splitlines()
    (entry,) = [line for line in lines if line.startswith("ENTRYPOINT ")]
    return json.loads(entry.removeprefix("ENTRYPOINT "))
