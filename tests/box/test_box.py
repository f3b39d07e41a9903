# SPDX-License-Identifier: Apache-2.0
"""The sandbox tried from inside the real processes: the test build performs one forbidden
thing in one role as soon as that role is boxed (sidecar/box/probe.c), and the parent says how
that role ended. tests/unit/test_box.c holds the same expectations without the program."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from fakes.sidekey import ROLES, ROOT, Sidekey, environment

# A sanitizer's runtime needs calls that the filter lets through for it alone.
pytestmark = pytest.mark.once

HOOKED = Path(
    os.environ.get("SIDEKEY_TEST") or ROOT / "build" / "sidekey-test"
).resolve()
DONE = 200  # probe.c's EXIT_DONE; every other status is an errno
KILLED = "SYS"
ABORTED = "ABRT"
EACCES, EBADF, EPERM, EAFNOSUPPORT = 13, 9, 1, 97
ALL = ("parent", *ROLES)
DIALS = ("keeper", "egress")

# action, in which processes, how it must end, from which Landlock ABI on
EXPECTED = [
    ("nothing", ALL, DONE, 0),
    ("last-words", ALL, DONE, 0),
    ("abort", ALL, ABORTED, 0),
    ("dup", ("parent", *DIALS), DONE, 0),
    ("dup", ("ingress", "resolver"), KILLED, 0),
    ("open-etc", ("ingress", "egress"), KILLED, 0),
    ("open-root", ("keeper", "resolver"), EACCES, 1),
    ("open-proc", ("keeper", "resolver"), EACCES, 1),
    ("open-write", ALL, KILLED, 0),
    ("open-device", ("parent",), EACCES, 1),
    ("read-stderr", ("ingress", "egress"), KILLED, 0),
    ("unlink", ROLES, KILLED, 0),
    ("socket-tcp", ("ingress",), KILLED, 0),
    ("socket-udp", ("ingress", *DIALS), KILLED, 0),
    ("socket-mptcp", ROLES, KILLED, 0),
    ("socket-unix", ("ingress", *DIALS), KILLED, 0),
    ("socket-unix", ("resolver",), EAFNOSUPPORT, 0),
    ("socket-vsock", ROLES, KILLED, 0),
    ("connect-other", ("ingress",), KILLED, 0),
    ("connect-other", DIALS, EACCES, 4),
    ("connect-other-dns", ("resolver",), EACCES, 4),
    ("fastopen", ROLES, KILLED, 0),
    ("sendmsg", ("resolver", "ingress", "egress"), KILLED, 0),
    ("sendmmsg", ("resolver",), EBADF, 0),
    ("sendmmsg-fastopen", ROLES, KILLED, 0),
    ("shutdown-wr", ("ingress",), EBADF, 0),
    ("shutdown-rd", ("ingress",), KILLED, 0),
    ("no-delay", ("ingress", *DIALS), EBADF, 0),
    ("attach-filter", ROLES, KILLED, 0),
    ("upper-layer", ("ingress", "resolver"), KILLED, 0),
    ("bind", ("ingress", *DIALS), KILLED, 0),
    ("listen", ALL, KILLED, 0),
    ("exec", ALL, KILLED, 0),
    ("execveat", ROLES, KILLED, 0),
    ("fork", ALL, KILLED, 0),
    ("thread", ALL, KILLED, 0),
    ("clone3", ALL, KILLED, 0),
    ("mmap-exec", ALL, KILLED, 0),
    ("mprotect-exec", ALL, KILLED, 0),
    ("ptrace", ALL, KILLED, 0),
    ("process_vm_readv", ALL, KILLED, 0),
    ("kill-parent", ("ingress", *DIALS), KILLED, 0),
    ("kill-parent", ("resolver",), EPERM, 6),
    ("tgkill", ALL, KILLED, 0),
    ("memfd_create", ("resolver", "ingress", "egress"), KILLED, 0),
    ("io_uring", ALL, KILLED, 0),
    ("bpf", ALL, KILLED, 0),
    ("setuid", ALL, KILLED, 0),
    ("mount", ALL, KILLED, 0),
    ("unshare", ALL, KILLED, 0),
    ("dumpable", ROLES, KILLED, 0),
    ("seccomp", ROLES, KILLED, 0),
    ("sockopt", ("ingress",), KILLED, 0),
    ("setown", ROLES, KILLED, 0),
    ("patient", ("resolver", "keeper"), KILLED, 0),
    ("patient-other", ROLES, KILLED, 0),
    ("real-time", ROLES, KILLED, 0),
    ("no-wait", DIALS, EBADF, 0),
    ("wait", ("ingress", *DIALS), KILLED, 0),
    ("ioctl", ("ingress", *DIALS), KILLED, 0),
]
CASES = [
    pytest.param(role, action, end, abi, id=f"{role}-{action}")
    for action, roles, end, abi in EXPECTED
    for role in roles
]
# Names resolve nowhere and ports lead nowhere: only the processes are of interest.
CONFIG = {
    "targets": {
        "main": {
            "provider": "openaiCompatible",
            "apiBase": "https://upstream.invalid:4000/v1",
            "apiKey": "env:SIDEKEY_TEST_KEY",
        }
    }
}
ENV = {"SIDEKEY_TEST_KEY": "sk-0123456789abcdef"}


def landlock_abi() -> int:
    probe = "import ctypes;print(ctypes.CDLL(None).syscall(444, None, 0, 1))"
    return int(subprocess.check_output(["python3", "-c", probe]))


def serve(folder: Path, **env: str) -> Sidekey:
    return Sidekey(CONFIG, folder, env={**ENV, **env}, wait=False)


@pytest.mark.parametrize(("role", "action", "end", "abi"), CASES)
def test_forbidden_things_end_as_designed(tmp_path, role, action, end, abi) -> None:
    if not HOOKED.exists():
        pytest.skip(f"no test build at {HOOKED}: make hooked")
    if landlock_abi() < abi:
        pytest.skip(
            f"this kernel's Landlock has ABI {landlock_abi()}, and this takes {abi}"
        )
    s = serve(tmp_path, SIDEKEY_PROBE=f"{role}:{action}")
    process = subprocess.run(
        [HOOKED, *s.arguments],
        env=environment({**ENV, "SIDEKEY_PROBE": f"{role}:{action}"}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=20,
        check=False,
    )
    s.output = process.stdout
    if role == "parent":
        expected = -getattr(signal, f"SIG{end}") if isinstance(end, str) else end
        assert process.returncode == expected, s.text()
        return
    deaths = [r for r in s.records(process=role) if "signal" in r or "status" in r]
    assert process.returncode != 0, s.text()
    assert len(deaths) == 1, s.text()
    assert deaths[0].get("signal", deaths[0].get("status")) == end, s.text()


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {
        name: value.strip()
        for name, _, value in (line.partition(":") for line in lines)
    }


def boxed(s: Sidekey) -> dict[str, int]:
    """Every process, once the log says that all are in their boxes."""
    end = time.monotonic() + 10
    while len(s.records(msg="boxed")) < len(ROLES):
        assert s.alive() and time.monotonic() < end, s.text()
        time.sleep(0.01)
    return s.pids()


def test_the_log_tells_the_level(tmp_path) -> None:
    with serve(tmp_path) as s:
        boxed(s)
        for record in s.records(msg="boxed"):
            assert record["seccomp_rules"] > 20, record
            assert record["landlock_abi"] == max(0, landlock_abi()), record
            assert record["landlock_net"] == ("yes" if landlock_abi() >= 4 else "no"), (
                record
            )
            assert record["landlock_scope"] == (
                "yes" if landlock_abi() >= 6 else "no"
            ), record


def test_who_hands_calls_on_waits_its_turn(tmp_path) -> None:
    """And keeps the policy that it was started with, where somebody chose one."""
    if not Path("/proc/self/schedstat").exists():
        pytest.skip("this kernel does not count how long a process waits")
    given = os.sched_getscheduler(0)
    with serve(tmp_path) as s:
        pids = boxed(s)
        patient = os.SCHED_BATCH if given == os.SCHED_OTHER else given
        for role in ("ingress", "egress"):
            end = time.monotonic() + 15  # beside others it may be impatient for ten seconds
            while os.sched_getscheduler(pids[role]) != patient and time.monotonic() < end:
                time.sleep(0.01)
            assert os.sched_getscheduler(pids[role]) == patient, role
        for role in ("parent", "resolver", "keeper"):
            assert os.sched_getscheduler(pids[role]) == given, role
        os.kill(pids["parent"], signal.SIGHUP)  # the next generation lives under a filter
        end = time.monotonic() + 15
        while len(s.records(msg="boxed", process="egress")) < 2:
            assert time.monotonic() < end, s.text()
            time.sleep(0.01)
        egress = s.records(msg="boxed", process="egress")[-1]["pid"]
        while os.sched_getscheduler(egress) != patient and time.monotonic() < end:
            time.sleep(0.01)
        assert os.sched_getscheduler(egress) == patient


def test_a_policy_that_somebody_chose_stays(tmp_path) -> None:
    idle = Sidekey(CONFIG, tmp_path, env=ENV, wait=False, wrap=("chrt", "-i", "0"))
    with idle as s:
        pids = boxed(s)
        time.sleep(0.5)  # some turns of the loops
        assert {os.sched_getscheduler(pid) for pid in pids.values()} == {os.SCHED_IDLE}


def test_the_kernel_confirms_it(tmp_path) -> None:
    with serve(tmp_path) as s:
        for role, pid in boxed(s).items():
            status = status_of(pid)
            assert status["Seccomp"] == "2", role
            assert status["NoNewPrivs"] == "1", role
            for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                if name == "CapBnd" and os.geteuid() != 0:
                    continue  # it takes CAP_SETPCAP to empty it
                assert int(status[name], 16) == 0, (role, name)
            if os.geteuid() == 0:
                limits = Path(f"/proc/{pid}/limits").read_text()
                assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE), (
                    role
                )
                if role != "parent":
                    assert Path(f"/proc/{pid}/environ").read_bytes() == b"", role
                    title = Path(f"/proc/{pid}/cmdline").read_bytes()
                    assert title == f"sidekey: {role}\0".encode(), role


@pytest.mark.parametrize("role", ALL)
def test_stop_and_continue_survive(tmp_path, role) -> None:
    with serve(tmp_path) as s:
        pid = boxed(s)[role]
        time.sleep(0.3)  # into its wait
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.3)
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.5)
        assert s.alive(), s.text()
        assert s.admin("/healthz")[0] == 200


def test_roles_die_with_their_parent(tmp_path) -> None:
    with serve(tmp_path) as s:
        s.expected_death = True
        pids = boxed(s)
        os.kill(s.pid, signal.SIGKILL)
        s.process.wait()
        end = time.monotonic() + 3
        while any(Path(f"/proc/{pids[r]}").exists() for r in ROLES):
            assert time.monotonic() < end, "a role outlived its parent"
            time.sleep(0.01)


def test_a_killed_role_ends_the_program(tmp_path) -> None:
    for role in ROLES:
        with serve(tmp_path) as s:
            s.expected_death = True
            os.kill(boxed(s)[role], signal.SIGSEGV)
            assert s.wait_end(5) == 1
            assert s.records(process=role, signal="SEGV"), s.text()
