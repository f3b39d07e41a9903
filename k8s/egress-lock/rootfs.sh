#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Puts the files of the egress lock's image into a folder, from the system's nft (Debian's nftables).
#
#   k8s/egress-lock/rootfs.sh FOLDER
set -eu
out=${1:?usage: rootfs.sh FOLDER}
here=$(cd "$(dirname "$0")" && pwd)
nft=$(PATH=$PATH:/usr/sbin:/sbin command -v nft)

mkdir -p "$out"
ldd "$nft" | grep -o '/[^ ]*' | while read -r library; do
	mkdir -p "$out$(dirname "$library")"
	cp -L "$library" "$out$library"
done
cp -L "$nft" "$out/nft"
cp "$here/egress-lock.nft" "$out/egress-lock.nft"
chmod -R go-w,a+rX "$out"
