/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ingress/meter_json.h"

#include "base/num.h"

enum step {
	STEP_ROOT,  /* the document's brace is due */
	STEP_FIRST, /* a name, or the end of an empty object */
	STEP_NAME,  /* a name */
	STEP_COLON,
	STEP_VALUE,
	STEP_AFTER, /* a comma, or the end of the object */
	STEP_DONE,
	STEP_FAULT,
	/* Within a token: blanks count from here on. */
	STEP_IN_NAME,
	STEP_IN_STRING,
	STEP_IN_TEXT,
	STEP_IN_SCALAR,
	STEP_IN_SKIPPED,
	STEP_IN_SKIPPED_STRING,
};

/* What ends a run outside of strings: blanks between tokens, and what opens or closes. */
enum mark { MARK_BLANK = 1, MARK_NEXT = 2, MARK_NEST = 4 };

static const unsigned char marks[256] = {
	[' '] = MARK_BLANK, ['\t'] = MARK_BLANK, ['\n'] = MARK_BLANK, ['\r'] = MARK_BLANK,
	[','] = MARK_NEXT,  [':'] = MARK_NEXT,   ['"'] = MARK_NEST,   ['{'] = MARK_NEST,
	['['] = MARK_NEST,  ['}'] = MARK_NEST,   [']'] = MARK_NEST,
};

static unsigned char
mark_of(char c)
{
	return marks[(unsigned char)c];
}

/* ---- strings ---- */

/*
 * From within a string: its closing quote, or end when it goes on there. Every quote is looked at
 * once, and every backslash in front of one.
 */
static const char *
string_end(struct meter_json *j, const char *p, const char *end)
{
	if (j->escaped && p < end) {
		j->escaped = false;
		p++;
	}
	while (p < end) {
		const char *quote = memchr(p, '"', (size_t)(end - p));
		const char *stop = quote == NULL ? end : quote, *back = stop;

		while (back > p && back[-1] == '\\')
			back--;
		if ((stop - back) % 2 == 0)
			return stop;
		if (quote == NULL) {
			j->escaped = true;
			return end;
		}
		p = quote + 1;
	}
	return end;
}

/* Keeps what fits; what is longer, or has an escape, is no word that anyone looks for. */
static void
add_word(struct meter_json *j, const char *from, const char *to)
{
	size_t n = (size_t)(to - from);

	if (n > (size_t)METER_WORD_MAX - 1 - j->word_len || memchr(from, '\\', n) != NULL) {
		j->word_len = METER_WORD_MAX - 1; /* and no byte more: longer than any name */
		j->word[0] = '\0';
		return;
	}
	memcpy(j->word + j->word_len, from, n);
	j->word_len = (uint8_t)(j->word_len + n);
}

static const char *
in_name(struct meter_json *j, const char *p, const char *end)
{
	const char *stop = string_end(j, p, end);
	const struct meter_object *here = j->path[j->depth - 1];

	add_word(j, p, stop);
	if (stop == end)
		return end;
	j->step = STEP_COLON;
	for (size_t i = 0; i < here->n; i++)
		if (span_is((struct span){j->word, j->word_len}, here->members[i].name))
			j->member = &here->members[i];
	if (j->member != NULL && j->member->kind == METER_MARK) {
		j->found.mark = true;
		j->member = NULL;
	}
	return stop + 1;
}

static const char *
in_text(struct meter_json *j, const char *p, const char *end)
{
	const char *stop = string_end(j, p, end);
	struct span piece = {p, (size_t)(stop - p)};

	if (memchr(p, '\\', piece.len) != NULL)
		j->found.bad = true;
	j->text(j->arg, piece);
	if (stop == end)
		return end;
	j->step = STEP_AFTER;
	return stop + 1;
}

static const char *
in_string(struct meter_json *j, const char *p, const char *end)
{
	const char *stop = string_end(j, p, end);

	if (stop == end)
		return end;
	j->step = j->step == STEP_IN_STRING ? STEP_AFTER : STEP_IN_SKIPPED;
	return stop + 1;
}

/* ---- scalars ---- */

static void
take_number(struct meter_json *j, unsigned i, struct span word)
{
	struct meter_numbers *f = &j->found;
	uint64_t v;

	if (num_u64(word, METER_COUNT_MAX, &v) != 0 || (word.len > 1 && word.ptr[0] == '0')) {
		f->bad = true;
		return;
	}
	/* Of two, readers take the first, the last, or neither: no ground for a bill. */
	f->bad = f->bad || ((f->seen >> i & 1) != 0 && f->value[i] != v);
	f->value[i] = v;
	f->seen = (uint16_t)(f->seen | 1U << i);
}

static const char *
in_scalar(struct meter_json *j, const char *p, const char *end)
{
	const char *stop = p;
	struct span word;

	while (stop < end && mark_of(*stop) == 0)
		stop++;
	if (j->member != NULL)
		add_word(j, p, stop);
	if (stop == end)
		return end;
	j->step = STEP_AFTER;
	word = (struct span){j->word, j->word_len};
	if (j->member == NULL || span_is(word, "null"))
		return stop;
	if (j->member->kind == METER_NUMBER)
		take_number(j, j->member->number, word);
	else
		j->found.bad = true;
	return stop;
}

/* ---- what is skipped ---- */

static void
skip_open(struct meter_json *j, bool array)
{
	uint64_t bit = UINT64_C(1) << (j->skipped % 64);

	if (j->skipped == METER_DEPTH) {
		j->step = STEP_FAULT;
		return;
	}
	if (array)
		j->arrays[j->skipped / 64] |= bit;
	else
		j->arrays[j->skipped / 64] &= ~bit;
	j->skipped++;
	j->step = STEP_IN_SKIPPED;
}

static void
skip_close(struct meter_json *j, bool array)
{
	j->skipped--;
	if ((j->arrays[j->skipped / 64] >> (j->skipped % 64) & 1) != (array ? 1 : 0))
		j->step = STEP_FAULT;
	else if (j->skipped == 0)
		j->step = STEP_AFTER;
}

static const char *
in_skipped(struct meter_json *j, const char *p, const char *end)
{
	while (p < end && (mark_of(*p) & MARK_NEST) == 0)
		p++;
	if (p == end)
		return end;
	if (*p == '"')
		j->step = STEP_IN_SKIPPED_STRING;
	else if (*p == '{' || *p == '[')
		skip_open(j, *p == '[');
	else
		skip_close(j, *p == ']');
	return p + 1;
}

/* ---- between tokens ---- */

static enum step
open_object(struct meter_json *j, const struct meter_object *object)
{
	if (j->depth == METER_PATH_MAX)
		return STEP_FAULT;
	j->path[j->depth++] = object;
	return STEP_FIRST;
}

static enum step
close_object(struct meter_json *j)
{
	return --j->depth == 0 ? STEP_DONE : STEP_AFTER;
}

static enum step
begin_name(struct meter_json *j)
{
	j->word_len = 0;
	j->member = NULL;
	return STEP_IN_NAME;
}

/* The first byte of a value. Returns how many bytes it used. */
static size_t
begin_value(struct meter_json *j, char c)
{
	const struct meter_member *m = j->member;

	j->word_len = 0;
	if (mark_of(c) == 0) {
		j->step = STEP_IN_SCALAR;
		return 0;
	}
	if (c == '{' && m != NULL && m->kind == METER_OBJECT) {
		j->found.last = j->found.last || m->last;
		j->step = (uint8_t)open_object(j, m->into);
		return 1;
	}
	if (c == '"' && m != NULL && m->kind == METER_TEXT) {
		j->step = STEP_IN_TEXT;
		return 1;
	}
	j->found.bad = j->found.bad || m != NULL;
	if (c == '"')
		j->step = STEP_IN_STRING;
	else if (c == '{' || c == '[')
		skip_open(j, c == '[');
	else
		j->step = STEP_FAULT;
	return 1;
}

/* A byte that is no blank, where a token begins. Returns how many bytes it used. */
static size_t
begin_token(struct meter_json *j, char c)
{
	enum step next = STEP_FAULT;

	switch ((enum step)j->step) {
	case STEP_ROOT:
		if (c == '{')
			next = open_object(j, j->path[0]);
		break;
	case STEP_FIRST:
		if (c == '"')
			next = begin_name(j);
		else if (c == '}')
			next = close_object(j);
		break;
	case STEP_NAME:
		if (c == '"')
			next = begin_name(j);
		break;
	case STEP_COLON:
		if (c == ':')
			next = STEP_VALUE;
		break;
	case STEP_VALUE:
		return begin_value(j, c);
	case STEP_AFTER:
		if (c == ',')
			next = STEP_NAME;
		else if (c == '}')
			next = close_object(j);
		break;
	default: /* STEP_DONE: nothing may follow */
		break;
	}
	j->step = (uint8_t)next;
	return 1;
}

static const char *
between(struct meter_json *j, const char *p, const char *end)
{
	while (p < end && mark_of(*p) == MARK_BLANK)
		p++;
	return p == end ? end : p + begin_token(j, *p);
}

/* ---- */

void
meter_json_init(struct meter_json *j, const struct meter_object *root, meter_text_fn *text,
		void *arg)
{
	*j = (struct meter_json){.path = {root}, .text = text, .arg = arg};
}

void
meter_json_feed(struct meter_json *j, struct span piece)
{
	const char *p = piece.ptr, *end = p + piece.len;

	while (p < end && j->step != STEP_FAULT) {
		switch ((enum step)j->step) {
		case STEP_IN_NAME:
			p = in_name(j, p, end);
			break;
		case STEP_IN_STRING:
		case STEP_IN_SKIPPED_STRING:
			p = in_string(j, p, end);
			break;
		case STEP_IN_TEXT:
			p = in_text(j, p, end);
			break;
		case STEP_IN_SCALAR:
			p = in_scalar(j, p, end);
			break;
		case STEP_IN_SKIPPED:
			p = in_skipped(j, p, end);
			break;
		default:
			p = between(j, p, end);
			break;
		}
	}
}

bool
meter_json_done(const struct meter_json *j)
{
	return j->step == STEP_DONE;
}
