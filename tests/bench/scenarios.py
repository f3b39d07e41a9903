# SPDX-License-Identifier: Apache-2.0
"""What is measured in rounds: in each round every scenario, in each scenario every place in turn,
so that whatever else the machine does falls on all of them alike."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bench import configs, measure
from bench.measure import KIB, Figures, body
from bench.places import Place, Places, Rotating
from bench.results import Results
from fakes.wire import free_port

STREAM_EVENTS, STREAM_GAP = 50, 1000  # us
STREAM_SPREAD = STREAM_EVENTS * STREAM_GAP
MANY_EVENTS, MANY_GAP = 10, 100 * 1000
MANY_SPREAD = MANY_EVENTS * MANY_GAP


@dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    mode: str
    connections: int
    content: bytes
    upstream: str = "plain"  # mtls: over TLS with a client certificate; renewed: also not kept
    settle: float = 0  # seconds before anything counts
    variants: tuple[str, ...] = field(default=())  # of sidekey's configuration, measured as well


STREAM, MANY = body(f"sse {STREAM_GAP} {STREAM_EVENTS}"), body(f"sse {MANY_GAP} {MANY_EVENTS}")
SCENARIOS = [
    Scenario("paced", "1 KiB, 32 connections at 3,000/s", "rate:3000", 32, body("-")),
    Scenario("one", "1 KiB, 1 connection", "closed", 1, body("-")),
    Scenario(
        "sixteen",
        "1 KiB, 16 connections",
        "closed",
        16,
        body("-"),
        variants=("redact: false", "log.level: error"),
    ),
    Scenario("many", "1 KiB, 256 connections", "closed", 256, body("-")),
    Scenario("up", "256 KiB sent, 16 connections", "closed", 16, body("-", 256 * KIB)),
    Scenario("down", "256 KiB received, 16 connections", "closed", 16, body("big")),
    Scenario("mtls", "1 KiB, 16 connections, mTLS upstream", "closed", 16, body("-"), "mtls"),
    Scenario(
        "paced-mtls",
        "1 KiB, 32 connections at 3,000/s, mTLS upstream",
        "rate:3000",
        32,
        body("-"),
        "mtls",
    ),
    Scenario("renewed", "a new mTLS connection for each call", "closed", 4, body("-"), "renewed"),
    Scenario("stream-1", "1 stream, an event each ms", f"streams:{STREAM_SPREAD}", 1, STREAM),
    Scenario(
        "stream-64",
        "64 streams, an event each ms",
        f"streams:{STREAM_SPREAD}",
        64,
        STREAM,
        variants=("redact: false",),
    ),
    Scenario(
        "stream-1000",
        "1,000 streams, an event each 100 ms",
        f"streams:{MANY_SPREAD}",
        1000,
        MANY,
        settle=MANY_SPREAD / 1e6,
    ),
]
VARIANTS = {"redact: false": {"redact": False}, "log.level: error": {"level": "error"}}


def progress(text: str) -> None:
    print(f"   {text}", file=sys.stderr, flush=True)


def plain_places(places: Places, variants: set[str]) -> dict[str, Place]:
    direct, _ = places.upstream()
    ports = free_port(), free_port()
    worker = places.nginx("nginx", configs.nginx_proxy(ports[0], direct.port), ports[0])
    haproxy = places.haproxy(configs.haproxy_section(ports[1], direct.port), ports[1])
    found = [
        direct,
        Place("nginx", ports[0], worker),
        Place("haproxy", ports[1], haproxy),
        places.sidekey("sidekey", configs.sidekey(direct.port)),
    ]
    for name in sorted(variants):
        config = configs.sidekey(direct.port, **VARIANTS[name])
        found.append(places.sidekey(f"sidekey, {name}", config))
    return {place.name: place for place in found}


def mtls_places(places: Places, tls: configs.Tls, upstream: int) -> dict[str, Place]:
    ports = free_port(), free_port()
    servers = configs.nginx_proxy(ports[0], upstream, tls)
    worker = places.nginx(f"nginx-{upstream}", servers, ports[0])
    haproxy = places.haproxy(configs.haproxy_section(ports[1], upstream, tls), ports[1])
    return {
        "nginx": Place("nginx", ports[0], worker),
        "haproxy": Place("haproxy", ports[1], haproxy),
        "sidekey": places.sidekey("sidekey", configs.sidekey(upstream, tls)),
    }


def arrange(places: Places, scenarios: list[Scenario]) -> dict[str, dict[str, Place]]:
    """The places of each kind of upstream that the scenarios name."""
    kinds = {s.upstream for s in scenarios}
    variants = set(itertools.chain.from_iterable(s.variants for s in scenarios))
    found = {"plain": plain_places(places, variants)}
    if kinds & {"mtls", "renewed"}:
        tls, kept, renewed = places.tls(), free_port(), free_port()
        places.nginx("upstream", configs.nginx_mtls_upstream(tls, kept, renewed), kept)
        found["mtls"] = mtls_places(places, tls, kept)
        found["renewed"] = mtls_places(places, tls, renewed)
    return found


def names(scenario: Scenario, there: dict[str, Place]) -> list[str]:
    main = [name for name in there if not name.startswith("sidekey,")]
    return main + [f"sidekey, {variant}" for variant in scenario.variants]


def run_one(scenario: Scenario, place: Place, seconds: float) -> Figures:
    whole = scenario.settle + seconds
    return measure.load(place, scenario.mode, scenario.connections, whole, scenario.content)


def rotation(rotating: Rotating, seconds: float) -> dict[str, Figures]:
    """At rest, and with the key replaced in the middle."""
    found = {}
    for name, turn in (("at rest", None), ("a rotation", rotating.rotate)):
        with measure.Load(rotating.place, "closed", 16, seconds, body("-")) as running:
            if turn:
                time.sleep(seconds / 2)
                turn()
            found[name] = measure.figures(running.result(), rotating.place)
    return found


def in_turn(count: int, order: list[str]) -> list[str]:
    """Each round begins with another place."""
    at = count % len(order)
    return order[at:] + order[:at]


def rounds(
    places: Places, scenarios: list[Scenario], count: int, seconds: float, say: Callable = progress
) -> Results:
    results = Results()
    there = arrange(places, scenarios)
    rotating = Rotating(places)
    for number in range(count):
        for scenario in scenarios:
            kind = there[scenario.upstream]
            for name in in_turn(number, names(scenario, kind)):
                results.add(scenario.name, name, run_one(scenario, kind[name], seconds))
        for name, found in rotation(rotating, seconds).items():
            results.add("rotation", name, found)
        say(f"round {number + 1} of {count}")
    return results
