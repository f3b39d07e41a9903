/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ingress counts, for /metrics and /status. Nothing that an agent or an upstream sends becomes
 * a label: targets, slots and models are numbers of the configuration, the rest are enums, and the
 * one open number, the upstream's status, makes at most METRICS_SERIES series.
 */
#ifndef INGRESS_METRICS_H
#define INGRESS_METRICS_H

#include "base/histogram.h"
#include "config/plan_ingress.h"
#include "policy/access/verdict.h"

enum {
	METRICS_SERIES = 4096, /* beyond it, calls count under the code "other" */
	METRICS_RATE_SECONDS = 60,
};

/* Calls that ended in one way. */
struct metrics_series {
	uint16_t target;   /* PLAN_NONE: refused before it was chosen */
	uint8_t operation; /* OPERATIONS: not known */
	uint16_t status;   /* 0: the client was gone before an answer */
	const char *code;  /* a literal; "": the answer was the upstream's */
	uint64_t count;
	uint32_t next; /* of the same target and operation; 0: none */
};

enum metrics_upstream_error {
	UPSTREAM_UNREACHABLE,
	UPSTREAM_UNTRUSTED,
	UPSTREAM_BROKEN,
	UPSTREAM_REDIRECT,
	UPSTREAM_ACCESS_DENIED,
	UPSTREAM_INVALID,
	UPSTREAM_TIMEOUT,
	UPSTREAM_THROTTLED, /* only of a call that then went to another deployment */
	UPSTREAM_ERRORS
};

enum metrics_refresh { REFRESH_SUCCESS, REFRESH_FAILURE, REFRESH_DENIED, REFRESHES };

enum metrics_token { TOKEN_INPUT, TOKEN_OUTPUT, TOKEN_TYPES };

enum metrics_duration {
	DURATION_REQUEST,    /* from its first byte read to its end */
	DURATION_FIRST_BYTE, /* from the same to the upstream's answer */
	DURATION_OVERHEAD,   /* what sidekey adds */
	DURATIONS
};

/* Read it anywhere; only the functions below write. */
struct metrics {
	const struct ingress_plan *plan;
	uint64_t started_ms, began_ms; /* the same moment: wall clock, loop_lived_ms */
	struct metrics_series *series;
	uint32_t nseries;                             /* the first is the one for "other" */
	uint32_t *first;                              /* of each target and operation */
	uint64_t refusals[VERDICTS];                  /* by our own errors */
	uint64_t (*upstream_errors)[UPSTREAM_ERRORS]; /* by target */
	uint64_t *redactions;                         /* by target */
	uint64_t (*refreshes)[REFRESHES];             /* by slot */
	uint64_t (*tokens)[TOKEN_TYPES];              /* metrics_tokens_at */
	uint64_t usage_unknown, admin_refused, calls;
	struct histogram durations[DURATIONS];
	struct {
		uint64_t second;
		uint32_t count;
	} rate[METRICS_RATE_SECONDS]; /* calls of the last minute, by second */
};

/* A registry for plan, which must outlive it. Out of memory ends the process. */
struct metrics *metrics_new(const struct ingress_plan *plan);
void metrics_free(struct metrics *m);

/* A call that is over. */
struct metrics_call {
	uint16_t target;   /* or PLAN_NONE */
	uint8_t operation; /* or OPERATIONS */
	unsigned status;   /* 0: none was sent */
	const char *code;  /* of an error of ours, a literal; NULL: none */
	uint64_t us;
	uint64_t first_byte_us, overhead_us; /* 0: did not come so far */
	uint64_t now_ms;                     /* of the loop */
};

void metrics_call(struct metrics *m, const struct metrics_call *c);

/* A deployment of target failed a call (why; OK: by a throttle), which then went to another. */
void metrics_attempt(struct metrics *m, uint16_t target, enum verdict why);

/* An attempt to fetch a slot is over. */
void metrics_refresh(struct metrics *m, uint16_t slot, enum metrics_refresh result);

/* Tokens that an answer of target reported; rule: of `models`, or -1 when none decided. */
void metrics_tokens(struct metrics *m, uint16_t target, long rule, enum metrics_token type,
		    uint64_t n);
/* Their place in tokens. */
size_t metrics_tokens_at(const struct metrics *m, uint16_t target, long rule);
/* An answer that should have reported tokens, and did not. */
void metrics_usage_unknown(struct metrics *m);

/* Secrets of ours that an answer of target held. */
void metrics_redacted(struct metrics *m, uint16_t target, uint64_t matches);

/* A request to the admin port without the token that it needs. */
void metrics_admin_refused(struct metrics *m);

/* Calls that ended in the last minute. */
uint32_t metrics_last_minute(const struct metrics *m, uint64_t now_ms);

/* Calls that ended in the second that was ago seconds back, of the last METRICS_RATE_SECONDS. */
uint32_t metrics_in_second(const struct metrics *m, uint64_t now_ms, unsigned ago);

/* The upstream's fault that a verdict stands for, or UPSTREAM_ERRORS. */
enum metrics_upstream_error metrics_upstream_error(enum verdict v);

/* Label values; the target's is empty where none was chosen. */
struct span metrics_target_name(const struct metrics *m, size_t target);
const char *metrics_upstream_error_name(enum metrics_upstream_error e);
const char *metrics_refresh_name(enum metrics_refresh r);
const char *metrics_token_name(enum metrics_token t);

#endif
