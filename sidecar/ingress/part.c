/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ingress/part.h"

#include "base/ascii.h"
#include "base/num.h"
#include "http/grammar.h"

enum { BOUNDARY_MAX = 70 };

enum seen {
	SEEN_DISPOSITION = 1,
	SEEN_TYPE = 2,
	SEEN_LENGTH = 4,
	SEEN_ENCODING = 8,
};

/* ---- parameters: *( OWS ";" OWS name "=" value ) ---- */

struct parameter {
	struct span name, value;
	bool quoted;
};

/*
 * The next one of *rest. 1, 0 at the end, -1 when it is not one. A backslash would be an escape to
 * some parsers, and itself to others.
 */
static int
next_parameter(struct span *rest, struct parameter *out)
{
	struct span s = span_trim(*rest);
	size_t equals, end;

	if (s.len == 0)
		return 0;
	if (s.ptr[0] != ';')
		return -1;
	s = span_trim(span_cut(s, 1, s.len));
	equals = span_find(s, 0, '=');
	out->name = span_cut(s, 0, equals);
	if (equals == s.len || !grammar_is_token(out->name))
		return -1;
	s = span_cut(s, equals + 1, s.len);
	out->quoted = s.len > 0 && s.ptr[0] == '"';
	end = span_find(s, out->quoted, out->quoted ? '"' : ';');
	if (out->quoted && end == s.len)
		return -1;
	out->value = out->quoted ? span_cut(s, 1, end) : span_trim(span_cut(s, 0, end));
	if (span_find(out->value, 0, '\\') < out->value.len ||
	    (!out->quoted && !grammar_is_token(out->value)))
		return -1;
	*rest = span_cut(s, end + out->quoted, s.len);
	return 1;
}

/* What stands before the first parameter. */
static struct span
before_parameters(struct span value, struct span *rest)
{
	size_t end = span_find(value, 0, ';');

	*rest = span_cut(value, end, value.len);
	return span_trim(span_cut(value, 0, end));
}

static bool
is_utf8_charset(struct span charset)
{
	return span_iis(charset, "utf-8") || span_iis(charset, "us-ascii");
}

/* ---- Content-Disposition ---- */

static bool
is_name_char(char c)
{
	return ascii_is_alnum(c) || c == '_' || c == '-';
}

/* *( "[" *VCHAR "]" ) */
static bool
is_brackets(struct span s)
{
	bool open = false;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (c <= ' ' || c > '~' || c == '%')
			return false;
		if (c == '[' || c == ']') {
			if (open == (c == '['))
				return false;
			open = c == '[';
		} else if (!open) {
			return false;
		}
	}
	return !open;
}

static enum part_fault
take_name(struct part *p, struct span name)
{
	size_t n = 0;

	if (name.len > PART_NAME_MAX)
		return PART_NAME;
	while (n < name.len && is_name_char(name.ptr[n]))
		n++;
	if (n == 0 || !is_brackets(span_cut(name, n, name.len)))
		return PART_NAME;
	for (size_t i = 0; i < n; i++) {
		p->has_capitals |= ascii_is_upper(name.ptr[i]);
		p->name[i] = ascii_lower(name.ptr[i]);
	}
	p->name[n] = '\0';
	p->has_brackets = n < name.len;
	/* It tells some parsers which charset all other fields are in. */
	return span_is(name, "_charset_") ? PART_NAME : PART_OK;
}

/* A filename in which a parser that does not know quotes would find another name is refused. */
static bool
is_filename(struct span s)
{
	const struct span mark = SPAN("name=");

	for (size_t i = 0; i + mark.len <= s.len; i++)
		if (span_istarts(span_cut(s, i, s.len), mark))
			return false;
	return s.len == 0 || grammar_is_utf8(s);
}

static enum part_fault
take_filename(struct part *p, const struct parameter *a, bool *plain, bool *extended)
{
	bool star = span_iis(a->name, "filename*");
	bool *seen = star ? extended : plain;

	if (!star && !span_iis(a->name, "filename"))
		return PART_DISPOSITION;
	if (*seen || a->quoted == star || !is_filename(a->value))
		return PART_FILENAME;
	if (star && !span_istarts(a->value, SPAN("utf-8'")))
		return PART_FILENAME;
	*seen = p->is_file = true;
	return PART_OK;
}

static enum part_fault
take_disposition(struct part *p, struct span value)
{
	bool plain = false, extended = false;
	struct parameter a;
	struct span rest;
	enum part_fault fault;
	int more;

	if (!span_iis(before_parameters(value, &rest), "form-data") ||
	    next_parameter(&rest, &a) != 1 || !span_iis(a.name, "name") || !a.quoted)
		return PART_DISPOSITION;
	fault = take_name(p, a.value);
	while (fault == PART_OK && (more = next_parameter(&rest, &a)) != 0)
		fault = more < 0 ? PART_DISPOSITION : take_filename(p, &a, &plain, &extended);
	return fault;
}

/* ---- the other fields ---- */

static enum part_fault
take_type(struct part *p, struct span value)
{
	struct span rest, type = before_parameters(value, &rest);
	struct parameter a;
	int more;

	if (span_istarts(type, SPAN("multipart/")) || span_istarts(type, SPAN("message/")))
		return PART_TYPE;
	p->is_text = span_iis(type, "text/plain");
	while ((more = next_parameter(&rest, &a)) > 0)
		p->is_text = p->is_text && span_iis(a.name, "charset") && is_utf8_charset(a.value);
	p->is_text = p->is_text && more == 0;
	return PART_OK;
}

static enum part_fault
take_length(struct part *p, struct span value)
{
	p->has_length = true;
	return num_u64(value, INT64_MAX, &p->length) == 0 ? PART_OK : PART_FIELD;
}

static enum part_fault
take_encoding(struct part *p, struct span value)
{
	(void)p;
	return span_iis(value, "binary") || span_iis(value, "8bit") || span_iis(value, "7bit")
		       ? PART_OK
		       : PART_ENCODING;
}

static const struct {
	const char *name;
	enum seen bit;
	enum part_fault (*take)(struct part *p, struct span value);
} fields[] = {
	{"content-disposition", SEEN_DISPOSITION, take_disposition},
	{"content-type", SEEN_TYPE, take_type},
	{"content-length", SEEN_LENGTH, take_length}, /* okhttp's; multipart.c holds it to it */
	{"content-transfer-encoding", SEEN_ENCODING, take_encoding},
};

enum part_fault
part_line(struct part *p, struct span line)
{
	size_t colon = span_find(line, 0, ':');
	struct span name = span_cut(line, 0, colon);
	struct span value = span_trim(span_cut(line, colon + 1, line.len));

	if (colon == line.len || !grammar_is_token(name) || !grammar_is_field_value(value))
		return PART_LINE;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (!span_iis(name, fields[i].name))
			continue;
		if ((p->seen & fields[i].bit) != 0)
			return PART_FIELD;
		p->seen |= fields[i].bit;
		return fields[i].take(p, value);
	}
	return PART_FIELD;
}

enum part_fault
part_head_end(struct part *p)
{
	if ((p->seen & SEEN_TYPE) == 0)
		p->is_text = true;
	return (p->seen & SEEN_DISPOSITION) != 0 ? PART_OK : PART_DISPOSITION;
}

/* ---- the form's own type ---- */

static bool
is_boundary(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_name_char(s.ptr[i]) && strchr("'()+,./:=?", s.ptr[i]) == NULL)
			return false;
	return s.len > 0 && s.len <= BOUNDARY_MAX;
}

bool
part_boundary(struct span content_type, struct span *boundary)
{
	struct span rest, found = {NULL, 0};
	struct parameter a;
	bool charset = false;
	int more;

	if (!span_iis(before_parameters(content_type, &rest), "multipart/form-data"))
		return false;
	while ((more = next_parameter(&rest, &a)) > 0) {
		if (span_iis(a.name, "boundary") && found.ptr == NULL)
			found = a.value;
		else if (span_iis(a.name, "charset") && !charset && is_utf8_charset(a.value))
			charset = true;
		else
			return false;
	}
	if (more < 0 || found.ptr == NULL || !is_boundary(found))
		return false;
	*boundary = found;
	return true;
}
