/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/metadata.h"

#include "ingress/walk.h"

static bool
is_tags(struct span name)
{
	char text[SCAN_NAME_MAX + 1];
	struct span plain = {text, 0};

	return scan_string_text(name, text, SCAN_NAME_MAX, &plain.len) && span_iis(plain, "tags");
}

bool
metadata_steers(const struct scan *s)
{
	struct span name, value;

	if (s->many_metadata)
		return true;
	if (s->metadata.ptr == NULL || s->metadata.ptr[0] != '{')
		return s->metadata.ptr != NULL && s->metadata.ptr[0] == '"';
	for (size_t at = 1; walk_item(s->metadata, &at, true, &name, &value);)
		if (is_tags(name) && value.ptr[0] != '"')
			return true;
	return false;
}
