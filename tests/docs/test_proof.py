# SPDX-License-Identifier: Apache-2.0
"""Goal: what is written of the proofs is of this tree: the report of system calls names those of
policy/box, and the reasons for what no test reaches name functions that are there."""

import re
import sys

import pytest
from fakes.sidekey import ROOT

sys.path.append(str(ROOT / "tests/box"))
import syscalls

pytestmark = pytest.mark.once


def reported() -> set[tuple[str, str]]:
    rows = re.findall(r"^\| (\w+) \| `(\w+)` \|", syscalls.REPORT.read_text(), re.MULTILINE)
    assert len(rows) == len(set(rows)), "a call is there twice"
    return set(rows)


def test_the_report_of_system_calls_is_of_these_lists() -> None:
    calls, _ = syscalls.allowed()
    allowed = {(box, name) for box, names in calls.items() for name in names}
    assert len(allowed) > 100
    assert reported() == allowed, "run make syscalls"


def test_what_is_not_made_is_argued_for() -> None:
    assert "### Not argued for" not in syscalls.REPORT.read_text()


def test_what_is_argued_for_is_allowed() -> None:
    calls, _ = syscalls.allowed()
    groups = (syscalls.OTHER_ARCHITECTURE, syscalls.FAILURE, syscalls.OTHERS)
    for box, _, name in (key.partition(" ") for group in groups for key in group):
        assert any(name in names for b, names in calls.items() if box in ("any", b)), (box, name)


def test_reasons_name_functions_that_are_there() -> None:
    text = (ROOT / "tests/coverage/uncovered.md").read_text()
    reasons = re.findall(r"^\| `(\S+):(\w+)` \|", text, re.MULTILINE)
    assert reasons
    gone = [
        f"{file}:{function}"
        for file, function in reasons
        if not (ROOT / file).exists()
        or not re.search(rf"^{function}\(", (ROOT / file).read_text(), re.MULTILINE)
    ]
    assert gone == []
