# SPDX-License-Identifier: Apache-2.0
#
# The image holds two files: the program and a bundle of certificate authorities.
# Mode 0111 makes every process of it non-dumpable from birth; uid 65532 has no name.
# Built for another architecture, the program is cross-compiled, never emulated.
#
# The same base, packages and SOURCE_DATE_EPOCH give the same image, if the builder
# writes that date into the layers; deploy/image.sh tells each builder to.

ARG BASE=debian:bookworm-slim

FROM --platform=${BUILDPLATFORM} ${BASE} AS build
ARG TARGETARCH
WORKDIR /src
COPY deploy/deps.sh deploy/
RUN deploy/deps.sh build "cross-${TARGETARCH:=$(dpkg --print-architecture)}"
COPY Makefile CHANGELOG.md ./
COPY deploy/cross.sh deploy/libcurl.sh deploy/sources.sh deploy/
RUN mkdir policy sidecar && \
	deploy/cross.sh "${TARGETARCH:=$(dpkg --print-architecture)}" -s libcurl
COPY deploy deploy
COPY policy policy
COPY sidecar sidecar
ARG SOURCE_DATE_EPOCH
RUN deploy/cross.sh "${TARGETARCH:=$(dpkg --print-architecture)}" -s -j"$(nproc)" dist DIST=/out

# The bill of materials, which deploy/image.sh takes out.
FROM scratch AS sbom
COPY --from=build /out/sidekey.spdx.json /

FROM scratch
COPY --from=build /out/root/ /
USER 65532:65532
EXPOSE 7717
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["/sidekey", "health"]
ENTRYPOINT ["/sidekey"]
