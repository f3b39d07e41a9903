/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The redactor: an answer keeps its length, its pieces make no difference, and no raw or
 * hexadecimal secret is left. The first byte says how large the pieces are.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "egress/redact.h"

#define RAW "sk-Zq8+/x%7Yt_0"
#define HEX "736b2d5a71382b2f78253759745f30"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
contains(struct span text, struct span part)
{
	return memmem(text.ptr, text.len, part.ptr, part.len) != NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct span secrets[] = {SPAN(RAW), SPAN("another-secret-value")};
	struct redact whole = {0}, split = {0};
	struct redactor *r;
	struct span text;
	struct buf a, b;
	size_t piece;

	if (size < 2 || size > 64 * 1024)
		return 0;
	r = redactor_new(secrets, 2);
	whole.r = split.r = r;
	piece = (size_t)data[0] + 1;
	text = (struct span){(const char *)data + 1, size - 1};
	buf_init(&a, 128 * 1024);
	buf_init(&b, 128 * 1024);
	if (redact_feed(&whole, text, &a) != 0 || redact_end(&whole, &a) != 0)
		abort();
	for (size_t at = 0; at < text.len; at += piece)
		if (redact_feed(&split, span_cut(text, at, at + piece), &b) != 0)
			abort();
	if (redact_end(&split, &b) != 0)
		abort();
	if (a.len != text.len || !span_eq(buf_span(&a), buf_span(&b)) ||
	    contains(buf_span(&a), SPAN(RAW)) || contains(buf_span(&a), SPAN(HEX)))
		abort();
	buf_free(&a);
	buf_free(&b);
	redactor_free(r);
	return 0;
}
