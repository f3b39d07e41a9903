/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "egress/vault.h"

#include "base/log.h"
#include "base/secret.h"
#include "http/grammar.h"

enum { LINE_BYTES_MAX = 32 * 1024 };

/* A slot as it was when lines were composed of it. */
struct ingredient {
	uint16_t slot;
	uint32_t version; /* 0: an optional secret that was not here */
};

struct header_set {
	unsigned refs;
	struct ingredient *of;
	size_t nof;
	struct redactor *redactor;
	uint16_t *sought; /* by the redactor's number: whose value it is */
	size_t n;
	struct secret *lines[];
};

struct vault_slot {
	struct secret *value;
	uint32_t version;
};

struct vault {
	const struct egress_plan *plan;
	struct vault_slot *slots;
	struct header_set **sets; /* by target; NULL: to be composed */
	bool told;                /* that the secret pages are full */
};

struct vault *
vault_new(const struct egress_plan *plan)
{
	struct vault *v = calloc(1, sizeof(*v));

	if (v == NULL)
		abort();
	v->plan = plan;
	v->slots = calloc((size_t)plan->nslots + 1, sizeof(*v->slots));
	v->sets = calloc(plan->ntargets + 1, sizeof(struct header_set *));
	if (v->slots == NULL || v->sets == NULL)
		abort();
	return v;
}

bool
vault_uses(const struct vault *v, size_t target, uint16_t slot)
{
	const struct egress_target *t = &v->plan->targets[target];

	for (size_t h = 0; h < t->nheaders; h++)
		for (size_t p = 0; p < t->headers[h].nparts; p++)
			if (t->headers[h].parts[p].slot == slot)
				return true;
	return false;
}

static void
forget_sets(struct vault *v, uint16_t slot)
{
	for (size_t i = 0; i < v->plan->ntargets; i++) {
		if (v->sets[i] == NULL || !vault_uses(v, i, slot))
			continue;
		header_set_release(v->sets[i]);
		v->sets[i] = NULL;
	}
}

/* Once: with these secrets it stays so. */
static void
tell_full(struct vault *v, const char *what)
{
	if (!v->told)
		log_say(LOG_ERROR, what,
			LOG_C("why", "raise RLIMIT_MEMLOCK to 512 KiB, or have fewer secrets"));
	v->told = true;
}

/* Whether a call has lines with slot, so that forgetting them frees nothing. */
static bool
is_lent(const struct vault *v, uint16_t slot)
{
	for (size_t i = 0; i < v->plan->ntargets; i++)
		if (v->sets[i] != NULL && v->sets[i]->refs > 1 && vault_uses(v, i, slot))
			return true;
	return false;
}

/*
 * In the place of the value before, and of the lines of it, which are composed anew. A longer one
 * might not fit there either: the one before is kept then, since it may still be good.
 */
static struct secret *
put_in_place(struct vault *v, uint16_t slot, struct span value)
{
	struct secret *before = v->slots[slot].value;

	if (before == NULL || value.len > secret_span(before).len || is_lent(v, slot))
		return NULL;
	forget_sets(v, slot);
	secret_free(before);
	v->slots[slot].value = NULL;
	return secret_new(value);
}

int
vault_put(struct vault *v, uint16_t slot, uint32_t version, struct span value)
{
	struct secret *s;

	if (slot >= v->plan->nslots)
		return -1;
	s = secret_new(value);
	if (s == NULL)
		s = put_in_place(v, slot, value);
	if (s == NULL) {
		tell_full(v, v->slots[slot].value == NULL
				     ? "the secret pages are full: targets go without a secret"
				     : "the secret pages are full: targets go on with a secret as "
				       "it was before a change");
		return -1;
	}
	secret_free(v->slots[slot].value);
	v->slots[slot] = (struct vault_slot){s, version};
	forget_sets(v, slot);
	return 0;
}

void
vault_drop(struct vault *v, uint16_t slot)
{
	if (slot >= v->plan->nslots)
		return;
	secret_free(v->slots[slot].value);
	v->slots[slot].value = NULL;
	forget_sets(v, slot);
}

static struct span
part_bytes(const struct vault *v, const struct egress_part *p)
{
	if (p->slot == PLAN_NONE)
		return p->literal;
	if (p->slot >= v->plan->nslots || v->slots[p->slot].value == NULL)
		return (struct span){NULL, 0};
	return secret_span(v->slots[p->slot].value);
}

/* The length of the line, or 0 when a secret of it is missing. */
static size_t
line_length(const struct vault *v, const struct egress_header *h)
{
	size_t len = h->name.len + 2;

	for (size_t i = 0; i < h->nparts; i++) {
		struct span s = part_bytes(v, &h->parts[i]);

		if (s.ptr == NULL && h->parts[i].slot != PLAN_NONE)
			return 0;
		len += s.len;
	}
	return len;
}

/* "Name: value" in secret pages; NULL when they are full or the value cannot be a field's. */
static struct secret *
compose(struct vault *v, const struct egress_header *h, size_t len)
{
	struct secret *line;
	char *at;

	if (len > LINE_BYTES_MAX)
		return NULL;
	line = secret_room(len);
	if (line == NULL) {
		tell_full(v, "the secret pages are full: targets go without a secret");
		return NULL;
	}
	at = secret_bytes(line);
	memcpy(at, h->name.ptr, h->name.len);
	at += h->name.len;
	*at++ = ':';
	*at++ = ' ';
	for (size_t i = 0; i < h->nparts; i++) {
		struct span s = part_bytes(v, &h->parts[i]);

		if (s.len > 0)
			memcpy(at, s.ptr, s.len);
		at += s.len;
	}
	*at = '\0';
	if (!grammar_is_field_value(span_cut(secret_span(line), h->name.len + 2, len))) {
		secret_free(line);
		return NULL;
	}
	return line;
}

static void
note_versions(const struct vault *v, const struct egress_target *t, struct header_set *s)
{
	size_t n = 0;

	for (size_t h = 0; h < t->nheaders; h++)
		n += t->headers[h].nparts;
	s->of = calloc(n + 1, sizeof(*s->of));
	if (s->of == NULL)
		abort();
	for (size_t h = 0; h < t->nheaders; h++)
		for (size_t p = 0; p < t->headers[h].nparts; p++) {
			uint16_t slot = t->headers[h].parts[p].slot;

			if (slot < v->plan->nslots)
				s->of[s->nof++] = (struct ingredient){
					slot,
					v->slots[slot].value == NULL ? 0 : v->slots[slot].version};
		}
}

/* The secrets in the line of h, as views into it. */
static size_t
secrets_of(const struct vault *v, const struct egress_header *h, struct span line, struct span *out,
	   uint16_t *slots)
{
	size_t at = h->name.len + 2, n = 0;

	for (size_t i = 0; i < h->nparts; i++) {
		size_t len = part_bytes(v, &h->parts[i]).len;

		if (h->parts[i].slot != PLAN_NONE) {
			slots[n] = h->parts[i].slot;
			out[n++] = span_cut(line, at, at + len);
		}
		at += len;
	}
	return n;
}

static void
compile(const struct vault *v, const struct egress_target *t, struct header_set *s)
{
	struct span *secrets = calloc(s->nof + 1, sizeof(*secrets));
	size_t n = 0, line = 0;

	s->sought = calloc(s->nof + 1, sizeof(*s->sought));
	if (secrets == NULL || s->sought == NULL)
		abort();
	for (size_t i = 0; i < t->nheaders; i++)
		if (line_length(v, &t->headers[i]) > 0) /* else it was left out */
			n += secrets_of(v, &t->headers[i], secret_span(s->lines[line++]),
					secrets + n, s->sought + n);
	s->redactor = redactor_new(secrets, n);
	free(secrets);
}

static struct header_set *
compose_all(struct vault *v, const struct egress_target *t)
{
	struct header_set *s = calloc(1, sizeof(*s) + t->nheaders * sizeof(struct secret *));

	if (s == NULL)
		abort();
	s->refs = 1;
	note_versions(v, t, s);
	for (size_t i = 0; i < t->nheaders; i++) {
		size_t len = line_length(v, &t->headers[i]);
		struct secret *line;

		if (len == 0 && t->headers[i].optional)
			continue;
		line = len == 0 ? NULL : compose(v, &t->headers[i], len);
		if (line == NULL) {
			header_set_release(s);
			return NULL;
		}
		s->lines[s->n++] = line;
	}
	if (t->redact)
		compile(v, t, s);
	return s;
}

struct header_set *
vault_headers(struct vault *v, size_t target)
{
	if (v->sets[target] == NULL)
		v->sets[target] = compose_all(v, &v->plan->targets[target]);
	if (v->sets[target] != NULL)
		v->sets[target]->refs++;
	return v->sets[target];
}

void
header_set_release(struct header_set *s)
{
	if (s == NULL || --s->refs > 0)
		return;
	redactor_free(s->redactor);
	for (size_t i = 0; i < s->n; i++)
		secret_free(s->lines[i]);
	free(s->of);
	free(s->sought);
	free(s);
}

const struct redactor *
header_set_redactor(const struct header_set *s)
{
	return s->redactor;
}

uint16_t
header_set_slot(const struct header_set *s, size_t i)
{
	return s->sought[i];
}

bool
header_set_has_secret(const struct header_set *s)
{
	return s->nof > 0;
}

bool
vault_is_newer(const struct vault *v, const struct header_set *s)
{
	for (size_t i = 0; i < s->nof; i++) {
		const struct vault_slot *now = &v->slots[s->of[i].slot];

		if (now->value != NULL && now->version > s->of[i].version)
			return true;
	}
	return false;
}

size_t
header_set_count(const struct header_set *s)
{
	return s->n;
}

const char *
header_set_line(const struct header_set *s, size_t i)
{
	return secret_span(s->lines[i]).ptr;
}
