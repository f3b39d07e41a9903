/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/socket.h>

#include "policy/box/boxes.h"

/* No file, no socket of its own, no connect. */
static const struct box_call calls[] = {
	ANY("accept4", "a caller"),
	WHEN("sendto", "to the caller", EQ(4, 0), MASKED(3, MSG_FASTOPEN, 0)),
	ANY("recvfrom", "from the caller"),
	ANY("setsockopt", "TCP_NODELAY, and SO_LINGER for an abort by RST"),
	WHEN("getsockopt", "who is at the other end of a Unix socket", EQ32(1, SOL_SOCKET),
	     EQ32(2, SO_PEERCRED)),
	ANY("shutdown", "the last answer is out, and the caller may still be sending"),
};

static const struct box *const includes[] = {&common_box, NULL};

const struct box ingress_box = {"ingress", BOX_CALLS(calls), includes, false, false, false};
