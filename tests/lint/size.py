#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lines, functions, headers and files stay small enough to read in one sitting.

A function over 60 lines is pointed out; over 100 it fails.
"""

import re

from source import Findings, c_files, name

LINE = 100
FUNCTION = 60
FUNCTION_MOST = 100
FILE = 600
HEADER = 150

START = re.compile(r"^[a-z_]\w*\(")


def functions(lines):
    """Yields (name, first line, length) of each function, found by its KNF form."""
    begun = None
    for number, line in enumerate(lines, 1):
        if begun is None and START.match(line):
            begun = (line.split("(")[0], number)
        elif begun and line.startswith("}"):
            yield (*begun, number - begun[1] + 1)
            begun = None
        elif begun and line.rstrip().endswith(");") and not line.startswith("\t"):
            begun = None


def main():
    findings = Findings()
    for path in c_files(tops=("sidecar", "policy", "tests")):
        lines = path.read_text().rstrip("\n").split("\n")
        for number, line in enumerate(lines, 1):
            width = len(line.expandtabs(8))
            if width > LINE:
                findings.add(path, number, f"{width} columns; {LINE} at most")
            if line != line.rstrip():
                findings.add(path, number, "blanks at the end of the line")
        most = HEADER if path.suffix == ".h" else FILE
        if len(lines) > most:
            findings.add(path, len(lines), f"{len(lines)} lines; {most} at most")
        for function, number, length in functions(lines):
            if length > FUNCTION_MOST:
                findings.add(
                    path, number, f"{function} has {length} lines; {FUNCTION_MOST} at most"
                )
            elif length > FUNCTION:
                print(f"note {name(path)}:{number}: {function} has {length} lines")
    findings.end()


main()
