/* SPDX-License-Identifier: Apache-2.0 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "policy/box/boxes.h"

#include "box/spawn.h"

/*
 * No file, no socket of its own, no connect. The listeners are those of all generations, so
 * nothing is allowed that would close or deafen them for the next: no shutdown of the reading
 * side, no filter.
 */
static const struct box_call calls[] = {
	ANY("accept4", "a caller"),
	WHEN("read", "the bell of the trunk, and not a terminal", EQ32(0, SPAWN_TRUNK + 1)),
	ANY("recvfrom", "from the caller"),
	ANY("rt_sigreturn", "a tick that ended a wait (base/rights.h)"),
	WHEN("setsockopt", "small pieces go at once", EQ32(1, IPPROTO_TCP), EQ32(2, TCP_NODELAY)),
	WHEN("setsockopt", "an abort by RST; no close that waits", EQ32(1, SOL_SOCKET),
	     EQ32(2, SO_LINGER)),
	WHEN("getsockopt", "who is at the other end of a Unix socket", EQ32(1, SOL_SOCKET),
	     EQ32(2, SO_PEERCRED)),
	WHEN("shutdown", "the last answer is out, and the caller may still be sending",
	     EQ32(1, SHUT_WR)),
};

static const struct box *const includes[] = {&common_box, &patient_box, NULL};

const struct box ingress_box = {"ingress", BOX_CALLS(calls), includes, false, false, false};
