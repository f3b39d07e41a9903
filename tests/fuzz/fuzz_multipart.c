/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A form must be judged alike in one piece and byte by byte, and what is accepted must be what a
 * reader of the whole body finds, who knows no more than the delimiter.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ingress/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct span boundary = {"b-b", 3};
static const struct span delimiter = {"--b-b", 5};

static bool
denies(const void *arg, struct span name)
{
	(void)arg;
	return span_is(name, "api_base");
}

static void
feed(struct multipart *m, struct span in, size_t step)
{
	multipart_init(m, boundary, denies, NULL);
	for (size_t at = 0, n; at < in.len; at += n) {
		n = step < in.len - at ? step : in.len - at;
		(void)multipart_feed(m, span_cut(in, at, at + n));
	}
	(void)multipart_end(m);
}

static size_t
find(struct span in, size_t at, struct span what)
{
	while (at < in.len && !span_starts(span_cut(in, at, in.len), what))
		at++;
	return at;
}

/* Every delimiter begins or ends a part, and no part begins otherwise. */
static void
check_whole(const struct multipart *m, struct span in)
{
	size_t parts = 0, at = 0, models = 0;

	for (;;) {
		size_t head, next;

		assert(span_starts(span_cut(in, at, in.len), delimiter));
		at += delimiter.len;
		if (span_starts(span_cut(in, at, in.len), SPAN("--")))
			break;
		head = find(in, at, SPAN("\r\n\r\n")) + 4;
		next = find(in, at, delimiter);
		assert(head < next && next < in.len && in.ptr[next - 1] == '\n');
		if (m->has_model && m->model_at == head) {
			assert(next - 2 - head == m->model_len);
			assert(memcmp(in.ptr + head, m->model, m->model_len) == 0);
			models++;
		}
		at = next;
		parts++;
	}
	assert(parts == m->parts && models == m->has_model);
	assert(at + m->closing_len == in.len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct multipart one, many;
	struct span in = {(const char *)data, size};

	feed(&one, in, SIZE_MAX);
	feed(&many, in, 1);
	assert(one.fault == many.fault && one.part == many.part && one.at == many.at);
	assert(one.parts == many.parts && one.has_model == many.has_model);
	assert(one.closing_len == many.closing_len);
	if (one.has_model) {
		assert(one.model_at == many.model_at && one.model_len == many.model_len);
		assert(memcmp(one.model, many.model, one.model_len) == 0);
	}
	if (one.fault == MULTIPART_OK)
		check_whole(&one, in);
	return 0;
}
