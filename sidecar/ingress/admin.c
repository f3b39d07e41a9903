/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/admin.h"

#include "base/log.h"
#include "ingress/expose.h"
#include "ingress/metrics.h"
#include "ingress/ready.h"
#include "ingress/status.h"
#include "ingress/token.h"

enum {
	SILENCE_MS = 5000,    /* keeper and egress speak once a second */
	TELL_AGAIN_MS = 1000, /* a guesser must not fill the log */
	PIECE_MAX = 4096,     /* more than any one piece that a page is made of */
};

struct page {
	const char *path;
	bool secured; /* the admin Unix socket, or adminToken */
	unsigned (*answer)(const struct ingress *in, struct buf *b, const char **type);
};

static unsigned
fault(struct buf *b, unsigned status, const char *sentence)
{
	(void)buf_add_str(b, "{\"error\":");
	(void)buf_add_json(b, span_of(sentence));
	(void)buf_add_str(b, "}\n");
	return status;
}

/* ---- pages ---- */

static unsigned
healthz(const struct ingress *in, struct buf *b, const char **type)
{
	uint64_t now = loop_now(in->loop);
	bool good = now - in->keeper_seen < SILENCE_MS && now - in->egress_seen < SILENCE_MS;

	(void)type;
	(void)buf_addf(b, "{\"healthy\":%s}\n", good ? "true" : "false");
	return good ? 200 : 503;
}

static unsigned
readyz(const struct ingress *in, struct buf *b, const char **type)
{
	(void)type;
	return ready_answer(in, b);
}

static unsigned
metrics(const struct ingress *in, struct buf *b, const char **type)
{
	*type = EXPOSE_TYPE;
	expose_metrics(in, b);
	return 200;
}

static unsigned
status(const struct ingress *in, struct buf *b, const char **type)
{
	(void)type;
	status_answer(in, b);
	return 200;
}

static const struct page pages[] = {
	{"/healthz", false, healthz},
	{"/readyz", false, readyz},
	{"/metrics", false, metrics},
	{"/status", true, status},
};

/* ---- who may see them ---- */

static unsigned
unauthorized(struct ingress *in, const struct ingress_listener *l, struct span presented,
	     struct buf *b)
{
	uint64_t now = loop_now(in->loop);

	metrics_admin_refused(in->metrics);
	if (in->admin_told == 0 || now - in->admin_told >= TELL_AGAIN_MS) {
		in->admin_told = now;
		log_say(LOG_WARN, "a request to the admin port had no valid token",
			LOG_S("listener", l->name),
			LOG_C("token", presented.len > 0 ? "wrong" : "missing"),
			LOG_U("refused_so_far", in->metrics->admin_refused));
	}
	return fault(b, 401,
		     "This page needs the token that `adminToken` names, as Authorization: Bearer; "
		     "on an admin Unix socket it needs none.");
}

/* 0: let in; else the status of the refusal in b. The socket's mode says who reaches it. */
static unsigned
turn_away(struct ingress *in, const struct ingress_listener *l, const struct http_request *r,
	  struct buf *b)
{
	struct span presented = token_bearer(r);

	if (l->is_unix)
		return 0;
	switch (token_check(in, &in->plan.admin_token, presented)) {
	case TOKEN_RIGHT:
		return 0;
	case TOKEN_NOT_CONFIGURED:
		return fault(
			b, 403,
			"This page is served on an admin Unix socket; add one to `admin`, such "
			"as unix:/run/sidekey/admin.sock, or set `adminToken` to have it here.");
	case TOKEN_UNKNOWN:
		return fault(
			b, 503,
			"The token that `adminToken` names could not be read yet; /readyz tells "
			"the state of its slot.");
	default:
		return unauthorized(in, l, presented, b);
	}
}

static unsigned
answer_page(struct ingress *in, const struct page *page, struct buf *b, const char **type)
{
	unsigned code = page->answer(in, b, type);

	/* Whatever did not fit was left out somewhere in the middle. */
	if (b->max - b->len >= PIECE_MAX)
		return code;
	buf_keep(b, 0);
	*type = "application/json";
	return fault(b, 500, "This page is too large for this many targets, slots and models.");
}

unsigned
admin_answer(struct ingress *in, const struct ingress_listener *l, const struct http_request *r,
	     struct buf *body, const char **type)
{
	*type = "application/json";
	if (!span_is(r->method, "GET"))
		return fault(body, 405, "only GET is served here");
	if (!l->is_admin) {
		(void)buf_add_str(body, "\"I'm alive!\"");
		return 200;
	}
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		unsigned refused;

		if (!span_is(r->path, pages[i].path))
			continue;
		refused = pages[i].secured ? turn_away(in, l, r, body) : 0;
		return refused != 0 ? refused : answer_page(in, &pages[i], body, type);
	}
	return fault(body, 404, "no such page; /healthz, /readyz, /metrics and /status are here");
}
