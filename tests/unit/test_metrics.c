/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/histogram.h"
#include "ingress/expose.h"
#include "ingress/metrics.h"
#include "ingress/recent.h"
#include "ingress/token.h"
#include "ingress/trace.h"

/* ---- histograms ---- */

static const struct histogram_bounds bounds = {3, {{10, "10"}, {100, "100"}, {1000, "1000"}}};

static void
buckets(void **state)
{
	struct histogram h = {.bounds = &bounds};

	(void)state;
	assert_int_equal(histogram_quantile(&h, 50), 0);
	histogram_add(&h, 10); /* a bound belongs to the bucket below it */
	histogram_add(&h, 11);
	histogram_add(&h, 5000);
	assert_int_equal(h.counts[0], 1);
	assert_int_equal(h.counts[1], 1);
	assert_int_equal(h.counts[2], 0);
	assert_int_equal(h.counts[3], 1);
	assert_int_equal(h.count, 3);
	assert_int_equal(h.sum_us, 5021);
}

static void
quantiles(void **state)
{
	static const struct {
		unsigned percent;
		uint64_t us;
	} rows[] = {
		{10, 10},    /* the first ten of a hundred fill the first bucket */
		{50, 55},    /* forty of eighty on the way from 10 to 100 */
		{90, 100},   /* the end of the second */
		{95, 550},   /* half of the third */
		{100, 1000}, /* the end */
	};
	struct histogram h = {.bounds = &bounds};

	(void)state;
	for (int i = 0; i < 100; i++)
		histogram_add(&h, i < 10 ? 5 : i < 90 ? 60 : 600);
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(histogram_quantile(&h, rows[i].percent), rows[i].us);
	histogram_add(&h, 1000000); /* never above the last bound */
	assert_int_equal(histogram_quantile(&h, 100), 1000);
}

/* ---- the registry and its text ---- */

struct world {
	struct ingress in;
	struct ingress_target targets[2];
	struct ingress_slot slots[2];
	struct model_rule models[2];
	struct slot_view slot_views[2];
	struct target_view target_views[2];
	struct buf page;
};

static int
set_up(void **state)
{
	struct world *w = test_calloc(1, sizeof(*w));

	w->targets[0].name = SPAN("main");
	w->targets[1].name = SPAN("other");
	w->slots[0].name = SPAN("main.headers.a\"b\\c\nd");
	w->slots[1].name = SPAN("adminToken");
	w->models[0] = (struct model_rule){.match = SPAN("claude-*"), .target = 1};
	w->models[1] = (struct model_rule){.match = SPAN("x\"y"), .target = 0};
	w->in.plan.targets = w->targets;
	w->in.plan.slots = w->slots;
	w->in.plan.models = w->models;
	w->in.plan.ntargets = w->in.plan.nslots = w->in.plan.nmodels = 2;
	w->in.slots = w->slot_views;
	w->in.targets = w->target_views;
	w->in.metrics = metrics_new(&w->in.plan);
	buf_init(&w->page, 4 * 1024 * 1024);
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	metrics_free(w->in.metrics);
	buf_free(&w->page);
	test_free(w);
	return 0;
}

static const char *
page(struct world *w)
{
	buf_keep(&w->page, 0);
	expose_metrics(&w->in, &w->page);
	assert_int_equal(buf_add_char(&w->page, '\0'), 0);
	assert_null(strstr(w->page.ptr, "nan"));
	return w->page.ptr;
}

static void
has(struct world *w, const char *line)
{
	const char *text = page(w);
	const char *at = strstr(text, line);

	if (at == NULL || (at != text && at[-1] != '\n') || at[strlen(line)] != '\n')
		fail_msg("no line %s in:\n%s", line, text);
}

static struct metrics_call
call_of(uint16_t target, uint8_t operation, unsigned status, const char *code)
{
	return (struct metrics_call){target, operation, status, code, 20000, 10000, 25, 90000};
}

/* Attempts that the agent did not see; a client that leaves is no throttle. */
static void
attempts_are_counted(void **state)
{
	struct world *w = *state;
	struct metrics_call gone = call_of(1, OPERATION_CHAT, 0, "client_gone");

	metrics_attempt(w->in.metrics, 0, VERDICT_UPSTREAM_UNREACHABLE);
	metrics_attempt(w->in.metrics, 0, VERDICT_UPSTREAM_UNREACHABLE);
	metrics_attempt(w->in.metrics, 0, VERDICT_OK);
	metrics_attempt(w->in.metrics, 0, VERDICT_OVERLOADED); /* not the upstream's */
	metrics_attempt(w->in.metrics, PLAN_NONE, VERDICT_OK);
	metrics_call(w->in.metrics, &gone);
	has(w, "sidekey_upstream_errors_total{target=\"main\",kind=\"unreachable\"} 2");
	has(w, "sidekey_upstream_errors_total{target=\"main\",kind=\"throttled\"} 1");
	has(w, "sidekey_upstream_errors_total{target=\"other\",kind=\"throttled\"} 0");
	has(w, "sidekey_refusals_total{code=\"overloaded\"} 0");
}

static void
calls_are_counted(void **state)
{
	struct world *w = *state;
	struct metrics_call good = call_of(0, OPERATION_CHAT, 200, NULL);
	struct metrics_call refused = call_of(PLAN_NONE, OPERATIONS, 403, "host_not_allowed");
	struct metrics_call broken = call_of(1, OPERATION_CHAT, 200, "upstream_broken");
	struct metrics_call gone = call_of(1, OPERATION_CHAT, 0, "client_gone");

	refused.first_byte_us = refused.overhead_us = 0;
	metrics_call(w->in.metrics, &good);
	metrics_call(w->in.metrics, &good);
	metrics_call(w->in.metrics, &refused);
	metrics_call(w->in.metrics, &broken);
	metrics_call(w->in.metrics, &gone);
	has(w, "sidekey_requests_total{target=\"main\",operation=\"chat\",status=\"200\","
	       "code=\"\"} 2");
	has(w, "sidekey_requests_total{target=\"\",operation=\"\",status=\"403\","
	       "code=\"host_not_allowed\"} 1");
	has(w, "sidekey_requests_total{target=\"other\",operation=\"chat\",status=\"\","
	       "code=\"client_gone\"} 1");
	has(w, "sidekey_refusals_total{code=\"host_not_allowed\"} 1");
	has(w, "sidekey_refusals_total{code=\"malformed_request\"} 0");
	has(w, "sidekey_upstream_errors_total{target=\"other\",kind=\"broken\"} 1");
	has(w, "sidekey_upstream_errors_total{target=\"main\",kind=\"broken\"} 0");
	has(w, "sidekey_request_duration_seconds_bucket{le=\"0.01\"} 0");
	has(w, "sidekey_request_duration_seconds_bucket{le=\"0.025\"} 5");
	has(w, "sidekey_request_duration_seconds_bucket{le=\"+Inf\"} 5");
	has(w, "sidekey_request_duration_seconds_sum 0.100000");
	has(w, "sidekey_first_byte_seconds_count 4");
	has(w, "sidekey_overhead_seconds_bucket{le=\"0.000025\"} 4");
	assert_int_equal(metrics_last_minute(w->in.metrics, 90000), 5);
	assert_int_equal(metrics_last_minute(w->in.metrics, 149999), 5);
	assert_int_equal(metrics_last_minute(w->in.metrics, 150000), 0);
	assert_int_equal(metrics_in_second(w->in.metrics, 90999, 0), 5);
	assert_int_equal(metrics_in_second(w->in.metrics, 91000, 0), 0);
	assert_int_equal(metrics_in_second(w->in.metrics, 91000, 1), 5);
	assert_int_equal(metrics_in_second(w->in.metrics, 149000, 59), 5);
	assert_int_equal(metrics_in_second(w->in.metrics, 209000, 59), 0);
}

static void
series_have_an_end(void **state)
{
	struct world *w = *state;

	/* An upstream that answers with every status there is, and some that there are not. */
	for (unsigned status = 0; status < 70000; status += 7)
		for (uint8_t o = 0; o < OPERATIONS; o++) {
			struct metrics_call c = call_of(0, o, status, NULL);

			metrics_call(w->in.metrics, &c);
		}
	assert_int_equal(w->in.metrics->nseries, 1 + OPERATIONS * (1 + 71));
	for (unsigned status = 100; status < 600; status++)
		for (uint8_t o = 0; o < OPERATIONS; o++) {
			struct metrics_call c = call_of(1, o, status, NULL);

			metrics_call(w->in.metrics, &c);
		}
	assert_int_equal(w->in.metrics->nseries, METRICS_SERIES);
	assert_non_null(
		strstr(page(w), "{target=\"\",operation=\"\",status=\"\",code=\"other\"} "));
	assert_true(w->page.len < 1024 * 1024);
}

static void
the_rest(void **state)
{
	struct world *w = *state;
	uint64_t now = loop_lived_ms();

	w->slot_views[0] = (struct slot_view){.state = SLOT_STALE, .fetched_ms = now + 60000};
	w->target_views[1].certificate_expiry = 1;
	metrics_refresh(w->in.metrics, 0, REFRESH_DENIED);
	metrics_tokens(w->in.metrics, 1, 0, TOKEN_INPUT, 7);
	metrics_tokens(w->in.metrics, 0, 1, TOKEN_OUTPUT, 3);
	metrics_tokens(w->in.metrics, 0, -1, TOKEN_INPUT, 2);
	metrics_usage_unknown(w->in.metrics);
	/* What was fetched a tick after we looked is no younger than new. */
	has(w, "sidekey_secret_age_seconds{slot=\"main.headers.a\\\"b\\\\c\\nd\"} 0.000");
	assert_null(strstr(page(w), "sidekey_secret_age_seconds{slot=\"adminToken\"}"));
	has(w, "sidekey_secret_refreshes_total{slot=\"adminToken\",result=\"success\"} 0");
	has(w, "sidekey_tokens_total{target=\"other\",model=\"claude-*\",type=\"input\"} 7");
	has(w, "sidekey_tokens_total{target=\"main\",model=\"x\\\"y\",type=\"output\"} 3");
	has(w, "sidekey_tokens_total{target=\"main\",model=\"\",type=\"input\"} 2");
	has(w, "sidekey_usage_unknown_total 1");
	assert_non_null(strstr(page(w), "sidekey_certificate_expiry_seconds{target=\"other\"} -"));
	assert_null(strstr(page(w), "sidekey_certificate_expiry_seconds{target=\"main\"}"));
}

/* ---- what /status keeps, and who may see it ---- */

static void
ring(void **state)
{
	static struct recent r;
	struct recent_call call = {0};

	(void)state;
	assert_null(recent_at(&r, 0));
	for (unsigned i = 1; i <= RECENT_CALLS + 5; i++) {
		call.status = i;
		recent_put(&r, &call);
		assert_int_equal(recent_at(&r, 0)->status, i);
	}
	assert_int_equal(recent_at(&r, RECENT_CALLS - 1)->status, 6);
	assert_null(recent_at(&r, RECENT_CALLS));
}

static void
tokens_are_compared(void **state)
{
	struct world *w = *state;
	struct ingress_token none = {PLAN_NONE, {NULL, 0}}, by_slot = {1, {NULL, 0}};
	/* printf secret | sha256sum */
	static const char digest[] = "\x2b\xb8\x0d\x53\x7b\x1d\xa3\xe3\x8b\xd3\x03\x61\xaa\x85\x56"
				     "\x86\xbd\xe0\xea\xcd\x71\x62\xfe\xf6\xa2\x5f\xe9\x7b\xf5\x27"
				     "\xa2\x5b";
	struct ingress_token fixed = {PLAN_NONE, {digest, DIGEST_BYTES}};

	assert_int_equal(token_check(&w->in, &none, SPAN("secret")), TOKEN_NOT_CONFIGURED);
	assert_int_equal(token_check(&w->in, &by_slot, SPAN("secret")), TOKEN_UNKNOWN);
	memcpy(w->slot_views[1].digest, digest, DIGEST_BYTES);
	w->slot_views[1].has_digest = true;
	for (int i = 0; i < 2; i++) {
		const struct ingress_token *t = i == 0 ? &fixed : &by_slot;

		assert_int_equal(token_check(&w->in, t, SPAN("secret")), TOKEN_RIGHT);
		assert_int_equal(token_check(&w->in, t, SPAN("secret ")), TOKEN_WRONG);
		assert_int_equal(token_check(&w->in, t, SPAN("")), TOKEN_WRONG);
		assert_int_equal(token_check(&w->in, t, (struct span){digest, 32}), TOKEN_WRONG);
	}
}

static void
traces(void **state)
{
#define ID     "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"
	static const struct {
		const char *text;
		bool good;
		const char *why;
	} rows[] = {
		{"00-" ID "-" PARENT "-01", true, "the specification's own"},
		{"01-" ID "-" PARENT "-01-more", true, "a version to come may say more"},
		{"00-" ID "-" PARENT "-01-more", false, "version 00 may not"},
		{"01-" ID "-" PARENT "-01more", false, "only behind a dash"},
		{"ff-" ID "-" PARENT "-01", false, "version ff is none"},
		{"00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01", false, "upper case"},
		{"00-00000000000000000000000000000000-" PARENT "-01", false, "no trace"},
		{"00-" ID "-0000000000000000-01", false, "no parent"},
		{"00-" ID "-" PARENT "-0", false, "cut"},
		{"00_" ID "-" PARENT "-01", false, "not a dash"},
		{"", false, "nothing"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char id[TRACE_ID_LEN + 1] = "";

		if (trace_id(span_of(rows[i].text), id) != rows[i].good)
			fail_msg("%s", rows[i].why);
		assert_string_equal(id, rows[i].good ? ID : "");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buckets),
		cmocka_unit_test(quantiles),
		cmocka_unit_test_setup_teardown(calls_are_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(attempts_are_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(series_have_an_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_rest, set_up, tear_down),
		cmocka_unit_test(ring),
		cmocka_unit_test_setup_teardown(tokens_are_compared, set_up, tear_down),
		cmocka_unit_test(traces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
