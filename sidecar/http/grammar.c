/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	token       = 1*tchar
 *	tchar       = "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "." / "^" / "_" /
 *	              "`" / "|" / "~" / DIGIT / ALPHA
 *	field-value = *( VCHAR / SP / HTAB / obs-text )      ; obs-text = %x80-FF
 *	pct-encoded = "%" HEXDIG HEXDIG
 *	unreserved  = ALPHA / DIGIT / "-" / "." / "_" / "~"
 *	Host        = uri-host [ ":" port ]
 */
#include <stdint.h>

#include "base/ascii.h"
#include "base/ip.h"
#include "base/num.h"
#include "base/utf8.h"
#include "http/grammar.h"

/* Sums of enum grammar_bit. tests/unit/test_grammar.c derives each entry from the RFCs anew. */
const unsigned char grammar_class[256] = {
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x02, 0x0f, 0x02, 0x03, 0x0f, 0x0f, 0x0f, 0x0f, 0x0e, 0x0e, 0x0f, 0x0f, 0x0e,
	0x1f, 0x1f, 0x0e, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x0e, 0x0e,
	0x02, 0x0e, 0x02, 0x06, 0x0e, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x1f, 0x1f, 0x1f, 0x1f,
	0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f,
	0x1f, 0x0e, 0x06, 0x0e, 0x07, 0x1f, 0x07, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x1f, 0x1f,
	0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f,
	0x1f, 0x1f, 0x1f, 0x06, 0x07, 0x06, 0x1f, 0x00, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02,
	0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02,
	0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02,
	0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02,
	0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02,
	0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02,
	0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02,
	0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02,
	0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02,
	0x02,
};

static bool
all_of(struct span s, unsigned bit)
{
	for (size_t i = 0; i < s.len; i++)
		if ((grammar_class[(unsigned char)s.ptr[i]] & bit) == 0)
			return false;
	return true;
}

bool
grammar_is_token(struct span s)
{
	return s.len > 0 && all_of(s, GRAMMAR_TCHAR);
}

bool
grammar_is_field_value(struct span s)
{
	return span_trim(s).len == s.len && all_of(s, GRAMMAR_FIELD);
}

/* The byte that the percent-triplet at s.ptr[at] means, or -1. */
static int
triplet(struct span s, size_t at)
{
	const char *p = s.ptr + at;

	if (s.len - at < 3 || !ascii_is_hex(p[1]) || !ascii_is_hex(p[2]))
		return -1;
	return (int)(ascii_hex(p[1]) << 4 | ascii_hex(p[2]));
}

/* A segment of a path as an upstream would see it after one decoding. */
struct segment {
	size_t len;  /* bytes up to a ';' */
	bool dots;   /* all of them dots */
	bool params; /* behind a ';' */
};

static void
segment_add(struct segment *g, unsigned char c)
{
	if (c == ';')
		g->params = true;
	if (g->params)
		return;
	g->len++;
	g->dots = g->dots && c == '.';
}

static bool
segment_is_good(const struct segment *g)
{
	return g->len > 0 && !(g->dots && g->len <= 2);
}

bool
grammar_is_path(struct span s, bool slashes)
{
	static const struct segment fresh = {.dots = true};
	struct segment g = fresh;

	if (s.len == 0 || s.ptr[0] != '/')
		return false;
	for (size_t i = 1; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		bool ends = c == '/';

		if ((grammar_class[c] & GRAMMAR_PATH) == 0)
			return false;
		if (c == '%') {
			int byte = triplet(s, i);

			/* An encoded '%' would be decoded twice by somebody. */
			if (byte < 0x20 || byte == 0x7f || byte == '%' || byte == '\\')
				return false;
			ends = byte == '/';
			if (ends && !slashes)
				return false;
			c = (unsigned char)byte;
			i += 2;
		}
		if (!ends) {
			segment_add(&g, c);
			continue;
		}
		if (!segment_is_good(&g))
			return false;
		g = fresh;
	}
	return s.ptr[s.len - 1] == '/' || segment_is_good(&g);
}

bool
grammar_is_query(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if ((grammar_class[(unsigned char)s.ptr[i]] & GRAMMAR_TARGET) == 0)
			return false;
		if (s.ptr[i] == '%' && triplet(s, i) < 0)
			return false;
	}
	return true;
}

/* "[" IPv6address "]": the C library knows its many forms; a zone is not one of them. */
static bool
is_ipv6_literal(struct span s)
{
	unsigned char bytes[16];

	return span_ends(s, SPAN("]")) && ip_parse(span_cut(s, 1, s.len - 1), bytes) == AF_INET6;
}

bool
grammar_split_host(struct span s, struct span *host, unsigned *port)
{
	bool literal = s.len > 0 && s.ptr[0] == '[';
	size_t end = literal ? span_find(s, 0, ']') : 0;
	size_t colon = span_find(s, end, ':');
	struct span name = span_cut(s, 0, colon);
	uint64_t number = 0;

	if (literal ? !is_ipv6_literal(name) : name.len == 0 || !all_of(name, GRAMMAR_NAME))
		return false;
	if (colon < s.len &&
	    (s.len - colon > 6 || num_u64(span_cut(s, colon + 1, s.len), 65535, &number) != 0 ||
	     number == 0))
		return false;
	*host = name;
	*port = (unsigned)number;
	return true;
}

size_t
grammar_utf8_run(struct span s, size_t from)
{
	const unsigned char *p = (const unsigned char *)s.ptr;

	while (from < s.len && p[from] >= 0x80) {
		size_t n = utf8_length(p + from, s.len - from);

		if (n == 0)
			break;
		from += n;
	}
	return from;
}

bool
grammar_is_utf8(struct span s)
{
	if (span_starts(s, SPAN("\xef\xbb\xbf")))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if ((unsigned char)s.ptr[i] < 0x80)
			continue;
		size_t next = grammar_utf8_run(s, i);

		if (next == i)
			return false;
		i = next - 1;
	}
	return true;
}
