/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/buf.h"
#include "base/utf8.h"

enum { BUF_FIRST = 256 };

void
buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max};
}

void
buf_free(struct buf *b)
{
	if (b->ptr != NULL) {
		explicit_bzero(b->ptr, b->len);
		free(b->ptr);
	}
	b->ptr = NULL;
	b->len = b->cap = 0;
}

void
buf_clear(struct buf *b, size_t keep)
{
	if (b->cap > keep) {
		buf_free(b);
		return;
	}
	if (b->len > 0)
		explicit_bzero(b->ptr, b->len);
	b->len = 0;
}

/* Grows by hand, since realloc would leave the old content behind. */
static void
grow(struct buf *b, size_t want)
{
	size_t cap = b->cap == 0 ? BUF_FIRST : b->cap;
	char *ptr;

	while (cap < want)
		cap *= 2;
	if (cap > b->max)
		cap = b->max;
	ptr = malloc(cap);
	if (ptr == NULL)
		abort(); /* bounded by construction: out of memory is the end */
	if (b->len > 0)
		memcpy(ptr, b->ptr, b->len);
	if (b->ptr != NULL) {
		explicit_bzero(b->ptr, b->len);
		free(b->ptr);
	}
	b->ptr = ptr;
	b->cap = cap;
}

char *
buf_room(struct buf *b, size_t n)
{
	if (n > b->max || b->len > b->max - n)
		return NULL;
	if (b->len + n > b->cap)
		grow(b, b->len + n);
	return b->ptr + b->len;
}

void
buf_grew(struct buf *b, size_t n)
{
	assert(n <= b->cap - b->len);
	b->len += n;
}

int
buf_add(struct buf *b, const void *bytes, size_t n)
{
	char *room;

	if (n == 0)
		return 0;
	room = buf_room(b, n);
	if (room == NULL)
		return -1;
	memcpy(room, bytes, n);
	b->len += n;
	return 0;
}

int
buf_add_span(struct buf *b, struct span s)
{
	return buf_add(b, s.ptr, s.len);
}

int
buf_add_str(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

int
buf_add_char(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}

int
buf_addf(struct buf *b, const char *format, ...)
{
	va_list args;
	char small[512];
	int n;

	va_start(args, format);
	n = vsnprintf(small, sizeof(small), format, args);
	va_end(args);
	if (n < 0)
		return -1;
	if ((size_t)n < sizeof(small))
		return buf_add(b, small, (size_t)n);
	char *room = buf_room(b, (size_t)n + 1);
	if (room == NULL)
		return -1;
	va_start(args, format);
	vsnprintf(room, (size_t)n + 1, format, args);
	va_end(args);
	b->len += (size_t)n;
	return 0;
}

static int
add_number(struct buf *b, uint64_t n, unsigned base)
{
	char digits[20]; /* of 2^64 - 1 in decimal */
	size_t at = sizeof(digits);

	do {
		digits[--at] = "0123456789abcdef"[n % base];
		n /= base;
	} while (n > 0);
	return buf_add(b, digits + at, sizeof(digits) - at);
}

int
buf_add_dec(struct buf *b, uint64_t n)
{
	return add_number(b, n, 10);
}

int
buf_add_hex(struct buf *b, uint64_t n)
{
	return add_number(b, n, 16);
}

static bool
is_unreserved(char c)
{
	return ascii_is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

int
buf_add_percent(struct buf *b, struct span s)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t before = b->len;
	int bad = 0;

	for (size_t i = 0; i < s.len && bad == 0; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		char triplet[3] = {'%', digits[c >> 4], digits[c & 15]};

		bad = is_unreserved((char)c) ? buf_add(b, &c, 1)
					     : buf_add(b, triplet, sizeof(triplet));
	}
	if (bad != 0)
		buf_keep(b, before);
	return bad;
}

/* c is one of those that must be, or better are, escaped. */
static int
add_json_char(struct buf *b, uint32_t c)
{
	switch (c) {
	case '"':
		return buf_add_str(b, "\\\"");
	case '\\':
		return buf_add_str(b, "\\\\");
	case '\n':
		return buf_add_str(b, "\\n");
	case '\r':
		return buf_add_str(b, "\\r");
	case '\t':
		return buf_add_str(b, "\\t");
	default:
		return buf_addf(b, "\\u%04x", (unsigned)c);
	}
}

/* How many bytes from at on stand for themselves in a JSON string. */
static size_t
plain_run(const unsigned char *at, size_t n)
{
	size_t i = 0;

	while (i < n && at[i] >= 0x20 && at[i] < 0x7f && at[i] != '"' && at[i] != '\\')
		i++;
	return i;
}

int
buf_add_json(struct buf *b, struct span s)
{
	size_t before = b->len, i = 0;
	int bad = buf_add_char(b, '"');

	while (i < s.len && bad == 0) {
		const unsigned char *at = (const unsigned char *)s.ptr + i;
		size_t run = plain_run(at, s.len - i);
		size_t n = run > 0 ? run : utf8_length(at, s.len - i);

		if (run == 0 && n == 1)
			bad = add_json_char(b, *at);
		else if (run == 0 && utf8_acting(at, n) != 0)
			bad = add_json_char(b, utf8_acting(at, n));
		else if (n > 0)
			bad = buf_add(b, at, n);
		else
			bad = buf_add_str(b, "\xef\xbf\xbd");
		i += n == 0 ? 1 : n;
	}
	if (bad == 0)
		bad = buf_add_char(b, '"');
	if (bad != 0)
		buf_keep(b, before);
	return bad;
}

void
buf_drop(struct buf *b, size_t n)
{
	assert(n <= b->len);
	if (n == 0)
		return;
	memmove(b->ptr, b->ptr + n, b->len - n);
	explicit_bzero(b->ptr + b->len - n, n);
	b->len -= n;
}

void
buf_keep(struct buf *b, size_t n)
{
	assert(n <= b->len);
	if (n == b->len)
		return;
	explicit_bzero(b->ptr + n, b->len - n);
	b->len = n;
}

struct span
buf_span(const struct buf *b)
{
	return (struct span){b->ptr, b->len};
}
