/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include "policy/box/boxes.h"

enum { TYPE = 0xf }; /* of a socket, without SOCK_NONBLOCK and SOCK_CLOEXEC */

/*
 * The protocol is fixed, too: Landlock's ports hold for TCP alone, so that a UDP or an
 * MPTCP socket would pass by them. So would MSG_FASTOPEN.
 */
#define TCP MASKED(1, TYPE, SOCK_STREAM), EQ32(2, IPPROTO_TCP)

static const struct box_call calls[] = {
	WHEN("socket", "to dial: TCP over IPv4", EQ32(0, AF_INET), TCP),
	WHEN("socket", "to dial: TCP over IPv6", EQ32(0, AF_INET6), TCP),
	ANY("connect", "to dial, to the ports that Landlock lets through"),
	WHEN("sendto", "libcurl's send: no address, no Fast Open", EQ(4, 0),
	     MASKED(3, MSG_FASTOPEN, 0)),
	ANY("recvfrom", "libcurl's recv"),
	WHEN("rt_sigaction", "libcurl looks after SIGPIPE when a multi handle ends",
	     EQ32(0, SIGPIPE)),
	ANY("shutdown", "retires a pooled connection that the other side closes"),
	ANY("getsockopt", "SO_ERROR after a connect"),
	ANY("setsockopt", "TCP_NODELAY and keep-alive"),
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
#endif
};

const struct box client_box = {"client", BOX_CALLS(calls), NULL, false, false, false};
