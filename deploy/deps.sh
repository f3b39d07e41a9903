#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs what is missing to build, test or lint sidekey on Debian 12.
#
#   deploy/deps.sh build|demo|test|bench|image|cross-ARCH|fuzz|coverage|lint...
#
# apt is asked only when a package is missing, as root or through sudo. Python
# and node packages are pinned (the lists of tests, tests/clients, tests/compose,
# tests/ecs and tests/k8s, tests/node/package-lock.json) and kept in .cache/venv, .cache/venv-* and
# tests/node/node_modules until their list changes; so is the judge of Pod Security
# (tests/k8s/podsecurity), in .cache/podsecurity.
set -euo pipefail
cd "$(dirname "$0")/.."

build=(gcc make libc6-dev libssl-dev libjansson-dev libyaml-dev libseccomp-dev libcap-dev
	dpkg-dev ca-certificates)
test=(libcmocka-dev openssl curl iproute2 nftables chromium mandoc zsh fish systemd slowhttptest)
image=(buildah runc debootstrap golang-github-containers-common iproute2 nftables
	qemu-user-static)
bench=(nginx-light haproxy strace)
fuzz=(clang libclang-rt-14-dev)
coverage=("${fuzz[@]}" llvm-14)
lint=(clang clang-format clang-tidy cppcheck shellcheck)

die() {
	echo "deps: $*" >&2
	exit 1
}

missing() {
	local package
	for package; do
		dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' ||
			echo "$package"
	done
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "needs root to run: $*"
	fi
}

apt_install() {
	local wanted
	command -v dpkg-query >/dev/null || die "not a Debian system; install by hand: $*"
	mapfile -t wanted < <(missing "$@")
	[ ${#wanted[@]} -gt 0 ] || return 0
	echo "deps: installing ${wanted[*]}"
	as_root apt-get update -qq || echo "deps: some apt source did not answer" >&2
	as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -qq --no-install-recommends "${wanted[@]}" >/dev/null ||
		die "apt could not install: ${wanted[*]}"
}

# What is there to be measured must not begin to serve on this machine, now or at the next start.
apt_install_idle() {
	local policy=/usr/sbin/policy-rc.d wanted
	mapfile -t wanted < <(missing "$@")
	[ ${#wanted[@]} -gt 0 ] || return 0
	if [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
		as_root chmod 0755 $policy
		trap 'as_root rm -f '$policy EXIT
	fi
	apt_install "$@"
	for service in nginx haproxy; do
		as_root systemctl disable --quiet $service 2>/dev/null || true
	done
}

# A python3 of 3.11 or later that can make a virtual environment.
python() {
	local candidate
	for candidate in python3 /usr/bin/python3; do
		if "$candidate" -c 'import sys, venv, ensurepip
sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
			echo "$candidate"
			return
		fi
	done
	return 1
}

node_is_new_enough() {
	command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' \
		2>/dev/null
}

# make_venv FOLDER LIST: the packages of the folder are those of the list, no more and no fewer.
make_venv() {
	local venv=$1 list=$2 marker python3
	[ -f "$list" ] || return 0
	marker=$venv/made-$(sha256sum "$list" | cut -c1-16)
	[ ! -e "$marker" ] || return 0
	python3=$(python) || die "no python3 of 3.11 or later"
	echo "deps: making $venv"
	rm -rf "$venv"
	"$python3" -m venv "$venv"
	"$venv/bin/pip" install -q --disable-pip-version-check -r "$list"
	touch "$marker"
}

make_node_modules() {
	local where=tests/node marker
	[ -f $where/package-lock.json ] || return 0
	marker=$where/node_modules/.made-$(sha256sum $where/package-lock.json | cut -c1-16)
	[ ! -e "$marker" ] || return 0
	echo "deps: installing the packages of $where"
	(cd $where && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error)
	touch "$marker"
}

make_podsecurity() {
	local from=tests/k8s/podsecurity to=.cache/podsecurity marker
	[ -f $from/go.sum ] || return 0
	marker=$to/made-$(cat $from/* | sha256sum | cut -c1-16)
	[ ! -e "$marker" ] || return 0
	command -v go >/dev/null || apt_install golang-go
	echo "deps: building $to"
	rm -rf $to
	mkdir -p $to
	(cd $from && GOTOOLCHAIN=local go build -mod=readonly -trimpath -o "$OLDPWD/$to/" .)
	touch "$marker"
}

for set; do
	case $set in
	build)
		apt_install "${build[@]}"
		;;
	demo)
		python >/dev/null || apt_install python3 python3-venv
		apt_install openssl
		make_venv .cache/venv tests/requirements.txt
		;;
	test)
		python >/dev/null || apt_install python3 python3-venv
		node_is_new_enough || apt_install nodejs npm
		apt_install "${test[@]}"
		apt_install_idle "${bench[@]}"
		make_venv .cache/venv tests/requirements.txt
		make_venv .cache/venv-agents tests/clients/requirements.txt
		make_venv .cache/venv-proxy tests/clients/requirements-proxy.txt
		make_venv .cache/venv-compose tests/compose/requirements.txt
		make_venv .cache/venv-ecs tests/ecs/requirements.txt
		make_venv .cache/venv-checkov tests/ecs/checkov.txt
		make_venv .cache/venv-k8s tests/k8s/requirements.txt
		make_podsecurity
		make_node_modules
		;;
	bench)
		apt_install_idle "${bench[@]}"
		;;
	image)
		apt_install "${image[@]}"
		;;
	cross-*)
		[ "${set#cross-}" != "$(dpkg --print-architecture)" ] || continue
		triple=$(dpkg-architecture -a"${set#cross-}" -qDEB_HOST_GNU_TYPE)
		apt_install "gcc-${triple//_/-}"
		;;
	fuzz)
		apt_install "${fuzz[@]}"
		;;
	coverage)
		apt_install "${coverage[@]}"
		;;
	lint)
		apt_install "${lint[@]}"
		;;
	*)
		die "unknown set: $set"
		;;
	esac
done
