# SPDX-License-Identifier: Apache-2.0
"""Goal: a minute of everything at once leaves nothing behind, and no call ends unexpectedly."""

import os
from pathlib import Path

import pytest
from soak.run import soak


@pytest.mark.once
@pytest.mark.timeout(240)
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to read the memory of the processes")
def test_a_minute(tmp_path: Path) -> None:
    report, faults = soak(tmp_path, 1)
    print(report)
    assert not faults, report
