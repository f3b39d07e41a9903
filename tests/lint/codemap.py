#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""README's code map names every folder of the tree, and nothing that is not there.

The map is the fenced block under "## Code map"; its first word in each line is a path.
"""

import subprocess

from source import ROOT, Findings

TOPS = ("sidecar", "policy", "deploy", "k8s", "docs", "tests")


def tracked_folders():
    """The folders, two deep, that hold a file which git does not ignore."""
    out = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", *TOPS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    folders = set()
    for path in filter(None, out.split("\0")):
        parts = path.split("/")[:-1]
        folders.add("/".join(parts[:2]) + "/")
        folders.add(parts[0] + "/")
    return folders


def main():
    findings = Findings()
    readme = ROOT / "README.md"
    listed = {}
    inside = fenced = False
    for number, line in enumerate(readme.read_text().split("\n"), 1):
        if line.startswith("## "):
            inside = line == "## Code map"
        elif inside and line.startswith("```"):
            fenced = not fenced
        elif inside and fenced and line.strip():
            listed[line.split()[0]] = number
    for path, number in listed.items():
        if not (ROOT / path).exists():
            findings.add(readme, number, f"the code map names {path}, which is not there")
    for folder in sorted(tracked_folders() - set(listed)):
        findings.add(readme, 1, f"the code map does not name {folder}")
    findings.end()


main()
