/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingress/call.h"

#include "base/log.h"
#include "ingress/admission.h"
#include "ingress/metrics.h"
#include "ingress/recent.h"
#include "policy/access/headers.h"

/* A number that counted up would tell each caller how many calls the others make. */
static void
set_id(struct ingress *in, struct call *c)
{
	uint64_t halves[DIGEST_BYTES / sizeof(uint64_t)];

	in->ids.count++;
	digest_sha256((struct span){(const char *)&in->ids, sizeof(in->ids)},
		      (unsigned char *)halves);
	snprintf(c->id, sizeof(c->id), "%010llx%010llx", halves[0] & 0xffffffffffULL,
		 halves[1] & 0xffffffffffULL);
}

struct call *
call_new(struct ingress *in)
{
	struct call *c = calloc(1, sizeof(*c));

	if (c == NULL)
		abort();
	set_id(in, c);
	c->start_us = loop_clock_us();
	c->decision.target = PLAN_NONE;
	c->decision.rule = -1;
	c->decision.caller = CALLER_NONE;
	return c;
}

void
call_free(struct ingress *in, struct call *c)
{
	if (c == NULL)
		return;
	admission_give(in, c);
	call_release(in, c, c->reserved);
	buf_free(&c->body);
	buf_free(&c->list_head);
	buf_free(&c->list);
	free(c->upload);
	free(c);
}

struct span
call_id(const struct call *c)
{
	return (struct span){c->id, CALL_ID_LEN};
}

/* Whether n more would leave less than half to the other callers. */
static bool
is_greedy(const struct ingress *in, const struct call *c, uint64_t n)
{
	uint64_t held = in->buffered_by[c->decision.caller + 1];

	return in->plan.ncallers > 1 && held > c->reserved && held + n > in->plan.buffer_total / 2;
}

bool
call_reserve(struct ingress *in, struct call *c, uint64_t n)
{
	struct span name = caller_name(in, c->decision.caller);

	if (n > in->plan.buffer_total / 2 || in->buffered > in->plan.buffer_total - 2 * n)
		return false;
	if (is_greedy(in, c, 2 * n)) {
		snprintf(c->decision.why, sizeof(c->decision.why),
			 "The bodies of the caller \"%.*s\" would take more than half of "
			 "`limits.bufferTotal`; send fewer large ones at a time, or ask the "
			 "operator to raise it.",
			 (int)name.len, name.ptr);
		return false;
	}
	in->buffered += 2 * n;
	in->buffered_by[c->decision.caller + 1] += 2 * n;
	c->reserved += 2 * n;
	return true;
}

void
call_release(struct ingress *in, struct call *c, uint64_t n)
{
	in->buffered -= n;
	in->buffered_by[c->decision.caller + 1] -= n;
	c->reserved -= n;
}

void
call_handed_over(struct ingress *in, struct call *c)
{
	if (c->content.ptr == NULL)
		return;
	buf_free(&c->body);
	c->content.ptr = NULL;
	call_release(in, c, c->reserved / 2);
}

struct edit {
	struct span at; /* a view into the body */
	struct span text;
};

/* Puts the edits in, which stand in their order; every other byte stays as it was. */
static void
apply(struct call *c, const struct edit *edits, size_t n)
{
	size_t from = 0, max = c->content.len;
	struct buf b;

	for (size_t i = 0; i < n; i++)
		max += edits[i].text.len;
	buf_init(&b, max);
	for (size_t i = 0; i < n; i++) {
		size_t to = (size_t)(edits[i].at.ptr - c->content.ptr);

		(void)buf_add_span(&b, span_cut(c->content, from, to));
		(void)buf_add_span(&b, edits[i].text);
		from = to + edits[i].at.len;
	}
	(void)buf_add_span(&b, span_cut(c->content, from, c->content.len));
	buf_free(&c->body);
	c->body = b;
	c->content = buf_span(&c->body);
}

void
call_rewrite(struct call *c)
{
	struct decision *d = &c->decision;
	struct edit edits[2], *last = edits;
	struct buf name;

	buf_init(&name, 8 * d->rewrite_to.len + 16);
	if (d->usage_text.ptr != NULL)
		*last++ = (struct edit){d->usage_at, d->usage_text};
	if (d->rewrite_to.ptr != NULL) {
		(void)buf_add_json(&name, d->rewrite_to);
		*last++ = (struct edit){d->rewrite_at, buf_span(&name)};
	}
	if (last == edits + 2 && edits[1].at.ptr < edits[0].at.ptr) {
		struct edit wish = edits[0];

		edits[0] = edits[1];
		edits[1] = wish;
	}
	if (last > edits)
		apply(c, edits, (size_t)(last - edits));
	buf_free(&name);
	d->rewrite_to.ptr = d->usage_text.ptr = NULL;
}

/* A state belongs to a valid parent or to nothing (W3C Trace Context, section 4.3). */
static bool
is_broken_trace(const struct call *c, struct span name)
{
	return c->trace_id[0] == '\0' &&
	       (span_iis(name, "traceparent") || span_iis(name, "tracestate"));
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
		.model = span_of(c->decision.model),
		.has_body = c->request.framing != HTTP_NO_BODY,
		.body_len = c->content.len,
	};
	if (c->upload != NULL) {
		out->streamed = true;
		out->chunked = c->request.framing == HTTP_CHUNKED;
		out->body_len = c->upload->length;
	}
	for (size_t i = 0; i < c->request.nfields; i++) {
		const struct http_field *field = &c->request.fields[i];

		if (header_request_passes(field->name) && !is_broken_trace(c, field->name) &&
		    !http_is_nominated(c->request.fields, c->request.nfields, field->name))
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
	bool open = c->upload != NULL && !c->upload->whole; /* more will come behind content */
	struct span piece;

	if (c->upload != NULL)
		c->content = buf_span(&c->body);
	piece = span_cut(c->content, c->sent, c->sent + FRAME_BODY_MAX);
	if (piece.len > 0 && frame_add_bytes(up, FRAME_BODY, piece) != 0)
		return; /* up is full: again when it has drained */
	c->sent += piece.len;
	if (!open && c->sent == c->content.len &&
	    frame_add_bytes(up, FRAME_END, (struct span){NULL, 0}) == 0)
		c->end_sent = true;
}

void
call_note_line(struct call *c, struct span came)
{
	struct span rest;

	if (!http_head_line(&c->request, came.ptr, came.len))
		return;
	c->decision.dialect = dialect_of(c->request.path, &rest);
	c->is_head = span_is(c->request.method, "HEAD");
}

void
call_note_trace(struct call *c)
{
	const struct http_field *f = http_find(&c->request, "traceparent");

	if (f != NULL && http_count(&c->request, "traceparent") == 1 &&
	    !http_is_nominated(c->request.fields, c->request.nfields, f->name))
		(void)trace_id(f->value, c->trace_id);
}

void
call_note_head(struct call *c, const struct frame_head *head)
{
	static const char *const names[] = {"x-request-id",      "request-id",
					    "x-amzn-requestid",  "apim-request-id",
					    "x-litellm-call-id", "cf-ray"};

	c->status = head->status;
	c->answered_by = head->target;
	c->first_byte_us = loop_clock_us();
	meter_begin(&c->meter, c->decision.route, head->status, head->fields, head->nfields);
	for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++)
		for (size_t i = 0; i < head->nfields; i++)
			if (span_iis(head->fields[i].name, names[n])) {
				snprintf(c->upstream_id, sizeof(c->upstream_id), "%.*s",
					 (int)head->fields[i].value.len, head->fields[i].value.ptr);
				return;
			}
}

void
call_note_written(struct call *c)
{
	if (c->overhead_us != 0 || c->first_byte_us == 0)
		return;
	c->overhead_us = loop_clock_us() - c->first_byte_us + 1; /* 0 is: not known */
	if (c->handed_us > c->whole_us)
		c->overhead_us += c->handed_us - c->whole_us;
}

/* ---- the end ---- */

static void
count(struct ingress *in, const struct call *c, uint64_t now)
{
	const struct decision *d = &c->decision;
	uint64_t first = c->first_byte_us != 0 ? c->first_byte_us - c->start_us : 0;
	bool routed = d->route != NULL;
	struct metrics_call m = {
		.target = d->target,
		.operation = (uint8_t)(routed ? d->route->operation : OPERATIONS),
		.status = c->status,
		.code = c->code,
		.us = now - c->start_us,
		.first_byte_us = first,
		.overhead_us = c->overhead_us,
		.now_ms = loop_now(in->loop),
	};
	struct recent_call r = {
		.time_ms = loop_wall_ms(),
		.target = m.target,
		.operation = m.operation,
		.caller = caller_name(in, d->caller),
		.dialect = dialect_name(d->dialect),
		.status = c->status,
		.code = c->code == NULL ? "" : c->code,
		.ms = m.us / 1000,
		.first_byte_ms = first / 1000,
		.bytes_in = c->bytes_in,
		.bytes_out = c->bytes_out,
	};

	_Static_assert(sizeof(r.id) == sizeof(c->id), "one id");
	_Static_assert(sizeof(r.model) == sizeof(d->model), "one model");
	memcpy(r.id, c->id, sizeof(r.id));
	memcpy(r.model, d->model, sizeof(r.model));
	metrics_call(in->metrics, &m);
	recent_put(in->recent, &r);
}

/* The one place where what a call used is known: whoever counts tokens is told from here. */
static void
call_usage(struct ingress *in, struct call *c)
{
	const struct decision *d = &c->decision;

	c->metered = meter_end(&c->meter, c->whole, &c->usage);
	if (c->metered == METER_UNKNOWN)
		metrics_usage_unknown(in->metrics);
	if (c->metered != METER_KNOWN)
		return;
	metrics_tokens(in->metrics, d->target, d->rule, TOKEN_INPUT, c->usage.input);
	metrics_tokens(in->metrics, d->target, d->rule, TOKEN_OUTPUT, c->usage.output);
}

/* The deployment that answered; empty: the target has none, or none did. */
static struct span
deployment_of(const struct ingress *in, const struct call *c)
{
	const struct ingress_target *by;

	if (c->first_byte_us == 0 || c->answered_by >= in->plan.ntargets)
		return SPAN("");
	by = &in->plan.targets[c->answered_by];
	return by->is_deployment && by->deployment_of == c->decision.target ? by->name : SPAN("");
}

static void
write_log(const struct ingress *in, const struct call *c, uint64_t now)
{
	const struct decision *d = &c->decision;
	struct span deployment = deployment_of(in, c);

	log_say(LOG_INFO, "call", LOG_S("request_id", call_id(c)),
		LOG_S("caller", caller_name(in, d->caller)),
		LOG_C("dialect", dialect_name(d->dialect)),
		LOG_C("operation", d->route != NULL ? operation_name(d->route->operation) : ""),
		LOG_S("target",
		      d->target != PLAN_NONE ? in->plan.targets[d->target].name : SPAN("")),
		LOG_IF(deployment.len > 0, LOG_S("deployment", deployment)),
		LOG_C("model", d->model), LOG_U("status", c->status),
		LOG_C("code", c->code == NULL ? "" : c->code), LOG_U("bytes_in", c->bytes_in),
		LOG_U("bytes_out", c->bytes_out),
		LOG_IF(c->first_byte_us != 0,
		       LOG_U("first_byte_ms", (c->first_byte_us - c->start_us) / 1000)),
		LOG_U("total_ms", (now - c->start_us) / 1000),
		LOG_IF(c->metered == METER_KNOWN, LOG_U("tokens_in", c->usage.input)),
		LOG_IF(c->metered == METER_KNOWN, LOG_U("tokens_out", c->usage.output)),
		LOG_IF(c->metered == METER_UNKNOWN, LOG_C("usage", "unknown")),
		LOG_IF(c->upstream_id[0] != '\0', LOG_C("upstream_request_id", c->upstream_id)),
		LOG_IF(c->trace_id[0] != '\0', LOG_C("trace_id", c->trace_id)));
}

void
call_over(struct ingress *in, struct call *c)
{
	uint64_t now = loop_clock_us();

	call_usage(in, c);
	admission_charge(in, c);
	count(in, c, now);
	write_log(in, c, now);
}
