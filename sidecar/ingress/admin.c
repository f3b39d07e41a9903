/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ingress/admin.h"

#include "base/log.h"
#include "ingress/expose.h"
#include "ingress/metrics.h"
#include "ingress/page.h"
#include "ingress/ready.h"
#include "ingress/status.h"
#include "ingress/token.h"

enum {
	SILENCE_MS = 5000,    /* the others speak once a second */
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
	bool good = now - in->keeper_seen < SILENCE_MS && now - in->egress_seen < SILENCE_MS &&
		    now - in->resolver_seen < SILENCE_MS;

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

enum { PAGES = sizeof(pages) / sizeof(pages[0]) };

/* ---- who may see them ---- */

/* A browser asks its user for the token where this comes, and only there. */
#define CHALLENGE_BASIC  "WWW-Authenticate: Basic realm=\"sidekey\", charset=\"UTF-8\"\r\n"
#define CHALLENGE_BEARER "WWW-Authenticate: Bearer\r\n"

static unsigned
unauthorized(struct ingress *in, const struct ingress_listener *l, bool presented, struct buf *b)
{
	uint64_t now = loop_now(in->loop);

	metrics_admin_refused(in->metrics);
	if (in->admin_told == 0 || now - in->admin_told >= TELL_AGAIN_MS) {
		in->admin_told = now;
		log_say(LOG_WARN, "a request to the admin port had no valid token",
			LOG_S("listener", l->name), LOG_C("token", presented ? "wrong" : "missing"),
			LOG_U("refused_so_far", in->metrics->admin_refused));
	}
	return fault(b, 401,
		     "This page needs the token that `adminToken` names, as Authorization: Bearer, "
		     "or as the password of Basic; on an admin Unix socket it needs none.");
}

/* The token that r presents in either way. */
static enum token_state
check_token(const struct ingress *in, const struct http_request *r, bool *presented)
{
	char room[TOKEN_ROOM];
	struct span token = token_bearer(r);
	enum token_state state;

	if (token.len == 0)
		token = token_basic(r, room);
	*presented = token.len > 0;
	state = token_check(in, &in->plan.admin_token, token);
	explicit_bzero(room, sizeof(room));
	return state;
}

/* 0: let in; else the status of the refusal in b. The socket's mode says who reaches it. */
static unsigned
turn_away(struct ingress *in, const struct ingress_listener *l, const struct http_request *r,
	  struct buf *b, struct reply_page *page)
{
	bool front = span_is(r->path, "/"), presented;

	if (l->is_unix)
		return 0;
	switch (check_token(in, r, &presented)) {
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
		page->fields = front ? PAGE_FIELDS CHALLENGE_BASIC : PAGE_FIELDS CHALLENGE_BEARER;
		/* A browser presents nothing until it has been asked: no guess. */
		if (front && !presented)
			return fault(b, 401,
				     "The password is the token that `adminToken` names; "
				     "the user's name may be any.");
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

static unsigned
answer_file(const struct page_file *file, struct buf *b, const char **type)
{
	*type = file->type;
	(void)buf_add_str(b, file->text);
	return 200;
}

/* The status. */
static unsigned
answer(struct ingress *in, const struct ingress_listener *l, const struct http_request *r,
       struct buf *b, struct reply_page *page)
{
	const struct page_file *file = page_find(span_cut(r->path, 1, r->path.len));
	size_t i = 0;
	unsigned refused;

	while (i < PAGES && !span_is(r->path, pages[i].path))
		i++;
	if (file == NULL && i == PAGES)
		return fault(b, 404,
			     "no such page; /, /healthz, /readyz, /metrics and /status are here");
	refused = file != NULL || pages[i].secured ? turn_away(in, l, r, b, page) : 0;
	if (refused != 0)
		return refused;
	return file != NULL ? answer_file(file, b, &page->type)
			    : answer_page(in, &pages[i], b, &page->type);
}

#define ALLOWED "Allow: GET, HEAD\r\n"

/*
 * An agent takes what has no x-sidekey-error for the upstream's. There is no request id, since
 * what is no call has no line in the log.
 */
static void
refuse_method(const struct ingress_listener *l, struct buf *b, struct reply_page *page)
{
	static const char why[] = "Only GET and HEAD are served here.";
	unsigned as_call; /* the status of a call that is refused so */

	page->status = 405;
	page->fields = PAGE_FIELDS ALLOWED;
	if (l->is_admin) {
		(void)fault(b, page->status, why);
		return;
	}
	page->fields = PAGE_FIELDS ALLOWED
		"x-sidekey-error: operation_not_allowed\r\nx-should-retry: false\r\n";
	(void)verdict_body(VERDICT_OPERATION_NOT_ALLOWED, DIALECT_OPENAI, why, SPAN(""), b,
			   &as_call);
}

bool
admin_asks_life(const struct http_request *r)
{
	return span_is(r->path, "/health/liveliness");
}

void
admin_answer(struct ingress *in, const struct ingress_listener *l, const struct http_request *r,
	     struct buf *body, struct reply_page *page)
{
	*page = (struct reply_page){200, "application/json", PAGE_FIELDS, false};
	if (!span_is(r->method, "GET") && !span_is(r->method, "HEAD"))
		refuse_method(l, body, page);
	else if (l->is_admin)
		page->status = answer(in, l, r, body, page);
	else
		(void)buf_add_str(body, "\"I'm alive!\"");
}
