/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/access/names.h"

bool
names_have(const char *const *list, size_t n, struct span name)
{
	char first = name.len > 0 ? name.ptr[0] : '\0';

	if (first >= 'A' && first <= 'Z')
		first = (char)(first - 'A' + 'a');
	for (size_t i = 0; i < n; i++) {
		struct span entry;

		/* Most entries end here: every name of every message is held against a list. */
		if (list[i][0] != first)
			continue;
		entry = span_of(list[i]);
		if (entry.ptr[entry.len - 1] == '*') {
			if (span_istarts(name, span_cut(entry, 0, entry.len - 1)))
				return true;
		} else if (span_ieq(entry, name)) {
			return true;
		}
	}
	return false;
}
