/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "ingress/status.h"

#include "base/secret.h"
#include "ingress/conn.h"
#include "ingress/metrics.h"
#include "ingress/ready.h"
#include "ingress/recent.h"

static void
text(struct buf *b, const char *before, struct span value)
{
	(void)buf_add_str(b, before);
	(void)buf_add_json(b, value);
}

static const char *
name_of_operation(unsigned operation)
{
	return operation < OPERATIONS ? operation_name((enum operation)operation) : "";
}

/* "by": one entry for each target and operation that was called, errors of ours counted apart. */
static void
add_by_operation(struct buf *b, const struct ingress *in)
{
	const struct metrics *m = in->metrics;
	const char *comma = "";

	for (size_t t = 0; t <= in->plan.ntargets; t++)
		for (unsigned o = 0; o <= OPERATIONS; o++) {
			uint64_t calls = 0, errors = 0;

			for (uint32_t i = m->first[t * (OPERATIONS + 1) + o]; i != 0;
			     i = m->series[i].next) {
				calls += m->series[i].count;
				errors += m->series[i].code[0] != '\0' ? m->series[i].count : 0;
			}
			if (calls == 0)
				continue;
			(void)buf_add_str(b, comma);
			text(b, "{\"target\":", metrics_target_name(in->metrics, t));
			(void)buf_addf(b,
				       ",\"operation\":\"%s\",\"calls\":%" PRIu64
				       ",\"errors\":%" PRIu64 "}",
				       name_of_operation(o), calls, errors);
			comma = ",";
		}
}

static void
add_calls(struct buf *b, const struct ingress *in)
{
	const struct metrics *m = in->metrics;

	(void)buf_addf(b,
		       ",\"calls\":{\"total\":%" PRIu64 ",\"inflight\":%zu,\"last_minute\":%" PRIu32
		       ",\"by\":[",
		       m->calls, conn_count_calls(in), metrics_last_minute(m, loop_now(in->loop)));
	add_by_operation(b, in);
	(void)buf_add_str(b, "],\"per_second\":[");
	for (unsigned ago = METRICS_RATE_SECONDS - 1; ago > 0; ago--)
		(void)buf_addf(b, "%" PRIu32 "%s", metrics_in_second(m, loop_now(in->loop), ago),
			       ago > 1 ? "," : "]}");
}

/* "le": the upper bounds; "counts": what fell below each and no lower one, and above the last. */
static void
add_buckets(struct buf *b, const struct histogram *h)
{
	(void)buf_add_str(b, ",\"le\":[");
	for (size_t i = 0; i < h->bounds->n; i++)
		(void)buf_addf(b, "%s%s", i > 0 ? "," : "", h->bounds->at[i].seconds);
	(void)buf_add_str(b, "],\"counts\":[");
	for (size_t i = 0; i <= h->bounds->n; i++)
		(void)buf_addf(b, "%s%" PRIu64, i > 0 ? "," : "", h->counts[i]);
	(void)buf_add_str(b, "]");
}

static void
add_latency(struct buf *b, const struct metrics *m)
{
	static const char *const names[DURATIONS] = {"duration", "first_byte", "overhead"};
	static const unsigned percents[] = {50, 90, 99};

	(void)buf_add_str(b, ",\"latency_seconds\":{");
	for (size_t d = 0; d < DURATIONS; d++) {
		const struct histogram *h = &m->durations[d];

		(void)buf_addf(b, "%s\"%s\":{\"count\":%" PRIu64, d > 0 ? "," : "", names[d],
			       h->count);
		for (size_t p = 0; p < sizeof(percents) / sizeof(percents[0]); p++) {
			uint64_t us = histogram_quantile(h, percents[p]);

			if (h->count > 0)
				(void)buf_addf(b, ",\"p%u\":%" PRIu64 ".%06" PRIu64, percents[p],
					       us / 1000000, us % 1000000);
		}
		add_buckets(b, h);
		(void)buf_add_str(b, "}");
	}
	(void)buf_add_str(b, "}");
}

static bool
add_tokens_of(struct buf *b, const struct ingress *in, uint16_t target, long rule,
	      const char *comma)
{
	const uint64_t *n = in->metrics->tokens[metrics_tokens_at(in->metrics, target, rule)];

	if (n[TOKEN_INPUT] == 0 && n[TOKEN_OUTPUT] == 0)
		return false;
	(void)buf_add_str(b, comma);
	text(b, "{\"target\":", metrics_target_name(in->metrics, target));
	text(b, ",\"model\":", rule < 0 ? SPAN("") : in->plan.models[rule].match);
	(void)buf_addf(b, ",\"input\":%" PRIu64 ",\"output\":%" PRIu64 "}", n[TOKEN_INPUT],
		       n[TOKEN_OUTPUT]);
	return true;
}

static void
add_tokens(struct buf *b, const struct ingress *in)
{
	const char *comma = "";

	(void)buf_add_str(b, ",\"tokens\":[");
	for (size_t i = 0; i < in->plan.ntargets; i++)
		if (add_tokens_of(b, in, (uint16_t)i, -1, comma))
			comma = ",";
	for (size_t i = 0; i < in->plan.nmodels; i++)
		if (add_tokens_of(b, in, in->plan.models[i].target, (long)i, comma))
			comma = ",";
	(void)buf_addf(b, "],\"usage_unknown\":%" PRIu64, in->metrics->usage_unknown);
}

static void
add_refusals(struct buf *b, const struct metrics *m)
{
	const char *comma = "";

	(void)buf_add_str(b, ",\"refusals\":{");
	for (unsigned v = VERDICT_OK + 1; v < VERDICTS; v++) {
		if (m->refusals[v] == 0)
			continue;
		(void)buf_addf(b, "%s\"%s\":%" PRIu64, comma, verdict_row((enum verdict)v)->code,
			       m->refusals[v]);
		comma = ",";
	}
	(void)buf_add_str(b, "}");
}

static void
add_upstream_errors(struct buf *b, const struct ingress *in)
{
	const char *comma = "";

	(void)buf_add_str(b, ",\"upstream_errors\":[");
	for (size_t t = 0; t < in->plan.ntargets; t++)
		for (unsigned e = 0; e < UPSTREAM_ERRORS; e++) {
			uint64_t n = in->metrics->upstream_errors[t][e];

			if (n == 0)
				continue;
			(void)buf_add_str(b, comma);
			text(b, "{\"target\":", metrics_target_name(in->metrics, t));
			(void)buf_addf(b, ",\"kind\":\"%s\",\"count\":%" PRIu64 "}",
				       metrics_upstream_error_name((enum metrics_upstream_error)e),
				       n);
			comma = ",";
		}
	(void)buf_add_str(b, "]");
}

static void
add_recent_call(struct buf *b, const struct ingress *in, const struct recent_call *r)
{
	(void)buf_addf(b, "{\"time_ms\":%" PRIu64 ",\"request_id\":\"%s\"", r->time_ms, r->id);
	text(b, ",\"caller\":", r->caller);
	(void)buf_addf(b, ",\"dialect\":\"%s\",\"operation\":\"%s\"", r->dialect,
		       name_of_operation(r->operation));
	text(b, ",\"target\":", metrics_target_name(in->metrics, r->target));
	text(b, ",\"model\":", span_of(r->model));
	(void)buf_addf(b,
		       ",\"status\":%u,\"code\":\"%s\",\"total_ms\":%" PRIu64
		       ",\"first_byte_ms\":%" PRIu64 ",\"bytes_in\":%" PRIu64
		       ",\"bytes_out\":%" PRIu64 "}",
		       r->status, r->code, r->ms, r->first_byte_ms, r->bytes_in, r->bytes_out);
}

static void
add_recent(struct buf *b, const struct ingress *in)
{
	const struct recent_call *r;

	(void)buf_add_str(b, ",\"recent\":[");
	for (size_t i = 0; (r = recent_at(in->recent, i)) != NULL; i++) {
		(void)buf_add_str(b, i > 0 ? "," : "");
		add_recent_call(b, in, r);
	}
	(void)buf_add_str(b, "]");
}

/* One kernel serves all roles: what Landlock gives them is the same. Secret pages are not. */
static void
add_roles(struct buf *b, const struct ingress *in)
{
	(void)buf_add_str(b, ",\"sandbox\":");
	ready_add_sandbox(b, in);
	(void)buf_addf(b, ",\"secret_pages\":{\"keeper\":\"%s\",\"egress\":\"%s\"}",
		       secret_pages_name(in->keeper_pages), secret_pages_name(in->egress_pages));
}

void
status_answer(const struct ingress *in, struct buf *b)
{
	uint64_t lived_ms = loop_lived_ms() - in->metrics->began_ms;

	(void)buf_addf(b,
		       "{\"version\":\"%s\",\"generation\":%" PRIu32 ",\"uptime_seconds\":%" PRIu64
		       ",\"ready\":%s,\"draining\":%s",
		       SIDEKEY_VERSION, in->plan.generation, lived_ms / 1000,
		       ready_now(in) ? "true" : "false", in->draining ? "true" : "false");
	add_roles(b, in);
	(void)buf_add_str(b, ",\"targets\":");
	ready_add_targets(b, in);
	(void)buf_add_str(b, ",\"slots\":");
	ready_add_slots(b, in, true);
	(void)buf_addf(
		b, ",\"secrets\":{\"ttl_seconds\":%" PRIu64 ",\"max_stale_seconds\":%" PRIu64 "}",
		in->plan.ttl_ms / 1000, in->plan.max_stale_ms / 1000);
	add_calls(b, in);
	add_latency(b, in->metrics);
	add_tokens(b, in);
	add_refusals(b, in->metrics);
	add_upstream_errors(b, in);
	(void)buf_addf(b, ",\"admin_refused\":%" PRIu64, in->metrics->admin_refused);
	add_recent(b, in);
	(void)buf_add_str(b, "}\n");
}
