#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a file exports, another file of the program or a unit test uses; else it is static or gone.

Reads the symbol tables of the objects in build/obj and build/obj-test, and the tests' text: a pure
part of a module may be exported for the sake of its vectors.
"""

import collections
import re
import subprocess

from source import ROOT, Findings

DEFINED = set("TDBRVW")


def main():
    findings = Findings()
    defined = {}
    users = collections.defaultdict(set)
    for folder in ("obj", "obj-test"):
        top = ROOT / "build" / folder
        for path in sorted(top.rglob("*.o")):
            source = path.relative_to(top).with_suffix(".c")
            if not (ROOT / source).is_file():
                continue
            out = subprocess.run(
                ["nm", "-P", str(path)], capture_output=True, text=True, check=True
            ).stdout
            for line in out.splitlines():
                symbol, kind = line.split()[:2]
                if kind in DEFINED and folder == "obj":
                    defined[symbol] = source
                elif kind == "U":
                    users[symbol].add(source)
    tests = "".join(p.read_text() for p in (ROOT / "tests").glob("[uf]*/*.c"))
    for symbol, source in sorted(defined.items(), key=lambda item: (item[1], item[0])):
        if symbol == "main" or users[symbol] - {source} or f"{symbol}(" in tests:
            continue
        text = (ROOT / source).read_text().split("\n")
        pattern = re.compile(rf"^(\w.*\W)?{re.escape(symbol)}\b")
        number = next((i for i, line in enumerate(text, 1) if pattern.match(line)), 1)
        findings.add(ROOT / source, number, f"{symbol} is used by no other file of the program")
    findings.end()


main()
