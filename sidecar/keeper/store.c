/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>

#include "keeper/store.h"

#include "base/log.h"

static const struct store *const stores[] = {
	[REFERENCE_SECRETS_MANAGER] = &store_secretsmanager,
	[REFERENCE_SSM] = &store_ssm,
	[REFERENCE_AGENTCORE] = &store_agentcore,
	[REFERENCE_ENV] = &store_env,
	[REFERENCE_FILE] = &store_file,
};

/* ---- documents ---- */

static bool
is_same(const struct store *store, const struct reference *a, const struct reference *b)
{
	return store->is_same == NULL ? span_eq(a->text, b->text) : store->is_same(a, b);
}

static struct document *
document_of(struct store_context *c, const struct slot *s)
{
	const struct store *store = stores[s->reference.kind];
	struct document *d = c->documents;

	assert(store != NULL);
	for (; d < c->documents + c->ndocuments; d++)
		if (d->store == store && is_same(store, &d->slots[0]->reference, &s->reference))
			return d;
	c->ndocuments++;
	*d = (struct document){.c = c, .store = store};
	return d;
}

static void
add_slot(struct document *d, struct slot *s)
{
	struct slot **grown = realloc(d->slots, (d->nslots + 1) * sizeof(struct slot *));

	if (grown == NULL)
		abort();
	d->slots = grown;
	d->slots[d->nslots++] = s;
	s->every_ms = d->store->every_ms;
}

void
store_open(struct store_context *c, struct slot *slots, size_t n)
{
	c->documents = calloc(n + 1, sizeof(*c->documents));
	c->by_slot = calloc(n + 1, sizeof(struct document *));
	if (c->documents == NULL || c->by_slot == NULL)
		abort();
	for (size_t i = 0; i < n; i++) {
		c->by_slot[i] = document_of(c, &slots[i]);
		add_slot(c->by_slot[i], &slots[i]);
	}
}

/* ---- how a question ends ---- */

static void
log_failure(struct slot *s, const struct store_failure *f)
{
	uint64_t now = loop_lived_ms();
	const char *principal = f->principal == NULL ? "" : f->principal;

	if (!slot_is_news(s))
		return;
	log_say(LOG_WARN, "a secret could not be fetched", LOG_S("slot", s->plan->name),
		LOG_S("reference", s->plan->reference), LOG_C("error_type", s->error_type),
		LOG_IF(f->why != NULL, LOG_C("why", f->why)),
		LOG_C("state", slot_state_name(s->state)),
		LOG_IF(f->status != 0, LOG_U("status", f->status)),
		LOG_IF(f->request_id.len > 0, LOG_S("store_request_id", f->request_id)),
		LOG_IF(f->key_id.len > 0, LOG_S("access_key_id", f->key_id)),
		LOG_IF(principal[0] != '\0', LOG_C("principal", principal)),
		LOG_U("next_attempt_s", s->next_ms > now ? (s->next_ms - now + 999) / 1000 : 0));
}

static void
end(struct document *d)
{
	d->fetching = d->waiting = d->tried_again = d->asked_twice = false;
}

void
store_fetched(struct document *d, const struct slot_version *v, store_pick *pick,
	      const void *content)
{
	end(d);
	for (size_t i = 0; i < d->nslots; i++) {
		struct slot *s = d->slots[i];
		struct span value;
		const char *wrong = pick(content, s, &value);

		if (wrong != NULL)
			slot_failed(s, &(struct slot_fault){.kind = SLOT_DENIED,
							    .type = "UnusableSecret"});
		else
			wrong = slot_fetched(s, value, v);
		if (wrong != NULL)
			log_failure(s, &(struct store_failure){.why = wrong});
	}
}

static const char *
pick_whole(const void *content, const struct slot *s, struct span *value)
{
	(void)s;
	*value = *(const struct span *)content;
	return NULL;
}

void
store_fetched_text(struct document *d, const struct slot_version *v, struct span text)
{
	store_fetched(d, v, pick_whole, &text);
}

void
store_unchanged(struct document *d)
{
	end(d);
	for (size_t i = 0; i < d->nslots; i++)
		slot_unchanged(d->slots[i]);
}

void
store_failed(struct document *d, const struct store_failure *f)
{
	const struct slot_fault fault = {f->kind, f->type, f->request_id, f->principal};

	end(d);
	for (size_t i = 0; i < d->nslots; i++) {
		slot_failed(d->slots[i], &fault);
		log_failure(d->slots[i], f);
	}
}

/* ---- asking ---- */

static void
lacks_identity(struct document *d)
{
	const struct acquire_fault *f = identity_fault(d->c->identity);

	store_failed(d, &(struct store_failure){.kind = f->is_denial ? SLOT_DENIED : SLOT_UNREACHED,
						.type = f->type,
						.why = f->why,
						.status = f->status,
						.request_id = span_of(f->request_id),
						.principal = f->principal});
}

static void
start(struct document *d)
{
	enum identity_state identity =
		d->store->needs_identity ? identity_get(d->c->identity) : IDENTITY_READY;

	d->waiting = identity == IDENTITY_WAITING;
	if (identity == IDENTITY_READY)
		d->store->start(d);
	else if (identity == IDENTITY_FAILED)
		lacks_identity(d);
}

static bool
start_once_more(struct document *d, bool *done)
{
	if (*done)
		return false;
	*done = true;
	start(d);
	return true;
}

bool
store_again(struct document *d)
{
	return start_once_more(d, &d->tried_again);
}

bool
store_ask_twice(struct document *d)
{
	return start_once_more(d, &d->asked_twice);
}

void
store_fetch(struct store_context *c, struct slot *s)
{
	struct document *d = c->by_slot[s->number];

	if (d->fetching)
		return;
	d->fetching = true;
	for (size_t i = 0; i < d->nslots; i++)
		slot_begin(d->slots[i]);
	start(d);
}

bool
store_is_fresh(const struct document *d)
{
	for (size_t i = 0; i < d->nslots; i++)
		if (d->slots[i]->state != SLOT_FRESH)
			return false;
	return true;
}

void
store_identity_changed(struct store_context *c)
{
	uint32_t generation = identity_generation(c->identity);
	bool renewed =
		identity_get(c->identity) == IDENTITY_READY && generation != c->identity_generation;

	c->identity_generation = generation;
	for (size_t i = 0; i < c->ndocuments; i++) {
		struct document *d = &c->documents[i];

		if (d->waiting)
			start(d);
		else if (renewed && d->store->needs_identity && !store_is_fresh(d))
			slot_refresh(d->slots[0]); /* with the other keys it may be had */
	}
}
