/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "ingress/admin.h"

enum { SILENCE_MS = 5000 }; /* keeper and egress speak once a second */

static bool
target_is_usable(const struct ingress *in, size_t i)
{
	const struct ingress_target *t = &in->plan.targets[i];

	if (!in->targets[i].usable)
		return false;
	for (size_t s = 0; s < t->nslots; s++) {
		enum slot_state state = in->slots[t->slots[s].number].state;

		if (state != SLOT_FRESH && state != SLOT_STALE)
			return false;
	}
	return true;
}

bool
admin_is_ready(const struct ingress *in)
{
	for (size_t i = 0; i < in->plan.ntargets; i++)
		if (in->plan.targets[i].required && !target_is_usable(in, i))
			return false;
	return !in->draining;
}

static bool
roles_answer(const struct ingress *in)
{
	uint64_t now = loop_now(in->loop);

	return now - in->keeper_seen < SILENCE_MS && now - in->egress_seen < SILENCE_MS;
}

static void
add_slot(struct buf *b, const struct ingress *in, size_t i)
{
	const struct slot_view *s = &in->slots[i];
	uint64_t now = loop_wall_ms();

	(void)buf_add_str(b, i > 0 ? "," : "");
	(void)buf_add_json(b, in->plan.slots[i].name);
	(void)buf_addf(b, ":{\"state\":\"%s\",\"version\":%" PRIu32, slot_state_name(s->state),
		       s->version);
	if (s->fetched_ms != 0)
		(void)buf_addf(b, ",\"age_seconds\":%" PRIu64,
			       now > s->fetched_ms ? (now - s->fetched_ms) / 1000 : 0);
	if (s->error_type[0] != '\0') {
		(void)buf_add_str(b, ",\"error\":");
		(void)buf_add_json(b, span_of(s->error_type));
		if (s->next_ms > now)
			(void)buf_addf(b, ",\"next_attempt_seconds\":%" PRIu64,
				       (s->next_ms - now + 999) / 1000);
	}
	(void)buf_add_str(b, "}");
}

static void
add_target(struct buf *b, const struct ingress *in, size_t i)
{
	const struct ingress_target *t = &in->plan.targets[i];

	(void)buf_add_str(b, i > 0 ? "," : "");
	(void)buf_add_json(b, t->name);
	(void)buf_addf(b, ":{\"state\":\"%s\",\"required\":%s,\"resolved\":%s}",
		       target_is_usable(in, i) ? "usable" : "unusable",
		       t->required ? "true" : "false", in->targets[i].resolved ? "true" : "false");
}

static unsigned
readyz(const struct ingress *in, struct buf *b)
{
	static const char *const pages[] = {"none", "locked", "memfd_secret"};
	bool ready = admin_is_ready(in);
	uint8_t weaker = in->keeper_pages < in->egress_pages ? in->keeper_pages : in->egress_pages;

	(void)buf_addf(b,
		       "{\"ready\":%s,\"started\":%s,\"draining\":%s,\"generation\":%" PRIu32
		       ",\"slots\":{",
		       ready ? "true" : "false", in->started ? "true" : "false",
		       in->draining ? "true" : "false", in->plan.generation);
	for (size_t i = 0; i < in->plan.nslots; i++)
		add_slot(b, in, i);
	(void)buf_add_str(b, "},\"targets\":{");
	for (size_t i = 0; i < in->plan.ntargets; i++)
		add_target(b, in, i);
	(void)buf_addf(b,
		       "},\"sandbox\":{\"seccomp\":true,\"landlock\":%u,\"landlockNet\":%s,"
		       "\"landlockScope\":%s,\"secretPages\":\"%s\"}}\n",
		       in->level.landlock_abi, in->level.landlock_net ? "true" : "false",
		       in->level.landlock_scope ? "true" : "false", pages[weaker]);
	return ready ? 200 : 503;
}

unsigned
admin_answer(const struct ingress *in, bool is_admin, const struct http_request *r,
	     struct buf *body, const char **type)
{
	*type = "application/json";
	if (!span_is(r->method, "GET")) {
		(void)buf_add_str(body, "{\"error\":\"only GET is served here\"}\n");
		return 405;
	}
	if (!is_admin) {
		(void)buf_add_str(body, "\"I'm alive!\"");
		return 200;
	}
	if (span_is(r->path, "/healthz")) {
		bool good = roles_answer(in);

		(void)buf_addf(body, "{\"healthy\":%s}\n", good ? "true" : "false");
		return good ? 200 : 503;
	}
	if (span_is(r->path, "/readyz"))
		return readyz(in, body);
	(void)buf_add_str(body, "{\"error\":\"no such page; /healthz and /readyz are here\"}\n");
	return 404;
}
