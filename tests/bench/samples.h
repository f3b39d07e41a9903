/* SPDX-License-Identifier: Apache-2.0 */
/* Durations as they come, and their percentiles by nearest rank. */
#ifndef BENCH_SAMPLES_H
#define BENCH_SAMPLES_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* 16 million: a minute of all that two cores can do. What comes later is not kept. */
enum { SAMPLES_MAX = 16 * 1024 * 1024, SAMPLES_FIRST = 64 * 1024 };

struct samples {
	uint32_t *ns; /* saturated: 4.29 s stands for whatever is longer */
	size_t len, room;
};

static inline void
samples_add(struct samples *s, uint64_t ns)
{
	if (s->len == s->room) {
		size_t room = s->room == 0 ? SAMPLES_FIRST : 2 * s->room;
		uint32_t *more;

		if (room > SAMPLES_MAX)
			return;
		more = realloc(s->ns, room * sizeof *more);
		if (more == NULL)
			abort();
		s->ns = more;
		s->room = room;
	}
	s->ns[s->len++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

static inline int
samples_order(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* To be called once, when all have come and before the first percentile. */
static inline void
samples_sort(struct samples *s)
{
	if (s->len > 0)
		qsort(s->ns, s->len, sizeof *s->ns, samples_order);
}

/* The smallest sample that `percent` of them do not exceed (1 to 100); 0 when there are none. */
static inline uint32_t
samples_percentile(const struct samples *s, unsigned percent)
{
	if (s->len == 0)
		return 0;
	return s->ns[(s->len * percent + 99) / 100 - 1];
}

static inline void
samples_fini(struct samples *s)
{
	free(s->ns);
	*s = (struct samples){0};
}

#endif
