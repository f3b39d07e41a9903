#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Each header compiles alone, and says in its first lines what it is for.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
read -ra flags < <(make -s compile-flags)
bad=0
while read -r header; do
	if ! out=$(gcc "${flags[@]}" -Wno-unused -fsyntax-only -x c "$header" 2>&1); then
		printf '%s:1: does not compile alone\n%s\n' "$header" "$out"
		bad=1
	fi
	if ! sed -n 2p "$header" | grep -q '^/\*'; then
		echo "$header:2: does not open by saying what it is"
		bad=1
	fi
done < <(find sidecar policy -name '*.h' | sort)
exit $bad
