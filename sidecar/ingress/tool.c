/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/tool.h"

#include "ingress/scan.h"
#include "ingress/walk.h"

/* Of a text with its quotes, without its escapes. */
static bool
is_text(struct span quoted, const char *text)
{
	char room[SCAN_NAME_MAX + 1];
	struct span plain = {room, 0};

	return scan_string_text(quoted, room, SCAN_NAME_MAX, &plain.len) && span_iis(plain, text);
}

/* Of several types each counts: which one the upstream takes is its own affair. */
bool
tool_has_default_model(struct span tool)
{
	struct span name, value;

	for (size_t at = 1; walk_item(tool, &at, true, &name, &value);)
		if (value.ptr[0] == '"' && is_text(name, "type") &&
		    is_text(value, "image_generation"))
			return true;
	return false;
}
