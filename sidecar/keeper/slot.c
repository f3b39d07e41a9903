/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "keeper/slot.h"

#include "http/grammar.h"

enum {
	HEADER_VALUE_MAX = 16 * 1024,
	PEM_MAX = 1024 * 1024,
	/* While nobody answers and nothing is held: all is to be well soon after the store is. */
	BACK_OFF_MAX_BARE_MS = 2 * 1000,
	BACK_OFF_MAX_MS = 60 * 1000,
	LOG_AGAIN_MS = 60 * 1000,
};

static void too_old(struct timer *t);

static void
timer_fired(struct timer *t)
{
	slot_refresh(ev_owner(t, struct slot, timer));
}

void
slot_init(struct slot *s, struct slot_owner *o, uint16_t number)
{
	bool is_key = false;

	*s = (struct slot){.owner = o, .number = number, .plan = &o->plan->slots[number]};
	s->timer.fn = timer_fired;
	s->age.fn = too_old;
	buf_init(&s->text, PEM_MAX);
	for (size_t i = 0; i < o->plan->ntargets; i++) {
		const struct keeper_target *t = &o->plan->targets[i];

		s->is_tls |= t->ca == number || t->cert == number || t->key == number;
		s->is_public |= t->ca == number || t->cert == number;
		is_key |= t->key == number;
	}
	s->is_public &= !is_key; /* certificate and key in one file: a secret */
}

/* A fifth more at most, so that many sidecars do not ask at once; never less, as of failureTtl. */
static uint64_t
jitter(uint64_t ms)
{
	uint64_t chance = 0;

	if (getrandom(&chance, sizeof(chance), 0) != sizeof(chance))
		return ms;
	return ms + chance % (ms / 5 + 1);
}

static void
schedule(struct slot *s, uint64_t ms)
{
	ms = s->every_ms > 0 ? s->every_ms : jitter(ms);
	s->next_ms = loop_lived_ms() + ms;
	timer_set(s->owner->loop, &s->timer, ms);
}

void
slot_begin(struct slot *s)
{
	s->fetching = true;
	s->began = loop_now(s->owner->loop);
}

void
slot_refresh(struct slot *s)
{
	if (s->fetching)
		return;
	slot_begin(s);
	s->owner->fetch(s->owner, s);
}

bool
slot_is_resting(const struct slot *s)
{
	return s->failures > 0 &&
	       loop_now(s->owner->loop) < s->failed + s->owner->plan->failure_ttl_ms;
}

struct span
slot_value(const struct slot *s)
{
	if (s->is_public)
		return buf_span(&s->text);
	return s->value == NULL ? (struct span){NULL, 0} : secret_span(s->value);
}

static bool
has_value(const struct slot *s)
{
	return slot_value(s).ptr != NULL;
}

/* What can be wrong with a value: the type for state and log, and what to do about it. */
static const struct fault {
	const char *type, *why;
} faults[] = {
	{NULL, NULL},
	{"EmptyValue", "the value is empty"},
	{"ValueTooLong", "the value is too long: 16 KiB at most for a header, 1 MiB for PEM"},
	{"BadCharacter", "the value has a line break or another control byte, which no header "
			 "may have"},
	{"ValueTooShort",
	 "a value of fewer than 12 bytes cannot be told from other text in an answer: "
	 "use a longer one, or say redact: false for its target"},
	{"ReadOnce",
	 "it was not there, or of no use, at the start of `sidekey exec`, and is not read "
	 "again in this run"},
	{"SecretPagesFull", "there is no room left where secrets are kept: fewer or shorter "
			    "values, or a higher limit of locked memory"},
};

enum { GOOD, EMPTY, TOO_LONG, BAD_CHARACTER, TOO_SHORT, READ_ONCE, PAGES_FULL };

/* Takes the value in, or says what is wrong with it. */
static const struct fault *
keep(struct slot *s, struct span value, bool *changed)
{
	struct secret *copy;

	*changed = !has_value(s) || !span_eq_ct(value, slot_value(s));
	if (!*changed)
		return &faults[GOOD];
	if (value.len == 0)
		return &faults[EMPTY];
	if (value.len > (s->is_public ? (size_t)PEM_MAX : (size_t)HEADER_VALUE_MAX))
		return &faults[TOO_LONG];
	if (s->is_public) {
		buf_clear(&s->text, PEM_MAX);
		(void)buf_add_span(&s->text, value);
		return &faults[GOOD];
	}
	if (!s->is_tls && !grammar_is_field_value(value))
		return &faults[BAD_CHARACTER];
	if (value.len < s->plan->least)
		return &faults[TOO_SHORT];
	copy = secret_new(value);
	if (copy == NULL)
		return &faults[PAGES_FULL];
	secret_free(s->value);
	s->value = copy;
	return &faults[GOOD];
}

static void
settle(struct slot *s, bool changed)
{
	s->closed = s->plan->once;
	s->fetching = s->denied = false;
	s->attempts++;
	s->failures = 0;
	s->state = SLOT_FRESH;
	s->error_type[0] = s->logged_type[0] = '\0';
	s->request_id[0] = s->principal[0] = '\0';
	s->fetched_ms = loop_lived_ms();
	s->version += changed ? 1 : 0;
	timer_set(s->owner->loop, &s->age, s->owner->plan->max_stale_ms);
	schedule(s, s->owner->plan->ttl_ms / 100 * 72); /* to 86, jittered: ahead of ttl */
	s->owner->changed(s->owner, s, changed);
}

static const char *
refuse(struct slot *s, const struct fault *wrong)
{
	slot_failed(s, &(struct slot_fault){.kind = SLOT_DENIED, .type = wrong->type});
	return wrong->why;
}

const char *
slot_fetched(struct slot *s, struct span value, const struct slot_version *v)
{
	bool changed = false;
	const struct fault *wrong;

	if (s->closed && !has_value(s))
		return refuse(s, &faults[READ_ONCE]);
	if (s->closed) {
		slot_unchanged(s);
		return NULL;
	}
	/* Editors and kubectl end a file with a newline that no header may have. */
	if (!s->is_tls && value.len > 0 && value.ptr[value.len - 1] == '\n')
		value.len--;
	if (!s->is_tls && value.len > 0 && value.ptr[value.len - 1] == '\r')
		value.len--;
	wrong = keep(s, value, &changed);
	if (wrong->type != NULL)
		return refuse(s, wrong);
	snprintf(s->version_id, sizeof(s->version_id), "%.*s", (int)v->id.len,
		 v->id.len > 0 ? v->id.ptr : "");
	s->created_s = v->created_s;
	settle(s, changed);
	return NULL;
}

void
slot_unchanged(struct slot *s)
{
	settle(s, false);
}

static uint64_t
wait_after_failure(const struct slot *s, enum slot_failure f)
{
	uint64_t base = s->owner->plan->failure_ttl_ms;
	uint64_t max = base < BACK_OFF_MAX_MS ? BACK_OFF_MAX_MS : base;

	if (f == SLOT_UNREACHED && !has_value(s))
		max = base < BACK_OFF_MAX_BARE_MS ? BACK_OFF_MAX_BARE_MS : base;
	for (unsigned i = 1; i < s->failures && base < max; i++)
		base *= 2;
	return base < max ? base : max;
}

/*
 * Beyond maxStale a value is not used any more, wherever it is, the time counted in which the
 * machine was suspended; the timer, which does not count it, ends the wait when no fetch does.
 */
static bool
is_too_old(const struct slot *s)
{
	return loop_lived_ms() > s->fetched_ms + s->owner->plan->max_stale_ms;
}

static enum slot_state
state_without(const struct slot *s)
{
	return s->denied ? SLOT_REFUSED : SLOT_MISSING;
}

static void
forget(struct slot *s)
{
	secret_free(s->value);
	s->value = NULL;
	buf_free(&s->text);
}

static void
too_old(struct timer *t)
{
	struct slot *s = ev_owner(t, struct slot, age);

	if (!has_value(s) || s->closed)
		return;
	forget(s);
	s->state = state_without(s);
	s->owner->changed(s->owner, s, true);
}

bool
slot_is_news(struct slot *s)
{
	uint64_t now = loop_lived_ms();

	if (s->state == SLOT_FRESH)
		return false;
	if (strcmp(s->logged_type, s->error_type) == 0 && now < s->logged_ms + LOG_AGAIN_MS)
		return false;
	memcpy(s->logged_type, s->error_type, sizeof(s->logged_type));
	s->logged_ms = now;
	return true;
}

static void
keep_fault(struct slot *s, const struct slot_fault *f)
{
	s->denied = f->kind == SLOT_DENIED;
	snprintf(s->error_type, sizeof(s->error_type), "%s", f->type);
	snprintf(s->request_id, sizeof(s->request_id), "%.*s", (int)f->request_id.len,
		 f->request_id.len > 0 ? f->request_id.ptr : "");
	snprintf(s->principal, sizeof(s->principal), "%s",
		 f->principal == NULL ? "" : f->principal);
}

void
slot_failed(struct slot *s, const struct slot_fault *f)
{
	bool had = has_value(s);

	if (s->closed && had) {
		slot_unchanged(s);
		return;
	}
	s->closed = s->closed || (s->plan->once && s->reference.kind == REFERENCE_FILE);
	s->fetching = false;
	s->attempts++;
	s->failures++;
	s->failed = loop_now(s->owner->loop);
	keep_fault(s, f);
	s->denied = s->denied || s->closed; /* to wait for it is of no use */
	if (had && is_too_old(s))
		forget(s);
	s->state = has_value(s) ? SLOT_STALE : state_without(s);
	schedule(s, wait_after_failure(s, f->kind));
	s->owner->changed(s->owner, s, had && !has_value(s));
}
