/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/metadata.h"

#include "ingress/walk.h"

bool
metadata_steers(const struct scan *s)
{
	struct span name, value;

	if (s->many_metadata)
		return true;
	if (s->metadata.ptr == NULL || s->metadata.ptr[0] != '{')
		return s->metadata.ptr != NULL && s->metadata.ptr[0] == '"';
	for (size_t at = 1; walk_item(s->metadata, &at, true, &name, &value);)
		if (scan_string_is(name, "tags") && value.ptr[0] != '"')
			return true;
	return false;
}
