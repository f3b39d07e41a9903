#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds the libcurl that sidekey is linked with: Debian's own source package of
# one upstream version, with HTTP and HTTPS alone, as a static library.
#
#   deploy/libcurl.sh DIRECTORY     leaves DIRECTORY/lib/libcurl.a, include/, copyright, revision
#
# CC and CFLAGS come from the environment. A finished DIRECTORY is left as it is.
#
# The source is found through the machine's own apt sources, copied into a
# private apt configuration in which each is asked for source packages; nothing
# of the system's is edited and no root is needed. Only what the Debian archive
# keyring has signed is accepted: apt checks the index's signature, and the
# package's hashes against the index.
set -euo pipefail

version=7.88.1
release=bookworm

die() {
	echo "libcurl: $*" >&2
	exit 1
}

# Unpacks Debian's source package in $work/curl-$version and sets $revision.
fetch() {
	local apt=$work/apt options
	mkdir -p "$apt/sources" "$apt/lists/partial" "$apt/cache/archives/partial"
	"$sources" deb-src >"$apt/sources/debian.list" ||
		die "use LIBCURL=system, with libcurl4-openssl-dev or the like installed"
	options=(
		-o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$apt/sources"
		-o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt/cache"
		-o APT::Sandbox::User=root -o Acquire::Retries=3 -q
	)
	apt-get "${options[@]}" update >"$work/apt.log" 2>&1 ||
		echo "libcurl: some apt source did not answer; see below if curl is missing" >&2
	revision=$(apt-cache "${options[@]}" showsrc --only-source curl 2>>"$work/apt.log" |
		sed -n 's/^Version: //p' | grep -E "^${version//./\\.}-" | sort -V | tail -n 1) || true
	if [ -z "$revision" ]; then
		cat "$work/apt.log" >&2
		die "no source package of curl $version in Debian $release's sources"
	fi
	(cd "$work" && apt-get "${options[@]}" source "curl=$revision" >>"$work/apt.log" 2>&1) || {
		cat "$work/apt.log" >&2
		die "cannot fetch and unpack curl $revision (is dpkg-dev installed?)"
	}
}

# Everything that is not HTTP or HTTPS over OpenSSL is left out. The threaded
# resolver and socketpair go because sidekey resolves in a process of its own
# and wakes no multi handle; OpenSSL's configuration file is never read.
configure_options=(
	--disable-shared --enable-static --with-pic --disable-dependency-tracking
	--disable-debug --disable-curldebug --disable-warnings --disable-manual
	--disable-libcurl-option --disable-get-easy-options --disable-versioned-symbols
	--enable-http --enable-ipv6 --with-openssl --disable-openssl-auto-load-config
	--disable-ftp --disable-file --disable-ldap --disable-ldaps --disable-rtsp --disable-dict
	--disable-telnet --disable-tftp --disable-pop3 --disable-imap --disable-smb --disable-smtp
	--disable-gopher --disable-mqtt --disable-websockets
	--disable-proxy --disable-http-auth --disable-crypto-auth --disable-ntlm --disable-ntlm-wb
	--disable-tls-srp --disable-sspi --disable-cookies --disable-netrc --disable-alt-svc
	--disable-hsts --disable-doh --disable-mime --disable-dateparse --disable-unix-sockets
	--disable-dnsshuffle --disable-headers-api --disable-progress-meter --disable-verbose
	--disable-ares --disable-threaded-resolver --disable-socketpair
	--without-ca-bundle --without-ca-path --without-ca-fallback
	--without-zlib --without-brotli --without-zstd --without-nghttp2 --without-ngtcp2
	--without-nghttp3 --without-quiche --without-msh3 --without-hyper --without-libpsl
	--without-libidn2 --without-libgsasl --without-libssh2 --without-libssh --without-wolfssh
	--without-librtmp --without-gssapi --without-zsh-functions-dir --without-fish-functions-dir
)

# Autoconf has to be told when the compiler makes code for another architecture.
cross_options() {
	local host build
	host=$(${CC:-gcc} -dumpmachine)
	build=$(dpkg-architecture -qDEB_BUILD_GNU_TYPE)
	[ "${host%%-*}" = "${build%%-*}" ] || echo "--build=$build --host=$host"
}

# A format of strings alone is put down string by string: libcurl's printf, of which each header
# of a call is one, puts down a byte at a time, through a pointer. A twentieth of all of sidekey's
# time.
adapt() {
	patch -s -p1 <<'EOF'
--- a/lib/dynbuf.c
+++ b/lib/dynbuf.c
@@ -183,9 +183,20 @@
 {
 #ifdef BUILDING_LIBCURL
   int rc;
+  const char *p;
   DEBUGASSERT(s);
   DEBUGASSERT(s->init == DYNINIT);
   DEBUGASSERT(!s->leng || s->bufr);
+  for(p = fmt; (p = strchr(p, '%')) && p[1] == 's'; p += 2)
+    ;
+  if(!p) {
+    for(rc = 0; !rc && *fmt; fmt += *fmt == '%' ? 2 : strcspn(fmt, "%"))
+      if(*fmt == '%')
+        rc = Curl_dyn_add(s, va_arg(ap, const char *));
+      else
+        rc = Curl_dyn_addn(s, fmt, strcspn(fmt, "%"));
+    return rc;
+  }
   rc = Curl_dyn_vprintf(s, fmt, ap);
 
   if(!rc)
EOF
}

build() {
	local cross
	cd "$work/curl-$version"
	adapt
	# The release's generated files stay as they are: Debian's changes to their
	# sources concern its shared libraries. Newer than those, they are not remade.
	find . -name aclocal.m4 -exec touch {} +
	sleep 1
	find . \( -name configure -o -name Makefile.in -o -name '*.h.in' \) -exec touch {} +
	export CFLAGS="${CFLAGS:--O2} -ffile-prefix-map=$PWD=libcurl"
	read -ra cross < <(cross_options && echo)
	./configure -q --prefix="$out" "${cross[@]}" "${configure_options[@]}" \
		>"$work/configure.log" 2>&1 || {
		tail -n 20 "$work/configure.log" >&2
		die "configure failed"
	}
	# Its printf writes the tables of its own that it reads, and clearing them first (5 KiB)
	# for each header of a call took a fifteenth of all of sidekey's time.
	local tables="${CFLAGS/-ftrivial-auto-var-init=zero/}"
	# It reads the clock some thirty times a call: a twentieth. loop.c has it, read once a round.
	local clock="$CFLAGS -Dclock_gettime=loop_clock_gettime"
	{
		make -C lib CFLAGS="$tables" libcurl_la-mprintf.lo &&
			make -C lib CFLAGS="$clock" libcurl_la-timeval.lo &&
			make -j"$(nproc)" -C lib libcurl.la && make -C lib install &&
			make -C include install
	} >"$work/make.log" 2>&1 || {
		tail -n 20 "$work/make.log" >&2
		die "make failed"
	}
}

[ $# -eq 1 ] || die "usage: deploy/libcurl.sh DIRECTORY"
target=$1
sources=$(realpath "$(dirname "$0")/sources.sh")
[ ! -e "$target/revision" ] || exit 0
mkdir -p "$(dirname "$target")"
target=$(cd "$(dirname "$target")" && pwd)/$(basename "$target")

# Built beside its place and moved there whole, by one at a time: the folder's name gets into what
# is optimized as a whole program, and has to be the same each time.
exec 9>"$target.lock"
flock 9
[ ! -e "$target/revision" ] || exit 0
work=$target.work
rm -rf "$work"
mkdir "$work"
trap 'rm -rf "$work"' EXIT
out=$work/out
revision=
echo "libcurl: building $version from Debian's source package" >&2
fetch
echo "libcurl: $revision" >&2
build
mkdir -p "$work/done/lib"
cp "$out/lib/libcurl.a" "$work/done/lib/"
cp -r "$out/include" "$work/curl-$version/debian/copyright" "$work/done/"
echo "$revision" >"$work/done/revision"
rm -rf "$target"
mv "$work/done" "$target"
