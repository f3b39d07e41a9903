/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/escape.h"

#include "base/ascii.h"

static bool
two_digits(const char *at, char *byte)
{
	if (!ascii_is_hex(at[0]) || !ascii_is_hex(at[1]))
		return false;
	*byte = (char)(ascii_hex(at[0]) << 4 | ascii_hex(at[1]));
	return true;
}

size_t
escape_percent(struct span text, char *byte)
{
	return text.len >= 3 && text.ptr[0] == '%' && two_digits(text.ptr + 1, byte) ? 3 : 0;
}

size_t
escape_json(struct span text, char *byte)
{
	if (text.len < 2 || text.ptr[0] != '\\')
		return 0;
	if (text.len >= ESCAPE_MAX && text.ptr[1] == 'u' && text.ptr[2] == '0' &&
	    text.ptr[3] == '0' && two_digits(text.ptr + 4, byte))
		return ESCAPE_MAX;
	*byte = text.ptr[1];
	return 2;
}
