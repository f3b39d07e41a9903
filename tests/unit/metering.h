/* SPDX-License-Identifier: Apache-2.0 */
/* Meters an answer as it may come: whole, byte by byte, and cut in two at every place. */
#ifndef TESTS_UNIT_METERING_H
#define TESTS_UNIT_METERING_H

#include "tests/unit/unit.h"

#include "ingress/meter.h"

#define JSON_TYPE   "application/json"
#define SSE_TYPE    "text/event-stream"
#define FRAMES_TYPE "application/vnd.amazon.eventstream"

struct answer {
	enum dialect dialect;
	const char *path; /* below the dialect's base */
	const char *type;
	struct span body;
	bool broken; /* it did not end well */
};

static inline enum meter_result
metering_cut(const struct answer *a, size_t cut, size_t step, struct usage *out)
{
	struct http_field type = {SPAN("Content-Type"), span_of(a->type)};
	bool known;
	const struct route *route = route_find(a->dialect, SPAN("POST"), span_of(a->path), &known);
	struct meter m;

	assert_non_null(route);
	meter_begin(&m, route, 200, &type, 1);
	meter_feed(&m, span_cut(a->body, 0, cut));
	for (size_t at = cut; at < a->body.len; at += step)
		meter_feed(&m, span_cut(a->body, at, at + step));
	return meter_end(&m, !a->broken, out);
}

/* What all ways of cutting it agree on. *out is all zeros unless that is METER_KNOWN. */
static inline enum meter_result
metering(const struct answer *a, struct usage *out)
{
	struct usage whole = {0}, other = {0};
	enum meter_result result = metering_cut(a, a->body.len, 1, &whole);

	assert_int_equal(metering_cut(a, 0, 1, &other), result);
	assert_memory_equal(&other, &whole, sizeof(whole));
	for (size_t cut = 0; cut < a->body.len; cut++) {
		other = (struct usage){0};
		assert_int_equal(metering_cut(a, cut, a->body.len, &other), result);
		assert_memory_equal(&other, &whole, sizeof(whole));
	}
	*out = whole;
	return result;
}

#endif
