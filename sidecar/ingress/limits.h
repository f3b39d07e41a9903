/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much each caller has used: counters in one page set that every generation's ingress maps, so
 * that a reload gives nobody a fresh start, and an old generation that drains counts with the new
 * one. It holds numbers and names of callers, no secret. Whoever owns one ingress can write what it
 * likes there, as it could ignore the limits anyway, or say in a later one that they are reached: a
 * number read here is never an index, a lock that is not let go of is taken over (logged, once),
 * and the parent, which makes the pages, never reads them.
 *
 * Time is in milliseconds of CLOCK_BOOTTIME, which all processes share.
 */
#ifndef INGRESS_LIMITS_H
#define INGRESS_LIMITS_H

#include "config/plan_ingress.h"

enum {
	LIMITS_CALLERS = 4096, /* names in the life of a sidekey, over all its reloads */
	LIMITS_NAME = 64,
	/* In 60 s there are seconds 0 to 60: a window that begins in the middle of one has 61. */
	LIMITS_SECONDS = 61,
};

struct limits;
struct limits_caller;

enum limit { LIMIT_NONE, LIMIT_REQUESTS, LIMIT_TOKENS, LIMIT_CONCURRENT, LIMIT_BUDGET };

/* The pages, empty: a descriptor that can be mapped and not be resized. -1 with errno. */
int limits_create(void);
/* Maps them. NULL: they are not of limits_create, or there is no memory. */
struct limits *limits_open(int fd);

/* The counters of the caller of that name, new or carried over. NULL: too many names. */
struct limits_caller *limits_caller(struct limits *l, struct span name);
/* Counters of this process alone, never freed: for a caller for whom the pages have no place. */
struct limits_caller *limits_alone(void);

/*
 * May the caller make a call now? LIMIT_NONE, or the limit that it is over, with *wait_ms until
 * there may be room again. Exact over all processes: N may be made, never one more, in any minute
 * or at a time. Tokens are known when an answer ends, so calls under way may overdraw.
 *
 * One that enters is under way from now on, until limits_give.
 */
enum limit limits_enter(struct limits_caller *c, const struct caller_limits *rules, uint64_t now_ms,
			uint64_t *wait_ms);
/* One that has entered is made: asked again, since time has passed, and counted in its minute. */
enum limit limits_take(struct limits_caller *c, const struct caller_limits *rules, uint64_t now_ms,
		       uint64_t *wait_ms);
/* A call that had entered is over. */
void limits_give(struct limits_caller *c);

/* The caller has used tokens. The first of a budget's begin its period. */
void limits_spend(struct limits_caller *c, const struct caller_limits *rules, uint64_t tokens,
		  uint64_t now_ms);

#endif
