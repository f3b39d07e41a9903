/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	stream = *( *line end )
 *	line   = ( ":" comment | name [ ":" [ SP ] value ] ) end
 *	end    = CRLF / LF / CR
 */
#include <string.h>

#include "ingress/meter_sse.h"

static const char field[] = "data:", mark[] = "[DONE]";

enum {
	FIELD_LEN = sizeof(field) - 1,
	MARK_LEN = sizeof(mark) - 1,
	MARK_NOT = 0xff,
};

/* The last event's type, in a stream of messages or of a response. */
static const char *const closing[] = {
	"message_stop",    "response.completed", "response.incomplete",
	"response.failed", "response.done", /* of some gateways */
};

enum step {
	STEP_LINE,  /* a line, or the LF of a CRLF, begins */
	STEP_FIELD, /* so far it is one of data */
	STEP_VALUE, /* behind the colon: one space does not count */
	STEP_DATA,
	STEP_OTHER, /* any other line */
};

/* ---- events ---- */

/* How much of word there is with piece, where *matched bytes of it were before. */
static void
match(uint8_t *matched, const char *word, size_t len, struct span piece)
{
	for (size_t i = 0; i < piece.len && *matched != MARK_NOT; i++)
		*matched = *matched < len && piece.ptr[i] == word[*matched]
				   ? (uint8_t)(*matched + 1)
				   : MARK_NOT;
}

static void
take_type(void *arg, struct span piece)
{
	struct meter_sse *s = arg;
	size_t room = sizeof(s->type) - s->type_len, n = piece.len < room ? piece.len : room;

	if (n > 0)
		memcpy(s->type + s->type_len, piece.ptr, n);
	s->type_len = (uint8_t)(s->type_len + n);
}

static bool
is_closing(const struct meter_sse *s)
{
	for (size_t i = 0; i < sizeof(closing) / sizeof(closing[0]); i++)
		if (span_is((struct span){s->type, s->type_len}, closing[i]))
			return true;
	return false;
}

static void
event_begin(struct meter_sse *s)
{
	meter_json_init(&s->json, s->root, take_type, s);
	s->data = false;
	s->marked = s->type_len = 0;
}

static void
event_end(struct meter_sse *s, struct meter_numbers *sum)
{
	bool closes = is_closing(s) && meter_json_done(&s->json);

	if (!s->data)
		return;
	s->done = s->done || s->marked == MARK_LEN || closes;
	/* Some gateways begin a response with zeros, which may still grow. */
	if (s->root == &meter_usage_response && !closes)
		s->json.found.last = false;
	/* Data that is no JSON says nothing of usage: some servers keep alive with such. */
	if (meter_json_done(&s->json))
		meter_usage_add(sum, &s->json.found);
	event_begin(s);
}

static void
event_data(struct meter_sse *s, struct span piece)
{
	match(&s->marked, mark, MARK_LEN, piece);
	meter_json_feed(&s->json, piece);
}

/* ---- lines ---- */

static const char *
line_end(const char *p, const char *end)
{
	const char *lf = memchr(p, '\n', (size_t)(end - p)), *stop = lf == NULL ? end : lf;
	const char *cr = memchr(p, '\r', (size_t)(stop - p));

	return cr == NULL ? stop : cr;
}

/* Where a line is due. Returns how many bytes it used. */
static size_t
line_begin(struct meter_sse *s, struct meter_numbers *sum, char c)
{
	bool paired = s->after_cr && c == '\n';

	s->after_cr = false;
	if (paired)
		return 1;
	if (c != '\n' && c != '\r') {
		s->matched = 0;
		s->step = STEP_FIELD;
		return 0;
	}
	s->after_cr = c == '\r';
	event_end(s, sum);
	return 1;
}

/* Within a field's name. Returns how many bytes it used. */
static size_t
line_name(struct meter_sse *s, char c)
{
	if (c != field[s->matched]) {
		s->step = STEP_OTHER;
		return 0;
	}
	if (++s->matched < FIELD_LEN)
		return 1;
	if (s->data)
		event_data(s, SPAN("\n"));
	s->data = true;
	s->step = STEP_VALUE;
	return 1;
}

static size_t
line_rest(struct meter_sse *s, const char *p, const char *end)
{
	const char *stop = line_end(p, end);

	if (s->step == STEP_DATA)
		event_data(s, (struct span){p, (size_t)(stop - p)});
	if (stop == end)
		return (size_t)(end - p);
	s->after_cr = *stop == '\r';
	s->step = STEP_LINE;
	return (size_t)(stop - p) + 1;
}

void
meter_sse_init(struct meter_sse *s, const struct meter_object *root)
{
	*s = (struct meter_sse){.root = root};
	event_begin(s);
}

void
meter_sse_feed(struct meter_sse *s, struct meter_numbers *sum, struct span piece)
{
	const char *p = piece.ptr, *end = p + piece.len;

	while (p < end) {
		switch ((enum step)s->step) {
		case STEP_LINE:
			p += line_begin(s, sum, *p);
			break;
		case STEP_FIELD:
			p += line_name(s, *p);
			break;
		case STEP_VALUE:
			p += *p == ' ' ? 1 : 0;
			s->step = STEP_DATA;
			break;
		case STEP_DATA:
		case STEP_OTHER:
			p += line_rest(s, p, end);
			break;
		}
	}
}

void
meter_sse_end(struct meter_sse *s, struct meter_numbers *sum)
{
	event_end(s, sum);
}
