/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "egress/outlet.h"

enum { HEAD_BYTES_MAX = 64 * 1024, TEXT_BYTES_MAX = 1024 * 1024 };

bool
outlet_reads(const struct frame_head *head)
{
	for (size_t i = 0; i < head->nfields; i++)
		if (span_iis(head->fields[i].name, "content-encoding") &&
		    !span_iis(head->fields[i].value, "identity"))
			return false;
	return true;
}

static bool
has_frames(const struct frame_head *head)
{
	for (size_t i = 0; i < head->nfields; i++)
		if (span_iis(head->fields[i].name, "content-type") &&
		    span_istarts(head->fields[i].value, SPAN("application/vnd.amazon.eventstream")))
			return true;
	return false;
}

/*
 * The fields of head but for those that have a secret in their name: with stars it would be
 * another field's.
 */
static size_t
clean_names(struct outlet *o, const struct frame_head *head, struct http_field *to)
{
	size_t n = 0;

	for (size_t i = 0; i < head->nfields; i++)
		if (!redact_is_in_name(o->redact.r, head->fields[i].name, &o->redact.found))
			to[n++] = head->fields[i];
	return n;
}

/* The values of head without secrets, in copies of theirs. 0 or -1. */
static int
clean_fields(struct outlet *o, struct frame_head *head, struct buf *copies)
{
	size_t all = 0;
	char *at;

	for (size_t i = 0; i < head->nfields; i++)
		all += head->fields[i].value.len;
	at = buf_room(copies, all + 1);
	if (at == NULL)
		return -1;
	buf_grew(copies, all);
	for (size_t i = 0; i < head->nfields; i++) {
		struct span *value = &head->fields[i].value;

		if (value->len > 0)
			memcpy(at, value->ptr, value->len);
		redact_text(o->redact.r, at, value->len, &o->redact.found);
		*value = (struct span){at, value->len};
		at += value->len;
	}
	return 0;
}

int
outlet_head(struct outlet *o, const struct redactor *r, const struct frame_head *head,
	    const struct outlet_sink *to, void *arg)
{
	struct http_field fields[HTTP_FIELDS_MAX] = {0};
	struct frame_head clean = *head;
	struct buf copies;
	int bad;

	o->redact.r = r;
	if (r == NULL)
		return to->head(arg, head);
	o->is_frames = has_frames(head);
	o->has_length = head->has_length;
	o->left = head->length;
	clean.fields = fields;
	clean.nfields = clean_names(o, head, fields);
	buf_init(&copies, HEAD_BYTES_MAX);
	bad = clean_fields(o, &clean, &copies);
	if (bad == 0)
		bad = to->head(arg, &clean);
	buf_free(&copies);
	return bad;
}

static enum outlet_answer
pass(const struct outlet *o, struct span text, const struct outlet_sink *to, void *arg)
{
	if (o->is_frames && o->redact.found.matches > 0)
		return OUTLET_BROKEN;
	for (size_t at = 0; at < text.len; at += FRAME_BODY_MAX)
		if (to->data(arg, span_cut(text, at, at + FRAME_BODY_MAX)) != 0)
			return OUTLET_BROKEN;
	return OUTLET_TAKEN;
}

/* What is on its way through here; one process, one thread. */
static struct buf text;

/*
 * Of frames nothing is held when one is complete: what ends with its checksum is the beginning of
 * no secret, even if it looks like one.
 */
static int
feed_frames(struct outlet *o, struct span piece)
{
	size_t n;
	int bad = 0;

	for (size_t at = 0; at < piece.len && bad == 0; at += n) {
		struct span rest = span_cut(piece, at, piece.len);
		bool whole = false;

		n = frames_take(&o->frames, rest, &whole);
		rest = span_cut(rest, 0, n);
		bad = whole ? redact_last(&o->redact, rest, &text)
			    : redact_feed(&o->redact, rest, &text);
	}
	return bad;
}

static int
feed(struct outlet *o, struct span piece)
{
	o->left -= piece.len < o->left ? piece.len : o->left;
	if (o->is_frames)
		return feed_frames(o, piece);
	if (o->has_length && o->left == 0)
		return redact_last(&o->redact, piece, &text);
	return redact_feed(&o->redact, piece, &text);
}

enum outlet_answer
outlet_data(struct outlet *o, struct span piece, const struct outlet_sink *to, void *arg)
{
	enum outlet_answer answer = OUTLET_BROKEN;

	if (!to->ready(arg))
		return OUTLET_FULL;
	if (o->redact.r == NULL)
		return pass(o, piece, to, arg);
	if (text.max == 0)
		buf_init(&text, TEXT_BYTES_MAX);
	if (feed(o, piece) == 0)
		answer = pass(o, buf_span(&text), to, arg);
	buf_clear(&text, FRAME_BODY_MAX);
	return answer;
}

enum outlet_answer
outlet_end(struct outlet *o, const struct outlet_sink *to, void *arg)
{
	enum outlet_answer answer = OUTLET_BROKEN;

	if (text.max == 0)
		buf_init(&text, TEXT_BYTES_MAX);
	if (redact_end(&o->redact, &text) == 0)
		answer = pass(o, buf_span(&text), to, arg);
	buf_clear(&text, FRAME_BODY_MAX);
	outlet_stop(o);
	return answer;
}

void
outlet_stop(struct outlet *o)
{
	redact_stop(&o->redact);
	o->redact.r = NULL;
	o->has_length = o->is_frames = false;
	o->frames = (struct frames){0};
}
