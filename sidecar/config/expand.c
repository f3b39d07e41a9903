/* SPDX-License-Identifier: Apache-2.0 */
#include "config/expand.h"

#include "base/ascii.h"

enum { NAME_MAX_BYTES = 128 };

static const char *const reference_prefixes[] = {"${arn:", "${env:", "${file:"};

bool
expand_is_name(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (!ascii_is_letter(c) && c != '_' && (i == 0 || !ascii_is_digit(c)))
			return false;
	}
	return s.len > 0;
}

bool
expand_is_variable(struct span raw, struct span *name)
{
	struct span inner;

	if (raw.len < 4 || !span_starts(raw, SPAN("${")) || raw.ptr[raw.len - 1] != '}')
		return false;
	inner = span_cut(raw, 2, raw.len - 1);
	if (!expand_is_name(inner))
		return false;
	*name = inner;
	return true;
}

static bool
is_reference(struct span s)
{
	for (size_t i = 0; i < sizeof(reference_prefixes) / sizeof(reference_prefixes[0]); i++)
		if (span_starts(s, span_of(reference_prefixes[i])))
			return true;
	return false;
}

static const char *
look_up(struct span name, const struct environment *env)
{
	char text[NAME_MAX_BYTES + 1];

	return span_cstr(name, text, sizeof(text)) ? env->get(env->arg, text) : NULL;
}

/* inner: what stands between the braces. */
static enum expand_fault
replace(struct span inner, const struct environment *env, struct buf *out, struct span *name)
{
	size_t colon = span_find(inner, 0, ':');
	bool has_default = span_starts(span_cut(inner, colon, inner.len), SPAN(":-"));
	const char *value;

	*name = has_default ? span_cut(inner, 0, colon) : inner;
	if (!expand_is_name(*name) || (has_default && span_has(inner, SPAN("${"))))
		return EXPAND_MALFORMED;
	value = look_up(*name, env);
	if (has_default && (value == NULL || value[0] == '\0'))
		return buf_add_span(out, span_cut(inner, colon + 2, inner.len)) == 0
			       ? EXPAND_OK
			       : EXPAND_TOO_LONG;
	if (value == NULL)
		return EXPAND_UNDEFINED;
	return buf_add_str(out, value) == 0 ? EXPAND_OK : EXPAND_TOO_LONG;
}

enum expand_fault
expand(struct span raw, const struct environment *env, struct buf *out, struct span *name)
{
	size_t at = 0;

	while (at < raw.len) {
		struct span rest = span_cut(raw, at, raw.len);
		size_t stop = span_find(rest, 1, '$'); /* plain text up to the next dollar */
		enum expand_fault fault;

		if (span_starts(rest, SPAN("${")) && !is_reference(rest)) {
			stop = span_find(rest, 2, '}');
			*name = span_cut(rest, 2, stop);
			if (stop == rest.len)
				return EXPAND_MALFORMED;
			fault = replace(*name, env, out, name);
			if (fault != EXPAND_OK)
				return fault;
			stop++;
		} else if (buf_add_span(out, span_cut(rest, 0, stop)) != 0) {
			return EXPAND_TOO_LONG;
		}
		at += stop;
	}
	return EXPAND_OK;
}
