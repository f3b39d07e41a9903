#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Calls and constructs that we do not use, each with what to use instead."""

import re

from source import Findings, c_files, code_lines

CALLS = {
    "sprintf vsprintf": "snprintf or a struct buf",
    "strcpy strcat strncpy strncat stpcpy": "a struct span or a struct buf",
    "strtok strtok_r": "span_find and span_cut",
    "atoi atol atoll atof strtol strtoul strtoll strtoull sscanf scanf": "num.h",
    "gets": "nothing",
    "system popen": "spawn.h",
    "alloca": "a fixed array or a struct buf",
    "mktemp tmpnam tempnam": "memfd_create",
    "rand srand random drand48": "RAND_bytes",
    "sleep usleep nanosleep clock_nanosleep": "a timer of the loop (rule 20)",
    "pthread_create thrd_create": "the loop (rule 20)",
    "signal": "the loop's signalfd (rule 20)",
    "setjmp longjmp": "a return value",
    "ctime asctime gmtime localtime": "gmtime_r",
    "strerror": "strerrordesc_np",
    "gethostbyname": "the resolver",
}
PATTERNS = [
    (re.compile(r"\bgoto\b"), "goto: locals that own something clean up by themselves (rule 14)"),
    (re.compile(r"\btypedef\s+(struct|enum|union)\b"), "typedef of a struct, enum or union"),
    (re.compile(r"^\s*#\s*if\s+0\b"), "code that is commented out"),
    (re.compile(r"\b__func__\b|\b__FUNCTION__\b"), "__func__: a message names the place in words"),
]


def main():
    findings = Findings()
    instead = {call: use for calls, use in CALLS.items() for call in calls.split()}
    pattern = re.compile(r"(?<![\w.>])(" + "|".join(instead) + r")\s*\(")
    for path in c_files():
        for number, line in enumerate(code_lines(path), 1):
            for match in pattern.finditer(line):
                call = match.group(1)
                findings.add(path, number, f"{call} is banned: use {instead[call]}")
            for construct, reason in PATTERNS:
                if construct.search(line):
                    findings.add(path, number, reason)
        if "SPDX-License-Identifier: Apache-2.0" not in path.read_text().split("\n", 1)[0]:
            findings.add(path, 1, "does not begin with the SPDX line")
    findings.end()


main()
