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
#   FRESH=1                     nothing from the builder's cache
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

# Podman and buildah write the working container's random name into the image's configuration,
# and which of their cached layers it was made from. Without those, the same is the same.
settle() {
	local folder config settled
	folder=$(mktemp -d)
	trap 'rm -rf "$folder"' RETURN
	"$builder" push -q --format v2s2 "$1" "dir:$folder"
	config=$(sed -n 's/.*"config":{[^}]*"digest":"sha256:\([0-9a-f]*\)".*/\1/p' "$folder/manifest.json")
	sed -i -E 's/"container":"[0-9a-f]+",//; s/"parent":"[^"]*",//; s/,"comment":"FROM [^"]*"//g
		s/"Hostname":"[0-9a-f]*"/"Hostname":""/g' "$folder/$config"
	settled=$(sha256sum <"$folder/$config" | cut -c1-64)
	sed -i -E "s/(\"config\":\{[^}]*\"size\":)[0-9]+/\1$(stat -c %s "$folder/$config")/
		s/$config/$settled/" "$folder/manifest.json"
	mv "$folder/$config" "$folder/$settled"
	"$builder" tag "$("$builder" pull -q "dir:$folder")" "$1"
	echo "image: $1 is sha256:$(sha256sum <"$folder/manifest.json" | cut -c1-64)"
}

date=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)}
builder=${BUILDER:-$(find_builder)}
read -ra options <<<"${BUILDER_OPTIONS:-}"
options+=(-f Dockerfile --build-arg "SOURCE_DATE_EPOCH=$date")
[ -z "${BASE:-}" ] || options+=(--build-arg "BASE=$BASE")
[ -z "${PLATFORM:-}" ] || options+=(--platform "$PLATFORM")
fresh=()
[ -z "${FRESH:-}" ] || fresh=(--no-cache)
mkdir -p build

# Docker's own exporter keeps the files' dates unless it is told to rewrite them.
# HEALTHCHECK is of Docker's image format, which the others write only when asked.
case $builder in
docker)
	docker buildx build "${options[@]}" "${fresh[@]}" --provenance=false \
		--output "type=docker,name=$1,rewrite-timestamp=true" .
	docker buildx build "${options[@]}" --target sbom --output type=local,dest=build .
	;;
podman | buildah)
	options+=(--format docker --timestamp "$date" --layers)
	"$builder" build "${options[@]}" "${fresh[@]}" -t "$1" .
	"$builder" build "${options[@]}" --target sbom --output type=local,dest=build .
	settle "$1"
	;;
*)
	echo "image: BUILDER is docker, podman or buildah" >&2
	exit 2
	;;
esac
