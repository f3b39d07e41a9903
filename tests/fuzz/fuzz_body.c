/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A chunked body fed byte by byte must give the content and the end that it gives in one piece; and
 * its content, cut into other chunks, must come out again.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "http/body.h"

enum { CONTENT_MAX = 1000 };

struct decoded {
	enum chunked_event event;
	size_t used, len;
	char content[CONTENT_MAX];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
decode(struct decoded *d, struct span in, size_t step)
{
	struct chunked c;
	size_t used;

	chunked_init(&c, CONTENT_MAX);
	d->event = CHUNKED_MORE;
	d->used = d->len = 0;
	while (d->used < in.len && (d->event == CHUNKED_MORE || d->event == CHUNKED_DATA)) {
		size_t n = in.len - d->used < step ? in.len - d->used : step;
		struct span data;

		d->event = chunked_feed(&c, in.ptr + d->used, n, &used, &data);
		assert(used > 0 && used <= n && data.len <= used);
		assert(data.len <= CONTENT_MAX - d->len);
		d->used += used;
		if (data.len > 0)
			memcpy(d->content + d->len, data.ptr, data.len);
		d->len += data.len;
	}
	if (d->event == CHUNKED_DATA)
		d->event = CHUNKED_MORE;
}

static void
check_same_content(const struct decoded *a, const struct decoded *b)
{
	assert(a->event == b->event && a->len == b->len);
	assert(memcmp(a->content, b->content, a->len) == 0);
}

/* The content in chunks that are as long as the bytes of sizes say. */
static void
encode(const struct decoded *d, struct span sizes, struct buf *out)
{
	struct span content = {d->content, d->len}, chunk;

	for (size_t at = 0, i = 0; at < d->len; at += chunk.len, i = (i + 1) % sizes.len) {
		chunk = span_cut(content, at, at + 1 + (unsigned char)sizes.ptr[i]);
		assert(buf_add_hex(out, chunk.len) == 0 && buf_add_str(out, "\r\n") == 0);
		assert(buf_add_span(out, chunk) == 0 && buf_add_str(out, "\r\n") == 0);
	}
	assert(buf_add_str(out, "0\r\n\r\n") == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct decoded one, many, again;
	struct span in = {(const char *)data, size};
	struct buf encoded;

	decode(&one, in, SIZE_MAX);
	decode(&many, in, 1);
	assert(one.used == many.used);
	check_same_content(&one, &many);
	if (one.event != CHUNKED_END)
		return 0;
	buf_init(&encoded, 16 * CONTENT_MAX);
	encode(&one, in, &encoded);
	decode(&again, buf_span(&encoded), SIZE_MAX);
	assert(again.used == encoded.len);
	check_same_content(&one, &again);
	buf_free(&encoded);
	return 0;
}
