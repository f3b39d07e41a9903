/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "ingress/metrics.h"

#include "ev/loop.h"

enum { OTHER_SERIES, FIRST_SERIES };

/*
 * Calls of models take from tens of milliseconds (embeddings, a cached answer) to the ten minutes
 * after which SDKs and timeouts.firstByte give up. People notice differences between a quarter of
 * a second and ten, where most first tokens and short answers are, so most bounds are there.
 */
static const struct histogram_bounds call_bounds = {
	16,
	{{10000, "0.01"},
	 {25000, "0.025"},
	 {50000, "0.05"},
	 {100000, "0.1"},
	 {250000, "0.25"},
	 {500000, "0.5"},
	 {1000000, "1"},
	 {2500000, "2.5"},
	 {5000000, "5"},
	 {10000000, "10"},
	 {20000000, "20"},
	 {30000000, "30"},
	 {60000000, "60"},
	 {120000000, "120"},
	 {300000000, "300"},
	 {600000000, "600"}},
};

/* What we add is tens of microseconds when all is well, milliseconds on a machine at its end. */
static const struct histogram_bounds overhead_bounds = {
	12,
	{{25, "0.000025"},
	 {50, "0.00005"},
	 {100, "0.0001"},
	 {250, "0.00025"},
	 {500, "0.0005"},
	 {1000, "0.001"},
	 {2500, "0.0025"},
	 {5000, "0.005"},
	 {10000, "0.01"},
	 {25000, "0.025"},
	 {100000, "0.1"},
	 {1000000, "1"}},
};

static const struct {
	enum verdict verdict;
	const char *name;
} upstream_errors[UPSTREAM_ERRORS] = {
	[UPSTREAM_UNREACHABLE] = {VERDICT_UPSTREAM_UNREACHABLE, "unreachable"},
	[UPSTREAM_UNTRUSTED] = {VERDICT_UPSTREAM_UNTRUSTED, "untrusted"},
	[UPSTREAM_BROKEN] = {VERDICT_UPSTREAM_BROKEN, "broken"},
	[UPSTREAM_REDIRECT] = {VERDICT_UPSTREAM_REDIRECT, "redirect"},
	[UPSTREAM_ACCESS_DENIED] = {VERDICT_ACCESS_DENIED_BY_GATEWAY, "access_denied"},
	[UPSTREAM_INVALID] = {VERDICT_UPSTREAM_INVALID, "invalid"},
	[UPSTREAM_TIMEOUT] = {VERDICT_UPSTREAM_TIMEOUT, "timeout"},
	[UPSTREAM_THROTTLED] = {VERDICTS, "throttled"}, /* no error of a call's */
};

static const char *const refreshes[REFRESHES] = {"success", "failure", "denied"};
static const char *const token_types[TOKEN_TYPES] = {"input", "output"};

static void *
room(size_t n, size_t size)
{
	void *got = calloc(n, size);

	if (got == NULL)
		abort();
	return got;
}

struct metrics *
metrics_new(const struct ingress_plan *plan)
{
	struct metrics *m = room(1, sizeof(*m));

	m->plan = plan;
	m->started_ms = loop_wall_ms();
	m->began_ms = loop_lived_ms();
	m->series = room(METRICS_SERIES, sizeof(*m->series));
	m->series[OTHER_SERIES] = (struct metrics_series){PLAN_NONE, OPERATIONS, 0, "other", 0, 0};
	m->nseries = FIRST_SERIES;
	m->first = room((plan->ntargets + 1) * (OPERATIONS + 1), sizeof(*m->first));
	m->upstream_errors = room(plan->ntargets + 1, sizeof(*m->upstream_errors));
	m->redactions = room(plan->ntargets + 1, sizeof(*m->redactions));
	m->refreshes = room(plan->nslots + 1, sizeof(*m->refreshes));
	m->tokens = room(plan->ntargets + plan->nmodels, sizeof(*m->tokens));
	m->durations[DURATION_REQUEST].bounds = &call_bounds;
	m->durations[DURATION_FIRST_BYTE].bounds = &call_bounds;
	m->durations[DURATION_OVERHEAD].bounds = &overhead_bounds;
	return m;
}

void
metrics_free(struct metrics *m)
{
	if (m == NULL)
		return;
	free(m->series);
	free(m->first);
	free(m->upstream_errors);
	free(m->redactions);
	free(m->refreshes);
	free(m->tokens);
	free(m);
}

/* ---- calls ---- */

static struct metrics_series *
find_series(struct metrics *m, const struct metrics_series *wanted)
{
	size_t target = wanted->target == PLAN_NONE ? m->plan->ntargets : wanted->target;
	uint32_t *first = &m->first[target * (OPERATIONS + 1) + wanted->operation];

	for (uint32_t i = *first; i != 0; i = m->series[i].next)
		if (m->series[i].status == wanted->status &&
		    strcmp(m->series[i].code, wanted->code) == 0)
			return &m->series[i];
	if (m->nseries == METRICS_SERIES)
		return &m->series[OTHER_SERIES];
	m->series[m->nseries] = *wanted;
	m->series[m->nseries].next = *first;
	*first = m->nseries;
	return &m->series[m->nseries++];
}

static enum verdict
verdict_of(const char *code)
{
	for (unsigned v = VERDICT_OK + 1; v < VERDICTS; v++)
		if (strcmp(verdict_row((enum verdict)v)->code, code) == 0)
			return (enum verdict)v;
	return VERDICT_OK; /* the client left: nobody's error */
}

static void
count_error(struct metrics *m, const struct metrics_call *c)
{
	enum verdict v = verdict_of(c->code);
	enum metrics_upstream_error e = metrics_upstream_error(v);

	if (e == UPSTREAM_ERRORS)
		m->refusals[v]++;
	else if (c->target < m->plan->ntargets)
		m->upstream_errors[c->target][e]++;
}

void
metrics_attempt(struct metrics *m, uint16_t target, enum verdict why)
{
	enum metrics_upstream_error e =
		why == VERDICT_OK ? UPSTREAM_THROTTLED : metrics_upstream_error(why);

	if (target < m->plan->ntargets && e < UPSTREAM_ERRORS)
		m->upstream_errors[target][e]++;
}

static void
count_rate(struct metrics *m, uint64_t now_ms)
{
	uint64_t second = now_ms / 1000;
	size_t i = second % METRICS_RATE_SECONDS;

	if (m->rate[i].second != second) {
		m->rate[i].second = second;
		m->rate[i].count = 0;
	}
	m->rate[i].count++;
}

static void
count_duration(struct metrics *m, enum metrics_duration d, uint64_t us)
{
	if (us > 0)
		histogram_add(&m->durations[d], us);
}

void
metrics_call(struct metrics *m, const struct metrics_call *c)
{
	struct metrics_series wanted = {
		.target = c->target < m->plan->ntargets ? c->target : PLAN_NONE,
		.operation = c->operation < OPERATIONS ? c->operation : OPERATIONS,
		.status = (uint16_t)(c->status >= 100 && c->status <= 599 ? c->status : 0),
		.code = c->code == NULL ? "" : c->code,
	};

	find_series(m, &wanted)->count++;
	m->calls++;
	count_rate(m, c->now_ms);
	if (c->code != NULL)
		count_error(m, c);
	histogram_add(&m->durations[DURATION_REQUEST], c->us);
	count_duration(m, DURATION_FIRST_BYTE, c->first_byte_us);
	count_duration(m, DURATION_OVERHEAD, c->overhead_us);
}

uint32_t
metrics_last_minute(const struct metrics *m, uint64_t now_ms)
{
	uint64_t second = now_ms / 1000;
	uint32_t n = 0;

	for (size_t i = 0; i < METRICS_RATE_SECONDS; i++)
		if (m->rate[i].second + METRICS_RATE_SECONDS > second)
			n += m->rate[i].count;
	return n;
}

uint32_t
metrics_in_second(const struct metrics *m, uint64_t now_ms, unsigned ago)
{
	uint64_t second = now_ms / 1000 - ago;
	size_t i = second % METRICS_RATE_SECONDS;

	return m->rate[i].second == second ? m->rate[i].count : 0;
}

/* ---- the rest ---- */

void
metrics_refresh(struct metrics *m, uint16_t slot, enum metrics_refresh result)
{
	m->refreshes[slot][result]++;
}

/* A rule has one target, so a line for each rule is enough; calls without one have the target's. */
size_t
metrics_tokens_at(const struct metrics *m, uint16_t target, long rule)
{
	return rule < 0 ? target : m->plan->ntargets + (size_t)rule;
}

void
metrics_tokens(struct metrics *m, uint16_t target, long rule, enum metrics_token type, uint64_t n)
{
	m->tokens[metrics_tokens_at(m, target, rule)][type] += n;
}

void
metrics_usage_unknown(struct metrics *m)
{
	m->usage_unknown++;
}

void
metrics_redacted(struct metrics *m, uint16_t target, uint64_t matches)
{
	m->redactions[target] += matches;
}

void
metrics_admin_refused(struct metrics *m)
{
	m->admin_refused++;
}

/* ---- names ---- */

enum metrics_upstream_error
metrics_upstream_error(enum verdict v)
{
	unsigned e = 0;

	while (e < UPSTREAM_ERRORS && upstream_errors[e].verdict != v)
		e++;
	return (enum metrics_upstream_error)e;
}

struct span
metrics_target_name(const struct metrics *m, size_t target)
{
	return target < m->plan->ntargets ? m->plan->targets[target].name : SPAN("");
}

const char *
metrics_upstream_error_name(enum metrics_upstream_error e)
{
	return upstream_errors[e].name;
}

const char *
metrics_refresh_name(enum metrics_refresh r)
{
	return refreshes[r];
}

const char *
metrics_token_name(enum metrics_token t)
{
	return token_types[t];
}
