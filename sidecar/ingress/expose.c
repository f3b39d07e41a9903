/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	family = "# HELP " name " " text LF "# TYPE " name " " type LF *sample
 *	sample = name [ "{" label *( "," label ) "}" ] " " value LF
 *	label  = name "=" DQUOTE value DQUOTE           ; \ " and LF escaped as \\ \" \n
 */
#include <inttypes.h>

#include "ingress/expose.h"

#include "ingress/conn.h"
#include "ingress/metrics.h"

static void
family(struct buf *b, const char *name, const char *type, const char *help)
{
	(void)buf_addf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* What stands before a label's name says whether it is the first: "{" or ",". */
static void
label(struct buf *b, const char *before, const char *name, struct span value)
{
	(void)buf_addf(b, "%s%s=\"", before, name);
	for (size_t i = 0; i < value.len; i++) {
		char c = value.ptr[i];

		if (c == '"' || c == '\\')
			(void)buf_add_char(b, '\\');
		if (c == '\n')
			(void)buf_add_str(b, "\\n");
		else
			(void)buf_add_char(b, c);
	}
	(void)buf_add_char(b, '"');
}

/* Deployments are counted with their target. */
static bool
is_whole(const struct ingress *in, size_t target)
{
	return !in->plan.targets[target].is_deployment;
}

/* ---- calls ---- */

static void
requests(struct buf *b, const struct ingress *in)
{
	const struct metrics *m = in->metrics;

	family(b, "sidekey_requests_total", "counter",
	       "Calls that are over. target and operation are empty where a call was refused "
	       "before they were known, status where the client left before an answer, and code "
	       "where the answer was the upstream's; client_gone and error codes beside a status "
	       "of the upstream's are answers that broke off (not a stream whose last event the "
	       "client had).");
	for (uint32_t i = 0; i < m->nseries; i++) {
		const struct metrics_series *s = &m->series[i];

		if (s->count == 0)
			continue; /* the one for the rest, most of the time */
		(void)buf_add_str(b, "sidekey_requests_total");
		label(b, "{", "target", metrics_target_name(in->metrics, s->target));
		label(b, ",", "operation",
		      s->operation < OPERATIONS
			      ? span_of(operation_name((enum operation)s->operation))
			      : SPAN(""));
		if (s->status == 0)
			label(b, ",", "status", SPAN(""));
		else
			(void)buf_addf(b, ",status=\"%u\"", (unsigned)s->status);
		label(b, ",", "code", span_of(s->code));
		(void)buf_addf(b, "} %" PRIu64 "\n", s->count);
	}
}

static void
durations(struct buf *b, const struct metrics *m)
{
	static const struct {
		const char *name, *help;
	} rows[DURATIONS] = {
		[DURATION_REQUEST] = {"sidekey_request_duration_seconds",
				      "From a call's first byte read to the last byte of its "
				      "answer given to the kernel, or to its break."},
		[DURATION_FIRST_BYTE] = {"sidekey_first_byte_seconds",
					 "From a call's first byte read to the head of the "
					 "upstream's answer."},
		[DURATION_OVERHEAD] = {"sidekey_overhead_seconds",
				       "What the ingress process adds to a relayed call: from the "
				       "request's last byte read to as much of it given to the "
				       "egress process as its socket takes at once, and from the "
				       "answer's head received from there to its first write to "
				       "the client. Not in it: egress, and the upstream."},
	};

	for (size_t d = 0; d < DURATIONS; d++) {
		const struct histogram *h = &m->durations[d];
		const char *name = rows[d].name;
		uint64_t below = 0;

		family(b, name, "histogram", rows[d].help);
		for (size_t i = 0; i < h->bounds->n; i++) {
			below += h->counts[i];
			(void)buf_addf(b, "%s_bucket{le=\"%s\"} %" PRIu64 "\n", name,
				       h->bounds->at[i].seconds, below);
		}
		(void)buf_addf(b, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, h->count);
		(void)buf_addf(b, "%s_sum %" PRIu64 ".%06" PRIu64 "\n", name, h->sum_us / 1000000,
			       h->sum_us % 1000000);
		(void)buf_addf(b, "%s_count %" PRIu64 "\n", name, h->count);
	}
}

static void
errors(struct buf *b, const struct ingress *in)
{
	const struct metrics *m = in->metrics;

	family(b, "sidekey_refusals_total", "counter",
	       "Calls that sidekey itself refused, or cut off when it ended, by error code.");
	for (unsigned v = VERDICT_OK + 1; v < VERDICTS; v++)
		if (metrics_upstream_error((enum verdict)v) == UPSTREAM_ERRORS)
			(void)buf_addf(b, "sidekey_refusals_total{code=\"%s\"} %" PRIu64 "\n",
				       verdict_row((enum verdict)v)->code, m->refusals[v]);
	family(b, "sidekey_upstream_errors_total", "counter",
	       "Calls that the upstream, or the way to it, failed, and attempts at one of a "
	       "target's deployments, after which the call went to another. An error that the "
	       "upstream answers properly is not one of them, but for a throttle that was not "
	       "the last word: see status of sidekey_requests_total.");
	for (size_t t = 0; t < in->plan.ntargets; t++)
		for (unsigned e = 0; is_whole(in, t) && e < UPSTREAM_ERRORS; e++) {
			const char *kind =
				metrics_upstream_error_name((enum metrics_upstream_error)e);

			(void)buf_add_str(b, "sidekey_upstream_errors_total");
			label(b, "{", "target", metrics_target_name(in->metrics, t));
			label(b, ",", "kind", span_of(kind));
			(void)buf_addf(b, "} %" PRIu64 "\n", m->upstream_errors[t][e]);
		}
	family(b, "sidekey_redactions_total", "counter",
	       "Occurrences of a secret in an answer, which were overwritten.");
	for (size_t t = 0; t < in->plan.ntargets; t++) {
		if (!is_whole(in, t))
			continue;
		(void)buf_add_str(b, "sidekey_redactions_total");
		label(b, "{", "target", metrics_target_name(in->metrics, t));
		(void)buf_addf(b, "} %" PRIu64 "\n", m->redactions[t]);
	}
}

/* ---- secrets and certificates ---- */

static void
secrets(struct buf *b, const struct ingress *in)
{
	uint64_t now = loop_lived_ms();

	family(b, "sidekey_secret_age_seconds", "gauge",
	       "Since the value in hand was last fetched or confirmed; no line for a slot without "
	       "a value.");
	for (size_t i = 0; i < in->plan.nslots; i++) {
		const struct slot_view *s = &in->slots[i];
		uint64_t ms = now > s->fetched_ms ? now - s->fetched_ms : 0;

		if (!slot_state_is_usable(s->state))
			continue;
		(void)buf_add_str(b, "sidekey_secret_age_seconds");
		label(b, "{", "slot", in->plan.slots[i].name);
		(void)buf_addf(b, "} %" PRIu64 ".%03" PRIu64 "\n", ms / 1000, ms % 1000);
	}
	family(b, "sidekey_secret_refreshes_total", "counter",
	       "Attempts to read a secret: success, failure (its store cannot be reached or is in "
	       "trouble), denied (the store said no, or the reference or the value is no good).");
	for (size_t i = 0; i < in->plan.nslots; i++)
		for (unsigned r = 0; r < REFRESHES; r++) {
			const char *result = metrics_refresh_name((enum metrics_refresh)r);

			(void)buf_add_str(b, "sidekey_secret_refreshes_total");
			label(b, "{", "slot", in->plan.slots[i].name);
			label(b, ",", "result", span_of(result));
			(void)buf_addf(b, "} %" PRIu64 "\n", in->metrics->refreshes[i][r]);
		}
}

static void
certificates(struct buf *b, const struct ingress *in)
{
	int64_t now = (int64_t)(loop_wall_ms() / 1000);

	family(b, "sidekey_certificate_expiry_seconds", "gauge",
	       "Seconds until the target's client certificate ends; negative when it is over.");
	for (size_t i = 0; i < in->plan.ntargets; i++) {
		if (in->targets[i].certificate_expiry == 0 || !is_whole(in, i))
			continue;
		(void)buf_add_str(b, "sidekey_certificate_expiry_seconds");
		label(b, "{", "target", metrics_target_name(in->metrics, i));
		(void)buf_addf(b, "} %" PRId64 "\n",
			       (int64_t)in->targets[i].certificate_expiry - now);
	}
}

/* ---- tokens ---- */

static void
token_lines(struct buf *b, const struct ingress *in, uint16_t target, long rule)
{
	const struct metrics *m = in->metrics;
	const uint64_t *counts = m->tokens[metrics_tokens_at(m, target, rule)];

	for (unsigned t = 0; t < TOKEN_TYPES; t++) {
		if (counts[t] == 0)
			continue;
		(void)buf_add_str(b, "sidekey_tokens_total");
		label(b, "{", "target", metrics_target_name(in->metrics, target));
		label(b, ",", "model", rule < 0 ? SPAN("") : in->plan.models[rule].match);
		label(b, ",", "type", span_of(metrics_token_name((enum metrics_token)t)));
		(void)buf_addf(b, "} %" PRIu64 "\n", counts[t]);
	}
}

static void
tokens(struct buf *b, const struct ingress *in)
{
	family(b, "sidekey_tokens_total", "counter",
	       "Tokens that answers reported. model is the `match` of the rule that chose the "
	       "target, and empty where none did.");
	for (size_t i = 0; i < in->plan.ntargets; i++)
		token_lines(b, in, (uint16_t)i, -1);
	for (size_t i = 0; i < in->plan.nmodels; i++)
		token_lines(b, in, in->plan.models[i].target, (long)i);
	family(b, "sidekey_usage_unknown_total", "counter",
	       "Answers that should have reported tokens, and did not.");
	(void)buf_addf(b, "sidekey_usage_unknown_total %" PRIu64 "\n", in->metrics->usage_unknown);
}

/* ---- all of it ---- */

static void
process(struct buf *b, const struct ingress *in)
{
	const struct metrics *m = in->metrics;

	family(b, "sidekey_build_info", "gauge", "1; the version is the label.");
	(void)buf_addf(b, "sidekey_build_info{version=\"%s\"} 1\n", SIDEKEY_VERSION);
	family(b, "process_start_time_seconds", "gauge",
	       "When this generation started, in seconds since 1970; its counters began at 0.");
	(void)buf_addf(b, "process_start_time_seconds %" PRIu64 ".%03" PRIu64 "\n",
		       m->started_ms / 1000, m->started_ms % 1000);
	family(b, "sidekey_inflight", "gauge",
	       "Calls whose head has been read and whose answer is not out yet.");
	(void)buf_addf(b, "sidekey_inflight %zu\n", conn_count_calls(in));
	family(b, "sidekey_admin_refused_total", "counter",
	       "Requests to the admin port whose token was missing or wrong.");
	(void)buf_addf(b, "sidekey_admin_refused_total %" PRIu64 "\n", m->admin_refused);
}

void
expose_metrics(const struct ingress *in, struct buf *b)
{
	requests(b, in);
	durations(b, in->metrics);
	errors(b, in);
	secrets(b, in);
	certificates(b, in);
	tokens(b, in);
	process(b, in);
}
