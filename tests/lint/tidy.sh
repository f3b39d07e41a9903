#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# clang-tidy with a small set of checks that find mistakes, not tastes.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
read -ra flags < <(make -s CC=clang compile-flags)
checks='-*,bugprone-*,-bugprone-easily-swappable-parameters,-bugprone-reserved-identifier'
checks+=',-bugprone-assignment-in-if-condition,-bugprone-narrowing-conversions'
checks+=',-bugprone-implicit-widening-of-multiplication-result,-bugprone-branch-clone'
checks+=',-bugprone-suspicious-include,-bugprone-macro-parentheses'
checks+=',clang-analyzer-*,-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling'
checks+=',-clang-analyzer-optin.performance.Padding'
checks+=',misc-redundant-expression,readability-duplicate-include,readability-misleading-indentation'
out=$(find sidecar policy -name '*.c' -print0 | sort -z |
	xargs -0 -r -P "$(nproc)" -I{} clang-tidy --quiet --checks="$checks" {} -- "${flags[@]}" \
		2>/dev/null | grep -E '^/[^ ]+:[0-9]+:[0-9]+: (warning|error):' | sort -u)
[ -n "$out" ] || exit 0
echo "${out//$PWD\//}"
exit 1
