/* SPDX-License-Identifier: Apache-2.0 */
/* What the keeper tells ingress of a slot: its state, and of a token the digest. */
#ifndef BOX_MSG_SLOT_H
#define BOX_MSG_SLOT_H

#include "box/msg.h"

enum slot_state {
	SLOT_WAITING, /* missing, and the store has not answered yet */
	SLOT_FRESH,
	SLOT_STALE,
	SLOT_MISSING,
	SLOT_REFUSED, /* missing, because the store said no */
	SLOT_STATES,
};

struct msg_slot {
	uint16_t slot;
	uint8_t state; /* enum slot_state */
	uint32_t version;
	uint64_t fetched_ms;    /* loop_lived_ms of the value in hand; 0: none */
	uint64_t next_ms;       /* loop_lived_ms of the next attempt */
	struct span version_id; /* the store's */
	struct span error_type; /* of the last failure, empty when fresh */
	struct span request_id; /* of that failure: the store's, or empty … */
	struct span principal;  /* … and the ARN that was denied, or empty */
	bool denied;            /* that failure was the store's no */
	uint32_t attempts;      /* to read it that have ended, whatever came of them */
};

struct msg_digest {
	uint16_t slot;
	struct span digest; /* 32 bytes; empty: there is no value any more */
};

/* For people, who know three: "fresh", "stale" and "missing". */
const char *slot_state_name(enum slot_state s);
/* Whether there is a value for calls. */
bool slot_state_is_usable(enum slot_state s);

#endif
