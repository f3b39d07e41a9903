# SPDX-License-Identifier: Apache-2.0
"""`make soak MINUTES=n`: mixed traffic, cancels, faults, rotations and reloads, for so long.

Every second the memory (PSS) and descriptors of every process are sampled. It reloads at the
beginning and at the end; in between one generation serves all the time, and of that the last
third may be above the first by no more than MARGIN and FILES_MARGIN. Both sides of it are at fault
now and then: the upstream in some kinds of calls, the store between two rotations. In the end every
descriptor and every permit must be back, and each call must have ended as it had to. Needs root.
Prints what it found, and writes it to tests/soak/report.md.
"""

import argparse
import asyncio
import collections
import datetime
import itertools
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.machine import computer
from fakes import processes
from fakes.agent import CHAT, Agent
from fakes.reload import reload, wait_alone
from fakes.secretsmanager import Fault, error, throttle
from fakes.sidekey import ROLES, Sidekey
from fakes.wire import wait_for
from fakes.world import World
from soak.traffic import TOKEN, Caller, arrange, body, new_key

CALLERS, PERMITS = 24, 200
RELOADS = 2  # at either end
EDGE = 0.12  # of the time, at either end
ROTATE_SECONDS = 5
MARGIN = 2 * 1024 * 1024  # bytes of PSS, of each process
# Descriptors: a connection for each caller that is in a call, and one behind it in egress, come and
# go by the dozen, but the median of a third differs from another's by a few alone; what leaks one
# with each rotation, fault or lookup, let alone with each call, is above that within minutes.
FILES_MARGIN = 8
FILES_LEFT = 4
# What the store does in turn, when it is asked for both of its secrets; None: it gives them.
TROUBLES = (error("InternalServiceError", 500), Fault("stall"), None, throttle(), Fault("drop"))
HEAL_SECONDS = 30  # a stall costs the keeper 10
BACK_SECONDS = 30
KIB = 1024
REPORT = Path(__file__).with_name("report.md")
LOG = Path("build/soak.log")  # of one that failed: when each call was, and each secret's change


@dataclass
class Samples:
    """Of the generation that serves between the reloads, by process; of all, the peaks."""

    memory: dict[str, list[int]] = field(default_factory=lambda: collections.defaultdict(list))
    files: dict[str, list[int]] = field(default_factory=lambda: collections.defaultdict(list))

    def take(self, pids: dict[str, int]) -> None:
        for name, pid in pids.items():
            self.memory[name].append(processes.memory(pid))
            self.files[name].append(processes.descriptors(pid))


def thirds(values: list[int]) -> tuple[int, int]:
    size = max(1, len(values) // 3)
    return int(statistics.median(values[:size])), int(statistics.median(values[-size:]))


def latest(sidekey: Sidekey) -> dict[str, int]:
    """The processes of the generation that serves."""
    boxed = sidekey.records(msg="boxed")
    number = max(r["generation"] for r in boxed)
    found = {r["process"]: r["pid"] for r in boxed if r["generation"] == number}
    return {"parent": sidekey.pid, **{role: found[role] for role in ROLES}}


class Soak:
    def __init__(self, world: World, sidekey: Sidekey, seconds: float) -> None:
        self.world, self.sidekey, self.seconds = world, sidekey, seconds
        self.outcomes: collections.Counter = collections.Counter()
        self.samples, self.faults = Samples(), []
        self.rotations = self.reloads = self.troubles = self.looks = 0
        self.store_is_needed = asyncio.Lock()
        self.left: dict[str, int] = {}
        arrange(world.api)

    def rotate(self) -> None:
        """The store has the new key first, and then the old one is refused."""
        key = new_key()
        self.world.store.put(self.world.key_arn, key)
        self.world.api.key = key
        self.rotations += 1

    async def reload(self) -> None:
        for _ in range(RELOADS):
            async with self.store_is_needed:
                await asyncio.to_thread(reload, self.sidekey)
            self.reloads += 1
            await asyncio.sleep(self.seconds * EDGE / RELOADS)

    async def measure(self) -> None:
        await asyncio.to_thread(wait_alone, self.sidekey)
        pids, end = latest(self.sidekey), time.monotonic() + self.seconds * (1 - 2 * EDGE)
        due = time.monotonic()
        while time.monotonic() < end:
            self.samples.take(pids)
            due += 1
            await asyncio.sleep(max(0, due - time.monotonic()))

    async def look_again_until(self, condition: Callable[[], bool]) -> None:
        """SIGUSR1, again and again."""
        end = time.monotonic() + HEAL_SECONDS
        while not condition():
            if time.monotonic() > end:
                self.faults.append("the store is well again, and nobody asks it")
                return
            os.kill(self.sidekey.pid, signal.SIGUSR1)
            self.looks += 1
            await asyncio.sleep(1)

    async def trouble(self, fault: Fault | None) -> None:
        """The store fails twice, and has given each of its secrets again before this returns: the
        values that are held are good meanwhile, and no call may feel it."""
        store, arns = self.world.store, (self.world.key_arn, self.world.access_arn)
        if fault:
            store.fail(fault, len(arns))
            self.troubles += 1
            await self.look_again_until(lambda: not store.faults)
        before = {arn: store.fetches(arn) for arn in arns}
        await self.look_again_until(lambda: all(store.fetches(a) > before[a] for a in arns))

    async def store_goes_on(self, stop: asyncio.Event) -> None:
        """Rotations, with trouble in between: with a store that is away, a new key is not found."""
        for fault in itertools.cycle(TROUBLES):
            await asyncio.sleep(ROTATE_SECONDS / 2)
            async with self.store_is_needed:
                await self.trouble(fault)
            await asyncio.sleep(ROTATE_SECONDS / 2)
            if stop.is_set():
                return
            self.rotate()
            # What the stand-ins remember of each call is no part of what is measured.
            self.world.api.requests.clear()
            self.world.api.executed.clear()
            self.world.store.requests.clear()

    async def traffic(self) -> None:
        stop = asyncio.Event()
        callers = [Caller(self.sidekey.port, seed, self.outcomes) for seed in range(CALLERS)]
        tasks = [asyncio.create_task(c.run(stop)) for c in callers]
        tasks.append(asyncio.create_task(self.store_goes_on(stop)))
        try:
            await self.reload()
            await self.measure()
            await self.reload()
        finally:
            stop.set()
            await asyncio.gather(*tasks)

    # ---- what must be back ----

    def inflight(self) -> bool:
        return b"\nsidekey_inflight 0\n" in self.sidekey.admin("/metrics")[1]

    def files(self) -> dict[str, int]:
        return {n: processes.descriptors(p) for n, p in latest(self.sidekey).items()}

    def come_back(self, idle: dict[str, int]) -> None:
        wait_for(self.inflight, BACK_SECONDS, "sidekey_inflight is 0")
        wait_alone(self.sidekey)
        self.world.api.close_idle()

        def back() -> bool:
            # libcurl lets go of closed connections when the next call looks for one.
            with Agent(self.sidekey.port) as agent:
                agent.call("POST", CHAT, body(), headers())
            self.left = self.files()
            return all(self.left[n] <= idle[n] + FILES_LEFT for n in idle)

        try:
            wait_for(back, BACK_SECONDS)
        except AssertionError:
            self.faults.append(f"descriptors do not return: {idle} before, {self.left} after")

    def permits(self) -> None:
        """As many calls as the caller has permits are let in at the same time, and no more."""
        before = len(self.world.api.executed)
        agents = [Agent(self.sidekey.port) for _ in range(PERMITS)]
        for agent in agents:
            agent.begin("POST", CHAT, body("stuck"), headers())
        try:
            wait_for(lambda: len(self.world.api.executed) == before + PERMITS, BACK_SECONDS)
            with Agent(self.sidekey.port) as one_more:
                code = one_more.call("POST", CHAT, body(), headers()).code
            if code != "rate_limited":
                self.faults.append(f"one call more than the permits ended with {code}")
        except AssertionError:
            got = len(self.world.api.executed) - before
            self.faults.append(f"of {PERMITS} permits {got} are left")
        for agent in agents:
            agent.close()
        wait_for(self.inflight, BACK_SECONDS, "sidekey_inflight is 0")

    def judge(self) -> None:
        for name, values in self.samples.memory.items():
            first, last = thirds(values)
            if last > first + MARGIN:
                self.faults.append(f"{name} grew from {first // KIB} to {last // KIB} KiB")
        for name, values in self.samples.files.items():
            first, last = thirds(values)
            if last > first + FILES_MARGIN:
                self.faults.append(f"{name} has {last} descriptors, and had {first}")
        if not self.troubles:
            self.faults.append("the store was never in trouble: too little time")
        for (kind, result), count in self.outcomes.items():
            if result != "ok":
                self.faults.append(f"{kind} ended {count} times with: {result}")
        for record in self.sidekey.records(level="error"):
            self.faults.append(f"an error in the log: {record['msg']}")

    # ---- the report ----

    def report(self) -> str:
        title = (
            f"{self.seconds / 60:g} minutes, {CALLERS} callers, {self.outcomes.total()} calls, "
            f"{self.rotations} rotations, {self.troubles} troubles of the store, {self.looks} SIGUSR1, "
            f"{self.reloads} reloads; may grow by {MARGIN // KIB} KiB and {FILES_MARGIN} descriptors."
        )
        lines = [
            title,
            "",
            "| process | PSS, first third | last third | peak | descriptors, first | last | after |",
            "|---|---|---|---|---|---|---|",
        ]
        for name, values in self.samples.memory.items():
            first, last = thirds(values)
            files = thirds(self.samples.files[name])
            lines.append(
                f"| {name} | {first // KIB} KiB | {last // KIB} KiB | {max(values) // KIB} KiB "
                f"| {files[0]} | {files[1]} | {self.left.get(name, '')} |"
            )
        lines += ["", "| call | ended as it had to | otherwise |", "|---|---|---|"]
        for kind in sorted({k for k, _ in self.outcomes}):
            good = self.outcomes[kind, "ok"]
            bad = sum(n for (k, _), n in self.outcomes.items() if k == kind) - good
            lines.append(f"| {kind} | {good} | {bad} |")
        return "\n".join([*lines, "", *(f"FAILED: {fault}" for fault in self.faults)])


def headers() -> list[tuple[str, str]]:
    return [("Authorization", f"Bearer {TOKEN}"), ("Content-Type", "application/json")]


def config(world: World) -> dict:
    callers = [{"name": "soak", "token": "env:TOKEN", "concurrentRequests": PERMITS}]
    # The stand-ins are busy too: how long they take to accept is no fault.
    target = world.target(timeouts={"connect": "30s"})
    # What has just failed is asked for again soon: a rotation may follow at once.
    return world.config(target, callers=callers, secrets={"failureTtl": "1s"})


def soak(folder: Path, minutes: float) -> tuple[str, list[str]]:
    """The report, and what was wrong."""
    run = folder / "run"
    run.mkdir()
    with World(folder) as world, Sidekey(config(world), run, world.env(TOKEN=TOKEN)) as sidekey:
        work = Soak(world, sidekey, minutes * 60)
        idle = work.files()
        asyncio.run(work.traffic())
        work.come_back(idle)
        work.permits()
        work.judge()
        if work.faults:
            LOG.parent.mkdir(exist_ok=True)
            LOG.write_text(sidekey.text())
            work.faults.append(f"what sidekey said is in {LOG}")
        return work.report(), work.faults


def document(report: str, minutes: float) -> str:
    head = (
        f"Written by `make soak MINUTES={minutes:g}` on {datetime.date.today()}, on {computer()}:\n"
        "calls of all kinds, of which either side breaks some off, while the key is replaced every few\n"
        "seconds, and the store fails or stalls in between. Memory and descriptors of each process are\n"
        "sampled every second."
    )
    return f"# Everything at once\n\n{head}\n\n{report.rstrip()}\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("minutes", type=float)
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory() as folder:
        report, faults = soak(Path(folder), minutes)
    print(report)
    REPORT.write_text(document(report, minutes))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
