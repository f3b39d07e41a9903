/* SPDX-License-Identifier: Apache-2.0 */
/* What egress tells of its targets' answers: that they refuse us, that they hold a secret. */
#ifndef BOX_MSG_ANSWER_H
#define BOX_MSG_ANSWER_H

#include "box/msg.h"

struct msg_look { /* MSG_REFUSED, and the keeper's MSG_LOOKED */
	uint16_t target;
};

struct msg_redacted {
	uint16_t target, slot;
	uint64_t matches;
};

#endif
