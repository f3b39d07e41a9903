#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# clang-format would change nothing (`make format` lets it).
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
mapfile -t files < <(find sidecar policy tests -path tests/node -prune -o -name '*.[ch]' -print |
	sort)
out=$(clang-format --dry-run --Werror "${files[@]}" 2>&1) && exit 0
sed -n 's/^\([^ :]*:[0-9]*\):[0-9]*: error: .*/\1: not as clang-format has it/p' <<<"$out" |
	sort -u -t: -k1,1 -k2,2n
exit 1
