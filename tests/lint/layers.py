#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A file includes only its own folder and the layers below it; roles never meet.

base < ev, http, aws < policy/access < box, policy/box < config < the roles < parent < cli < main
"""

import re

from source import ROOT, Findings, c_files, name

RANKS = [
    {"base"},
    {"ev", "http", "aws"},
    {"policy/access"},
    {"box", "policy/box"},
    {"config"},
    {"resolver", "keeper", "ingress", "egress"},
    {"parent"},
    {"cli"},
    {"main"},
]
RANK = {layer: rank for rank, layers in enumerate(RANKS) for layer in layers}
# The data of a sandbox and the code that enters it are one layer in two folders.
PAIRED = {frozenset(("box", "policy/box"))}

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def layer_of(path):
    parts = path.split("/")
    if path == "sidecar/main.c":
        return "main"
    if parts[0] == "policy":
        return "/".join(parts[:2])
    return parts[1]


def main():
    findings = Findings()
    for path in c_files():
        own = layer_of(name(path))
        if own not in RANK:
            findings.add(path, 1, f"folder {own} is in no layer; name it in tests/lint/layers.py")
            continue
        for number, line in enumerate(path.read_text().split("\n"), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            target = match.group(1)
            full = target if target.startswith("policy/") else "sidecar/" + target
            if not (ROOT / full).is_file():
                findings.add(path, number, f'"{target}" is not written as a full path')
                continue
            other = layer_of(full)
            allowed = (
                other == own or RANK[other] < RANK[own] or frozenset((own, other)) in PAIRED
            )
            if not allowed:
                findings.add(path, number, f"{own} may not include {other} ({target})")
    findings.end()


main()
