/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/tool.h"

#include "ingress/scan.h"
#include "ingress/walk.h"

/* Of several types each counts: which one the upstream takes is its own affair. */
bool
tool_has_default_model(struct span tool)
{
	struct span name, value;

	for (size_t at = 1; walk_item(tool, &at, true, &name, &value);)
		if (value.ptr[0] == '"' && scan_string_is(name, "type") &&
		    scan_string_is(value, "image_generation"))
			return true;
	return false;
}
