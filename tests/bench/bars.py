# SPDX-License-Identifier: Apache-2.0
"""The figures that a release is held to: what each must be, and whether it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from bench.results import Results

Figure = Callable[[Results, str], float]
OTHERS = ("nginx", "haproxy")


def over(ours: float, nginx: float) -> float:
    """What nginx adds may be lost in the noise of a short run."""
    return ours / nginx if nginx > 0 else math.inf


@dataclass(frozen=True)
class Bar:
    """kind says what is compared: "ratio" is sidekey's figure over nginx's and must not be above
    the bar, "at least" the same and must not be below, "more" the difference, "value" the figure
    itself."""

    title: str
    unit: str
    figure: Figure
    kind: str
    bar: float
    goal: float
    beside: bool = True  # whether nginx and HAProxy have such a figure

    def judged(self, results: Results) -> float:
        ours = self.figure(results, "sidekey")
        if self.kind == "value":
            return ours
        nginx = self.figure(results, "nginx")
        return ours - nginx if self.kind == "more" else over(ours, nginx)

    def verdict(self, results: Results) -> str:
        value = self.judged(results)
        sign = -1 if self.kind == "at least" else 1
        if value * sign <= self.goal * sign:
            return "goal"
        return "bar" if value * sign <= self.bar * sign else "missed"

    def said(self, limit: float) -> str:
        text = f"{limit:g}"
        return {
            "ratio": f"≤ {text} × nginx",
            "at least": f"≥ {text} × nginx",
            "more": f"≤ nginx + {text} {self.unit}",
            "value": f"≤ {text} {self.unit}",
        }[self.kind]

    def limit_as_ratio(self, results: Results, limit: float) -> float:
        """The same limit for the figure divided by nginx's, or by the bar where nginx has none."""
        if self.kind == "more":
            nginx = self.figure(results, "nginx")
            return over(nginx + limit, nginx)
        return limit / self.bar if self.kind == "value" else limit

    def as_ratio(self, results: Results, place: str) -> float:
        base = self.bar if self.kind == "value" else self.figure(results, "nginx")
        return over(self.figure(results, place), base)


def median(scenario: str, key: str) -> Figure:
    return lambda results, place: results.median(scenario, place, key)


def added(scenario: str, key: str) -> Figure:
    return lambda results, place: results.added(scenario, place, key)


def memory(key: str) -> Figure:
    return lambda results, place: results.once[f"memory: {place}"][key]


def new_connection(results: Results, place: str) -> float:
    """Milliseconds of CPU that a call takes more when its connection is new."""
    new, kept = (results.median(name, place, "cpu") for name in ("renewed", "mtls"))
    return (new - kept) / 1000


def start(results: Results, _: str) -> float:
    return results.once["start"]["answering"]


def image(results: Results, _: str) -> float:
    return sum(results.once["image"].values())


BARS = [
    Bar(
        "added p50, 1 KiB POST, 32 connections at 3,000/s",
        "µs",
        added("paced", "p50"),
        "ratio",
        2.2,
        1.4,
    ),
    Bar(
        "CPU a request at 16 connections, all processes",
        "µs",
        median("sixteen", "cpu"),
        "ratio",
        2.0,
        1.2,
    ),
    Bar("requests/s at 16 connections", "/s", median("sixteen", "rps"), "at least", 0.55, 0.9),
    Bar("SSE: added delay of a chunk, p50", "µs", added("stream-1", "delay"), "more", 20, 5),
    Bar("SSE: first header, added p50", "µs", added("stream-1", "first"), "ratio", 2.0, 1.2),
    Bar("memory of an idle stream (PSS)", "KiB", memory("stream"), "value", 40, 16),
    Bar("idle memory (PSS), all processes", "MB", memory("idle"), "value", 12, 6),
    Bar("start, to the first call answered, store on loopback", "ms", start, "value", 50, 15, False),
    Bar("CPU of a new mTLS connection", "ms", new_connection, "value", 2.0, 1.2),
    Bar("image", "MB", image, "value", 15, 6, False),
]
