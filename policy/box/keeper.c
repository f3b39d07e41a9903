/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/socket.h>

#include "policy/box/boxes.h"

enum { READ_ONLY = O_ACCMODE | O_CREAT | O_TRUNC }; /* all of them 0 */

static const struct box_call calls[] = {
	WHEN("openat", "file references, certificates, token files; Landlock says where",
	     MASKED(2, READ_ONLY, O_RDONLY)),
	ANY("newfstatat", "whether a file has changed, and its size"),
	ANY("read", "a file"),
	ANY("memfd_create", "a CA bundle for egress"),
	WHEN("sendmsg", "hands that on; no Fast Open, which connects behind Landlock's back",
	     MASKED(2, MSG_FASTOPEN, 0)),
	WHEN("fcntl", "seals on that memfd", EQ32(1, F_ADD_SEALS)),
};

static const struct box *const includes[] = {&common_box, &client_box, NULL};

const struct box keeper_box = {"keeper", BOX_CALLS(calls), includes, .files = true, .dials = true};
