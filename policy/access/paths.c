/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/access/paths.h"

#include "base/num.h"
#include "http/grammar.h"

/* Ends of an apiBase, and the beginning of a path that repeats them. The longest comes first. */
static const struct {
	const char *end, *begin;
} overlaps[] = {
	/* A v1 resource has the classic paths too, beside /openai/v1. */
	{"/openai/v1", "/openai/"},
	{"/openai", "/openai/"},
	{"/v1", "/v1/"},
};

int
paths_join(struct buf *out, struct span base, struct span path)
{
	for (size_t i = 0; i < sizeof(overlaps) / sizeof(overlaps[0]); i++) {
		struct span end = span_of(overlaps[i].end);

		if (!span_ends(base, end) || !span_starts(path, span_of(overlaps[i].begin)))
			continue;
		base = span_cut(base, 0, base.len - end.len);
		break;
	}
	return buf_add_span(out, base) | buf_add_span(out, path);
}

bool
paths_is_classic(enum provider p, struct span base)
{
	return p == PROVIDER_AZURE && (base.len == 0 || span_ends(base, SPAN("/openai")));
}

/* The unreserved characters of RFC 3986 section 2.3 stay; all others would need a judgement. */
static int
add_segment(struct buf *out, struct span name)
{
	int bad = 0;

	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.ptr[i];

		bad |= (grammar_class[c] & GRAMMAR_NAME) != 0 ? buf_add_char(out, name.ptr[i])
							      : buf_addf(out, "%%%02X", c);
	}
	return bad;
}

int
paths_classic(struct buf *out, struct span method, struct span path, struct span model)
{
	static const char deployments[] = "/openai/deployments/";
	size_t start = out->len;
	const struct route *route;
	bool known;
	int bad;

	bad = buf_add_str(out, deployments);
	bad |= model.len > 0 ? add_segment(out, model) : buf_add_char(out, '-');
	bad |= buf_add_span(out, path);
	route = route_find(DIALECT_AZURE, method, span_cut(buf_span(out), start, out->len), &known);
	if (route == NULL) {
		buf_keep(out, start);
		bad = buf_add_str(out, "/openai") | buf_add_span(out, path);
		route = route_find(DIALECT_AZURE, method, span_cut(buf_span(out), start, out->len),
				   &known);
	} else if (model.len == 0) {
		bad = -1;
	}
	if (bad == 0 && route != NULL &&
	    grammar_is_path(span_cut(buf_span(out), start, out->len), false))
		return 0;
	buf_keep(out, start);
	return -1;
}

int
paths_decode(struct span segment, char *out, size_t max, size_t *len)
{
	size_t n = 0;

	for (size_t at = 0; at < segment.len; at++) {
		uint64_t byte = (unsigned char)segment.ptr[at];

		if (n == max)
			return -1;
		if (byte == '%') {
			if (num_hex(span_cut(segment, at + 1, at + 3), 0xff, &byte) != 0)
				return -1;
			at += 2;
		}
		out[n++] = (char)byte;
	}
	out[n] = '\0';
	*len = n;
	return 0;
}

int
paths_rename(struct buf *out, struct span path, struct span segment, struct span name, bool slashes)
{
	size_t start = out->len, at = (size_t)(segment.ptr - path.ptr);
	int bad;

	bad = buf_add_span(out, span_cut(path, 0, at));
	bad |= add_segment(out, name);
	bad |= buf_add_span(out, span_cut(path, at + segment.len, path.len));
	if (bad == 0 && name.len > 0 &&
	    grammar_is_path(span_cut(buf_span(out), start, out->len), slashes))
		return 0;
	buf_keep(out, start);
	return -1;
}
