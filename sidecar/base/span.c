/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/span.h"

#include "base/ascii.h"

struct span
span_of(const char *s)
{
	return (struct span){s, s == NULL ? 0 : strlen(s)};
}

struct span
span_cut(struct span s, size_t from, size_t to)
{
	if (s.len == 0)
		return s;
	if (to > s.len)
		to = s.len;
	if (from > to)
		from = to;
	return (struct span){s.ptr + from, to - from};
}

bool
span_eq(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool
span_ieq(struct span a, struct span b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i]))
			return false;
	return true;
}

bool
span_is(struct span a, const char *s)
{
	return span_eq(a, span_of(s));
}

bool
span_iis(struct span a, const char *s)
{
	return span_ieq(a, span_of(s));
}

bool
span_starts(struct span s, struct span prefix)
{
	return s.len >= prefix.len && span_eq(span_cut(s, 0, prefix.len), prefix);
}

bool
span_istarts(struct span s, struct span prefix)
{
	return s.len >= prefix.len && span_ieq(span_cut(s, 0, prefix.len), prefix);
}

bool
span_ends(struct span s, struct span suffix)
{
	return s.len >= suffix.len && span_eq(span_cut(s, s.len - suffix.len, s.len), suffix);
}

bool
span_has(struct span s, struct span part)
{
	return part.len == 0 ||
	       (s.len >= part.len && memmem(s.ptr, s.len, part.ptr, part.len) != NULL);
}

bool
span_has_control(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
			return true;
	return false;
}

bool
span_is_alnum(struct span s, const char *extra)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (!ascii_is_alnum(c) && (c == '\0' || strchr(extra, c) == NULL))
			return false;
	}
	return s.len > 0;
}

size_t
span_find(struct span s, size_t from, char c)
{
	const char *hit;

	if (from >= s.len)
		return s.len;
	hit = memchr(s.ptr + from, c, s.len - from);
	return hit == NULL ? s.len : (size_t)(hit - s.ptr);
}

size_t
span_count(struct span s, char c)
{
	size_t n = 0;

	for (size_t at = span_find(s, 0, c); at < s.len; at = span_find(s, at + 1, c))
		n++;
	return n;
}

struct span
span_trim(struct span s)
{
	size_t from = 0, to = s.len;

	while (from < to && (s.ptr[from] == ' ' || s.ptr[from] == '\t'))
		from++;
	while (to > from && (s.ptr[to - 1] == ' ' || s.ptr[to - 1] == '\t'))
		to--;
	return span_cut(s, from, to);
}

bool
span_cstr(struct span s, char *out, size_t size)
{
	if (s.len >= size)
		return false;
	if (s.len > 0)
		memcpy(out, s.ptr, s.len);
	out[s.len] = '\0';
	return true;
}

bool
span_eq_ct(struct span a, struct span b)
{
	unsigned char differ = 0;

	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		differ |= (unsigned char)(a.ptr[i] ^ b.ptr[i]);
	return differ == 0;
}
