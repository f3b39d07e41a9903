/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "egress/spread.h"

#include "base/log.h"
#include "egress/exchange.h"

enum { DIALS = 2 }; /* connect time-outs after which no other deployment is dialled */

static struct target *
deployment(const struct spread *s, const struct egress *e, size_t i)
{
	return &e->targets[s->over->plan->deployments[i].target];
}

/* Whether everything is here that a call needs, but for an address. */
static bool
is_usable(struct egress *e, const struct target *t)
{
	size_t number = (size_t)(t - e->targets);
	struct header_set *set = vault_headers(e->vault, number);
	bool has = set != NULL;

	header_set_release(set);
	return has && t->lane != NULL && signers_state(e->signers, number) == SIGNING_GOOD;
}

/* The bits of those where the call was not and may go. */
static uint32_t
untried(const struct spread *s, struct egress *e, bool resolved)
{
	uint32_t may = 0;

	for (size_t i = 0; i < s->over->balance.n; i++) {
		const struct target *t = deployment(s, e, i);

		if ((s->tried >> i & 1) == 0 && target_is_resolved(t) == resolved &&
		    is_usable(e, t))
			may |= 1U << i;
	}
	return may;
}

/* Of those that have an address. answers: and of which an answer is to be expected. */
static uint32_t
to_follow(const struct spread *s, struct egress *e, bool answers)
{
	uint32_t may = s->over == NULL ? 0 : untried(s, e, true);

	if (may == 0 || !answers)
		return may;
	for (size_t i = 0; i < s->over->balance.n; i++)
		if (!balance_may_ask(&s->over->balance, i, loop_now(e->loop)))
			may &= ~(1U << i);
	return may;
}

static struct target *
go_to(struct spread *s, const struct egress *e, size_t i)
{
	s->at = i;
	s->tried |= 1U << i;
	s->started = loop_now(e->loop);
	return deployment(s, e, i);
}

struct target *
spread_begin(struct spread *s, struct egress *e, struct target *target,
	     const struct frame_call *call)
{
	uint64_t now = loop_now(e->loop);
	long at;

	*s = (struct spread){0};
	if (target->plan->ndeployments == 0)
		return target;
	s->over = target;
	s->dial_end = now + DIALS * target->plan->connect_ms;
	buf_init(&s->call, FRAME_HEAD_MAX);
	if (pack_write(&frame_call_type, call, &s->call) != 0)
		abort(); /* it was read by the same form */
	at = balance_pick(&target->balance, untried(s, e, true), now);
	if (at < 0)
		at = balance_pick(&target->balance, untried(s, e, false), now);
	return go_to(s, e, at < 0 ? 0 : (size_t)at);
}

bool
spread_has_next(const struct spread *s, struct egress *e)
{
	return to_follow(s, e, true) != 0;
}

struct target *
spread_next(struct spread *s, struct egress *e, bool answers)
{
	uint32_t may = to_follow(s, e, answers);

	if (may == 0)
		return NULL;
	return go_to(s, e, (size_t)balance_pick(&s->over->balance, may, loop_now(e->loop)));
}

bool
spread_may_dial(const struct spread *s, const struct egress *e)
{
	return s->over != NULL && loop_now(e->loop) < s->dial_end;
}

int
spread_call(const struct spread *s, struct pool *room, struct frame_call *call)
{
	return pack_read(&frame_call_type, buf_span(&s->call), room, call);
}

void
spread_failed(struct spread *s, struct egress *e, enum verdict why, uint64_t retry_ms)
{
	uint64_t now = loop_now(e->loop), cools_ms;
	struct balance_failure f = {s->started, now, why == VERDICT_OK, retry_ms};
	const struct balance *b;

	if (s->over == NULL || !balance_failed(&s->over->balance, s->at, &f))
		return;
	b = &s->over->balance;
	cools_ms = b->at[s->at].until - now;
	log_say(LOG_WARN,
		"a deployment failed a call; until it has cooled, calls go to the others of its "
		"target",
		LOG_S("target", deployment(s, e, s->at)->plan->name),
		LOG_C("code", why == VERDICT_OK ? "" : verdict_row(why)->code),
		LOG_U("cools_ms", cools_ms));
	e->deployment(e, deployment(s, e, s->at), false, why, cools_ms);
}

void
spread_succeeded(struct spread *s, struct egress *e)
{
	if (s->over == NULL || !balance_succeeded(&s->over->balance, s->at, s->started))
		return;
	log_say(LOG_INFO, "a deployment answers well again",
		LOG_S("target", deployment(s, e, s->at)->plan->name));
	e->deployment(e, deployment(s, e, s->at), false, VERDICT_OK, 0);
}

uint64_t
spread_cools_ms(const struct spread *s, const struct egress *e, const struct target *t)
{
	const struct balance *b = &s->over->balance;
	uint64_t now = loop_now(e->loop);

	for (size_t i = 0; i < b->n; i++)
		if (deployment(s, e, i) == t && !balance_is_cool(b, i, now))
			return b->at[i].until - now;
	return 0;
}

void
spread_free(struct spread *s)
{
	buf_free(&s->call);
	*s = (struct spread){0};
}
