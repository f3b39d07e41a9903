# SPDX-License-Identifier: Apache-2.0
"""Goal: whichever allocation fails, of the libraries' too, each call of the agent ends, sidekey
serves on or ends with a reason, and no secret goes astray."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.sidekey import ROOT, SANITIZED
from life import TOLD_OF_RELOAD, Life, Place, live, live_well, spread, torment

PROCESSES = ("parent", "resolver", "lookup", "keeper", "ingress", "egress")
# In a sanitized build, which is not static, libc's own allocations cannot be failed.
if SANITIZED:
    PROCESSES = tuple(name for name in PROCESSES if name != "lookup")

# Of the generation that a reload starts, while the first one serves, and which then takes over.
SECOND = ("keeper", "ingress", "egress")
GIVEN_UP = TOLD_OF_RELOAD[1]
LIVES = 5  # at most, to count in
COUNT = re.compile(r"allocations (\w+) (\d+)")


class Miser:
    """Lives in a place in which allocations fail (failalloc.c)."""

    def __init__(self, place: Place, folder: Path) -> None:
        self.place, self.folder = place, folder
        self.known = live_well(place, folder / "well").answers
        self.counts = self.count("0", set(PROCESSES))
        self.second = self.count("0:2", set(SECOND))

    def count(self, which: str, wanted: set[str]) -> dict[str, int]:
        """How often each process of a generation allocates, when nothing fails."""
        counts: dict[str, int] = {}
        for _ in range(LIVES):  # a process that is killed tells of nothing
            for name, n in COUNT.findall(self.live("parent", which).text):
                counts[name] = max(int(n), counts.get(name, 0))
            if counts.keys() >= wanted:
                break
        return counts

    def live(self, process: str, which: str) -> Life:
        folder = self.folder / f"{process}-{which}"
        asked = {"SIDEKEY_TEST_ALLOCATION": f"{process}:{which}"}
        life = live(self.place, folder, self.known, env=asked)
        life.failed = "".join(re.findall(r"failed \w+ \d+ at \w+", life.text))
        return life


@pytest.fixture(scope="module")
def miser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Miser]:
    hooked = os.environ.get("SIDEKEY_TEST") or ROOT / "build" / "sidekey-test"
    folder = tmp_path_factory.mktemp("allocations")
    with pytest.MonkeyPatch.context() as patch, Place(folder) as place:
        patch.setenv("SIDEKEY", str(hooked))
        yield Miser(place, folder)


@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("process", PROCESSES)
def test_each_in_turn(miser: Miser, process: str) -> None:
    numbers = spread(miser.counts[process])
    assert numbers, "it allocates nothing?"
    lives = torment(miser.place, numbers, lambda n: miser.live(process, str(n)))
    failed = [life for life in lives.values() if life.failed]
    print(f"{process}: {len(failed)} of {miser.counts[process]} allocations have failed")
    assert len(failed) > len(lives) // 2, "a life has about as many allocations as another"


@pytest.mark.parametrize("process", PROCESSES)
def test_no_memory_at_all_from_somewhere_on(miser: Miser, process: str) -> None:
    """A process that cannot even tell of it is told of by another, or by its last words."""
    count = miser.counts[process]
    numbers = [1, count // 3, count // 2, count - count // 10]
    torment(miser.place, numbers, lambda n: miser.live(process, f"{n}+"))


@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("process", SECOND)
def test_each_in_turn_of_the_second_generation(miser: Miser, process: str) -> None:
    """A reload that is given up for it costs nobody anything: the first generation serves on."""
    numbers = spread(miser.second[process])
    lives = torment(miser.place, numbers, lambda n: miser.live(process, f"{n}:2"))
    failed = [life for life in lives.values() if life.failed]
    given_up = [life for life in failed if GIVEN_UP in life.text]
    total = miser.second[process]
    print(f"{process}: {len(failed)} of {total} have failed, {len(given_up)} reloads were given up")
    assert len(failed) > len(lives) // 2, "a life has about as many allocations as another"
    assert given_up, "the first allocation, at the latest, is one that it needs to start"
    assert {life.status for life in given_up} == {0}


@pytest.mark.parametrize("process", SECOND)
def test_no_memory_at_all_in_the_second_generation(miser: Miser, process: str) -> None:
    """While it starts, and when it is at work."""
    numbers = [1, miser.second[process] - miser.second[process] // 10]
    torment(miser.place, numbers, lambda n: miser.live(process, f"{n}:2+"))


def test_the_parent_says_why_it_gives_up(miser: Miser) -> None:
    life = miser.live("parent", f"{miser.counts['parent'] // 2}+")
    assert life.faults == [] and life.status != 0, life.text
    assert "sidekey: the parent gives up" in life.text
