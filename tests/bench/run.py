# SPDX-License-Identifier: Apache-2.0
"""`make bench ROUNDS=n SECONDS=s`: sidekey beside nginx, HAProxy and the direct way.

So many rounds, in each of which every measurement takes so many seconds. Writes a table and a
chart to tests/bench/results, and prints the table. The machine should have nothing else to do.
"""

from __future__ import annotations

import argparse
import datetime
import os
import resource
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import chart, machine, once, places, scenarios, table
from bench.results import Results

RESULTS = Path(__file__).resolve().parent / "results"
FILES = 8192
IDLE_STREAMS, STARTS = 1000, 10


def prepare() -> None:
    """Room for the streams; no proxy or identity of the machine's; an end that cleans up."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    soft = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for name in [n for n in os.environ if n.startswith("AWS_") or n.lower().endswith("_proxy")]:
        del os.environ[name]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def measure(rounds: int, seconds: float, chosen: list[scenarios.Scenario]) -> Results:
    scenarios.progress("memory, starts, system calls")
    found = once.everything(IDLE_STREAMS, seconds, STARTS)
    with places.Places() as there:
        results = scenarios.rounds(there, chosen, rounds, seconds)
    results.once.update(found)
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--to", type=Path, default=RESULTS)
    options = parser.parse_args()
    if missing := places.missing():
        print(f"bench: not installed: {', '.join(missing)} (deploy/deps.sh bench)")
        return 1
    prepare()
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    command = f"make bench ROUNDS={options.rounds} SECONDS={options.seconds:g}"
    try:
        results = measure(options.rounds, options.seconds, scenarios.SCENARIOS)
    except KeyboardInterrupt:
        return 130
    about = machine.describe()
    document = table.document(results, about, date, command)
    options.to.mkdir(parents=True, exist_ok=True)
    (options.to / "bench.md").write_text(document)
    (options.to / "bench.svg").write_text(chart.chart(results, about, date))
    print(document)
    return 1 if results.failed() else 0


if __name__ == "__main__":
    sys.exit(main())
