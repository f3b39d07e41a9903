/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/conn_parts.h"

#include "base/log.h"
#include "ingress/admin.h"
#include "ingress/admission.h"

/* ---- the request, from the client ---- */

/* more: bytes have come behind the message. */
static void
body_complete(struct conn *c, bool more)
{
	struct call *call = c->call;
	enum verdict v;

	/* No pipelining: bytes behind the message would be a second reading of it. */
	if (more) {
		conn_refuse(
			c, VERDICT_MALFORMED_REQUEST,
			"Bytes came behind the request before it was answered (pipelining, or a "
			"body longer than its Content-Length); send one request at a time.",
			false);
		return;
	}
	call->whole_us = loop_clock_us();
	v = c->in->draining ? VERDICT_SHUTTING_DOWN
			    : decide_body(c->in, call->content, &call->decision);
	if (v == VERDICT_OK)
		v = admission_take(c->in, call);
	if (v != VERDICT_OK) {
		conn_refuse(c, v, NULL, true);
		return;
	}
	call_rewrite(call);
	relay_start(c);
}

static void
body_too_large(struct conn *c)
{
	conn_refuse(c, VERDICT_BODY_TOO_LARGE, NULL, false);
}

/* Room for n bytes that have come of a body that is kept whole. False: it was refused. */
static bool
reserve(struct conn *c, size_t n)
{
	if (call_reserve(c->in, c->call, n))
		return true;
	conn_refuse(c, VERDICT_OVERLOADED, NULL, false);
	return false;
}

/* What came with the head. A body that is here whole is used where it is; head_len covers it. */
static void
take_counted(struct conn *c)
{
	struct call *call = c->call;
	size_t have = c->inb.len - call->head_len, want = (size_t)call->request.length;

	if (!reserve(c, have < want ? have : want))
		return;
	if (have >= want) {
		call->content = (struct span){c->inb.ptr + call->head_len, want};
		call->head_len += want;
		body_complete(c, have > want);
		return;
	}
	buf_init(&call->body, want);
	/* Addresses at once, so that a usual body is not copied; pages as they are filled. */
	(void)buf_room(&call->body, want < BODY_AT_ONCE ? want : BODY_AT_ONCE);
	(void)buf_add(&call->body, c->inb.ptr + call->head_len, have);
	buf_keep(&c->inb, call->head_len);
}

void
request_counted(struct conn *c, size_t n)
{
	struct call *call = c->call;

	if (!reserve(c, n) || call->body.len < call->body.max)
		return;
	call->content = buf_span(&call->body);
	body_complete(c, false);
}

void
request_chunks(struct conn *c, struct span in)
{
	struct call *call = c->call;
	enum chunked_event ev;
	size_t at = 0;

	do {
		struct span data;
		size_t used;

		ev = chunked_feed(&call->chunked, in.ptr + at, in.len - at, &used, &data);
		at += used;
		if (ev != CHUNKED_DATA)
			continue;
		if (!reserve(c, data.len))
			return;
		if (buf_add_span(&call->body, data) != 0)
			ev = CHUNKED_TOO_LARGE;
	} while (ev == CHUNKED_DATA);
	if (ev == CHUNKED_BAD) {
		conn_refuse(c, VERDICT_MALFORMED_REQUEST, http_fault_text(HTTP_BAD_CHUNK), false);
	} else if (ev == CHUNKED_TOO_LARGE) {
		body_too_large(c);
	} else if (ev == CHUNKED_END) {
		call->content = buf_span(&call->body);
		body_complete(c, at < in.len);
	}
}

/* A body that is kept whole: by its length it can be. False: it was refused. */
static bool
keep_begin(struct conn *c, uint64_t max)
{
	struct call *call = c->call;

	if (call->request.framing == HTTP_LENGTH && call->request.length > max) {
		body_too_large(c);
		return false;
	}
	if (call->request.framing == HTTP_CHUNKED) {
		chunked_init(&call->chunked, max);
		buf_init(&call->body, max);
	}
	return true;
}

/* What of the body came with the head. Only the head stays in inb: views point to it. */
static void
take_early(struct conn *c, bool form)
{
	struct span came = span_cut(buf_span(&c->inb), c->call->head_len, c->inb.len);
	struct buf early;

	buf_init(&early, came.len);
	(void)buf_add_span(&early, came);
	buf_keep(&c->inb, c->call->head_len);
	if (early.len > 0 && form)
		upload_came(c, buf_span(&early));
	else if (early.len > 0)
		request_chunks(c, buf_span(&early));
	buf_free(&early);
}

static void
body_start(struct conn *c)
{
	struct call *call = c->call;
	bool form = call->decision.body == BODY_FORM;

	if (form && !upload_begin(c))
		return;
	if (!form && !keep_begin(c, c->in->plan.body_bytes))
		return;
	if (call->request.expect_continue && c->inb.len == call->head_len)
		(void)buf_add_str(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
	if (!conn_send(c)) {
		conn_drop(c);
		return;
	}
	conn_state(c, CONN_BODY);
	call->patience_ms = BODY_TIMEOUT_MS;
	if (form || call->request.framing == HTTP_CHUNKED)
		take_early(c, form);
	else
		take_counted(c);
}

/* A head that cannot be read: the connection has no future. */
static void
refuse_head(struct conn *c, enum http_fault fault)
{
	if (fault == HTTP_H2_PREFACE)
		log_write(LOG_WARN,
			  "a client speaks HTTP/2 with prior knowledge; the AWS SDK for "
			  "JavaScript needs requestHandler: new NodeHttpHandler()",
			  NULL, 0);
	c->call->head_len = 0;
	call_note_line(c->call, buf_span(&c->inb));
	conn_refuse(c,
		    fault == HTTP_HEAD_TOO_LARGE || fault == HTTP_TOO_MANY_FIELDS
			    ? VERDICT_HEADER_TOO_LARGE
			    : VERDICT_MALFORMED_REQUEST,
		    http_fault_text(fault), false);
}

/* Requests that sidekey answers itself: all of the admin port, and its own life. */
static bool
answer_self(struct conn *c)
{
	const struct http_request *r = &c->call->request;
	struct reply_page page;
	struct buf body;

	if (!c->listener->is_admin && !admin_asks_life(r))
		return false;
	buf_init(&body, ADMIN_BODY_MAX);
	admin_answer(c->in, c->listener, r, &body, &page);
	c->unread = r->framing != HTTP_NO_BODY || c->inb.len > c->call->head_len;
	c->close |= c->unread;
	page.is_head = c->call->is_head;
	(void)reply_plain(&c->out, &page, buf_span(&body), c->close);
	buf_free(&body);
	buf_drop(&c->inb, c->call->head_len);
	call_free(c->in, c->call); /* not a call: no log line */
	c->call = NULL;
	c->in->ncalls--;
	conn_reply(c);
	return true;
}

/* Whether the sender may not even be told whether sidekey lives. */
static bool
is_turned_away(enum verdict v)
{
	return v == VERDICT_HOST_NOT_ALLOWED || v == VERDICT_BROWSER_REFUSED ||
	       v == VERDICT_UPGRADE_REFUSED;
}

/*
 * Refuses a call by its head. Its body is not waited for: it costs the connection, unless it is
 * here already, as a small one is. A client that sends what is malformed is not read on.
 */
static void
refuse_early(struct conn *c, enum verdict v)
{
	struct call *call = c->call;
	const struct http_request *r = &call->request;
	size_t have = c->inb.len - call->head_len;
	uint64_t body = r->framing == HTTP_LENGTH ? r->length : 0;
	bool whole = v != VERDICT_MALFORMED_REQUEST && r->framing != HTTP_CHUNKED && have == body;

	if (whole)
		call->head_len += have;
	conn_refuse(c, v, NULL, whole);
}

static void
head_complete(struct conn *c)
{
	struct call *call = c->call;
	struct http_request *r = &call->request;
	bool bodyless = r->framing == HTTP_NO_BODY || (r->framing == HTTP_LENGTH && r->length == 0);
	enum verdict v;

	c->close = !r->keep_alive || c->in->retiring;
	c->minor = r->http10 ? 0 : 1;
	call->is_head = span_is(r->method, "HEAD");
	call_note_trace(call);
	call->decision.peer = c->peer;
	v = decide_head(c->in, c->listener, r, &call->decision);
	if (!is_turned_away(v) && answer_self(c))
		return;
	if (v == VERDICT_OK)
		v = admission_enter(c->in, call);
	if (v != VERDICT_OK) {
		refuse_early(c, v);
		return;
	}
	if (bodyless) {
		call->content = (struct span){"", 0};
		body_complete(c, c->inb.len > call->head_len);
		return;
	}
	body_start(c);
}

static void
take_head(struct conn *c)
{
	size_t max = c->in->plan.header_bytes;
	long n;

	if (c->call == NULL) {
		c->call = call_new(c->in);
		c->in->ncalls++;
		c->seen = 0;
	}
	c->call->bytes_in = c->inb.len; /* what came with the head included */
	n = http_head_parse(&c->call->request, c->inb.ptr, c->inb.len, &c->seen, max);
	if (n < 0) {
		refuse_head(c, (enum http_fault) - n);
		return;
	}
	if (n == 0) {
		if (c->state == CONN_IDLE)
			conn_state(c, CONN_HEAD);
		return;
	}
	c->call->head_len = (size_t)n;
	head_complete(c);
}

void
request_advance(struct conn *c)
{
	if ((c->state == CONN_IDLE || c->state == CONN_HEAD) && c->inb.len > 0)
		take_head(c);
}
