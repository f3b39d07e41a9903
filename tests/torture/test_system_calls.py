# SPDX-License-Identifier: Apache-2.0
"""Goal: whichever system call fails, of libc's and the libraries' too, each call of the agent ends,
sidekey serves on or ends with a reason, and no secret goes astray."""

import platform
from collections.abc import Iterator
from errno import EAFNOSUPPORT, EAGAIN, ECONNRESET, EINTR, ENOBUFS, EPERM, errorcode
from pathlib import Path

import pytest
from fakes.sidekey import program
from fakes.wire import wait_for
from life import Life, Place, live, live_well, spread, torment

SENDS = 40  # egress makes some more in a life
PROCESSES = ("parent", "child", "resolver", "lookup", "keeper", "ingress", "egress")


class Refuser:
    """Lives in a place in which system calls fail (failcall.c)."""

    def __init__(self, place: Place, folder: Path) -> None:
        self.place, self.folder, self.lived = place, folder, 0
        self.tool = program().parent / "failcall"
        self.known = live_well(place, folder / "well").answers
        told = self.live("parent", 0, "usual").failed.split("\n")
        self.counts = {name: int(count) for name, count in (line.split() for line in told if line)}

    def live(self, process: str, which: int | str, how: str) -> Life:
        self.lived += 1
        name = f"{process}-{which}-{how}".replace("/", "-")
        report = self.folder / f"{name}.report"
        wrap = [self.tool, report, process, str(which), how]
        life = live(self.place, self.folder / name, self.known, wrap=wrap)
        wait_for(lambda: report.read_text().endswith("end\n"), 10, "the report")
        life.failed = report.read_text().removesuffix("end\n")
        if "broken:" in life.failed:
            life.wrong(life.failed)
        return life


@pytest.fixture(scope="module")
def refuser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Refuser]:
    if platform.machine() != "x86_64":
        pytest.skip("failcall.c changes the registers of amd64")
    folder = tmp_path_factory.mktemp("calls")
    with Place(folder) as place:
        yield Refuser(place, folder)


@pytest.mark.once  # a sanitizer's own calls would fail as well, and it gives up then
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("how", ["usual", str(EINTR)], ids=["usual", "EINTR"])
@pytest.mark.parametrize("process", PROCESSES)
def test_each_in_turn(refuser: Refuser, process: str, how: str) -> None:
    numbers = spread(refuser.counts[process])
    assert numbers, "it makes no calls?"
    lives = torment(refuser.place, numbers, lambda n: refuser.live(process, n, how))
    failed = [life for life in lives.values() if life.failed.startswith("failed")]
    print(f"{process}: {len(failed)} of {refuser.counts[process]} calls have failed")
    assert len(failed) > len(lives) // 2, "a life has about as many calls as another"


# ---- by name: what has gone wrong once ----


def test_a_channel_that_cannot_be_read_ends_the_program(refuser: Refuser) -> None:
    """It hung: nobody listened any more, and all lived."""
    for process in ("parent", "keeper", "ingress", "egress"):
        life = refuser.live(process, "recvmsg", "usual")
        assert life.failed.startswith(f"failed {process}"), life.failed
        assert life.faults == [] and life.status == 1, life.text
        assert "its channel cannot be read" in life.text or process != "parent", life.text


def test_a_message_waits_while_the_kernel_is_short_of_memory(refuser: Refuser) -> None:
    """It was lost, and whoever waited for it waited for good."""
    for process in ("parent", "resolver", "keeper", "ingress", "egress"):
        life = refuser.live(process, "channel", "usual")
        assert "channel ENOBUFS" in life.failed
        assert life.faults == [] and life.status == 0, life.text


def test_secret_pages_that_are_demanded(refuser: Refuser) -> None:
    """sandbox.require did not reach the processes that hold secrets."""
    if "secretPages" not in refuser.place.required:
        pytest.skip("this kernel has no memfd_secret")
    for process in ("keeper", "egress"):
        life = refuser.live(process, "memfd_secret", "usual")
        assert life.faults == [] and life.status == 1, life.text
        assert "sandbox.require names secretPages" in life.text


def test_a_start_that_fails_says_so(refuser: Refuser) -> None:
    life = refuser.live("parent", "signalfd4", "usual")
    assert life.faults == [] and life.status == 1, life.text
    assert "sidekey cannot start" in life.text


def test_a_kernel_without_ipv6_is_no_shortage_of_descriptors(refuser: Refuser) -> None:
    """Names have addresses of both kinds everywhere: the agent was told to come back (503), and the
    operator to raise RLIMIT_NOFILE, when nothing but the other kind of socket could be had."""
    life = refuser.live("egress", "socket/2", str(EAFNOSUPPORT))  # the first: libcurl at its start
    assert "socket EAFNOSUPPORT" in life.failed
    assert life.faults == [] and life.status == 0, life.text
    assert "there is no descriptor" not in life.text
    assert '"code":"upstream_unreachable"' in life.text


@pytest.mark.once
@pytest.mark.timeout(600)
@pytest.mark.parametrize("error", [ECONNRESET, EAGAIN, ENOBUFS, EPERM], ids=errorcode.get)
def test_a_send_that_fails_is_the_connections_last(refuser: Refuser, error: int) -> None:
    """libcurl took the connection back, OpenSSL had the request still, and sent it before the next
    call's, which got its answer. A full queue, a firewall or a route that changes fail a send so."""
    numbers = list(range(1, SENDS + 1))
    lives = torment(
        refuser.place, numbers, lambda n: refuser.live("egress", f"sendto/{n}", str(error))
    )
    failed = [life for life in lives.values() if "sendto" in life.failed]
    assert len(failed) > SENDS // 2, "a life has about as many calls as another"
