# SPDX-License-Identifier: Apache-2.0
"""The results as Markdown: first the figures with a bar, then all that was measured."""

from __future__ import annotations

from collections.abc import Iterable

from bench.bars import BARS, OTHERS, Bar, over
from bench.results import Results
from bench.scenarios import SCENARIOS

SHOWN = {"haproxy": "HAProxy"}
VERDICTS = {"goal": "goal met", "bar": "met", "missed": "**missed**"}
READING = """\
Medians of the rounds; in each round every proxy is measured in turn, over the same upstream, on
loopback. "Added" is the difference to the direct way in the same round. CPU is that of all of
sidekey's processes, of nginx's worker and of HAProxy. sidekey runs with its defaults where nothing
else is said: it meters, it redacts, and it writes a line of the log for each call, here into a
file. nginx and HAProxy have one worker and write no log. Only ratios within one run mean something."""
ROTATION = """\
In the middle of each round the store gets a new key, and from then on the upstream refuses the old
one; 1 KiB, 16 connections."""
NOTES = """\
Redaction is switched off by `redact: false`. Metering cannot be switched off: limits, metrics and
the log rest on it. At `log.level: error` there is no line for a call that goes well."""


def number(value: float) -> str:
    """Three figures are all that a noisy machine gives."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def bar_row(bar: Bar, results: Results) -> list[str]:
    unit = "" if bar.unit == "/s" else f" {bar.unit}"
    others = [
        f"{number(bar.figure(results, place))}{unit}" if bar.beside else "" for place in OTHERS
    ]
    judged = number(bar.judged(results))
    against = {"more": f"+{judged} {bar.unit}".replace("+-", "−"), "value": ""}.get(
        bar.kind, f"{judged} ×"
    )
    return [
        bar.title,
        f"{number(bar.figure(results, 'sidekey'))}{unit}",
        *others,
        against,
        bar.said(bar.bar),
        bar.said(bar.goal),
        VERDICTS[bar.verdict(results)],
    ]


def bars(results: Results) -> str:
    head = ["figure", "sidekey", "nginx", "HAProxy", "to nginx", "bar", "goal", ""]
    return table(head, (bar_row(bar, results) for bar in BARS))


# ---- everything ----


def to_nginx(results: Results, scenario: str, place: str, key: str) -> float:
    ours, nginx = (results.median(scenario, name, key) for name in (place, "nginx"))
    return over(ours, nginx)


def call_row(results: Results, scenario: str, place: str) -> list[str]:
    direct = place == "direct"
    has_direct = "direct" in results.places(scenario)
    return [
        SHOWN.get(place, place),
        number(results.median(scenario, place, "rps")),
        number(to_nginx(results, scenario, place, "rps")),
        number(results.median(scenario, place, "p50")),
        "" if direct or not has_direct else number(results.added(scenario, place, "p50")),
        number(results.median(scenario, place, "p99")),
        "" if direct else number(results.median(scenario, place, "cpu")),
        "" if direct else number(to_nginx(results, scenario, place, "cpu")),
    ]


CALL_HEAD = [
    "",
    "requests/s",
    "to nginx",
    "p50 µs",
    "added µs",
    "p99 µs",
    "CPU µs a request",
    "to nginx",
]


def stream_row(results: Results, scenario: str, place: str) -> list[str]:
    direct = place == "direct"
    values = [
        number(results.median(scenario, place, "events")),
        number(results.median(scenario, place, "first")),
        "" if direct else number(results.added(scenario, place, "first")),
        number(results.median(scenario, place, "delay")),
        "" if direct else number(results.added(scenario, place, "delay")),
        number(results.median(scenario, place, "delay99")),
        "" if direct else number(results.added(scenario, place, "delay99")),
        "" if direct else number(results.median(scenario, place, "cpu_event")),
    ]
    return [SHOWN.get(place, place), *values]


STREAM_HEAD = [
    "",
    "chunks/s",
    "first header µs",
    "added",
    "delay of a chunk, p50 µs",
    "added",
    "p99 µs",
    "added",
    "CPU µs a chunk",
]


def scenario_part(results: Results, name: str, title: str) -> str:
    streams = name.startswith("stream")
    row, head = (stream_row, STREAM_HEAD) if streams else (call_row, CALL_HEAD)
    places = results.places(name)
    return f"### {title}\n\n{table(head, (row(results, name, place) for place in places))}"


def processes_part(results: Results) -> str:
    """Where sidekey's CPU time goes, µs a call."""
    keys = [key for key in results.runs["sixteen"]["sidekey"][0] if key.startswith("cpu:")]
    shown = [s for s in SCENARIOS if s.name in results.runs and not s.name.startswith("stream")]
    rows = (
        [s.title, *(number(results.median(s.name, "sidekey", key)) for key in keys)] for s in shown
    )
    return table(["CPU µs a request", *(key.removeprefix("cpu:") for key in keys)], rows)


def rotation_part(results: Results) -> str:
    rows = (
        [
            place,
            number(results.median("rotation", place, "rps")),
            number(results.median("rotation", place, "p50")),
            number(results.median("rotation", place, "p99")),
            f"{sum(run['errors'] for run in results.runs['rotation'][place]):.0f}",
        ]
        for place in results.places("rotation")
    )
    return table(["", "requests/s", "p50 µs", "p99 µs", "failed calls, all rounds"], rows)


def syscalls_part(results: Results) -> str:
    rows = []
    for key, counts in results.once.items():
        if key.startswith("system calls: "):
            name = key.removeprefix("system calls: ")
            each = ", ".join(f"{role} {number(n)}" for role, n in counts.items() if n >= 0.01)
            rows.append([SHOWN.get(name, name), number(sum(counts.values())), each])
    if not rows:
        return "Not counted: strace needs root to look into sidekey's processes."
    return table(["", "system calls a request", "by process"], rows)


def failed_part(results: Results) -> str:
    failed = results.failed()
    if not failed:
        return "No call failed."
    titles = {s.name: s.title for s in SCENARIOS}
    rows = (
        [titles.get(scenario, scenario), SHOWN.get(place, place), str(count)]
        for (scenario, place), count in failed.items()
    )
    return "**Calls failed**, all rounds together:\n\n" + table(["in", "of", "calls"], rows)


def memory_part(results: Results) -> str:
    rows = []
    for key, figures in results.once.items():
        if key.startswith("memory: "):
            name = key.removeprefix("memory: ")
            shown = [number(figures["idle"]), number(figures["stream"])]
            rows.append([SHOWN.get(name, name), *shown])
    return table(["", "idle, MB of PSS", "an idle stream more, KiB of PSS"], rows)


def start_part(results: Results) -> str:
    start, image = results.once["start"], results.once["image"]
    return (
        f"From the command to a connection {number(start['accepting'])} ms, to the first call "
        f"answered with a key from the stand-in for Secrets Manager {number(start['answering'])} "
        f"ms.\n\nThe image's two files: the program, stripped, {number(image['program'])} MB, and "
        f"the bundle of authorities, {number(image['bundle'])} MB (as installed here)."
    )


def document(results: Results, machine: dict[str, str], date: str, command: str) -> str:
    about = "\n".join(f"* {key}: {value}" for key, value in machine.items())
    measured = [
        scenario_part(results, s.name, s.title) for s in SCENARIOS if s.name in results.runs
    ]
    parts = [
        "# Speed",
        f"Measured on {date} by `{command}`.\n\n{about}",
        READING,
        bars(results),
        "![Each figure as a ratio to nginx, or to its bar](bench.svg)",
        failed_part(results),
        "## Calls and streams",
        *measured,
        NOTES,
        "## By process",
        processes_part(results),
        "## A key is rotated",
        ROTATION,
        rotation_part(results),
        "## System calls",
        syscalls_part(results),
        "## Memory",
        memory_part(results),
        "## Start and size",
        start_part(results),
    ]
    return "\n\n".join(parts) + "\n"
