/* SPDX-License-Identifier: Apache-2.0 */
/* What both ends of a measurement share: the clock, how they give up, the form of an event. */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
	SECOND_NS = 1000 * 1000 * 1000,
	EVENT_BYTES = 60,
};

/* An event says when it was sent: 19 digits of the monotonic clock, filled up to EVENT_BYTES. */
#define EVENT_BEGIN  "data: {\"t\":"
#define EVENT_FORMAT EVENT_BEGIN "%019llu,\"x\":\"yyyyyyyyyyyyyyyyyyyy\"}\n\n"

static inline uint64_t
now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

/* These programs serve one measurement: a fault ends it. */
_Noreturn static inline void
give_up(const char *what)
{
	perror(what);
	exit(1);
}

#endif
