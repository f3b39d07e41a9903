/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A look at the store on behalf of a target whose upstream refused the versions in use (design
 * section 4): every slot of the target is fetched, once, and when all have ended, well or not,
 * egress is told. Egress is not trusted with the store: a target is looked at once a second at
 * most, and who asks sooner waits until the second is over.
 */
#ifndef KEEPER_ROTATION_H
#define KEEPER_ROTATION_H

#include "keeper/slot.h"

struct rotation { /* of one target */
	const struct keeper_target *plan;
	struct slot *slots; /* the keeper's */
	struct loop *loop;
	void (*looked)(struct rotation *r); /* what was new has been sent to egress already */
	bool under_way;
	uint64_t began; /* loop_now of the last look; 0: none yet */
	bool *open;     /* by place in the plan: its fetch has not ended … */
	bool *stale;    /* … or did with what the store may have said before the look */
	struct timer floor;
	struct later again;
};

void rotation_init(struct rotation *r, struct loop *l, const struct keeper_target *plan,
		   struct slot *slots, void (*looked)(struct rotation *r));

/* Looks, now or when the second is over; looked is called once for all that ask meanwhile. */
void rotation_look(struct rotation *r);

/* A fetch of slot has ended; changed: with a new value, which egress has been sent. */
void rotation_slot_ended(struct rotation *r, const struct slot *s, bool changed);

#endif
