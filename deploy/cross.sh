#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs make for a Debian architecture, cross-compiling where it is not this machine's.
#
#   deploy/cross.sh ARCH [MAKE'S ARGUMENTS]     such as arm64 all units
#   deploy/cross.sh --sysroot ARCH              prints where its libraries are
#
# That architecture's libraries are unpacked under .cache/, so that the system's
# list of architectures and of packages stays as it is. No root is needed, but
# for installing the compiler, if that is missing. What was unpacked is written
# down as dpkg does, so that the bill of materials can ask whose a file is.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(libc6-dev libssl-dev libjansson-dev libyaml-dev libseccomp-dev libcap-dev libcmocka-dev)

die() {
	echo "cross: $*" >&2
	exit 1
}

# Downloads the packages, and all that they depend on, into $work/cache/archives.
download() {
	local apt=(
		-o APT::Architecture="$arch" -o APT::Architectures="$arch"
		-o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null
		-o Dir::State="$work/state" -o Dir::State::status="$work/status"
		-o Dir::Cache="$work/cache" -o APT::Sandbox::User=root -o Acquire::Retries=3
		-o Dpkg::Pre-Install-Pkgs= -o APT::Update::Post-Invoke= -o DPkg::Post-Invoke=
	)
	mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial"
	: >"$work/status"
	deploy/sources.sh deb >"$work/sources.list"
	{ apt-get "${apt[@]}" update && apt-get "${apt[@]}" install -y --download-only \
		--no-install-recommends "${packages[@]}"; } >"$work/log" 2>&1 || {
		cat "$work/log" >&2
		die "the machine's apt sources do not give Debian's packages of $arch"
	}
}

# An absolute link means something in the system's own root.
relink() {
	local link to
	while read -r link; do
		to=$(readlink "$link")
		[[ $to != /* ]] || ln -sfn --relative "$1$to" "$link"
	done < <(find "$1/lib" "$1/usr/lib" -type l)
}

unpack() {
	local root=$1 deb name
	mkdir -p "$root/var/lib/dpkg/info"
	echo 1 >"$root/var/lib/dpkg/info/format" # lists of packages that can be of several architectures
	for deb in "$work"/cache/archives/*.deb; do
		dpkg-deb -x "$deb" "$root"
		name=$(dpkg-deb -f "$deb" Package)
		[ "$(dpkg-deb -f "$deb" Multi-Arch)" != same ] || name=$name:$arch
		dpkg-deb --fsys-tarfile "$deb" | tar -t | sed 's,^\.,,; s,/$,,' \
			>"$root/var/lib/dpkg/info/$name.list"
		printf '%s\nStatus: install ok installed\n\n' "$(dpkg-deb -f "$deb")" \
			>>"$root/var/lib/dpkg/status"
	done
	relink "$root"
}

# Made beside its place and moved there whole, so that two runs at once do no harm.
make_sysroot() {
	local work
	[ ! -e "$sysroot" ] || return 0
	echo "cross: unpacking Debian's libraries of $arch" >&2
	mkdir -p .cache
	work=$(mktemp -d "$sysroot.XXXXXX")
	trap 'rm -rf "$work"' RETURN
	download
	unpack "$work/root"
	[ -e "$sysroot" ] || mv "$work/root" "$sysroot"
}

prefix=
[ "${1:-}" != --sysroot ] || {
	prefix=yes
	shift
}
[ $# -ge 1 ] || die "usage: deploy/cross.sh [--sysroot] ARCH [make's arguments]"
arch=$1
shift
native=$(dpkg --print-architecture)
sysroot=$PWD/.cache/sysroot-$arch-$(sha256sum deploy/cross.sh | cut -c1-8)
[ "$arch" != "$native" ] || sysroot=/
if [ -n "$prefix" ]; then
	echo "$sysroot"
	exit
fi
[ "$arch" != "$native" ] || exec make "$@"

triple=$(dpkg-architecture -a"$arch" -qDEB_HOST_GNU_TYPE 2>/dev/null) || die "what is $arch?"
command -v "$triple-gcc" >/dev/null || deploy/deps.sh "cross-$arch"
make_sysroot
exec make CC="$triple-gcc --sysroot=$sysroot" AR="$triple-ar" STRIP="$triple-strip" "$@"
