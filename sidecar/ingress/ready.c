/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "ingress/ready.h"

#include "base/secret.h"
#include "ingress/caller.h"

static bool
place_is_usable(const struct ingress *in, size_t i)
{
	const struct ingress_target *t = &in->plan.targets[i];

	if (!in->targets[i].usable)
		return false;
	for (size_t s = 0; s < t->nslots; s++)
		if (!slot_state_is_usable(in->slots[t->slots[s].number].state))
			return false;
	return true;
}

/* One of several deployments is enough. */
static bool
target_is_usable(const struct ingress *in, size_t i)
{
	const struct ingress_target *t = &in->plan.targets[i];

	for (size_t d = 0; d < t->ndeployments; d++)
		if (place_is_usable(in, t->deployments[d].number))
			return true;
	return t->ndeployments == 0 && place_is_usable(in, i);
}

bool
ready_now(const struct ingress *in)
{
	for (size_t i = 0; i < in->plan.ntargets; i++)
		if (in->plan.targets[i].required && !target_is_usable(in, i))
			return false;
	return caller_tokens_are_known(in) && !in->draining;
}

static void
add_text(struct buf *b, const char *before, const char *text)
{
	if (text[0] == '\0')
		return;
	(void)buf_add_str(b, before);
	(void)buf_add_json(b, span_of(text));
}

/* By the names that the log has for them; of ARNs the principal's alone. */
static void
add_slot(struct buf *b, const struct slot_view *s, bool store_ids)
{
	uint64_t now = loop_lived_ms();

	(void)buf_addf(b, "{\"state\":\"%s\",\"version\":%" PRIu32, slot_state_name(s->state),
		       s->version);
	if (store_ids)
		add_text(b, ",\"version_id\":", s->version_id);
	if (s->fetched_ms != 0)
		(void)buf_addf(b, ",\"age_seconds\":%" PRIu64,
			       now > s->fetched_ms ? (now - s->fetched_ms) / 1000 : 0);
	add_text(b, ",\"error\":", s->error_type);
	add_text(b, ",\"store_request_id\":", s->request_id);
	add_text(b, ",\"principal\":", s->principal);
	if (s->next_ms > now)
		(void)buf_addf(b, ",\"next_attempt_seconds\":%" PRIu64,
			       (s->next_ms - now + 999) / 1000);
	(void)buf_add_str(b, "}");
}

void
ready_add_slots(struct buf *b, const struct ingress *in, bool store_ids)
{
	(void)buf_add_str(b, "{");
	for (size_t i = 0; i < in->plan.nslots; i++) {
		(void)buf_add_str(b, i > 0 ? "," : "");
		(void)buf_add_json(b, in->plan.slots[i].name);
		(void)buf_add_str(b, ":");
		add_slot(b, &in->slots[i], store_ids);
	}
	(void)buf_add_str(b, "}");
}

void
ready_add_targets(struct buf *b, const struct ingress *in)
{
	int64_t now = (int64_t)(loop_wall_ms() / 1000);
	uint64_t lived = loop_lived_ms();

	(void)buf_add_str(b, "{");
	for (size_t i = 0; i < in->plan.ntargets; i++) {
		const struct ingress_target *t = &in->plan.targets[i];
		const struct target_view *v = &in->targets[i];

		(void)buf_add_str(b, i > 0 ? "," : "");
		(void)buf_add_json(b, t->name);
		(void)buf_addf(b, ":{\"state\":\"%s\",\"required\":%s,\"resolved\":%s",
			       target_is_usable(in, i) ? "usable" : "unusable",
			       t->required ? "true" : "false", v->resolved ? "true" : "false");
		add_text(b, ",\"error\":",
			 v->tls != TLS_FAULT_NONE ? tls_fault_name(v->tls) : v->error_type);
		if (v->certificate_expiry != 0)
			(void)buf_addf(b, ",\"certificate_expiry_seconds\":%" PRId64,
				       (int64_t)v->certificate_expiry - now);
		if (v->cools_until_ms > lived)
			(void)buf_addf(b, ",\"cooling_seconds\":%" PRIu64,
				       (v->cools_until_ms - lived + 999) / 1000);
		(void)buf_add_str(b, "}");
	}
	(void)buf_add_str(b, "}");
}

void
ready_add_sandbox(struct buf *b, const struct ingress *in)
{
	uint8_t weaker = in->keeper_pages < in->egress_pages ? in->keeper_pages : in->egress_pages;

	(void)buf_addf(b,
		       "{\"seccomp\":true,\"landlock\":%u,\"landlockNet\":%s,"
		       "\"landlockScope\":%s,\"secretPages\":\"%s\"}",
		       in->level.landlock_abi, in->level.landlock_net ? "true" : "false",
		       in->level.landlock_scope ? "true" : "false", secret_pages_name(weaker));
}

unsigned
ready_answer(const struct ingress *in, struct buf *b)
{
	bool ready = ready_now(in);

	(void)buf_addf(b,
		       "{\"ready\":%s,\"started\":%s,\"draining\":%s,\"generation\":%" PRIu32
		       "%s,\"slots\":",
		       ready ? "true" : "false", in->started ? "true" : "false",
		       in->draining ? "true" : "false", in->plan.generation,
		       in->plan.restart_needed ? ",\"restart_needed\":true" : "");
	ready_add_slots(b, in, false);
	if (in->plan.ncallers > 0)
		(void)buf_addf(b, ",\"callerTokens\":\"%s\"",
			       caller_tokens_are_known(in) ? "known" : "missing");
	(void)buf_add_str(b, ",\"targets\":");
	ready_add_targets(b, in);
	(void)buf_add_str(b, ",\"sandbox\":");
	ready_add_sandbox(b, in);
	(void)buf_add_str(b, "}\n");
	return ready ? 200 : 503;
}
