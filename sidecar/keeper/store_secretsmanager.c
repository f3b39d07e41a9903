/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets Manager: one GetSecretValue for all JSON keys of a version. */
#include "keeper/store_secretsmanager.h"

#include "base/auto.h"

enum { BODY_MAX = 8 * 1024 };

void
store_secret_ask(struct document *d, const struct reference *secret, const struct plan_endpoint *at,
		 void (*answered)(struct document *d, struct span body),
		 bool (*denied)(struct document *d))
{
	struct store_question q = {.service = SERVICE_SECRETSMANAGER,
				   .at = at,
				   .path = "/",
				   .content_type = "application/x-amz-json-1.1",
				   .target = "secretsmanager.GetSecretValue",
				   .answered = answered,
				   .denied = denied};
	auto_buf struct buf body = {0};

	buf_init(&body, BODY_MAX);
	if (secretsmanager_body(secret, &body) != 0) {
		store_failed_odd(d, "RequestNotBuilt", NULL);
		return;
	}
	q.body = buf_span(&body);
	store_ask(d, &q);
}

bool
store_secret_read(struct document *d, struct span body, struct secretsmanager_value *out)
{
	enum secretsmanager_fault fault = secretsmanager_read(body, out);
	struct store_failure f = {.kind = SLOT_DENIED, .type = "UnusableSecret"};

	if (fault == SECRETSMANAGER_OK)
		return true;
	if (fault == SECRETSMANAGER_NOT_JSON)
		f.kind = SLOT_ERROR; /* whoever answered, it was not the store */
	f.why = secretsmanager_fault_text(fault);
	store_failed(d, &f);
	return false;
}

static bool
is_same(const struct reference *a, const struct reference *b)
{
	return span_eq(a->secret, b->secret) && span_eq(a->version_stage, b->version_stage) &&
	       span_eq(a->version_id, b->version_id);
}

static const char *
pick(const void *content, const struct slot *s, struct span *value)
{
	enum secretsmanager_fault fault =
		secretsmanager_pick(content, s->reference.json_key, value);

	return fault == SECRETSMANAGER_OK ? NULL : secretsmanager_fault_text(fault);
}

static void
answered(struct document *d, struct span body)
{
	struct secretsmanager_value v;

	if (!store_secret_read(d, body, &v))
		return;
	store_fetched(d, &(struct slot_version){v.version_id, v.created_s}, pick, &v);
	secretsmanager_free(&v);
}

static void
start(struct document *d)
{
	const struct slot *s = d->slots[0];

	store_secret_ask(d, &s->reference, &s->plan->at, answered, NULL);
}

const struct store store_secretsmanager = {
	.needs_identity = true, .is_same = is_same, .start = start};
