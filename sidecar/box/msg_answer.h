/* SPDX-License-Identifier: Apache-2.0 */
/* Of the answers of targets: what was looked for is there, and that they hold a secret. */
#ifndef BOX_MSG_ANSWER_H
#define BOX_MSG_ANSWER_H

#include "box/msg.h"

struct msg_look { /* MSG_LOOKED */
	uint16_t target;
};

struct msg_redacted {
	uint16_t target;
	uint16_t slot; /* PLAN_NONE: it is the token of a session that signs */
	uint64_t matches;
};

#endif
