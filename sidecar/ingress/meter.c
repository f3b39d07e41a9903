/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ingress/meter.h"

enum form {
	FORM_NONE,
	FORM_UNREADABLE, /* there may be something, where we cannot look */
	FORM_JSON,
	FORM_SSE,
	FORM_FRAMES,
};

/* Where an operation's answers hold their usage; an operation that is not here uses no tokens. */
static const struct meter_operation {
	const struct meter_object *plain, *event; /* NULL: not of this form */
	bool frames;
	enum meter_frames_kind kind;
	bool input_only;
} operations[OPERATIONS] = {
	[OPERATION_CHAT] = {.plain = &meter_usage_answer, .event = &meter_usage_answer},
	[OPERATION_COMPLETIONS] = {.plain = &meter_usage_answer, .event = &meter_usage_answer},
	[OPERATION_RESPONSES] = {.plain = &meter_usage_answer, .event = &meter_usage_response},
	[OPERATION_EMBEDDINGS] = {.plain = &meter_usage_answer, .input_only = true},
	[OPERATION_RERANK] = {.plain = &meter_usage_rerank, .input_only = true},
	[OPERATION_MESSAGES] = {.plain = &meter_usage_answer, .event = &meter_usage_message},
	[OPERATION_CONVERSE] = {.plain = &meter_usage_answer},
	[OPERATION_CONVERSE_STREAM] = {.plain = &meter_usage_answer,
				       .frames = true,
				       .kind = METER_CONVERSE},
	[OPERATION_INVOKE] = {.plain = &meter_usage_invoke},
	[OPERATION_INVOKE_STREAM] = {.plain = &meter_usage_answer,
				     .frames = true,
				     .kind = METER_INVOKE},
	[OPERATION_IMAGES] = {.plain = &meter_usage_answer, .event = &meter_usage_answer},
	[OPERATION_AUDIO] = {.plain = &meter_usage_answer, .event = &meter_usage_answer},
};

/* Only what makes a model work: not a look at what it made before, not a count beforehand. */
static bool
uses_tokens(const struct route *route)
{
	return operations[route->operation].plain != NULL && strcmp(route->method, "POST") == 0 &&
	       route->body != BODY_NONE && route->body != BODY_NO_MEMBERS &&
	       !span_ends(span_of(route->path), SPAN("/input_tokens"));
}

static enum form
form_of(const struct meter_operation *o, const struct http_field *fields, size_t n)
{
	struct span type = http_value(fields, n, "content-type");
	struct span coding = http_value(fields, n, "content-encoding");

	type = span_trim(span_cut(type, 0, span_find(type, 0, ';')));
	if (coding.len > 0 && !span_iis(coding, "identity"))
		return FORM_UNREADABLE;
	if (span_iis(type, "application/json"))
		return FORM_JSON;
	if (o->event != NULL && span_iis(type, "text/event-stream"))
		return FORM_SSE;
	if (o->frames && span_iis(type, "application/vnd.amazon.eventstream"))
		return FORM_FRAMES;
	return FORM_UNREADABLE;
}

/* Invoke's bodies are each model's own; Bedrock counts for all of them in the head. */
static void
take_headers(struct meter *m, const struct http_field *fields, size_t n)
{
	struct span in = http_value(fields, n, "x-amzn-bedrock-input-token-count");
	struct span out = http_value(fields, n, "x-amzn-bedrock-output-token-count");

	if (in.len > 0)
		meter_usage_set(&m->sum, METER_HEADER_INPUT, in);
	if (out.len > 0)
		meter_usage_set(&m->sum, METER_HEADER_OUTPUT, out);
}

void
meter_expect(struct meter *m, const struct route *route)
{
	m->form = uses_tokens(route) ? FORM_UNREADABLE : FORM_NONE;
}

void
meter_forget(struct meter *m)
{
	m->form = FORM_NONE;
}

void
meter_begin(struct meter *m, const struct route *route, unsigned status,
	    const struct http_field *fields, size_t nfields)
{
	const struct meter_operation *o = &operations[route->operation];

	*m = (struct meter){.form = FORM_NONE, .input_only = o->input_only};
	if (!uses_tokens(route) || status < 200 || status > 299)
		return;
	m->form = (uint8_t)form_of(o, fields, nfields);
	if (route->operation == OPERATION_INVOKE)
		take_headers(m, fields, nfields);
	if (m->form == FORM_JSON)
		meter_json_init(&m->as.json, o->plain, NULL, NULL);
	else if (m->form == FORM_SSE)
		meter_sse_init(&m->as.sse, o->event);
	else if (m->form == FORM_FRAMES)
		meter_frames_init(&m->as.frames, o->kind);
}

void
meter_feed(struct meter *m, struct span piece)
{
	switch ((enum form)m->form) {
	case FORM_JSON:
		meter_json_feed(&m->as.json, piece);
		break;
	case FORM_SSE:
		meter_sse_feed(&m->as.sse, &m->sum, piece);
		break;
	case FORM_FRAMES:
		meter_frames_feed(&m->as.frames, &m->sum, piece);
		break;
	default:
		break;
	}
}

/* Adds what waited for the end of the body, or of an event. */
static void
finish(struct meter *m, bool whole)
{
	/* A body that is no JSON object leaves what the head said. */
	if (m->form == FORM_JSON && meter_json_done(&m->as.json))
		meter_usage_add(&m->sum, &m->as.json.found);
	else if (m->form == FORM_SSE && whole)
		meter_sse_end(&m->as.sse, &m->sum);
}

bool
meter_is_over(const struct meter *m)
{
	if (m->form == FORM_FRAMES)
		return m->sum.last && !m->as.frames.broken;
	return m->form == FORM_SSE && m->as.sse.done;
}

/*
 * Whether all was said that will be. Many agents hang up once they have the last event, before the
 * stream ends; but numbers that may still grow, from a stream that broke, are none.
 */
static bool
is_final(const struct meter *m, bool whole)
{
	switch ((enum form)m->form) {
	case FORM_JSON:
		return whole || meter_json_done(&m->as.json);
	case FORM_SSE:
		/* A response's is of its last event; of chat and messages there may be several. */
		return (m->sum.last || m->as.sse.root == &meter_usage_answer) &&
		       (m->as.sse.root == &meter_usage_response || whole || m->as.sse.done);
	case FORM_FRAMES:
		return m->sum.last && !m->as.frames.broken;
	default:
		return whole; /* what the head said, if it did */
	}
}

enum meter_result
meter_end(struct meter *m, bool whole, struct usage *out)
{
	bool is_said;

	*out = (struct usage){0};
	if (m->form == FORM_NONE)
		return METER_NONE;
	finish(m, whole);
	is_said = meter_usage_sum(&m->sum, m->input_only, out);
	return is_said && is_final(m, whole) ? METER_KNOWN : METER_UNKNOWN;
}
