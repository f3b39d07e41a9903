#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds the container image with whichever builder is here and running.
#
#   deploy/image.sh NAME:TAG        BASE=IMAGE chooses the builder's base image
set -euo pipefail
cd "$(dirname "$0")/.."

[ $# -eq 1 ] || {
	echo "usage: deploy/image.sh NAME:TAG" >&2
	exit 2
}
options=(-t "$1" -f Dockerfile)
[ -z "${BASE:-}" ] || options+=(--build-arg "BASE=$BASE")

if docker info >/dev/null 2>&1; then
	exec docker build "${options[@]}" .
elif command -v podman >/dev/null; then
	exec podman build --format docker "${options[@]}" .
elif command -v buildah >/dev/null; then
	exec buildah build --format docker "${options[@]}" .
fi
echo "image: needs a running docker, or podman, or buildah" >&2
exit 1
