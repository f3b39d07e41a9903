/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/printable.h"

static char
plain(char c)
{
	return c >= ' ' && c <= '~' ? c : '?';
}

void
printable_copy(char *to, struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		to[i] = plain(text.ptr[i]);
}

void
printable_put(struct span text, FILE *out)
{
	for (size_t i = 0; i < text.len; i++)
		putc(plain(text.ptr[i]), out);
}
