/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "keeper/rotation.h"

enum { FLOOR_MS = 1000 };

/* The environment does not change; what has just failed is left alone for failureTtl. */
static bool
is_worth_asking(const struct slot *s)
{
	return s->reference.kind != REFERENCE_ENV && !slot_is_resting(s);
}

static void
end_if_done(struct rotation *r)
{
	if (!r->under_way)
		return;
	for (size_t i = 0; i < r->plan->nslots; i++)
		if (r->open[i])
			return;
	r->under_way = false;
	r->looked(r);
}

/* A fetch may end before slot_refresh returns: all are open before the first begins. */
static void
begin(struct rotation *r)
{
	r->began = loop_now(r->loop);
	r->under_way = true;
	for (size_t i = 0; i < r->plan->nslots; i++) {
		r->open[i] = is_worth_asking(&r->slots[r->plan->slots[i].number]);
		r->stale[i] = false;
	}
	for (size_t i = 0; i < r->plan->nslots; i++)
		if (r->open[i])
			slot_refresh(&r->slots[r->plan->slots[i].number]);
	end_if_done(r);
}

static void
floor_passed(struct timer *t)
{
	begin(ev_owner(t, struct rotation, floor));
}

/*
 * Only at the round's end, when the fetch that brought nothing has ended for all its slots and all
 * targets: begun in between, it would pass for the one that the rest of them are told of.
 */
static void
ask_again(struct later *l)
{
	struct rotation *r = ev_owner(l, struct rotation, again);

	for (size_t i = 0; i < r->plan->nslots; i++) {
		bool stale = r->stale[i];

		r->stale[i] = false;
		if (stale && r->open[i])
			slot_refresh(&r->slots[r->plan->slots[i].number]);
	}
}

void
rotation_init(struct rotation *r, struct loop *l, const struct keeper_target *plan,
	      struct slot *slots, void (*looked)(struct rotation *r))
{
	*r = (struct rotation){.plan = plan, .slots = slots, .loop = l, .looked = looked};
	r->floor.fn = floor_passed;
	r->again.fn = ask_again;
	r->open = calloc(plan->nslots + 1, sizeof(*r->open));
	r->stale = calloc(plan->nslots + 1, sizeof(*r->stale));
	if (r->open == NULL || r->stale == NULL)
		abort();
}

void
rotation_look(struct rotation *r)
{
	uint64_t now = loop_now(r->loop), next = r->began == 0 ? now : r->began + FLOOR_MS;

	if (r->under_way || r->floor.slot != 0)
		return;
	if (now >= next)
		begin(r);
	else
		timer_set(r->loop, &r->floor, next - now);
}

/*
 * A refresh that was under way when the look began is joined. If it brings nothing new the store
 * may have answered it before the rotation, so that the slot is asked for once more.
 */
void
rotation_slot_ended(struct rotation *r, const struct slot *s, bool changed)
{
	if (!r->under_way)
		return;
	for (size_t i = 0; i < r->plan->nslots; i++) {
		if (&r->slots[r->plan->slots[i].number] != s || !r->open[i])
			continue;
		r->stale[i] = !changed && s->began < r->began && !slot_is_resting(s);
		r->open[i] = r->stale[i];
		if (r->stale[i])
			loop_later(r->loop, &r->again);
	}
	end_if_done(r);
}
