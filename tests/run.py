#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the whole suite, or the unit tests of one build, and adds up the counts.

    tests/run.py               everything; SIDEKEY_SKIP=lint,sanitizers leaves parts out
    tests/run.py unit build    the cmocka programs in build/unit, through SIDEKEY_EMULATOR if set
    tests/run.py replay build  the fuzz targets in build/replay, each with its own corpus

The last line reads `N passed, N failed`, and `, N skipped` when something was. When a few of the
Python tests fail, these are run once more, with the machine to themselves, and that counts: each is
named with what it did before. What only compiles and reads runs beside them, and gets what they leave
of the processors.
Whatever is left out counts as skipped, with its reason; nothing run at all fails.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SANITIZERS = "address,undefined"
SANITIZED = "build/san-address-undefined"
UNIT_SECONDS = 120
REPLAY_SECONDS = 60
SECOND_TRIES = 5  # more than these are no accident
SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": "abort_on_error=1:detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "abort_on_error=1:print_stacktrace=1",
}


class Counts:
    """before: what stands in front of the commands of whoever counts; out: where they print."""

    def __init__(self, out=None, before=()):
        self.out, self.before = out, before
        self.passed = self.failed = self.skipped = 0
        self.failures = []
        self.skips = []
        self.shaky = []

    def add(self, name, good, reason=""):
        if good:
            self.passed += 1
        else:
            self.failed += 1
            self.failures.append(f"{name}: {reason}" if reason else name)

    def skip(self, name, reason):
        self.skipped += 1
        self.skips.append(f"{name}: {reason}")

    def take(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.failures += other.failures
        self.skips += other.skips
        self.shaky += other.shaky

    def line(self):
        text = f"{self.passed} passed, {self.failed} failed"
        return text + (f", {self.skipped} skipped" if self.skipped else "")


def heading(text):
    print(f"\n== {text}", flush=True)


def make(counts, name, *arguments):
    """A build that must succeed counts as one test."""
    result = subprocess.run(
        [*counts.before, "make", "--no-print-directory", f"-j{os.cpu_count() or 2}", *arguments],
        cwd=ROOT,
        check=False,
        stdout=counts.out,
        stderr=counts.out,
    )
    counts.add(name, result.returncode == 0, "make " + " ".join(arguments))
    return result.returncode == 0


def run_program(arguments, seconds):
    """What it printed, and its exit status or "timeout"."""
    try:
        result = subprocess.run(
            arguments,
            cwd=ROOT,
            check=False,
            env={**os.environ, **SANITIZER_OPTIONS, "CMOCKA_MESSAGE_OUTPUT": "STDOUT"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired as error:
        return (error.stdout or b"").decode(errors="replace"), "timeout"
    return result.stdout.decode(errors="replace"), result.returncode


def unit_program(counts, program):
    """Counts each test of one cmocka program; a crash or a hang is one failure more."""
    emulator = shlex.split(os.environ.get("SIDEKEY_EMULATOR", ""))
    output, code = run_program([*emulator, str(program)], UNIT_SECONDS)
    passed = len(re.findall(r"^\[ +OK \]", output, re.MULTILINE))
    failed = re.findall(r"^\[  FAILED  \] (\w+)$", output, re.MULTILINE)
    failed = sorted(set(failed))
    skipped = re.findall(r"^\[  SKIPPED \] (\w+)$", output, re.MULTILINE)
    ended = re.search(r"^\[=+\] \d+ test\(s\) run\.", output, re.MULTILINE) is not None
    counts.passed += passed
    for name in failed:
        counts.add(f"{program.name}: {name}", False)
    for name in sorted(set(skipped)):
        reason = re.search(rf"^{name}: skipped: (.*)$", output, re.MULTILINE)
        counts.skip(f"{program.name}: {name}", reason.group(1) if reason else "see its output")
    clean = code == 0 and ended
    if not clean and not failed:
        counts.add(program.name, False, f"ended with {code} before its summary or without a cause")
    verdict = "ok" if clean else "FAILED"
    print(f"{verdict:6} {program.relative_to(ROOT)}: {passed} passed, {len(failed)} failed")
    if not clean:
        print(output)


def unit(counts, build, label=""):
    sources = sorted((ROOT / "tests/unit").glob("test_*.c"))
    for source in sources:
        program = ROOT / build / "unit" / source.stem
        if program.exists():
            unit_program(counts, program)
        else:
            counts.add(f"{source.stem}{label}", False, "was not built")
    if not sources:
        counts.add("unit tests", False, "there are none")


def replay_program(counts, program, corpus, label):
    """Each target with all the inputs that are kept for it is one test."""
    name = f"replay of {program.name}{label}"
    if not program.exists():
        counts.add(name, False, "was not built")
        return
    if not corpus.is_dir() or not any(corpus.iterdir()):
        counts.add(name, False, f"there is no input in {corpus.relative_to(ROOT)}")
        return
    output, code = run_program([str(program), str(corpus.relative_to(ROOT))], REPLAY_SECONDS)
    clean = code == 0 and re.search(r"^[1-9]\d* inputs$", output, re.MULTILINE) is not None
    counts.add(name, clean, f"ended with {code}")
    print(f"{'ok' if clean else 'FAILED':6} {program.relative_to(ROOT)}")
    if not clean:
        print(output)


def replay(counts, build, label=""):
    for source in sorted((ROOT / "tests/fuzz").glob("fuzz_*.c")):
        program = ROOT / build / "replay" / source.stem
        replay_program(counts, program, source.with_suffix(""), label)


def run_pytest(build, report, *arguments):
    """Runs the Python tests against the program in build; its exit status and its XML report."""
    report.unlink(missing_ok=True)
    environment = {
        **os.environ,
        **(SANITIZER_OPTIONS if build == SANITIZED else {}),
        "SIDEKEY": str(ROOT / build / "sidekey"),
        "SIDEKEY_TEST": str(ROOT / build / "sidekey-test"),
        "SIDEKEY_SANITIZED": "1" if build == SANITIZED else "",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-rfEs", f"--junitxml={report}", "tests"]
    code = subprocess.run(
        [*command, *arguments], cwd=ROOT, env=environment, check=False
    ).returncode
    if not report.exists():
        return code, []
    return code, list(xml.etree.ElementTree.parse(report).iter("testcase"))


def case_name(case, build):
    return f"{case.get('classname')}.{case.get('name')} ({build})"


def has_failed(case):
    return case.find("failure") is not None or case.find("error") is not None


def second_try(counts, build, names):
    """Those that failed, by themselves; the names of those that fail again."""
    heading(f"once more, alone: {len(names)} of {build}")
    report = ROOT / build / "pytest-again.xml"
    _, cases = run_pytest(build, report, "--last-failed", "--last-failed-no-failures=none")
    good = {case_name(c, build) for c in cases if not has_failed(c)} & set(names)
    counts.passed += len(good)
    counts.shaky += sorted(good)
    return [name for name in names if name not in good]


def pytest(counts, build, extra=()):
    code, cases = run_pytest(build, ROOT / build / "pytest.xml", *extra)
    bad = []
    for case in cases:
        skipped = case.find("skipped")
        if has_failed(case):
            bad.append(case_name(case, build))
        elif skipped is not None:
            counts.skip(case_name(case, build), skipped.get("message", ""))
        else:
            counts.passed += 1
    if code not in (0, 1) or not cases or (code == 1 and not bad):
        counts.add(f"pytest on {build}", False, f"ended with {code}")
    if 0 < len(bad) <= SECOND_TRIES:
        bad = second_try(counts, build, bad)
    for name in bad:
        counts.add(name, False)


def lint(counts):
    result = subprocess.run(
        [*counts.before, "tests/lint/run.sh"],
        cwd=ROOT,
        check=False,
        stdout=subprocess.PIPE,
        stderr=counts.out,
        text=True,
    )
    print(result.stdout, end="", file=counts.out, flush=True)
    for line in result.stdout.splitlines():
        verdict, _, rest = line.partition(" ")
        if verdict == "ok":
            counts.passed += 1
        elif verdict == "FAILED":
            counts.add(f"lint: {rest}", False)
        elif verdict == "skipped":
            name, _, reason = rest.partition(": ")
            counts.skip(f"lint: {name}", reason)
    if result.returncode and "FAILED" not in result.stdout:
        counts.add("lint", False, f"ended with {result.returncode}")


def warnings(counts):
    """Both compilers, from scratch, every warning an error."""
    for compiler in ("gcc", "clang"):
        folder = f"build/warnings-{compiler}"
        make(
            counts,
            f"{compiler} without warnings",
            f"CC={compiler}",
            f"B={folder}",
            "WERROR=1",
            "all",
            "hooked",
            "units",
            "benchers",
        )


def plain(counts):
    if make(counts, "build", "all", "hooked", "units", "benchers"):
        unit(counts, "build")


def end_to_end(counts):
    pytest(counts, "build")


def sanitizers(counts):
    san = f"SAN={SANITIZERS}"
    if make(counts, "build with sanitizers", san, "all", "hooked", "units", "replays"):
        unit(counts, SANITIZED, " (sanitizers)")
        replay(counts, SANITIZED, " (sanitizers)")
        pytest(counts, SANITIZED, ["-m", "not once"])


PARTS = [
    ("plain", "build and unit tests", plain),
    ("e2e", "end-to-end tests", end_to_end),
    ("sanitizers", "everything again under ASan and UBSan", sanitizers),
]
ASIDE = [
    ("warnings", "no warnings with gcc and clang", warnings),
    ("lint", "house rules", lint),
]


def run_parts(counts, parts):
    left_out = set(filter(None, os.environ.get("SIDEKEY_SKIP", "").split(",")))
    for name, title, part in parts:
        print(f"\n== {title}", file=counts.out, flush=True)
        if name in left_out:
            counts.skip(name, "left out by SIDEKEY_SKIP")
            continue
        began = time.monotonic()
        part(counts)
        print(f"   {time.monotonic() - began:.0f} s", file=counts.out, flush=True)


def everything(counts):
    run_parts(counts, PARTS[:1])
    with tempfile.TemporaryFile("w+") as said, ThreadPoolExecutor(1) as pool:
        aside = Counts(said, ("chrt", "--idle", "0"))
        beside = pool.submit(run_parts, aside, ASIDE)
        run_parts(counts, PARTS[1:])
        beside.result()
        said.seek(0)
        print(said.read(), end="", flush=True)
    counts.take(aside)


def main(arguments):
    counts = Counts()
    single = {"unit": unit, "replay": replay}
    if len(arguments) == 2 and arguments[0] in single:
        single[arguments[0]](counts, arguments[1])
    elif not arguments:
        everything(counts)
    else:
        print(__doc__, file=sys.stderr)
        return 2
    ends = (
        ("skipped", counts.skips),
        ("failed at first, passed alone", counts.shaky),
        ("failed", counts.failures),
    )
    for title, lines in ends:
        if lines:
            heading(title)
            print("\n".join(lines))
    print()
    print(counts.line(), flush=True)
    return 1 if counts.failed or not counts.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
