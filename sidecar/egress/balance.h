/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of a target's deployments a call goes to: by their weights, and not to one that failed a
 * moment ago while there is another. Pure: times are the caller's, in ms of any clock, which may
 * wrap around.
 */
#ifndef EGRESS_BALANCE_H
#define EGRESS_BALANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	BALANCE_MAX = 16,
	BALANCE_COOL_MS = 5 * 1000, /* after a failure; doubled by each that follows */
	BALANCE_COOL_LEAST_MS = 1000,
	BALANCE_COOL_MOST_MS = 60 * 1000,
};

struct balance_member {
	uint32_t weight;
	int64_t credit;   /* of smooth weighted round-robin */
	bool cools;       /* until then, at least */
	bool guessed;     /* how long is our own guess, and it does answer */
	uint64_t until;   /* when that ends */
	uint64_t failed;  /* when it failed last */
	uint64_t wait_ms; /* how long it cooled for it; 0: there was none since it answered well */
};

struct balance {
	size_t n;
	struct balance_member at[BALANCE_MAX];
};

/* One more, at the number that n was; at most BALANCE_MAX. */
void balance_add(struct balance *b, uint32_t weight);

bool balance_is_cool(const struct balance *b, size_t i, uint64_t now);
/*
 * Whether i may be asked when another has turned a call away: it is cool, or cools for its last
 * answer, which did not say for how long. From one that is not reached nothing better would come.
 */
bool balance_may_ask(const struct balance *b, size_t i, uint64_t now);

/*
 * Chooses one of those whose bits are in may: of those that do not cool the one whose turn it is,
 * else the one that has cooled soonest. -1: may is 0.
 */
long balance_pick(struct balance *b, uint32_t may, uint64_t now);

/* How a call failed. */
struct balance_failure {
	uint64_t started, now; /* when it went there, and when it failed */
	bool answered;         /* by a proper answer … */
	uint64_t retry_ms;     /* … which asks to be left alone for so long; 0: it does not say */
};

/*
 * A call has failed at i. What i fails of calls that were under way already says nothing new, and
 * doubles nothing. Whether it begins to cool, or does so for longer.
 */
bool balance_failed(struct balance *b, size_t i, const struct balance_failure *f);

/* Such a call was answered well. Whether i has cooled, and does not any more. */
bool balance_succeeded(struct balance *b, size_t i, uint64_t started);

#endif
