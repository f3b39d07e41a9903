/* SPDX-License-Identifier: Apache-2.0 */
/* A head fed in two pieces must read as it does in one; and so it must when it is written anew. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "http/head.h"

enum { HEAD_MAX = 16384 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_same(const struct http_request *a, const struct http_request *b)
{
	assert(span_eq(a->method, b->method) && span_eq(a->target, b->target));
	assert(span_eq(a->path, b->path) && span_eq(a->query, b->query));
	assert(a->has_query == b->has_query && a->http10 == b->http10);
	assert(a->keep_alive == b->keep_alive && a->expect_continue == b->expect_continue);
	assert(a->upgrade == b->upgrade && span_eq(a->host, b->host));
	assert(a->framing == b->framing && a->length == b->length);
	assert(a->nfields == b->nfields);
	for (size_t i = 0; i < a->nfields; i++) {
		assert(span_eq(a->fields[i].name, b->fields[i].name));
		assert(span_eq(a->fields[i].value, b->fields[i].value));
	}
}

/* The head in its plainest form, of what was read alone. */
static void
write_head(const struct http_request *r, struct buf *out)
{
	int bad = buf_add_span(out, r->method) | buf_add_char(out, ' ');

	bad |= buf_add_span(out, r->path) | buf_add_str(out, r->has_query ? "?" : "");
	bad |= buf_add_span(out, r->query);
	bad |= buf_add_str(out, r->http10 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
	for (size_t i = 0; i < r->nfields; i++) {
		bad |= buf_add_span(out, r->fields[i].name) | buf_add_str(out, ": ");
		bad |= buf_add_span(out, r->fields[i].value) | buf_add_str(out, "\r\n");
	}
	bad |= buf_add_str(out, "\r\n");
	assert(bad == 0);
}

static void
check_written(const struct http_request *r)
{
	static struct http_request again;
	struct buf out;
	size_t seen = 0;

	/* a field has one blank more than it may have had */
	buf_init(&out, HEAD_MAX + HTTP_FIELDS_MAX);
	write_head(r, &out);
	assert(http_head_parse(&again, out.ptr, out.len, &seen, out.max) == (long)out.len);
	check_same(r, &again);
	buf_free(&out);
}

/* The line is told of every good head, as the head itself tells it; of another, a part of it. */
static void
check_line(const struct http_request *good, const char *head, size_t size)
{
	static struct http_request line;
	bool told = http_head_line(&line, head, size);

	assert(!told || (line.method.ptr == head && line.method.len < size));
	assert(!told || (line.path.ptr > head && line.path.ptr + line.path.len <= head + size));
	if (good == NULL)
		return;
	assert(told);
	assert(span_eq(line.method, good->method) && span_eq(line.path, good->path));
}

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
	one = http_head_parse(&whole, copy, size, &seen, HEAD_MAX);
	assert(one <= (long)size);
	seen = 0;
	two = http_head_parse(&pieces, copy, split, &seen, HEAD_MAX);
	assert(seen <= split);
	if (two == 0)
		two = http_head_parse(&pieces, copy, size, &seen, HEAD_MAX);
	assert(one == two);
	if (one > 0) {
		check_same(&whole, &pieces);
		check_written(&whole);
	}
	check_line(one > 0 ? &whole : NULL, copy, size);
	free(copy);
	return 0;
}
