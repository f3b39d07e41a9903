/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/access/query.h"

#include "base/ascii.h"
#include "policy/access/models.h"
#include "policy/access/paths.h"

size_t
query_member_end(struct span query, size_t from)
{
	while (from < query.len && query.ptr[from] != '&' && query.ptr[from] != ';')
		from++;
	return from;
}

/* The name of a member as a server would read it. -1: too long. */
static int
folded_name(struct span member, char text[static QUERY_NAME_MAX + 1], struct span *out)
{
	struct span name = span_cut(member, 0, span_find(member, 0, '='));
	size_t n;

	if (paths_decode(name, text, QUERY_NAME_MAX, &n) != 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		text[i] = ascii_lower(text[i]);
	*out = (struct span){text, n};
	return 0;
}

enum query_fault
query_check(struct span query, const struct span *extra, size_t nextra,
	    char name[static QUERY_NAME_MAX + 1])
{
	for (size_t at = 0; at < query.len;) {
		size_t end = query_member_end(query, at);
		struct span folded;

		if (folded_name(span_cut(query, at, end), name, &folded) != 0)
			return QUERY_LONG_NAME;
		if (span_is(folded, "model") || model_field_denied(folded, extra, nextra))
			return QUERY_DENIED;
		at = end + 1;
	}
	return QUERY_OK;
}
