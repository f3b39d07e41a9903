# SPDX-License-Identifier: Apache-2.0
"""The clocks of the test build, put forward or set (sidecar/ev/shift.h)."""

import mmap
import struct
from pathlib import Path

from fakes.secretsmanager import SecretsManager


class Clock:
    """store: its clock goes along."""

    def __init__(self, folder: Path, store: SecretsManager) -> None:
        self.store = store
        self.path = folder / "clock"
        self.path.write_bytes(bytes(mmap.PAGESIZE))
        with self.path.open("r+b") as file:
            self.map = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        self.ms = 0

    def env(self) -> dict[str, str]:
        return {"SIDEKEY_TEST_CLOCK": str(self.path)}

    def forward(self, hours: float) -> None:
        self.ms += int(hours * 3_600_000)
        self.store.clock_offset = self.ms / 1000
        self.map[:8] = struct.pack("<Q", self.ms)

    def set_wrong(self, hours: float) -> None:
        """The wall clock alone, by so much; the world and its stores know better. 0: right."""
        self.map[8:16] = struct.pack("<q", int(hours * 3_600_000))
