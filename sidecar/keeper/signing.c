/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keeper/signing.h"

#include "aws/sigv4.h"
#include "base/date.h"
#include "base/log.h"

enum {
	AHEAD_S = 15 * 60, /* the next day's key is sent that long before midnight */
	TAUGHT_MAX_S =
		60 * 60, /* what egress is believed of a clock; more would reach other days */
	RENEW_MS = 1000,
	DAY_LEN = 8,
};

/* What egress was told of one target. */
struct told {
	bool any;
	bool usable;
	bool denied;
	char error_type[SIGNING_ERROR_SIZE];
	uint32_t version, generation;
	int64_t offset_s;
	char day[DAY_LEN]; /* the last that a key was sent for */
};

struct signed_target {
	const struct keeper_target *plan;
	uint16_t number;
	struct identity *identity;
	struct skew skew; /* beyond the stores', as its refusals taught */
	uint64_t renewed; /* loop_now of the last renewal for egress's sake; 0: none */
	struct told told;
};

struct signing {
	struct signing_options o;
	struct signed_target *items; /* by target; plan NULL: not signed */
};

struct signing *
signing_new(const struct signing_options *o)
{
	struct signing *s = calloc(1, sizeof(*s));

	if (s == NULL)
		abort();
	s->o = *o;
	s->items = calloc(o->plan->ntargets + 1, sizeof(*s->items));
	if (s->items == NULL)
		abort();
	for (size_t i = 0; i < o->plan->ntargets; i++) {
		const struct keeper_target *plan = &o->plan->targets[i];

		if (!plan->is_signed)
			continue;
		s->items[i] = (struct signed_target){
			.plan = plan,
			.number = (uint16_t)i,
			.identity = identity_set_at(o->identities, plan->identity)};
	}
	return s;
}

static int64_t
offset_of(const struct signing *s, const struct signed_target *t)
{
	return s->o.skew->offset_s + t->skew.offset_s;
}

/* AWS's time, as far as is known for that target. */
static uint64_t
now_of(const struct signing *s, const struct signed_target *t)
{
	return (uint64_t)((int64_t)skew_now_s(s->o.skew) + t->skew.offset_s);
}

/* ---- what egress is sent ---- */

/* Sends the key of the day that at_s is in. */
static void
send_key(const struct signing *s, struct channel *egress, struct signed_target *t, uint64_t at_s)
{
	struct call_keys keys = identity_keys(t->identity);
	unsigned char key[SIGV4_KEY_LEN];
	char date[17];
	struct sigv4_scope scope = {keys.key_id, t->plan->region, t->plan->service, {date, 16}};
	struct msg_signing m = {.target = t->number,
				.version = t->told.version,
				.now_s = now_of(s, t),
				.key_id = keys.key_id,
				.token = keys.token};

	date_to_basic(at_s, date);
	m.day = (struct span){date, DAY_LEN};
	if (sigv4_key(keys.secret, &scope, key) == 0) {
		m.key = (struct span){(const char *)key, sizeof(key)};
		(void)channel_send(egress, MSG_SIGNING, &m, -1);
		log_say(LOG_INFO, "a key to sign with", LOG_S("target", t->plan->name),
			LOG_S("day", m.day), LOG_S("region", t->plan->region),
			LOG_S("service", t->plan->service), LOG_S("access_key_id", keys.key_id));
	}
	explicit_bzero(key, sizeof(key));
	memcpy(t->told.day, date, DAY_LEN);
}

/* There are keys: those of today when egress has others, and tomorrow's when it is time. */
static void
tell_ready(const struct signing *s, struct channel *egress, struct signed_target *t)
{
	uint64_t now = now_of(s, t);
	uint32_t generation = identity_generation(t->identity);
	char today[17], soon[17];
	bool has_today;

	date_to_basic(now, today);
	date_to_basic(now + AHEAD_S, soon);
	has_today =
		memcmp(t->told.day, today, DAY_LEN) == 0 || memcmp(t->told.day, soon, DAY_LEN) == 0;
	if (!t->told.usable || !has_today || t->told.generation != generation ||
	    t->told.offset_s != offset_of(s, t)) {
		t->told.version++;
		t->told.generation = generation;
		t->told.offset_s = offset_of(s, t);
		send_key(s, egress, t, now);
	}
	t->told.any = t->told.usable = true;
	if (memcmp(t->told.day, soon, DAY_LEN) != 0)
		send_key(s, egress, t, now + AHEAD_S);
}

static void
tell_lost(struct channel *egress, struct signed_target *t)
{
	const struct acquire_fault *f = identity_fault(t->identity);
	struct msg_signing m = {.target = t->number,
				.version = ++t->told.version,
				.denied = f->is_denial,
				.error_type = span_of(f->type)};

	t->told.any = true;
	t->told.usable = false;
	t->told.denied = f->is_denial;
	snprintf(t->told.error_type, sizeof(t->told.error_type), "%s", f->type);
	(void)channel_send(egress, MSG_SIGNING, &m, -1);
}

/* Calls are refused by whether somebody said no; /readyz has the type. */
static bool
is_other_fault(const struct told *told, const struct acquire_fault *f)
{
	return told->denied != f->is_denial || strcmp(told->error_type, f->type) != 0;
}

/* While other keys are being acquired egress goes on with those that it has, if it has any. */
static void
look(const struct signing *s, struct channel *egress, struct signed_target *t)
{
	enum identity_state state = identity_get(t->identity);

	if (state == IDENTITY_READY)
		tell_ready(s, egress, t);
	else if (state == IDENTITY_FAILED &&
		 (!t->told.any || t->told.usable ||
		  is_other_fault(&t->told, identity_fault(t->identity))))
		tell_lost(egress, t);
}

void
signing_look(struct signing *s, struct channel *egress)
{
	for (size_t i = 0; i < s->o.plan->ntargets; i++)
		if (s->items[i].plan != NULL)
			look(s, egress, &s->items[i]);
}

/* ---- refusals ---- */

static bool
is_near(uint64_t date_s, uint64_t now_s)
{
	return (date_s > now_s ? date_s - now_s : now_s - date_s) <= TAUGHT_MAX_S;
}

/*
 * Takes the Date of a refusal; whether the target's clock is another now. It may say what our own
 * clock says as well: else what one store made of the clock that all share would stand.
 */
static bool
learn(const struct signing *s, struct signed_target *t, uint64_t date_s)
{
	uint64_t own_s = loop_wall_ms() / 1000;

	if (date_s == 0 || !(is_near(date_s, skew_now_s(s->o.skew)) || is_near(date_s, own_s)))
		return false;
	/* skew_learn counts from our own clock. */
	return skew_learn(&t->skew, (uint64_t)((int64_t)date_s - s->o.skew->offset_s));
}

void
signing_refused(struct signing *s, struct channel *egress, const struct msg_refused *m)
{
	struct signed_target *t = &s->items[m->target];
	uint64_t now = loop_now(s->o.loop);

	if (t->plan == NULL || !t->told.usable || m->version != t->told.version)
		return; /* not of a signature, or egress has been sent others since */
	if (!learn(s, t, m->date_s) && (t->renewed == 0 || now >= t->renewed + RENEW_MS)) {
		t->renewed = now;
		identity_doubt(t->identity, t->told.generation);
	}
	signing_look(s, egress);
}

bool
signing_is_waiting(struct signing *s, uint16_t target)
{
	return s->items[target].plan != NULL && identity_is_replacing(s->items[target].identity);
}
