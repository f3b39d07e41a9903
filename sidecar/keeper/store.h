/* SPDX-License-Identifier: Apache-2.0 */
/* Which store a reference names, and asking it: the seam for further stores. */
#ifndef KEEPER_STORE_H
#define KEEPER_STORE_H

#include "keeper/identity.h"
#include "keeper/skew.h"
#include "keeper/slot.h"

struct store_context {
	struct loop *loop;
	struct fetcher *fetcher;
	struct identity *identity;
	const struct keeper_plan *plan;
	struct names *names;
	struct skew skew;
};

/*
 * Begins to fetch s; slot_fetched or slot_failed says how it ended. Returns false when the
 * identity is being fetched: call again when it is there.
 */
bool store_fetch(struct store_context *c, struct slot *s);

/* Takes a start-up variable for the env: reference s, if it is that one's. */
bool store_take_env(struct slot *s, struct span name, struct span value);

#endif
