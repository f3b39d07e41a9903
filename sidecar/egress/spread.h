/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which deployment of its target a call is with, and which it may go to next. A call goes to each
 * once at most, and only from one where it was certainly not executed (exchange.c).
 */
#ifndef EGRESS_SPREAD_H
#define EGRESS_SPREAD_H

#include "box/frame.h"
#include "egress/target.h"

struct egress;

struct spread { /* of one call; all zero: its target has no deployments */
	struct target *over;
	size_t at;         /* which of them it is with */
	uint32_t tried;    /* bits: and was with */
	uint64_t started;  /* when it went there */
	uint64_t dial_end; /* from then on, no other is dialled for one that was not reached */
	struct buf call;   /* packed, to make the request of another */
};

/* Chooses where a checked call of target goes: target itself, or one of its deployments. */
struct target *spread_begin(struct spread *s, struct egress *e, struct target *target,
			    const struct frame_call *call);

/*
 * Goes to another, which is usable and where the call was not; answers: and of which an answer is
 * to be expected (balance_may_ask). NULL: there is none.
 */
struct target *spread_next(struct spread *s, struct egress *e, bool answers);
/* Whether there is one that answers. */
bool spread_has_next(const struct spread *s, struct egress *e);
/* Whether there is time to dial another: time-outs must not add up. */
bool spread_may_dial(const struct spread *s, const struct egress *e);

/* The call again, as it was: 0, or -1. room: for its fields; it lasts as long as room and s. */
int spread_call(const struct spread *s, struct pool *room, struct frame_call *call);

/*
 * Where it is now failed (why; OK: by a proper answer that says so) and asks to be left alone for
 * retry_ms (0: it does not say), or answered well.
 */
void spread_failed(struct spread *s, struct egress *e, enum verdict why, uint64_t retry_ms);
void spread_succeeded(struct spread *s, struct egress *e);

/* How long t, one of them, is still to cool, in ms. */
uint64_t spread_cools_ms(const struct spread *s, const struct egress *e, const struct target *t);

void spread_free(struct spread *s);

#endif
