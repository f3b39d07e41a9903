#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A foreign library is included by the files named here alone, and by no header."""

import re

from source import Findings, c_files, name

ALLOWED = {
    "curl/": {
        "sidecar/ev/multi.c",
        "sidecar/egress/dial.c",
        "sidecar/egress/transfer.c",
        "sidecar/keeper/fetch.c",
    },
    "jansson.h": {"sidecar/base/json.c"},
    "yaml.h": {"sidecar/config/yaml.c"},
    "sys/capability.h": {"sidecar/box/caps.c"},
    "seccomp.h": {"sidecar/box/filter.c"},
}

INCLUDE = re.compile(r"^\s*#\s*include\s+<([^>]+)>")


def main():
    findings = Findings()
    for path in c_files():
        for number, line in enumerate(path.read_text().split("\n"), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            header = match.group(1)
            if header.startswith("openssl/") and path.suffix == ".h":
                findings.add(path, number, f"<{header}> in a header of ours")
            for library, files in ALLOWED.items():
                if header.startswith(library) and name(path) not in files:
                    findings.add(path, number, f"<{header}> belongs in {' or '.join(sorted(files))}")
    findings.end()


main()
