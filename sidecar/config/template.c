/* SPDX-License-Identifier: Apache-2.0 */
#include "config/template.h"

/* Where the next "${" stands, or the length. */
static size_t
find_open(struct span text, size_t from)
{
	size_t at = span_find(text, from, '$');

	while (at < text.len && !span_starts(span_cut(text, at, text.len), SPAN("${")))
		at = span_find(text, at + 1, '$');
	return at;
}

enum template_next
template_next(struct span text, size_t *at, struct template_part *out)
{
	size_t open = find_open(text, *at), end;
	struct template_part part = {0};

	if (*at >= text.len)
		return TEMPLATE_END;
	if (open > *at) {
		part.text = span_cut(text, *at, open);
		*at = open;
		*out = part;
		return TEMPLATE_PART;
	}
	end = span_find(text, open, '}');
	if (end == text.len)
		return TEMPLATE_BROKEN;
	part.is_reference = true;
	part.text = span_cut(text, open + 2, end);
	if (part.text.len > 0 && part.text.ptr[part.text.len - 1] == '?') {
		part.is_optional = true;
		part.text.len--;
	}
	*at = end + 1;
	*out = part;
	return TEMPLATE_PART;
}
