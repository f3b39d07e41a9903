/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

size_t
utf8_length(const unsigned char *p, size_t n)
{
	unsigned char lead = p[0];

	if (lead < 0x80)
		return 1;
	if (lead < 0xc2 || lead > 0xf4 || n < 2 || (p[1] & 0xc0) != 0x80)
		return 0;
	if (lead < 0xe0)
		return 2;
	if (n < 3 || (p[2] & 0xc0) != 0x80)
		return 0;
	if (lead < 0xf0)
		return (lead == 0xe0 && p[1] < 0xa0) || (lead == 0xed && p[1] > 0x9f) ? 0 : 3;
	if (n < 4 || (p[3] & 0xc0) != 0x80)
		return 0;
	return (lead == 0xf0 && p[1] < 0x90) || (lead == 0xf4 && p[1] > 0x8f) ? 0 : 4;
}

uint32_t
utf8_acting(const unsigned char *p, size_t n)
{
	uint32_t c = 0;

	if (n == 2)
		c = (p[0] & 0x1fU) << 6 | (p[1] & 0x3fU);
	else if (n == 3)
		c = (p[0] & 0x0fU) << 12 | (p[1] & 0x3fU) << 6 | (p[2] & 0x3fU);
	if ((c >= 0x80 && c <= 0x9f) || c == 0x200e || c == 0x200f ||
	    (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069))
		return c;
	return 0;
}
