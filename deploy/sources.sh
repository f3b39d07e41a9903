#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Prints the machine's own apt sources of Debian 12's main component, one a line.
#
#   deploy/sources.sh deb|deb-src
#
# So that source packages and those of another architecture come from wherever
# this machine's packages come from, without an edit of the system's files. Only
# what the Debian archive keyring has signed is accepted from them.
set -euo pipefail

release=bookworm
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# Files of stanzas: prints `URI suite` for each pair that is named.
stanzas() {
	local file
	for file in /etc/apt/sources.list.d/*.sources; do
		[ -f "$file" ] || continue
		sed '/^#/d' "$file" | awk -v RS= '
		{
			types = uris = suites = components = ""
			n = split($0, line, "\n")
			for (i = 1; i <= n; i++) {
				value = line[i]
				sub(/^[A-Za-z-]+:[ \t]*/, "", value)
				name = tolower(line[i])
				if (name ~ /^types:/) types = value
				if (name ~ /^uris:/) uris = value
				if (name ~ /^suites:/) suites = value
				if (name ~ /^components:/) components = value
			}
			if (types == "" || (" " components " ") !~ / main /)
				next
			nuris = split(uris, uri, /[ \t]+/)
			nsuites = split(suites, suite, /[ \t]+/)
			for (u = 1; u <= nuris; u++)
				for (s = 1; s <= nsuites; s++)
					print uri[u], suite[s]
		}'
	done
}

# Files of lines: the same.
lines() {
	local file
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[ -f "$file" ] || continue
		awk '$1 == "deb" || $1 == "deb-src" {
			sub(/\[[^]]*\]/, "")
			if ($0 ~ / main( |$)/) print $2, $3
		}' "$file"
	done
}

[[ "${1:-}" = deb || "${1:-}" = deb-src ]] || {
	echo "usage: deploy/sources.sh deb|deb-src" >&2
	exit 2
}
{ stanzas && lines; } | awk -v type="$1" -v release="$release" -v keyring="$keyring" '
	$2 ~ "^" release "(-updates|-security)?$" && !seen[$0]++ {
		print type " [signed-by=" keyring "] " $1 " " $2 " main"
	}
	END {
		if (length(seen) == 0) {
			print "sources: no apt source of Debian " release " here" >"/dev/stderr"
			exit 1
		}
	}'
