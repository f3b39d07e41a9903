#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# gcc -fanalyzer finds nothing but what is argued here. It looks at the code as written (-O0).
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
read -ra flags < <(make -s CC=gcc compile-flags)

# FILE OPTION: what the analyzer does not see.
argued=(
	# It loses what an array of structures owns; all of it lives as long as its role.
	"sidecar/resolver/resolver.c malloc-leak"
	"sidecar/ev/multi.c malloc-leak"
	"sidecar/egress/vault.c malloc-leak"
	# The loop runs at least once, for the name is not empty, nor then is a label.
	"sidecar/config/url.c null-dereference"
)

found=$(find sidecar policy -name '*.c' -print0 | sort -z |
	xargs -0 -r -P "$(nproc)" -I{} gcc "${flags[@]}" -fno-lto -U_FORTIFY_SOURCE \
		-ftrivial-auto-var-init=uninitialized -O0 \
		-fanalyzer -fdiagnostics-plain-output -c {} -o /dev/null 2>&1 |
	grep -E '^[^ ]+:[0-9]+:[0-9]+: (error:|warning:.*-Wanalyzer-)' | sort -u)
status=0
while read -r finding; do
	option=${finding##*-Wanalyzer-}
	[[ " ${argued[*]} " == *" ${finding%%:*} ${option%]} "* ]] && continue
	echo "$finding"
	status=1
done <<<"$found"
for entry in "${argued[@]}"; do
	grep -q "^${entry% *}:.*-Wanalyzer-${entry#* }\]" <<<"$found" && continue
	echo "tests/lint/analyzer.sh: $entry: it is not found any more"
	status=1
done
exit $status
