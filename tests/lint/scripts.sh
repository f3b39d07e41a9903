#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every shell script passes shellcheck, and the Python passes ruff when the venv holds it.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
mapfile -t scripts < <({
	find deploy k8s tests -name node_modules -prune -o -name '*.sh' -print
	find .ci -type f
} 2>/dev/null | sort)
bad=0
shellcheck --format=gcc "${scripts[@]}" || bad=1
ruff=.cache/venv/bin/ruff
if [ -x $ruff ]; then
	$ruff check --quiet --output-format=concise --line-length=100 tests || bad=1
fi
exit $bad
