# SPDX-License-Identifier: Apache-2.0
"""Goal: make bench measures what it says, and its table and chart show what was measured."""

import math
import os
import re
import signal
import subprocess
import time
import xml.etree.ElementTree
from pathlib import Path

import pytest
from bench import bars, chart, configs, machine, measure, once, places, scenarios, table
from bench.results import Results

pytestmark = pytest.mark.once
ROOT = Path(__file__).resolve().parents[2]
ABOUT = {"machine": "a <small> machine, 2 cores"}
SECONDS = 0.3
needs_proxies = pytest.mark.skipif(
    bool(places.missing()), reason=f"needs {', '.join(places.missing())}"
)


@pytest.fixture(scope="module", autouse=True)
def benchers() -> None:
    subprocess.run(["make", "-s", "benchers"], cwd=ROOT, check=True, timeout=50)


# ---- what is made of the figures ----

PLAIN = {"rps": 1000.0, "p50": 30.0, "p99": 60.0, "cpu": 10.0, "errors": 0}
STREAMS = {"events": 1000.0, "first": 20.0, "delay": 15.0, "delay99": 40.0, "cpu_event": 8.0}
TIMES = {"direct": 1, "nginx": 2, "haproxy": 2.5, "sidekey": 4}


def invented() -> Results:
    """sidekey is twice as slow as nginx, and adds three times as much."""
    found = Results()
    for scenario in scenarios.SCENARIOS:
        for place, factor in TIMES.items():
            if place == "direct" and scenario.upstream != "plain":
                continue
            run = {key: value * factor for key, value in {**PLAIN, **STREAMS}.items()}
            run["rps"] = PLAIN["rps"] / factor
            if scenario.name == "renewed":
                run["cpu"] += 1000 * factor
            run["cpu:ingress"] = run["cpu:egress"] = run["cpu"] / 2
            for _ in range(3):
                found.add(scenario.name, place, run)
    for name in ("at rest", "a rotation"):
        found.add("rotation", name, {"rps": 900.0, "p50": 1.0, "p99": 2.0, "errors": 0})
    for place in ("nginx", "haproxy", "sidekey"):
        found.once[f"memory: {place}"] = {"idle": 10.0, "stream": 20.0}
        found.once[f"system calls: {place}"] = {"worker": 9.0}
    found.once["start"] = {"accepting": 2.0, "answering": 60.0}
    found.once["image"] = {"program": 5.0, "bundle": 0.5}
    return found


def test_medians_and_what_was_added() -> None:
    results = Results()
    for direct, ours in ((10, 50), (1000, 1030), (20, 40)):
        results.add("paced", "direct", {"p50": direct})
        results.add("paced", "sidekey", {"p50": ours})
    assert results.median("paced", "sidekey", "p50") == 50
    assert results.added("paced", "sidekey", "p50") == 30, "the difference within a round counts"


def test_each_kind_of_bar() -> None:
    judged = {bar.title: (bar.judged(invented()), bar.verdict(invented())) for bar in bars.BARS}
    assert list(judged.values()) == [
        (3.0, "missed"),  # 90 µs added to 30, nginx 30: above 2.2 times
        (2.0, "bar"),  # just at the bar
        (0.5, "missed"),  # of nginx's requests/s
        (30.0, "missed"),  # 45 µs added by us and 15 by nginx: 30 more, 20 allowed
        (3.0, "missed"),
        (20.0, "bar"),
        (10.0, "bar"),
        (60.0, "missed"),
        (4.0, "missed"),
        (5.5, "goal"),
    ]


def test_a_limit_as_a_ratio_lies_where_the_figure_would() -> None:
    results = invented()
    for bar in bars.BARS:
        above = bar.as_ratio(results, "sidekey") > bar.limit_as_ratio(results, bar.bar)
        missed = bar.verdict(results) == "missed"
        assert above == missed or bar.kind == "at least", bar.title


def test_the_table_is_whole() -> None:
    document = table.document(invented(), ABOUT, "2026-01-02", "make bench")
    for line in document.splitlines():
        assert not re.search(r"\b(nan|inf)\b", line), line
    for scenario in scenarios.SCENARIOS:
        assert f"\n### {scenario.title}\n" in document
    rows = [line for line in document.splitlines() if line.startswith("| ")]
    assert any("| 90.0 µs | 30.0 µs | 45.0 µs | 3.00 × | ≤ 2.2 × nginx" in row for row in rows)
    assert "No call failed." in document


def test_failed_calls_are_said() -> None:
    results = invented()
    results.runs["many"]["sidekey"][1] = {**results.runs["many"]["sidekey"][1], "errors": 7}
    assert results.failed() == {("many", "sidekey"): 7}
    assert "| 1 KiB, 256 connections | sidekey | 7 |" in table.document(results, ABOUT, "2026-01-02", "make bench")


@pytest.mark.parametrize(
    ("value", "said"), [(12345.6, "12,346"), (99.96, "100.0"), (3.14159, "3.14"), (0, "0.00")]
)
def test_numbers(value: float, said: str) -> None:
    assert table.number(value) == said


def test_the_chart_is_xml_and_shows_each_bar() -> None:
    drawn = chart.chart(invented(), ABOUT, "2026-01-02")
    root = xml.etree.ElementTree.fromstring(drawn)
    width, height = (float(n) for n in root.attrib["viewBox"].split()[2:])
    texts = [e.text or "" for e in root.iter("{http://www.w3.org/2000/svg}text")]
    for bar in bars.BARS:
        assert bar.title in texts
    assert "2026-01-02; a <small> machine, 2 cores" in texts
    for shape in root.iter("{http://www.w3.org/2000/svg}rect"):
        assert float(shape.get("x", 0)) + float(shape.attrib["width"]) <= width
        assert float(shape.get("y", 0)) + float(shape.attrib["height"]) <= height
    lengths = [
        float(e.attrib["width"])
        for e in root.iter("{http://www.w3.org/2000/svg}rect")
        if e.get("class") == "sidekey" and float(e.attrib["y"]) >= chart.TOP
    ]
    assert len(lengths) == len(bars.BARS)
    assert math.isclose(lengths[1] / lengths[2], 2.0 / 0.5, rel_tol=0.01)


def test_straces_table_is_read() -> None:
    text = "    calls syscall\n--------- ----------------\n      120 epoll_wait\n       60 sendto\n"
    assert measure.calls_in(text + "--------- -----\n      180 total\n") == {
        "epoll_wait": 120,
        "sendto": 60,
    }


def test_the_machine_says_what_it_is() -> None:
    about = machine.describe()
    assert f"{os.cpu_count()} cores" in about["machine"]
    assert "libcurl" in about["sidekey"] and "OpenSSL" in about["sidekey"]
    assert machine.version("nginx version: nginx/1.22.1") == "1.22.1"
    assert machine.version("") == "not there"


# ---- the load generator ----


def test_a_load_counts_what_the_upstream_answers() -> None:
    with places.Places() as there:
        direct, process = there.upstream()
        found = measure.load(direct, "closed", 2, SECONDS, measure.body("-"))
        assert found["rps"] > 0 and found["errors"] == 0
        assert 0 < found["p50"] <= found["p99"]
        assert found["cpu"] == found["cpu:upstream"] > 0
        paced = measure.load(direct, "rate:200", 4, 1, measure.body("-"))
        assert 0 < paced["rps"] <= 300, "the schedule rules, and not the upstream"
        assert process.stdin
        process.stdin.write(b"another-key\n")
        process.stdin.flush()
        refused = measure.load(direct, "closed", 1, SECONDS, measure.body("-"))
        assert refused["errors"] > 0 and refused["rps"] == 0


def test_a_latency_counts_from_the_moment_a_call_was_due() -> None:
    """While the upstream is stopped calls fall due, and each has waited for what was left of it."""
    with places.Places() as there:
        direct, process = there.upstream()
        with measure.Load(direct, "rate:100", 1, 2.5, measure.body("-")) as running:
            time.sleep(0.5)
            process.send_signal(signal.SIGSTOP)
            time.sleep(1)
            process.send_signal(signal.SIGCONT)
            raw = running.result()
    assert raw["errors"] == 0
    assert raw["latency_p99"] > 500_000, "not one alone: all that were due in the meantime waited"


def test_events_tell_how_long_they_took() -> None:
    with places.Places() as there:
        direct, _ = there.upstream()
        found = measure.load(direct, "streams:10000", 3, SECONDS, measure.body("sse 1000 10"))
        assert found["events"] > 0 and found["errors"] == 0
        assert 0 < found["delay"] <= found["delay99"] < 1e6
        assert found["first"] > 0


def test_silent_streams_stay_open() -> None:
    with places.Places() as there:
        direct, _ = there.upstream()
        with measure.open_streams(direct, 20):
            assert measure.pss(direct.pids)["upstream"] > 0


def test_large_answers_are_whole() -> None:
    """Each is paused now and then, some on a kept connection before libcurl ever waited for it:
    the upstream is quick, and the answer there as soon as the request is out."""
    with places.Places() as there:
        direct, _ = there.upstream()
        sidekey = there.sidekey("sidekey", configs.sidekey(direct.port))
        for _ in range(4):
            found = measure.load(sidekey, "closed", 32, SECONDS, measure.body("big"))
            assert found["rps"] > 0 and found["errors"] == 0


# ---- the whole, in small ----


@needs_proxies
def test_one_small_round_of_everything() -> None:
    chosen = [
        s
        for s in scenarios.SCENARIOS
        if s.name in ("paced", "sixteen", "mtls", "renewed", "stream-1")
    ]
    with places.Places() as there:
        results = scenarios.rounds(there, chosen, 1, SECONDS, lambda _: None)
    results.once = {
        **{f"memory: {name}": once.memory(make, 10) for name, make in once.ALONE.items()},
        "start": once.starts(1),
        "image": {name: size / 1e6 for name, size in measure.image().items()},
    }
    assert not results.failed()
    for bar in bars.BARS:
        assert not math.isnan(bar.judged(results)), bar.title
    for scenario in chosen:
        ours = scenarios.names(scenario, dict.fromkeys(results.places(scenario.name)))
        assert "sidekey" in ours and "nginx" in ours
        for place in results.places(scenario.name):
            assert results.median(scenario.name, place, "rps") > 0, (scenario.name, place)
    assert "## System calls" in table.document(results, ABOUT, "2026-01-02", "make bench")
    assert results.median("rotation", "a rotation", "rps") > 0


@needs_proxies
@pytest.mark.skipif(not measure.may_trace(), reason="needs root, to look into the processes")
def test_system_calls_are_counted_by_process() -> None:
    found = once.syscalls(once.sidekey_alone, SECONDS)
    assert found["ingress"] > 1 and found["egress"] > 1
    assert found["keeper"] < 1, "it has no part in a call"
