/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "egress/balance.h"

/* Whether a is before b, on a clock that may wrap around between the two. */
static bool
is_before(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b) < 0;
}

void
balance_add(struct balance *b, uint32_t weight)
{
	assert(b->n < BALANCE_MAX);
	b->at[b->n++] = (struct balance_member){.weight = weight};
}

bool
balance_is_cool(const struct balance *b, size_t i, uint64_t now)
{
	return !b->at[i].cools || !is_before(now, b->at[i].until);
}

bool
balance_may_ask(const struct balance *b, size_t i, uint64_t now)
{
	return balance_is_cool(b, i, now) || b->at[i].guessed;
}

/*
 * Smooth weighted round-robin, as nginx has it: each gains its weight, and the richest, which is
 * chosen, pays for all. In a cycle of as many calls as all weights together each has its share, and
 * the heavy one's calls are not in a row.
 */
static long
whose_turn(struct balance *b, uint32_t among)
{
	int64_t all = 0;
	long best = -1;

	for (size_t i = 0; i < b->n; i++) {
		if ((among >> i & 1) == 0)
			continue;
		b->at[i].credit += b->at[i].weight;
		all += b->at[i].weight;
		if (best < 0 || b->at[i].credit > b->at[best].credit)
			best = (long)i;
	}
	if (best >= 0)
		b->at[best].credit -= all;
	return best;
}

static long
cool_soonest(const struct balance *b, uint32_t among)
{
	long best = -1;

	for (size_t i = 0; i < b->n; i++)
		if ((among >> i & 1) != 0 &&
		    (best < 0 || is_before(b->at[i].until, b->at[best].until)))
			best = (long)i;
	return best;
}

long
balance_pick(struct balance *b, uint32_t may, uint64_t now)
{
	uint32_t cool = 0;

	for (size_t i = 0; i < b->n; i++)
		cool |= balance_is_cool(b, i, now) ? may & 1U << i : 0;
	return cool != 0 ? whose_turn(b, cool) : cool_soonest(b, may);
}

static uint64_t
bounded(uint64_t ms)
{
	if (ms < BALANCE_COOL_LEAST_MS)
		return BALANCE_COOL_LEAST_MS;
	return ms < BALANCE_COOL_MOST_MS ? ms : BALANCE_COOL_MOST_MS;
}

bool
balance_failed(struct balance *b, size_t i, const struct balance_failure *f)
{
	struct balance_member *m = &b->at[i];
	bool known = m->wait_ms > 0 && !is_before(m->failed, f->started);
	uint64_t until;

	if (!known) {
		m->wait_ms = m->wait_ms == 0 ? BALANCE_COOL_MS : bounded(2 * m->wait_ms);
		m->failed = f->now;
	} else if (f->retry_ms == 0) {
		return false;
	}
	until = f->now + (f->retry_ms > 0 ? bounded(f->retry_ms) : m->wait_ms);
	if (m->cools && !is_before(m->until, until))
		return false;
	m->cools = true;
	m->guessed = f->answered && f->retry_ms == 0;
	m->until = until;
	return true;
}

bool
balance_succeeded(struct balance *b, size_t i, uint64_t started)
{
	struct balance_member *m = &b->at[i];
	bool cooled = m->cools;

	if (m->wait_ms == 0 || !is_before(m->failed, started))
		return false; /* it says nothing of what came later */
	m->cools = false;
	m->wait_ms = 0;
	return cooled;
}
