# SPDX-License-Identifier: Apache-2.0
#
# The image holds two files: the program and a bundle of certificate authorities.
# Mode 0111 makes every process of it non-dumpable from birth; uid 65532 has no name.

ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
WORKDIR /src
COPY deploy/deps.sh deploy/
RUN apt-get update -qq && deploy/deps.sh build
COPY Makefile CHANGELOG.md ./
COPY deploy deploy
COPY policy policy
COPY sidecar sidecar
RUN make -j"$(nproc)" && make install DESTDIR=/out PREFIX=/usr \
	&& install -D -m 0444 /etc/ssl/certs/ca-certificates.crt \
		/out/root/etc/ssl/certs/ca-certificates.crt \
	&& install -m 0111 /out/usr/bin/sidekey /out/root/sidekey

FROM scratch
COPY --from=build /out/root/ /
USER 65532:65532
EXPOSE 7717
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["/sidekey", "health"]
ENTRYPOINT ["/sidekey"]
