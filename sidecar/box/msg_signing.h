/* SPDX-License-Identifier: Apache-2.0 */
/* The messages between keeper and egress about the signatures of AWS (keeper/signing.h). */
#ifndef BOX_MSG_SIGNING_H
#define BOX_MSG_SIGNING_H

#include "box/msg.h"

/* Without a key: those that were sent before are not to be used any more. */
struct msg_signing {
	uint16_t target;
	uint32_t version; /* counts up with other keys, or another time */
	struct span day;  /* YYYYMMDD */
	struct span key;  /* 32 bytes: of that day, and of the target's region and service */
	struct span key_id;
	struct span token;      /* empty: long-term keys */
	uint64_t now_s;         /* AWS's time, by which calls are dated */
	bool denied;            /* somebody said no, why there is none */
	struct span error_type; /* of that failure */
};

struct msg_refused {
	uint16_t target;
	uint32_t version; /* that the call was signed with; 0: it was not */
	uint64_t date_s;  /* the Date of the answer; 0: it had none */
};

enum { SIGNING_ERROR_SIZE = 80 }; /* of a copy of error_type */

/* Egress on what it can sign with, for MSG_TARGET. */
enum signing_state { SIGNING_GOOD, SIGNING_AWAITED, SIGNING_REFUSED, SIGNING_STATES };

#endif
