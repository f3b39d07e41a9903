/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>

#include "policy/box/boxes.h"

enum { TYPE = 0xf }; /* of a socket, without SOCK_NONBLOCK and SOCK_CLOEXEC */

/*
 * The protocol is fixed, too: Landlock's ports hold for TCP alone, so that a UDP or an
 * MPTCP socket would pass by them. So would MSG_FASTOPEN.
 */
#define TCP              MASKED(1, TYPE, SOCK_STREAM), EQ32(2, IPPROTO_TCP)

#define TCP_OPTION(name) EQ32(1, IPPROTO_TCP), EQ32(2, name)

static const struct box_call calls[] = {
	WHEN("socket", "to dial: TCP over IPv4", EQ32(0, AF_INET), TCP),
	WHEN("socket", "to dial: TCP over IPv6", EQ32(0, AF_INET6), TCP),
	ANY("connect", "to dial, to the ports that Landlock lets through"),
	ANY("recvfrom", "libcurl's recv"),
	WHEN("rt_sigaction", "libcurl looks after SIGPIPE when a multi handle ends",
	     EQ32(0, SIGPIPE)),
	ANY("shutdown", "retires a pooled connection that the other side closes"),
	ANY("getsockopt", "SO_ERROR after a connect"),
	WHEN("setsockopt", "small pieces go at once", TCP_OPTION(TCP_NODELAY)),
	WHEN("setsockopt", "keep-alive", EQ32(1, SOL_SOCKET), EQ32(2, SO_KEEPALIVE)),
	WHEN("setsockopt", "keep-alive: when it begins", TCP_OPTION(TCP_KEEPIDLE)),
	WHEN("setsockopt", "keep-alive: how often", TCP_OPTION(TCP_KEEPINTVL)),
	ANY("getpeername", "libcurl keeps a connection's two addresses"),
	ANY("getsockname", "libcurl keeps a connection's two addresses"),
	WHEN("fcntl", "non-blocking sockets", EQ32(1, F_GETFL)),
	WHEN("fcntl", "the same; never back, for who shares the log or a bell would wait with it",
	     EQ32(1, F_SETFL), MASKED(2, O_NONBLOCK, O_NONBLOCK)),
	ANY("getrandom", "OpenSSL's random numbers"),
	ANY("futex", "pthread_once, of which OpenSSL has many, wakes even when nobody waits"),
	ANY("dup", "a CA bundle whose message waits, and a place kept free for one that comes"),
	ANY("poll", "libcurl looks whether a pooled connection is alive"),
	ANY("ppoll", "the same, where the architecture has no poll"),
#ifdef SIDEKEY_SYSTEM_LIBCURL
	WHEN("socketpair", "the multi handles of a libcurl that we have not built",
	     EQ32(0, AF_UNIX)),
	WHEN("setsockopt", "keep-alive: a libcurl of 8.9 or later says how many, too",
	     TCP_OPTION(TCP_KEEPCNT)),
	FAILS("setsockopt",
	      "some OpenSSL offers its socket to TLS in the kernel, where that is built",
	      ENOPROTOOPT, TCP_OPTION(TCP_ULP)),
#endif
};

const struct box client_box = {"client", BOX_CALLS(calls), NULL, false, false, false};
