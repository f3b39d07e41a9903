#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The house rules, one check a line: `ok NAME`, `FAILED NAME` after its findings
# (file:line: reason), or `skipped NAME: REASON`. Names as arguments choose some.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
export PYTHONDONTWRITEBYTECODE=1

checks=(
	"format.sh        form"
	"layers.py        layers"
	"headers.sh       headers stand alone"
	"size.py          size"
	"banned.py        banned calls"
	"foreign.py       foreign libraries in their files"
	"unused.py        unused exports"
	"codemap.py       code map in README"
	"cppcheck.sh      cppcheck"
	"tidy.sh          clang-tidy"
	"analyzer.sh      gcc -fanalyzer"
	"scripts.sh       shell and Python"
)

failed=0
make -s -j"$(nproc)" all hooked >/dev/null || {
	echo "FAILED to build (unused exports are read from the objects)"
	failed=1
}
for check in "${checks[@]}"; do
	read -r script title <<<"$check"
	[ $# -eq 0 ] || [[ " $* " == *" ${script%.*} "* ]] || continue
	if "tests/lint/$script"; then
		echo "ok $title"
	else
		echo "FAILED $title"
		failed=1
	fi
done
exit $failed
