/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingress/call.h"

#include "base/log.h"
#include "policy/access/headers.h"

struct call *
call_new(struct ingress *in)
{
	struct call *c = calloc(1, sizeof(*c));

	if (c == NULL)
		abort();
	snprintf(c->id, sizeof(c->id), "%010llx%010llx", in->id_prefix & 0xffffffffffULL,
		 in->id_count++ & 0xffffffffffULL);
	c->start_us = loop_clock_us();
	return c;
}

void
call_free(struct ingress *in, struct call *c)
{
	if (c == NULL)
		return;
	in->buffered -= c->reserved;
	buf_free(&c->body);
	buf_free(&c->list_head);
	buf_free(&c->list);
	free(c);
}

struct span
call_id(const struct call *c)
{
	return (struct span){c->id, CALL_ID_LEN};
}

bool
call_reserve(struct ingress *in, struct call *c, uint64_t n)
{
	if (n > in->plan.buffer_total || in->buffered > in->plan.buffer_total - n)
		return false;
	in->buffered += n;
	c->reserved += n;
	return true;
}

void
call_rewrite_model(struct call *c)
{
	struct span at = c->decision.rewrite_at;
	size_t before = (size_t)(at.ptr - c->content.ptr);
	struct buf b;

	buf_init(&b, c->content.len + 8 * c->decision.rewrite_to.len + 16);
	(void)buf_add(&b, c->content.ptr, before);
	(void)buf_add_json(&b, c->decision.rewrite_to);
	(void)buf_add(&b, at.ptr + at.len, c->content.len - before - at.len);
	buf_free(&c->body);
	c->body = b;
	c->content = buf_span(&c->body);
	c->decision.rewrite_to.ptr = NULL;
}

void
call_sent(const struct call *c, struct frame_call *out, struct http_field *passing)
{
	*out = (struct frame_call){
		.target = c->decision.target,
		.dialect = (uint8_t)c->decision.spoken,
		.operation = (uint8_t)c->decision.route->operation,
		.method = c->request.method,
		.path = c->decision.rest,
		.has_query = c->request.has_query,
		.query = c->request.query,
		.fields = passing,
		.has_body = c->request.framing != HTTP_NO_BODY,
		.body_len = c->content.len,
	};
	for (size_t i = 0; i < c->request.nfields; i++) {
		const struct http_field *field = &c->request.fields[i];

		if (header_request_passes(field->name) &&
		    !http_is_nominated(&c->request, field->name))
			passing[out->nfields++] = *field;
	}
}

int
call_frame(const struct call *c, struct buf *up)
{
	struct http_field passing[HTTP_FIELDS_MAX];
	struct frame_call f;

	call_sent(c, &f, passing);
	return frame_add(up, FRAME_CALL, &frame_call_type, &f);
}

void
call_frame_body(struct call *c, struct buf *up)
{
	struct span piece = span_cut(c->content, c->sent, c->sent + FRAME_BODY_MAX);

	if (piece.len > 0 && frame_add_bytes(up, FRAME_BODY, piece) != 0)
		return; /* up is full: again when it has drained */
	c->sent += piece.len;
	if (c->sent == c->content.len &&
	    frame_add_bytes(up, FRAME_END, (struct span){NULL, 0}) == 0)
		c->end_sent = true;
}

void
call_note_head(struct call *c, const struct frame_head *head)
{
	static const char *const names[] = {"x-request-id",      "request-id",
					    "x-amzn-requestid",  "apim-request-id",
					    "x-litellm-call-id", "cf-ray"};

	c->status = head->status;
	c->first_byte_us = loop_clock_us();
	for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++)
		for (size_t i = 0; i < head->nfields; i++)
			if (span_iis(head->fields[i].name, names[n])) {
				snprintf(c->upstream_id, sizeof(c->upstream_id), "%.*s",
					 (int)head->fields[i].value.len, head->fields[i].value.ptr);
				return;
			}
}

void
call_log(const struct ingress *in, const struct call *c)
{
	const struct decision *d = &c->decision;
	bool routed = d->route != NULL, sent = c->code == NULL || c->end_sent;
	uint64_t now = loop_clock_us();

	log_say(LOG_INFO, "call", LOG_S("request_id", call_id(c)), LOG_C("caller", "local"),
		LOG_C("dialect", dialect_name(d->dialect)),
		LOG_C("operation", routed ? operation_name(d->route->operation) : ""),
		LOG_S("target", routed && sent ? in->plan.targets[d->target].name : SPAN("")),
		LOG_C("model", d->model), LOG_U("status", c->status),
		LOG_C("code", c->code == NULL ? "" : c->code), LOG_U("bytes_in", c->bytes_in),
		LOG_U("bytes_out", c->bytes_out),
		LOG_IF(c->first_byte_us != 0,
		       LOG_U("first_byte_ms", (c->first_byte_us - c->start_us) / 1000)),
		LOG_U("total_ms", (now - c->start_us) / 1000),
		LOG_IF(c->upstream_id[0] != '\0', LOG_C("upstream_request_id", c->upstream_id)));
}
