/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ingress/walk.h"

size_t
walk_blanks(struct span s, size_t at)
{
	while (at < s.len && strchr(" \t\r\n", s.ptr[at]) != NULL)
		at++;
	return at;
}

static size_t
skip_string(struct span s, size_t at)
{
	for (at++; s.ptr[at] != '"'; at++)
		if (s.ptr[at] == '\\')
			at++;
	return at + 1;
}

size_t
walk_value(struct span s, size_t at)
{
	size_t depth = 0;

	do {
		char c = s.ptr[at];

		if (c == '"') {
			at = skip_string(s, at);
			continue;
		}
		if (depth == 0 && c != '{' && c != '[') {
			while (at < s.len && strchr(" \t\r\n,]}", s.ptr[at]) == NULL)
				at++;
			return at;
		}
		depth += c == '{' || c == '[' ? 1 : 0;
		depth -= c == '}' || c == ']' ? 1 : 0;
		at++;
	} while (depth > 0);
	return at;
}

bool
walk_item(struct span s, size_t *at, bool object, struct span *name, struct span *value)
{
	size_t from = walk_blanks(s, *at), end;

	if (s.ptr[from] == ',')
		from = walk_blanks(s, from + 1);
	if (s.ptr[from] == ']' || s.ptr[from] == '}')
		return false;
	*name = (struct span){"", 0};
	if (object) {
		end = skip_string(s, from);
		*name = span_cut(s, from, end);
		from = walk_blanks(s, walk_blanks(s, end) + 1);
	}
	end = walk_value(s, from);
	*value = span_cut(s, from, end);
	*at = end;
	return true;
}
