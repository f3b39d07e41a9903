/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/socket.h>

#include "policy/box/boxes.h"

/* By what no namespace holds back, a command would reach past its own. */
static const struct box_call calls[] = {
	FAILS("socket", "reaches the machine that a virtual one runs on", EAFNOSUPPORT,
	      EQ32(0, AF_VSOCK)),
	FAILS("keyctl", "keys that the user's session keeps in the kernel", EPERM, MASKED(0, 0, 0)),
	FAILS("add_key", "the same", EPERM, MASKED(0, 0, 0)),
	FAILS("request_key", "the same", EPERM, MASKED(0, 0, 0)),
	FAILS("io_uring_setup", "makes sockets without asking the filter", ENOSYS, MASKED(0, 0, 0)),
};

const struct box isolated_box = {"isolated command", BOX_CALLS(calls), .files = false};
