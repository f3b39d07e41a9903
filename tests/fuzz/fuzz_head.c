/* SPDX-License-Identifier: Apache-2.0 */
/* A head fed in two pieces must read as it does in one. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http_request whole, pieces;
	size_t seen = 0, split = size == 0 ? 0 : data[size - 1] % size;
	char *copy = malloc(size + 1); /* of its own size, so that a read beyond it shows */
	long one, two;

	if (copy == NULL)
		return 0;
	memcpy(copy, data, size);
	one = http_head_parse(&whole, copy, size, &seen, 16384);
	assert(one <= (long)size);
	seen = 0;
	two = http_head_parse(&pieces, copy, split, &seen, 16384);
	assert(seen <= split);
	if (two == 0)
		two = http_head_parse(&pieces, copy, size, &seen, 16384);
	assert(one == two);
	assert(one <= 0 || memcmp(&whole, &pieces, offsetof(struct http_request, fields)) == 0);
	free(copy);
	return 0;
}
