/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/escape.h"

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 32) >= 'a' && (c | 32) <= 'f')
		return (c | 32) - 'a' + 10;
	return -1;
}

static bool
two_digits(const char *at, char *byte)
{
	int high = hex_digit(at[0]), low = hex_digit(at[1]);

	*byte = (char)((unsigned)high << 4 | (unsigned)low);
	return high >= 0 && low >= 0;
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
