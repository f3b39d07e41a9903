/* SPDX-License-Identifier: Apache-2.0 */
/* Durations counted by size: what Prometheus calls a histogram. */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_BOUNDS_MAX = 16 };

/* Upper bounds, rising; what is above the last is counted behind it. */
struct histogram_bounds {
	size_t n;
	struct {
		uint64_t us;
		const char *seconds; /* the same, as it is written */
	} at[HISTOGRAM_BOUNDS_MAX];
};

struct histogram {
	const struct histogram_bounds *bounds;
	uint64_t counts[HISTOGRAM_BOUNDS_MAX + 1]; /* each of its own bucket alone */
	uint64_t count, sum_us;
};

void histogram_add(struct histogram *h, uint64_t us);

/*
 * The duration below which percent of 100 are, in microseconds: read off the bucket as if its
 * durations were spread evenly, and never above the last bound. 0 when nothing was counted.
 */
uint64_t histogram_quantile(const struct histogram *h, unsigned percent);

#endif
