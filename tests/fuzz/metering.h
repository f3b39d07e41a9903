/* SPDX-License-Identifier: Apache-2.0 */
/* The property of all meters: how an answer is cut does not matter to what it comes to. */
#ifndef TESTS_FUZZ_METERING_H
#define TESTS_FUZZ_METERING_H

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ingress/meter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each piece in memory of its own size, so that a read beyond it shows. */
static inline void
metering_feed(struct meter *m, struct span piece)
{
	char *copy = malloc(piece.len + 1);

	if (copy == NULL)
		abort();
	memcpy(copy, piece.ptr, piece.len);
	meter_feed(m, (struct span){copy, piece.len});
	free(copy);
}

static inline void
metering_begin(struct meter *m, enum dialect dialect, const char *path, const char *type)
{
	struct http_field field = {SPAN("content-type"), span_of(type)};
	bool known;

	meter_begin(m, route_find(dialect, SPAN("POST"), span_of(path), &known), 200, &field, 1);
}

/* The first byte says how long the pieces are; a long answer comes in equal ones. */
static inline void
metering_same(enum dialect dialect, const char *path, const char *type, const uint8_t *data,
	      size_t size)
{
	struct span body = {(const char *)data + 1, size - 1};
	struct usage whole = {0}, cut = {0};
	size_t step = data[0] % 16 + 1U;
	struct meter a, b;
	enum meter_result result;

	metering_begin(&a, dialect, path, type);
	metering_begin(&b, dialect, path, type);
	metering_feed(&a, body);
	for (size_t at = 0; at < body.len; at += step)
		metering_feed(&b, span_cut(body, at, at + step));
	result = meter_end(&a, (data[0] & 16) != 0, &whole);
	assert(result == meter_end(&b, (data[0] & 16) != 0, &cut));
	assert(memcmp(&whole, &cut, sizeof(whole)) == 0);
	if (result == METER_KNOWN)
		assert(whole.input <= 3ULL << 31 && whole.output <= 2ULL << 31);
}

#endif
