# SPDX-License-Identifier: Apache-2.0
"""The same world of stand-ins as the end-to-end tests have."""

import os

import pytest
from e2e.conftest import clock, plain_world, root, start, world

__all__ = ["clock", "plain_world", "root", "start", "world"]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Of a run that takes hours, what has failed is told when it has."""
    if report.failed and os.environ.get("SIDEKEY_TORTURE_LIVES"):
        print(f"\n{report.nodeid}\n{report.longreprtext}", flush=True)
