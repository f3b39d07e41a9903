#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# clang-tidy with a small set of checks that find mistakes, not tastes.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
read -ra flags < <(make -s CC=clang compile-flags)
checks=(
	'-*' 'bugprone-*' 'clang-analyzer-*'
	misc-redundant-expression readability-duplicate-include readability-misleading-indentation

	# Two parameters of one type are an order to remember: `from, to` and `name, value` are ours.
	-bugprone-easily-swappable-parameters
	# It means letters that change their case or digits that are made: char is one byte of text.
	-bugprone-narrowing-conversions
	# It means products of constants, such as 24 * 3600 * 1000; gcc tells when one overflows.
	-bugprone-implicit-widening-of-multiplication-result
	# It means arguments that are a member's name or a literal to be joined, not values.
	-bugprone-macro-parentheses
	# It asks for memcpy_s and snprintf_s, which glibc does not have; banned.py names what we ban.
	-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling
	# Fields stand in the order in which they are read; few structures are many.
	-clang-analyzer-optin.performance.Padding
)
all=$(IFS=,; echo "${checks[*]}")
said=$(mktemp)
trap 'rm -f "$said"' EXIT
found=$(find sidecar policy -name '*.c' -print0 | sort -z |
	xargs -0 -r -P "$(nproc)" -I{} clang-tidy --quiet --checks="$all" {} -- "${flags[@]}" \
		2>"$said")
status=$?
out=$(grep -E '^/[^ ]+:[0-9]+:[0-9]+: (warning|error):' <<<"$found" | sort -u)
[ -z "$out" ] || echo "${out//$PWD\//}"
# Its status tells of a file that does not compile and of a crash, not of warnings.
[ $status -eq 0 ] || {
	grep -vE '^[0-9]+ warnings?.* generated\.$' "$said"
	echo "tests/lint/tidy.sh: clang-tidy could not look at every file"
}
[ $status -eq 0 ] && [ -z "$out" ]
