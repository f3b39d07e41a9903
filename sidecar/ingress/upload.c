/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "ingress/upload.h"

#include "ingress/admission.h"
#include "ingress/conn_parts.h"

/* ---- ends ---- */

static void
refuse(struct conn *c, enum verdict v)
{
	if (c->head_relayed) {
		conn_abort(c, verdict_row(v)->code);
		return;
	}
	conn_stream_close(c); /* the upstream never gets the end of the form */
	conn_refuse(c, v, NULL, false);
}

static void
refuse_why(struct conn *c, enum verdict v, const char *why)
{
	struct decision *d = &c->call->decision;

	snprintf(d->why, sizeof(d->why), "%s", why);
	refuse(c, v);
}

static void
refuse_size(struct conn *c)
{
	refuse_why(c, VERDICT_BODY_TOO_LARGE,
		   "The upload is larger than `limits.uploadBytes`. Send less, or ask the operator "
		   "to raise the limit.");
}

/* ---- the form, towards egress ---- */

/* The model's new name takes its place in what is held; nothing of it has been sent. */
static void
rewrite(struct call *call)
{
	struct upload *u = call->upload;
	struct span held = buf_span(&call->body), to = call->decision.rewrite_to;
	size_t at = (size_t)u->form.model_at, behind = at + u->form.model_len;
	struct buf b;

	if (to.ptr == NULL)
		return;
	buf_init(&b, call->body.max + to.len);
	(void)buf_add_span(&b, span_cut(held, 0, at));
	(void)buf_add_span(&b, to);
	(void)buf_add_span(&b, span_cut(held, behind, held.len));
	buf_free(&call->body);
	call->body = b;
	if (call->request.framing == HTTP_LENGTH)
		u->length = u->length - u->form.model_len + to.len;
	call->decision.rewrite_to.ptr = NULL;
}

/* What is held goes to egress, once it is known where. */
static void
send_on(struct conn *c)
{
	struct call *call = c->call;
	struct upload *u = call->upload;
	enum verdict v;

	if (u->relaying) {
		relay_more(c);
		return;
	}
	if (!u->whole && !u->form.has_model && decide_awaits_model(c->in, &call->decision))
		return;
	v = c->in->draining ? VERDICT_SHUTTING_DOWN : decide_form(c->in, &u->form, &call->decision);
	if (v == VERDICT_OK)
		v = admission_take(c->in, call);
	if (v != VERDICT_OK) {
		conn_refuse(c, v, NULL, u->whole);
		return;
	}
	rewrite(call);
	u->relaying = true;
	call->whole_us = loop_clock_us();
	relay_start(c);
}

/* Keeps a piece for egress. False: it was refused. */
static bool
keep(struct conn *c, struct span piece)
{
	struct call *call = c->call;

	if (!call->upload->relaying && piece.len > c->in->plan.body_bytes - call->body.len) {
		refuse_why(
			c, VERDICT_BODY_TOO_LARGE,
			"The form's model came too late: what stands before it must be held, and "
			"is larger than `limits.bodyBytes`. Send the field \"model\" first.");
		return false;
	}
	if (!call_reserve(c->in, call, piece.len) || buf_add_span(&call->body, piece) != 0) {
		refuse(c, VERDICT_OVERLOADED);
		return false;
	}
	return true;
}

/* Judges a piece of the form. False: it was refused. */
static bool
take(struct conn *c, struct span piece)
{
	struct call *call = c->call;
	struct multipart *form = &call->upload->form;
	size_t closing = form->closing_len;

	if (multipart_feed(form, piece) != MULTIPART_OK) {
		refuse(c, decide_form_fault(form, &call->decision));
		return false;
	}
	if (form->has_model) /* for the log, when it came too late for decide_form */
		snprintf(call->decision.model, sizeof(call->decision.model), "%.*s",
			 DECIDE_MODEL_MAX, form->model);
	return keep(c, span_cut(piece, 0, piece.len - (form->closing_len - closing)));
}

/* The body is over. False: it was refused. */
static bool
end(struct conn *c)
{
	struct multipart *form = &c->call->upload->form;

	if (multipart_end(form) != MULTIPART_OK) {
		refuse(c, decide_form_fault(form, &c->call->decision));
		return false;
	}
	if (!keep(c, (struct span){form->closing, form->closing_len}))
		return false;
	c->call->upload->whole = true;
	return true;
}

/* ---- the body's framing ---- */

static bool
take_counted(struct conn *c, struct span in)
{
	struct upload *u = c->call->upload;

	if (in.len > u->left) {
		refuse_why(c, VERDICT_MALFORMED_REQUEST,
			   "Bytes came behind the upload; send one request at a time.");
		return false;
	}
	u->left -= in.len;
	return take(c, in) && (u->left > 0 || end(c));
}

static bool
take_chunks(struct conn *c, struct span in)
{
	enum chunked_event ev;
	size_t at = 0;

	do {
		struct span data;
		size_t used;

		ev = chunked_feed(&c->call->chunked, in.ptr + at, in.len - at, &used, &data);
		at += used;
		if (ev == CHUNKED_DATA && !take(c, data))
			return false;
	} while (ev == CHUNKED_DATA);
	if (ev == CHUNKED_TOO_LARGE) {
		refuse_size(c);
		return false;
	}
	if (ev == CHUNKED_BAD || (ev == CHUNKED_END && at < in.len)) {
		refuse_why(c, VERDICT_MALFORMED_REQUEST, http_fault_text(HTTP_BAD_CHUNK));
		return false;
	}
	return ev != CHUNKED_END || end(c);
}

void
upload_came(struct conn *c, struct span in)
{
	bool good =
		c->call->request.framing == HTTP_CHUNKED ? take_chunks(c, in) : take_counted(c, in);

	if (good)
		send_on(c);
}

bool
upload_begin(struct conn *c)
{
	struct call *call = c->call;
	const struct http_field *type = http_find(&call->request, "content-type");
	uint64_t max = c->in->plan.upload_bytes;
	struct upload *u;
	struct span boundary;

	if (call->request.framing == HTTP_LENGTH && call->request.length > max) {
		refuse_size(c);
		return false;
	}
	if (!part_boundary(type->value, &boundary))
		abort(); /* decide_head has seen to it */
	u = calloc(1, sizeof(*u));
	if (u == NULL)
		abort();
	call->upload = u;
	multipart_init(&u->form, boundary, decide_form_denies(c->in, &call->decision), c->in);
	u->left = u->length = call->request.framing == HTTP_LENGTH ? call->request.length : 0;
	chunked_init(&call->chunked, max);
	buf_init(&call->body, c->in->plan.body_bytes + BODY_READ_BYTES + sizeof(u->form.closing));
	return true;
}

void
upload_read(struct conn *c)
{
	static char came[BODY_READ_BYTES];
	bool counted = c->call->request.framing == HTTP_LENGTH;
	size_t left = c->call->upload->left;
	ssize_t n =
		recv(c->client.fd, came, counted && left < sizeof(came) ? left : sizeof(came), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		conn_abort(c, "client_gone");
		return;
	}
	conn_body_came(c, (size_t)n);
	upload_came(c, (struct span){came, (size_t)n});
}

bool
upload_is_open(const struct conn *c)
{
	return c->call != NULL && c->call->upload != NULL && !c->call->upload->whole;
}

bool
upload_wants(const struct conn *c)
{
	return upload_is_open(c) && !c->answer_done && c->call->body.len == 0 && c->up.len == 0;
}
