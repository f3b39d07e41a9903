#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds the container image with whichever builder is here and running, and
# writes its bill of materials to build/sidekey.spdx.json.
#
#   deploy/image.sh NAME:TAG
#
#   BASE=IMAGE                  the builder's base image
#   PLATFORM=linux/arm64        another architecture, cross-compiled
#   SOURCE_DATE_EPOCH=SECONDS   the date of everything; the last commit's by default
#   BUILDER=docker|podman|buildah, BUILDER_OPTIONS='...'   one of them, and more for its build
set -euo pipefail
cd "$(dirname "$0")/.."

[ $# -eq 1 ] || {
	echo "usage: deploy/image.sh NAME:TAG" >&2
	exit 2
}

find_builder() {
	if docker info >/dev/null 2>&1; then
		echo docker
	elif command -v podman >/dev/null; then
		echo podman
	elif command -v buildah >/dev/null; then
		echo buildah
	else
		echo "image: needs a running docker, or podman, or buildah" >&2
		return 1
	fi
}

date=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)}
builder=${BUILDER:-$(find_builder)}
read -ra options <<<"${BUILDER_OPTIONS:-}"
options+=(-f Dockerfile --build-arg "SOURCE_DATE_EPOCH=$date")
[ -z "${BASE:-}" ] || options+=(--build-arg "BASE=$BASE")
[ -z "${PLATFORM:-}" ] || options+=(--platform "$PLATFORM")
mkdir -p build

# Docker's own exporter keeps the files' dates unless it is told to rewrite them.
# HEALTHCHECK is of Docker's image format, which the others write only when asked.
case $builder in
docker)
	docker buildx build "${options[@]}" --target sbom --output type=local,dest=build .
	exec docker buildx build "${options[@]}" --provenance=false \
		--output "type=docker,name=$1,rewrite-timestamp=true" .
	;;
podman | buildah)
	options+=(--format docker --timestamp "$date" --layers)
	"$builder" build "${options[@]}" --target sbom --output type=local,dest=build .
	exec "$builder" build "${options[@]}" -t "$1" .
	;;
*)
	echo "image: BUILDER is docker, podman or buildah" >&2
	exit 2
	;;
esac
