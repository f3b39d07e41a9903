/* SPDX-License-Identifier: Apache-2.0 */
/* A chunked body fed byte by byte must give the content and the end that it gives in one piece. */
#include <assert.h>
#include <stdint.h>

#include "http/body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum chunked_event
feed(const char *in, size_t size, size_t step, uint64_t *sum)
{
	enum chunked_event event = CHUNKED_MORE;
	struct chunked c;
	size_t at = 0, used;

	chunked_init(&c, 1000);
	while (at < size && (event == CHUNKED_MORE || event == CHUNKED_DATA)) {
		size_t n = size - at < step ? size - at : step;
		struct span data;

		event = chunked_feed(&c, in + at, n, &used, &data);
		assert(used > 0 && used <= n && data.len <= used);
		at += used;
		for (size_t i = 0; i < data.len; i++)
			*sum = *sum * 31 + (unsigned char)data.ptr[i];
	}
	*sum = *sum * 31 + at;
	return event == CHUNKED_DATA ? CHUNKED_MORE : event;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t one = 0, many = 0;

	assert(feed((const char *)data, size, SIZE_MAX, &one) ==
	       feed((const char *)data, size, 1, &many));
	assert(one == many);
	return 0;
}
