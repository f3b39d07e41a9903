/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>

#include "base/base64.h"

unsigned
base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (unsigned)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (unsigned)(c - 'a') + 26;
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0') + 52;
	return c == '+' ? 62 : c == '/' ? 63 : 64;
}

long
base64_decode(struct span text, char *out, size_t max)
{
	size_t padding = 0, n = 0;

	while (padding < 2 && padding < text.len && text.ptr[text.len - 1 - padding] == '=')
		padding++;
	if (text.len % 4 != 0 || text.len / 4 * 3 > max)
		return -1;
	for (size_t i = 0; i < text.len; i += 4) {
		uint32_t group = 0;
		size_t digits = i + 4 == text.len ? 4 - padding : 4;

		for (size_t k = 0; k < 4; k++) {
			uint32_t value = k < digits ? base64_digit(text.ptr[i + k]) : 0;

			if (value == 64)
				return -1;
			group = group << 6 | value;
		}
		for (size_t k = 0; k + 1 < digits; k++)
			out[n++] = (char)(group >> (16 - 8 * k) & 0xff);
	}
	return (long)n;
}
