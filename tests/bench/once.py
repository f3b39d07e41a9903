# SPDX-License-Identifier: Apache-2.0
"""What needs no rounds: memory, starts, system calls, sizes. Each program is measured alone, or it
would share its pages with its twins."""

from __future__ import annotations

from collections.abc import Callable

from bench import configs, measure
from bench.measure import KIB, Figures
from bench.places import Place, Places, Rotating, children
from fakes.wire import free_port

Maker = Callable[[Places, int], Place]


def nginx_alone(places: Places, upstream: int) -> Place:
    """With its master, which takes memory too."""
    port = free_port()
    worker = places.nginx("alone", configs.nginx_proxy(port, upstream), port)
    master = int((places.folder / "alone.pid").read_text())
    assert children(master) == [worker["worker"]]
    return Place("nginx", port, {"master": master, **worker})


def haproxy_alone(places: Places, upstream: int) -> Place:
    port = free_port()
    return Place("haproxy", port, places.haproxy(configs.haproxy_section(port, upstream), port))


def sidekey_alone(places: Places, upstream: int) -> Place:
    return places.sidekey("sidekey", configs.sidekey(upstream))


ALONE: dict[str, Maker] = {
    "nginx": nginx_alone,
    "haproxy": haproxy_alone,
    "sidekey": sidekey_alone,
}


def memory(make: Maker, streams: int) -> Figures:
    """MB of PSS when nothing has been called yet, and KiB for each of so many silent streams."""
    with Places() as places:
        upstream, _ = places.upstream()
        place = make(places, upstream.port)
        idle = sum(measure.pss(place.pids).values())
        with measure.open_streams(place, streams):
            busy = sum(measure.pss(place.pids).values())
    return {"idle": idle / 1e6, "stream": (busy - idle) / streams / KIB}


def syscalls(make: Maker, seconds: float) -> Figures:
    with Places() as places:
        upstream, _ = places.upstream()
        place = make(places, upstream.port)
        place.pids.pop("master", None)
        return measure.syscalls(place, 16, seconds)


def starts(times: int) -> Figures:
    with Places() as places:
        rotating = Rotating(places)
        argv, port, _ = places.write_sidekey(rotating.config)
        return measure.starts(argv, port, rotating.env, times)


def everything(streams: int, seconds: float, times: int) -> dict[str, Figures]:
    found = {f"memory: {name}": memory(make, streams) for name, make in ALONE.items()}
    found["start"] = starts(times)
    found["image"] = {name: size / 1e6 for name, size in measure.image().items()}
    if measure.may_trace():
        for name, make in ALONE.items():
            found[f"system calls: {name}"] = syscalls(make, seconds)
    return found
