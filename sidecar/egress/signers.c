/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "egress/signers.h"

#include "base/date.h"
#include "ev/loop.h"
#include "http/grammar.h"

enum { DAYS = 2, DAY_LEN = 8, DAY_S = 24 * 60 * 60, EDGE_S = 60 * 60 };

struct held_keys {
	struct signer_loan *days[DAYS]; /* of one version */
	uint32_t version;
	int64_t offset_s; /* AWS's clock less ours */
	bool denied;
	char error_type[SIGNING_ERROR_SIZE]; /* why there are none, or "" */
};

struct signers {
	const struct egress_plan *plan;
	struct held_keys *items; /* by target */
};

struct signers *
signers_new(const struct egress_plan *plan)
{
	struct signers *s = calloc(1, sizeof(*s));

	if (s == NULL)
		abort();
	s->plan = plan;
	s->items = calloc(plan->ntargets + 1, sizeof(*s->items));
	if (s->items == NULL)
		abort();
	return s;
}

void
signers_release(struct signer_loan *loan)
{
	if (loan == NULL || --loan->refs > 0)
		return;
	redactor_free(loan->redactor);
	signer_free(&loan->signer);
	free(loan);
}

static int64_t
wall_s(void)
{
	return (int64_t)(loop_wall_ms() / 1000);
}

static bool
is_of_day(const struct signer_loan *loan, struct span day)
{
	return loan != NULL && span_is(day, loan->signer.day);
}

/* The place for a key of that day: its own, an empty one, or that of the earlier day. */
static struct signer_loan **
place_for(struct held_keys *h, struct span day)
{
	for (size_t i = 0; i < DAYS; i++)
		if (is_of_day(h->days[i], day))
			return &h->days[i];
	for (size_t i = 0; i < DAYS; i++)
		if (h->days[i] == NULL)
			return &h->days[i];
	return strcmp(h->days[0]->signer.day, h->days[1]->signer.day) < 0 ? &h->days[0]
									  : &h->days[1];
}

static void
forget(struct held_keys *h)
{
	for (size_t i = 0; i < DAYS; i++) {
		signers_release(h->days[i]);
		h->days[i] = NULL;
	}
}

/* A service that complains of a signature may say all that it has read, the token too. */
static struct redactor *
make_redactor(const struct signer *s)
{
	struct span token = sign_token(s);

	return redactor_new(&token, 1);
}

/* NULL when the secret pages are full. */
static struct signer_loan *
make(const struct egress_target *t, const struct msg_signing *m)
{
	struct signer_loan *loan = calloc(1, sizeof(*loan));
	struct signer *s;

	if (loan == NULL)
		abort();
	loan->refs = 1;
	loan->version = m->version;
	s = &loan->signer;
	memcpy(s->key_id, m->key_id.ptr, m->key_id.len);
	memcpy(s->day, m->day.ptr, m->day.len);
	s->region = t->region;
	s->service = t->service;
	s->key = secret_new(m->key);
	s->token_line = m->token.len > 0 ? sign_token_line(m->token) : NULL;
	if (s->key == NULL || (m->token.len > 0 && s->token_line == NULL)) {
		signers_release(loan);
		return NULL;
	}
	if (t->redact && s->token_line != NULL)
		loan->redactor = make_redactor(s);
	return loan;
}

static const char *
check(const struct signers *s, const struct msg_signing *m)
{
	if (m->target >= s->plan->ntargets || !s->plan->targets[m->target].is_signed)
		return "its target is not one whose calls are signed";
	if (m->key.len == 0)
		return NULL;
	if (m->key.len != SIGV4_KEY_LEN || m->day.len != DAY_LEN)
		return "it is not of the length that keys have";
	if (!grammar_is_token(m->key_id) || !grammar_is_field_value(m->token))
		return "its id or its token cannot stand in a header";
	return NULL;
}

const char *
signers_take(struct signers *s, const struct msg_signing *m)
{
	const char *wrong = check(s, m);
	struct signer_loan *loan, **place;
	struct held_keys *h;

	if (wrong != NULL)
		return wrong;
	h = &s->items[m->target];
	if (m->version != h->version)
		forget(h);
	h->version = m->version;
	h->denied = m->denied;
	snprintf(h->error_type, sizeof(h->error_type), "%.*s", (int)m->error_type.len,
		 m->error_type.len > 0 ? m->error_type.ptr : "");
	if (m->key.len == 0)
		return NULL;
	h->offset_s = (int64_t)m->now_s - wall_s();
	loan = make(&s->plan->targets[m->target], m);
	if (loan == NULL)
		return "the secret pages are full";
	place = place_for(h, m->day);
	signers_release(*place);
	*place = loan;
	return NULL;
}

/* The key of the day of now_s. */
static struct signer_loan *
key_of(const struct held_keys *h, uint64_t now_s)
{
	char day[17];

	date_to_basic(now_s, day);
	for (size_t i = 0; i < DAYS; i++)
		if (is_of_day(h->days[i], (struct span){day, DAY_LEN}))
			return h->days[i];
	return NULL;
}

/*
 * The key of *now_s; or, at the edge of a day for which there is none, that of the day beside it
 * with its nearest second: a clock that is off has led there, and AWS's answer will say by how
 * much.
 */
static struct signer_loan *
nearest_key(const struct held_keys *h, uint64_t *now_s)
{
	uint64_t midnight = *now_s - *now_s % DAY_S;
	struct signer_loan *key = key_of(h, *now_s);

	if (key == NULL && *now_s - midnight < EDGE_S) {
		key = key_of(h, midnight - 1);
		*now_s = key == NULL ? *now_s : midnight - 1;
	} else if (key == NULL && midnight + DAY_S - *now_s < EDGE_S) {
		key = key_of(h, midnight + DAY_S);
		*now_s = key == NULL ? *now_s : midnight + DAY_S;
	}
	return key;
}

struct signer_loan *
signers_lend(struct signers *s, size_t target, uint64_t *now_s)
{
	struct held_keys *h = &s->items[target];
	struct signer_loan *loan;

	*now_s = (uint64_t)(wall_s() + h->offset_s);
	loan = nearest_key(h, now_s);
	if (loan != NULL)
		loan->refs++;
	return loan;
}

enum signing_state
signers_state(struct signers *s, size_t target)
{
	uint64_t now;
	struct signer_loan *loan;

	if (!s->plan->targets[target].is_signed)
		return SIGNING_GOOD;
	loan = signers_lend(s, target, &now);
	signers_release(loan);
	if (loan != NULL)
		return SIGNING_GOOD;
	return s->items[target].denied ? SIGNING_REFUSED : SIGNING_AWAITED;
}

const char *
signers_error(const struct signers *s, size_t target)
{
	return s->items[target].error_type;
}

bool
signers_is_newer(const struct signers *s, size_t target, uint32_t version)
{
	const struct held_keys *h = &s->items[target];

	return (h->days[0] != NULL || h->days[1] != NULL) && h->version != version;
}
