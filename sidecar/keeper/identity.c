/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "keeper/identity.h"

#include "base/date.h"
#include "base/log.h"
#include "http/grammar.h"

enum {
	AHEAD_S = 15 * 60,   /* renewed that long before the end (botocore's advisory limit) */
	PART_MAX_S = 5 * 60, /* of keys that last less: after a third of it, or this */
	REREAD_S = 5 * 60,   /* a profile's keys, whose end nobody knows */
	OVER_S = 60,         /* of keys that were over when they came */
	SOON_MS = 500,       /* while there are none, or doubted ones, and nobody has said no */
	SOON_MAX_MS = 4 * 1000,
	LATER_MAX_MS = 60 * 1000,
	URGED_MS = 1000, /* between two renewals for a refusal's sake, at least */
	LOG_AGAIN_MS = 60 * 1000,
};

struct identity {
	struct identity_set *all;
	const struct plan_identity *plan;
	struct acquire acquire;
	struct keys keys;
	uint32_t generation;
	bool rejected_told;  /* that they are, and that there are no others */
	bool rejected;       /* a store has refused them: not used again */
	bool doubted;        /* egress says that a service has: used until there are others */
	bool came_over;      /* by our clock: a service will tell which of the two is wrong */
	uint64_t renew_at_s; /* AWS's time; 0: never */
	uint64_t retry_at;   /* loop_now: no attempt before */
	uint64_t urged_at;   /* loop_now of the last attempt that a refusal made urgent; 0: none */
	unsigned failures;
	char logged_type[80]; /* the failure that was logged last, and when */
	uint64_t logged_at;
	bool logged_usable;
	struct timer timer;
};

struct identity_set {
	struct acquire_seams seams;
	const struct keeper_plan *plan;
	void (*on_change)(void *arg);
	void *arg;
	struct identity *items;
	struct later changed;
};

/* ---- time ---- */

static uint64_t
now_s(const struct identity *id)
{
	return skew_now_s(id->all->seams.skew);
}

/* Up to a tenth of time, so that many sidecars do not ask at once. */
static uint64_t
jitter(uint64_t time)
{
	uint64_t chance = 0;

	if (getrandom(&chance, sizeof(chance), 0) != sizeof(chance))
		return 0;
	return chance % (time / 10 + 1);
}

static bool
is_usable(const struct identity *id)
{
	return keys_are_there(&id->keys) && !id->rejected &&
	       (id->keys.expires_s == 0 || id->came_over || now_s(id) < id->keys.expires_s);
}

/* Keys that nothing renews: the environment's own, without a role on top. */
static bool
is_fixed(const struct identity *id)
{
	return id->plan->source == IDENTITY_FROM_ENVIRONMENT && id->plan->nroles == 0;
}

/* How long the keys that have come are used before others are acquired; 0: for good. */
static uint64_t
use_for_s(const struct identity *id)
{
	uint64_t end = id->keys.expires_s, now = now_s(id), life = end > now ? end - now : 0, part;

	if (is_fixed(id) || (end == 0 && id->plan->source != IDENTITY_FROM_KEYS))
		return 0;
	if (end == 0)
		return REREAD_S;
	if (life == 0)
		return OVER_S;
	part = life / 3 < PART_MAX_S ? life / 3 + 1 : PART_MAX_S;
	return life > AHEAD_S + part ? life - AHEAD_S : part;
}

static uint64_t
wait_after_failure(const struct identity *id)
{
	bool soon = (!is_usable(id) || id->doubted) && !id->acquire.fault.is_denial;
	uint64_t base = soon ? SOON_MS : id->all->plan->failure_ttl_ms;
	uint64_t max = soon ? SOON_MAX_MS : base < LATER_MAX_MS ? LATER_MAX_MS : base;

	for (unsigned i = 1; i < id->failures && base < max; i++)
		base *= 2;
	base = base < max ? base : max;
	base += jitter(base); /* more and not less: failureTtl is the least … */
	if (!is_usable(id) || id->came_over || id->keys.expires_s == 0)
		return base;
	max = (id->keys.expires_s - now_s(id)) * 1000; /* … and the keys' end the most */
	max -= jitter(max);
	return base < max ? base : max;
}

/* ---- acquiring ---- */

static void
advance(struct identity *id)
{
	bool due = !is_usable(id) || id->doubted ||
		   (id->renew_at_s != 0 && now_s(id) >= id->renew_at_s);

	if (due && id->plan->source != IDENTITY_FROM_NOTHING && !id->acquire.running &&
	    loop_now(id->all->seams.loop) >= id->retry_at)
		acquire_start(&id->acquire);
}

static void
timer_fired(struct timer *t)
{
	advance(ev_owner(t, struct identity, timer));
}

static void
log_keys(const struct identity *id)
{
	uint64_t now = now_s(id), end = id->keys.expires_s;

	log_say(LOG_INFO, "AWS identity", LOG_S("identity", id->plan->name),
		LOG_C("source", identity_source_name((enum identity_source)id->plan->source)),
		LOG_S("tried", id->plan->tried),
		LOG_S("access_key_id", keys_view(&id->keys).key_id),
		LOG_IF(id->acquire.principal[0] != '\0', LOG_C("principal", id->acquire.principal)),
		LOG_IF(end != 0, LOG_U("expires_in_s", end > now ? end - now : 0)));
}

static void
take_keys(struct identity *id)
{
	uint64_t use_s;
	bool same = keys_are_there(&id->keys) &&
		    span_eq(keys_view(&id->keys).key_id, keys_view(&id->acquire.keys).key_id);

	keys_move(&id->keys, &id->acquire.keys);
	id->generation++;
	id->rejected = id->doubted = false;
	id->failures = 0;
	id->logged_type[0] = '\0';
	id->came_over = id->keys.expires_s != 0 && now_s(id) >= id->keys.expires_s;
	use_s = use_for_s(id);
	use_s -= jitter(use_s);
	id->renew_at_s = use_s == 0 ? 0 : now_s(id) + use_s;
	if (use_s > 0)
		timer_set(id->all->seams.loop, &id->timer, use_s * 1000);
	if (!same)
		log_keys(id);
}

/* Another failure than the last, or one that matters more, or a minute later. */
static bool
is_news(struct identity *id, bool usable)
{
	uint64_t now = loop_now(id->all->seams.loop);

	if (strcmp(id->logged_type, id->acquire.fault.type) == 0 && usable == id->logged_usable &&
	    now < id->logged_at + LOG_AGAIN_MS)
		return false;
	memcpy(id->logged_type, id->acquire.fault.type, sizeof(id->logged_type));
	id->logged_at = now;
	id->logged_usable = usable;
	return true;
}

static void
log_fault(struct identity *id, uint64_t wait_ms)
{
	const struct acquire_fault *f = &id->acquire.fault;
	bool usable = is_usable(id);

	if (!is_news(id, usable))
		return;
	log_say(usable ? LOG_WARN : LOG_ERROR,
		usable ? "the AWS identity could not be renewed; its keys are used on"
		       : "no AWS identity",
		LOG_S("identity", id->plan->name),
		LOG_C("source", identity_source_name((enum identity_source)id->plan->source)),
		LOG_S("tried", id->plan->tried), LOG_C("error_type", f->type), LOG_C("why", f->why),
		LOG_IF(f->status != 0, LOG_U("status", f->status)),
		LOG_IF(f->request_id[0] != '\0', LOG_C("store_request_id", f->request_id)),
		LOG_IF(f->principal[0] != '\0', LOG_C("principal", f->principal)),
		LOG_U("next_attempt_s", (wait_ms + 999) / 1000));
}

static void
acquired(struct acquire *a, bool good)
{
	struct identity *id = ev_owner(a, struct identity, acquire);
	uint64_t wait_ms;

	if (good) {
		take_keys(id);
	} else {
		id->failures++;
		wait_ms = wait_after_failure(id);
		id->retry_at = loop_now(id->all->seams.loop) + wait_ms;
		timer_set(id->all->seams.loop, &id->timer, wait_ms);
		log_fault(id, wait_ms);
	}
	loop_later(id->all->seams.loop, &id->all->changed);
}

/* ---- the set ---- */

static void
tell(struct later *l)
{
	struct identity_set *all = ev_owner(l, struct identity_set, changed);

	all->on_change(all->arg);
}

static void
begin(struct identity *id, struct identity_set *all, const struct plan_identity *plan)
{
	struct acquire_fault *f = &id->acquire.fault;

	*id = (struct identity){.all = all, .plan = plan, .timer.fn = timer_fired};
	acquire_init(&id->acquire, &all->seams, plan, acquired);
	if (plan->source != IDENTITY_FROM_NOTHING)
		return;
	f->is_denial = true; /* what the environment lacks at the start will not come */
	snprintf(f->type, sizeof(f->type), "NoIdentity");
	snprintf(f->why, sizeof(f->why), "no AWS identity is configured: %.*s",
		 (int)plan->tried.len, plan->tried.ptr);
}

struct identity_set *
identity_set_new(const struct identity_options *o)
{
	struct identity_set *all = calloc(1, sizeof(*all));

	if (all == NULL)
		abort();
	*all = (struct identity_set){.seams = o->seams,
				     .plan = o->plan,
				     .on_change = o->on_change,
				     .arg = o->arg,
				     .changed.fn = tell};
	all->items = calloc(o->plan->nidentities + 1, sizeof(*all->items));
	if (all->items == NULL)
		abort();
	for (size_t i = 0; i < o->plan->nidentities; i++)
		begin(&all->items[i], all, &o->plan->identities[i]);
	return all;
}

struct identity *
identity_set_at(struct identity_set *all, size_t number)
{
	return &all->items[number];
}

static void
put(struct secret **slot, struct span value)
{
	secret_free(*slot);
	*slot = value.len > 0 && grammar_is_field_value(value) ? secret_new(value) : NULL;
}

bool
identity_set_take_env(struct identity_set *all, struct span name, struct span value)
{
	struct keys *given = &all->seams.given;

	if (span_is(name, "AWS_ACCESS_KEY_ID"))
		put(&given->key_id, value);
	else if (span_is(name, "AWS_SECRET_ACCESS_KEY"))
		put(&given->secret, value);
	else if (span_is(name, "AWS_SESSION_TOKEN"))
		put(&given->token, value);
	else if (span_is(name, "AWS_CREDENTIAL_EXPIRATION"))
		(void)date_from_iso(value, &given->expires_s);
	else if (span_is(name, "AWS_CONTAINER_AUTHORIZATION_TOKEN"))
		put(&all->seams.endpoint_token, value);
	else
		return false;
	return true;
}

void
identity_set_hurry(struct identity_set *all)
{
	for (size_t i = 0; i < all->plan->nidentities; i++) {
		struct identity *id = &all->items[i];

		acquire_resume(&id->acquire);
		if (is_usable(id) && !id->doubted)
			continue;
		id->retry_at = 0;
		id->failures = 0;
		advance(id);
	}
}

/* ---- use ---- */

enum identity_state
identity_get(struct identity *id)
{
	advance(id);
	if (is_usable(id))
		return IDENTITY_READY;
	return id->acquire.running ? IDENTITY_WAITING : IDENTITY_FAILED;
}

bool
identity_is_replacing(struct identity *id)
{
	advance(id);
	return id->acquire.running && (id->doubted || !is_usable(id));
}

struct call_keys
identity_keys(const struct identity *id)
{
	return keys_view(&id->keys);
}

uint32_t
identity_generation(const struct identity *id)
{
	return id->generation;
}

/*
 * Whether the keys are what a refusal has brought a moment ago. Of several secrets each would have
 * them renewed, and the renewed ones tried for all the others, without end.
 */
static bool
was_urged(const struct identity *id)
{
	return id->urged_at != 0 && loop_now(id->all->seams.loop) < id->urged_at + URGED_MS;
}

/* See identity_renew; mark: what is to be noted of the keys. */
static bool
replace(struct identity *id, uint32_t generation, bool *mark)
{
	if (generation != id->generation)
		return true;
	if (is_fixed(id)) {
		if (!id->rejected_told)
			log_say(LOG_ERROR,
				"the AWS credentials of the environment are refused, and nothing "
				"renews them: restart with new ones",
				LOG_S("access_key_id", keys_view(&id->keys).key_id));
		id->rejected_told = true;
		return false;
	}
	if (!id->rejected && !id->doubted && was_urged(id))
		return false;
	if (!*mark) {
		id->urged_at = loop_now(id->all->seams.loop);
		id->retry_at = 0; /* a renewal that failed before was not urgent */
	}
	*mark = true;
	advance(id);
	return true;
}

bool
identity_renew(struct identity *id, uint32_t generation)
{
	return replace(id, generation, &id->rejected);
}

void
identity_doubt(struct identity *id, uint32_t generation)
{
	(void)replace(id, generation, &id->doubted);
}

const struct acquire_fault *
identity_fault(const struct identity *id)
{
	return &id->acquire.fault;
}
