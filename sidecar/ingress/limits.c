/* SPDX-License-Identifier: Apache-2.0 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "ingress/limits.h"

#include "base/log.h"
#include "box/pages.h"
#include "ev/loop.h"

enum {
	SECOND_MS = 1000,
	/* A permit is given back when it is: there is no time to name. */
	CONCURRENT_WAIT_MS = 1000,
	/* A lock is waited for so long; when one was taken over less than TRUST_US ago, briefly. */
	PATIENCE_US = 10 * 1000,
	BRIEF_US = 100,
	TRUST_US = 1000 * 1000,
	STEP_US = 50, /* between two looks at the clock: more is time without the CPU */
};

/* What was used in one second. */
struct used {
	uint64_t second;
	uint64_t calls, tokens;
};

struct limits_caller {
	atomic_uint lock;
	char name[LIMITS_NAME]; /* padded with zeros */
	uint64_t running;
	uint64_t spent, since_ms; /* of the budget, and when its period began */
	struct used seconds[LIMITS_SECONDS];
};

struct limits {
	atomic_uint lock; /* of the list of names */
	atomic_uint n;
	struct limits_caller callers[LIMITS_CALLERS];
};

/* By this process, when it last took a lock over: 0, it never has. */
static uint64_t seized_us;

static void
tell_seized(uint64_t now_us)
{
	if (seized_us == 0)
		log_write(LOG_ERROR,
			  "another generation kept the counters of a caller's limits locked, and "
			  "they were taken over: it was killed in the middle, had no CPU, or is "
			  "owned; limits may be off by what it counted. If this comes again, "
			  "restart sidekey",
			  NULL, 0);
	seized_us = now_us;
}

/*
 * Until it is free, or has been waited for in vain. Only time in which we run counts: where we have
 * no CPU its holder may have none either. Locks that are kept for ever cost that once a second.
 */
static void
wait_for_lock(atomic_uint *l)
{
	uint64_t last = loop_clock_us(), waited = 0;
	uint64_t most = seized_us != 0 && last - seized_us < TRUST_US ? BRIEF_US : PATIENCE_US;

	while (waited < most) {
		uint64_t now = loop_clock_us(), step = now - last;

		if (atomic_load_explicit(l, memory_order_relaxed) == 0 &&
		    atomic_exchange_explicit(l, 1, memory_order_acquire) == 0)
			return;
		waited += step < STEP_US ? step : STEP_US;
		last = now;
	}
	(void)atomic_exchange_explicit(l, 1, memory_order_acquire);
	tell_seized(last);
}

/*
 * Held for a look at some sixty numbers, so waiting costs less than sleeping would, and no system
 * call. Its holder may be killed with it, or be owned: so it is no more than numbers that it
 * protects.
 */
static void
lock(atomic_uint *l)
{
	if (atomic_exchange_explicit(l, 1, memory_order_acquire) != 0)
		wait_for_lock(l);
}

static void
unlock(atomic_uint *l)
{
	atomic_store_explicit(l, 0, memory_order_release);
}

/* ---- the pages ---- */

int
limits_create(void)
{
	return pages_create("limits", sizeof(struct limits));
}

struct limits *
limits_open(int fd)
{
	return pages_map(fd, sizeof(struct limits));
}

static struct limits_caller *
find_or_add(struct limits *l, const char name[static LIMITS_NAME])
{
	unsigned n = atomic_load_explicit(&l->n, memory_order_relaxed); /* once: others write it */
	struct limits_caller *c;

	for (unsigned i = 0; i < n && i < LIMITS_CALLERS; i++)
		if (memcmp(l->callers[i].name, name, LIMITS_NAME) == 0)
			return &l->callers[i];
	if (n >= LIMITS_CALLERS)
		return NULL;
	c = &l->callers[n];
	memcpy(c->name, name, LIMITS_NAME);
	atomic_store_explicit(&l->n, n + 1, memory_order_relaxed);
	return c;
}

struct limits_caller *
limits_caller(struct limits *l, struct span name)
{
	char padded[LIMITS_NAME] = {0};
	struct limits_caller *c;

	if (name.len == 0 || name.len > LIMITS_NAME)
		return NULL;
	memcpy(padded, name.ptr, name.len);
	lock(&l->lock);
	c = find_or_add(l, padded);
	unlock(&l->lock);
	return c;
}

struct limits_caller *
limits_alone(void)
{
	struct limits_caller *c = calloc(1, sizeof(*c));

	if (c == NULL)
		abort();
	return c;
}

/* ---- windows ---- */

static uint64_t
sum(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* A second that is ahead of now was written by a process that read the clock after us. */
static bool
is_in_window(const struct used *u, uint64_t now)
{
	return sum(u->second, LIMITS_SECONDS - 1) >= now;
}

static struct used *
used_at(struct limits_caller *c, uint64_t now_ms)
{
	uint64_t now = now_ms / SECOND_MS;
	struct used *u = &c->seconds[now % LIMITS_SECONDS];

	if (u->second < now)
		*u = (struct used){.second = now};
	return u;
}

static uint64_t
of_calls(const struct used *u)
{
	return u->calls;
}

static uint64_t
of_tokens(const struct used *u)
{
	return u->tokens;
}

/* Until less than limit is left in the window: 0 when that is so now, or limit is none. */
static uint64_t
wait_for_room(const struct limits_caller *c, uint64_t (*of)(const struct used *), uint64_t limit,
	      uint64_t now_ms)
{
	uint64_t now = now_ms / SECOND_MS, total = 0, wait = 0;
	uint64_t oldest = now < LIMITS_SECONDS ? 0 : now - (LIMITS_SECONDS - 1);

	if (limit == 0)
		return 0;
	for (size_t i = 0; i < LIMITS_SECONDS; i++)
		if (is_in_window(&c->seconds[i], now))
			total = sum(total, of(&c->seconds[i]));
	for (uint64_t s = oldest; s <= now && total >= limit; s++) {
		const struct used *u = &c->seconds[s % LIMITS_SECONDS];
		uint64_t gone = u->second == s ? of(u) : 0;

		total -= gone < total ? gone : total;
		wait = (s + LIMITS_SECONDS) * SECOND_MS - now_ms;
	}
	return wait;
}

/* ---- the budget ---- */

/* Until its period is over: 0 when it is not spent. */
static uint64_t
wait_for_budget(struct limits_caller *c, const struct caller_limits *rules, uint64_t now_ms)
{
	uint64_t passed = now_ms > c->since_ms ? now_ms - c->since_ms : 0;

	if (rules->budget_tokens == 0)
		return 0;
	if (passed >= rules->budget_ms) {
		c->spent = 0;
		return 0;
	}
	return c->spent < rules->budget_tokens ? 0 : rules->budget_ms - passed;
}

/* ---- calls ---- */

/* Everything but concurrentRequests. */
static enum limit
judge(struct limits_caller *c, const struct caller_limits *rules, uint64_t now_ms,
      uint64_t *wait_ms)
{
	uint64_t budget = wait_for_budget(c, rules, now_ms);
	uint64_t calls = wait_for_room(c, of_calls, rules->requests_per_minute, now_ms);
	uint64_t tokens = wait_for_room(c, of_tokens, rules->tokens_per_minute, now_ms);

	/* What lasts is told first: it is no use to come back for less. */
	if (budget > 0) {
		*wait_ms = budget;
		return LIMIT_BUDGET;
	}
	if (calls > 0 || tokens > 0) {
		*wait_ms = calls > tokens ? calls : tokens;
		return calls > tokens ? LIMIT_REQUESTS : LIMIT_TOKENS;
	}
	return LIMIT_NONE;
}

/* Counted without a rule too: the next generation may have one. */
enum limit
limits_enter(struct limits_caller *c, const struct caller_limits *rules, uint64_t now_ms,
	     uint64_t *wait_ms)
{
	enum limit over;

	lock(&c->lock);
	over = judge(c, rules, now_ms, wait_ms);
	if (over == LIMIT_NONE && rules->concurrent_requests > 0 &&
	    c->running >= rules->concurrent_requests) {
		*wait_ms = CONCURRENT_WAIT_MS;
		over = LIMIT_CONCURRENT;
	}
	if (over == LIMIT_NONE)
		c->running++;
	unlock(&c->lock);
	return over;
}

enum limit
limits_take(struct limits_caller *c, const struct caller_limits *rules, uint64_t now_ms,
	    uint64_t *wait_ms)
{
	enum limit over;

	lock(&c->lock);
	over = judge(c, rules, now_ms, wait_ms);
	if (over == LIMIT_NONE)
		used_at(c, now_ms)->calls++;
	unlock(&c->lock);
	return over;
}

void
limits_give(struct limits_caller *c)
{
	lock(&c->lock);
	c->running -= c->running > 0 ? 1 : 0;
	unlock(&c->lock);
}

void
limits_spend(struct limits_caller *c, const struct caller_limits *rules, uint64_t tokens,
	     uint64_t now_ms)
{
	struct used *u;

	if (tokens == 0)
		return;
	lock(&c->lock);
	u = used_at(c, now_ms);
	u->tokens = sum(u->tokens, tokens);
	(void)wait_for_budget(c, rules, now_ms); /* a period that is over is closed first */
	if (rules->budget_tokens > 0) {
		c->since_ms = c->spent == 0 ? now_ms : c->since_ms;
		c->spent = sum(c->spent, tokens);
	}
	unlock(&c->lock);
}
