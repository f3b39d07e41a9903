/* SPDX-License-Identifier: Apache-2.0 */
/* Of targets and their answers: what a look brought, secrets in them, deployments that fail. */
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

/* What became of a call at one of its target's deployments. */
struct msg_deployment {
	uint16_t target;         /* the deployment's number */
	bool left;               /* the call went to another */
	uint8_t verdict;         /* enum verdict, why; OK: it answered that it had too much to do */
	uint64_t cools_until_ms; /* loop_lived_ms; 0: it is called as before */
};

#endif
