# SPDX-License-Identifier: Apache-2.0
"""What was measured: in rounds, of which the medians count, and once."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass, field

from bench.measure import Figures


@dataclass
class Results:
    runs: dict[str, dict[str, list[Figures]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    once: dict[str, Figures] = field(default_factory=dict)

    def add(self, scenario: str, place: str, figures: Figures) -> None:
        self.runs[scenario][place].append(figures)

    def places(self, scenario: str) -> list[str]:
        return list(self.runs[scenario])

    def median(self, scenario: str, place: str, key: str) -> float:
        return statistics.median(run[key] for run in self.runs[scenario][place])

    def added(self, scenario: str, place: str, key: str) -> float:
        """To the direct way, in the same round."""
        pairs = zip(self.runs[scenario][place], self.runs[scenario]["direct"], strict=True)
        return statistics.median(run[key] - direct[key] for run, direct in pairs)

    def failed(self) -> dict[tuple[str, str], int]:
        """Calls that did not end as they should, by scenario and place; empty when all did."""
        counts = {
            (scenario, place): int(sum(run["errors"] for run in runs))
            for scenario, there in self.runs.items()
            for place, runs in there.items()
        }
        return {key: count for key, count in counts.items() if count}
