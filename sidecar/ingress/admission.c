/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ingress/admission.h"

#include "base/date.h"
#include "base/log.h"
#include "ingress/limits.h"

enum {
	/* A longer one has the SDKs ignore it, and try again at once. */
	RETRY_SECONDS_MAX = 60,
};

/* One that the pages have no place for is limited all the same. */
static struct limits_caller *
counters_of(const struct ingress *in, struct span name, bool *alone)
{
	struct limits_caller *shared = limits_caller(in->limits, name);

	if (shared != NULL)
		return shared;
	if (!*alone)
		log_say(LOG_ERROR,
			"reloads have brought more names of callers than limits can be kept for: "
			"this one's, and what may follow, are counted by this generation alone, "
			"and begin anew at the next reload; restart sidekey",
			LOG_S("caller", name), LOG_U("names", LIMITS_CALLERS));
	*alone = true;
	return limits_alone();
}

void
admission_start(struct ingress *in)
{
	bool alone = false;

	in->counters = calloc(in->plan.ncallers + 1, sizeof(struct limits_caller *));
	in->buffered_by = calloc(in->plan.ncallers + 1, sizeof(*in->buffered_by));
	if (in->counters == NULL || in->buffered_by == NULL)
		abort();
	for (size_t i = 0; i < in->plan.ncallers; i++)
		in->counters[i] = counters_of(in, in->plan.callers[i].name, &alone);
}

static void
say_budget(struct call *c, struct span name, const struct caller_limits *rules, uint64_t wait_ms)
{
	char when[17];

	date_to_basic((loop_wall_ms() + wait_ms + 999) / 1000, when);
	snprintf(c->decision.why, sizeof(c->decision.why),
		 "The caller \"%.*s\" has spent its `tokenBudget` of %" PRIu64
		 " tokens; there is a "
		 "new one from %s on (in %" PRIu64
		 " s). Trying again before that will not help; the "
		 "operator can raise it.",
		 (int)name.len, name.ptr, rules->budget_tokens, when, (wait_ms + 999) / 1000);
}

static void
say_limit(struct call *c, struct span name, enum limit over, const struct caller_limits *rules)
{
	const struct {
		const char *key;
		uint64_t max;
	} limits[] = {
		[LIMIT_REQUESTS] = {"requestsPerMinute", rules->requests_per_minute},
		[LIMIT_TOKENS] = {"tokensPerMinute", rules->tokens_per_minute},
		[LIMIT_CONCURRENT] = {"concurrentRequests", rules->concurrent_requests},
	};

	snprintf(c->decision.why, sizeof(c->decision.why),
		 "The caller \"%.*s\" is at its `%s` of %" PRIu64 "; try again in %u s, or ask the "
		 "operator to raise it.",
		 (int)name.len, name.ptr, limits[over].key, limits[over].max, c->retry_seconds);
}

static enum verdict
ask(const struct ingress *in, struct call *c, bool enters)
{
	const struct ingress_caller *caller;
	struct limits_caller *counters;
	uint64_t now_ms = loop_clock_us() / 1000, wait_ms = 0, seconds;
	enum limit over;

	if (in->plan.ncallers == 0)
		return VERDICT_OK;
	assert(c->decision.caller != CALLER_NONE);
	caller = &in->plan.callers[c->decision.caller];
	counters = in->counters[c->decision.caller];
	over = enters ? limits_enter(counters, &caller->limits, now_ms, &wait_ms)
		      : limits_take(counters, &caller->limits, now_ms, &wait_ms);
	if (over == LIMIT_NONE)
		return VERDICT_OK;
	if (over == LIMIT_BUDGET) {
		say_budget(c, caller->name, &caller->limits, wait_ms);
		return VERDICT_BUDGET_EXCEEDED;
	}
	seconds = (wait_ms + 999) / 1000;
	c->retry_seconds = (unsigned)(seconds > RETRY_SECONDS_MAX ? RETRY_SECONDS_MAX : seconds);
	say_limit(c, caller->name, over, &caller->limits);
	return VERDICT_RATE_LIMITED;
}

enum verdict
admission_enter(const struct ingress *in, struct call *c)
{
	enum verdict v = ask(in, c, true);

	c->admitted = v == VERDICT_OK && in->plan.ncallers > 0;
	return v;
}

enum verdict
admission_take(const struct ingress *in, struct call *c)
{
	return ask(in, c, false);
}

void
admission_give(const struct ingress *in, struct call *c)
{
	if (c->admitted)
		limits_give(in->counters[c->decision.caller]);
	c->admitted = false;
}

void
admission_charge(const struct ingress *in, const struct call *c)
{
	uint64_t bytes = c->bytes_in + c->bytes_relayed, tokens = UINT64_MAX;

	if (!c->admitted)
		return;
	if (c->usage.input <= UINT64_MAX - c->usage.output)
		tokens = c->usage.input + c->usage.output;
	/* Who hangs up pays for what was said before, too: Anthropic begins with the input. */
	if (c->metered == METER_UNKNOWN && tokens < bytes)
		tokens = bytes;
	limits_spend(in->counters[c->decision.caller], &in->plan.callers[c->decision.caller].limits,
		     tokens, loop_clock_us() / 1000);
}
