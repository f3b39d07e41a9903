/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/access/names.h"

#include "base/ascii.h"

static char
fold(struct span name, size_t at)
{
	return at < name.len ? ascii_lower(name.ptr[at]) : '\0';
}

bool
names_have(const char *const *list, size_t n, struct span name)
{
	char first = fold(name, 0), second = fold(name, 1);

	for (size_t i = 0; i < n; i++) {
		const char *e = list[i];
		struct span entry;

		/* Most entries end here: every name of every message is held against a list. */
		if (e[0] != first || (e[1] != second && e[1] != '*'))
			continue;
		entry = span_of(e);
		if (entry.ptr[entry.len - 1] == '*') {
			if (span_istarts(name, span_cut(entry, 0, entry.len - 1)))
				return true;
		} else if (span_ieq(entry, name)) {
			return true;
		}
	}
	return false;
}
