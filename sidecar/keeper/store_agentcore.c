/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AgentCore Identity: a credential provider's key is a secret of Secrets Manager. Which one, the
 * control plane is asked every five minutes; the secret itself is then fetched like any other.
 */
#include <stdlib.h>

#include "keeper/store_secretsmanager.h"

#include "aws/agentcore.h"
#include "base/auto.h"

enum { BODY_MAX = 8 * 1024, KNOWN_MS = 5 * 60 * 1000 };

struct provider { /* what a document remembers */
	struct agentcore_secret at;
	uint64_t until;  /* loop_now */
	bool remembered; /* from an earlier question: it may have been made anew since */
};

static void
forget(struct document *d)
{
	struct provider *p = d->memory;

	if (p != NULL)
		agentcore_free(&p->at);
	free(p);
	d->memory = NULL;
}

/* The secret is gone, or is not ours: a provider that was made anew has another. */
static bool
denied(struct document *d)
{
	const struct provider *p = d->memory;
	bool remembered = p->remembered;

	forget(d);
	return remembered;
}

/* ---- the secret ---- */

struct content {
	const struct secretsmanager_value *secret;
	struct span json_key;
};

static const char *
pick(const void *content, const struct slot *s, struct span *value)
{
	const struct content *c = content;
	enum secretsmanager_fault fault = secretsmanager_pick(c->secret, c->json_key, value);

	(void)s;
	return fault == SECRETSMANAGER_OK ? NULL : secretsmanager_fault_text(fault);
}

static void
secret_answered(struct document *d, struct span body)
{
	const struct provider *p = d->memory;
	struct secretsmanager_value v;
	struct content content = {&v, p->at.json_key};

	if (!store_secret_read(d, body, &v)) {
		forget(d);
		return;
	}
	store_fetched(d, &(struct slot_version){v.version_id, v.created_s}, pick, &content);
	secretsmanager_free(&v);
	if (d->slots[0]->state != SLOT_FRESH)
		forget(d);
}

static void
ask_secret(struct document *d)
{
	const struct provider *p = d->memory;

	store_secret_ask(d, &p->at.secret, &d->slots[0]->plan->behind, secret_answered, denied);
}

/* ---- the provider ---- */

static void
provider_answered(struct document *d, struct span body)
{
	struct provider *p = calloc(1, sizeof(*p));
	enum agentcore_fault fault;

	if (p == NULL)
		abort();
	fault = agentcore_read(body, &d->slots[0]->reference, &p->at);
	if (fault == AGENTCORE_OK) {
		p->until = loop_now(d->c->loop) + KNOWN_MS;
		d->memory = p;
		ask_secret(d);
		return;
	}
	free(p);
	if (fault == AGENTCORE_NOT_JSON)
		store_failed_odd(d, "UnusableAnswer", agentcore_fault_text(fault));
	else
		store_failed(d, &(struct store_failure){.kind = SLOT_DENIED,
							.type = "UnusableProvider",
							.why = agentcore_fault_text(fault)});
}

static void
ask_provider(struct document *d)
{
	const struct slot *s = d->slots[0];
	struct store_question q = {.service = SERVICE_AGENTCORE_CONTROL,
				   .at = &s->plan->at,
				   .path = "/identities/GetApiKeyCredentialProvider",
				   .content_type = "application/json",
				   .answered = provider_answered};
	auto_buf struct buf body = {0};

	buf_init(&body, BODY_MAX);
	if (agentcore_body(&s->reference, &body) != 0) {
		store_failed_odd(d, "RequestNotBuilt", NULL);
		return;
	}
	q.body = buf_span(&body);
	store_ask(d, &q);
}

static void
start(struct document *d)
{
	struct provider *p = d->memory;

	if (p != NULL && loop_now(d->c->loop) < p->until) {
		p->remembered = true;
		ask_secret(d);
		return;
	}
	forget(d);
	ask_provider(d);
}

const struct store store_agentcore = {.needs_identity = true, .start = start};
