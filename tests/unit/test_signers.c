/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "base/date.h"
#include "egress/signers.h"
#include "ev/loop.h"

enum { DAY_S = 86400 };

#define TEXT(literal)                                                                              \
	{                                                                                          \
		(literal), sizeof(literal) - 1                                                     \
	} /* of a static table */

/* One target for each test, and one that is not signed. */
#define SIGNED                                                                                     \
	{                                                                                          \
		.is_signed = true, .region = TEXT("us-east-1"), .service = TEXT("bedrock")         \
	}
enum { TWO_DAYS, CLOCK, VERSION, TAKEN_BACK, UNUSABLE, EDGE, PLAIN, TARGETS };
static struct egress_target targets[TARGETS] = {
	SIGNED, SIGNED, SIGNED, SIGNED, SIGNED, SIGNED, {.is_signed = false}};
static const struct egress_plan plan = {.targets = targets, .ntargets = COUNT(targets)};
static struct signers *s;
static const char key[SIGV4_KEY_LEN] = "a key of thirty-two bytes, made";

static uint64_t
now_s(void)
{
	return loop_wall_ms() / 1000;
}

/* A key of the day that is days from AWS's today. */
static const char *
put(uint16_t target, uint32_t version, int days, int64_t offset_s)
{
	uint64_t now = (uint64_t)((int64_t)now_s() + offset_s);
	char date[17];
	struct msg_signing m = {.target = target,
				.version = version,
				.key = {key, sizeof(key)},
				.key_id = SPAN("AKIDEXAMPLE"),
				.token = SPAN("the-token"),
				.now_s = now};

	date_to_basic((uint64_t)((int64_t)now + days * DAY_S), date);
	m.day = (struct span){date, 8};
	return signers_take(s, &m);
}

static bool
can_sign(uint16_t target)
{
	uint64_t now;
	struct signer_loan *loan = signers_lend(s, target, &now);
	bool can = loan != NULL;

	signers_release(loan);
	return can;
}

/* Two days are held side by side; a third takes the place of the earliest. */
static void
two_days_are_held(void **state)
{

	(void)state;
	assert_int_equal(signers_state(s, TWO_DAYS), SIGNING_AWAITED);
	assert_int_equal(signers_state(s, PLAIN), SIGNING_GOOD);
	assert_null(put(TWO_DAYS, 1, 0, 0));
	assert_null(put(TWO_DAYS, 1, 2, 0));
	assert_true(can_sign(TWO_DAYS));
	assert_int_equal(signers_state(s, TWO_DAYS), SIGNING_GOOD);
	assert_null(put(TWO_DAYS, 1, 3, 0));
	assert_false(can_sign(TWO_DAYS));
	assert_int_equal(signers_state(s, TWO_DAYS), SIGNING_AWAITED);
}

/* The day is AWS's, not ours. */
static void
the_day_is_by_aws_s_clock(void **state)
{
	struct signer_loan *loan;
	uint64_t now;

	(void)state;
	assert_null(put(CLOCK, 1, 0, 3 * DAY_S));
	loan = signers_lend(s, CLOCK, &now);
	assert_non_null(loan);
	assert_true(now + 60 > now_s() + 3 * DAY_S && now <= now_s() + 3 * DAY_S);
	assert_string_equal(secret_span(loan->signer.token_line).ptr,
			    "X-Amz-Security-Token: the-token");
	assert_true(span_is(loan->signer.region, "us-east-1"));
	signers_release(loan);
}

static const struct {
	int64_t from_midnight_s; /* AWS's time, as it seems */
	int key;                 /* the day that there is a key of, from that */
	int64_t signed_s;        /* from that midnight; FAR: there is no signing */
	const char *why;
} edges[] = {
#define FAR INT64_MAX
	{600, 0, 600, "the key of the day"},       {600, -1, -1, "just beyond it: its last second"},
	{-600, 1, 0, "just before it: its first"}, {3500, -1, -1, "an hour beyond, almost"},
	{3601, -1, FAR, "more than an hour"},      {-3601, 1, FAR, "more than an hour before"},
	{600, 1, FAR, "the other edge is far"},    {600, -2, FAR, "a day between"},
};

/* A clock that was set near midnight seems to be in a day of which nobody has a key. */
static void
the_edge_of_a_day(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(edges); i++) {
		uint64_t now = now_s(), midnight = now - now % DAY_S + 2 * DAY_S, got;
		int64_t seems = (int64_t)midnight + edges[i].from_midnight_s;
		struct signer_loan *loan;

		assert_null(put(EDGE, (uint32_t)i + 1, edges[i].key, seems - (int64_t)now));
		loan = signers_lend(s, EDGE, &got);
		if ((loan == NULL) != (edges[i].signed_s == FAR))
			fail_msg("%s", edges[i].why);
		if (loan == NULL)
			continue;
		assert_in_range(got, midnight + (uint64_t)edges[i].signed_s,
				midnight + (uint64_t)edges[i].signed_s +
					(edges[i].key == 0 ? 60 : 0));
		signers_release(loan);
	}
}

/* Other keys end the use of those before; a call in hand keeps its own to its end. */
static void
another_version_replaces_all(void **state)
{
	struct signer_loan *loan;
	uint64_t now;

	(void)state;
	assert_null(put(VERSION, 1, 0, 0));
	assert_null(put(VERSION, 1, 2, 0));
	loan = signers_lend(s, VERSION, &now);
	assert_non_null(loan);
	assert_false(signers_is_newer(s, VERSION, loan->version));
	assert_null(put(VERSION, 2, 2, 0));
	assert_false(can_sign(VERSION));
	assert_true(signers_is_newer(s, VERSION, loan->version));
	assert_memory_equal(secret_span(loan->signer.key).ptr, key, sizeof(key));
	signers_release(loan);
}

static void
keys_are_taken_back(void **state)
{
	struct msg_signing lost = {.target = TAKEN_BACK, .version = 2};

	(void)state;
	assert_null(put(TAKEN_BACK, 1, 0, 0));
	assert_null(signers_take(s, &lost));
	assert_false(can_sign(TAKEN_BACK));
	assert_false(signers_is_newer(s, TAKEN_BACK, 1));
	assert_int_equal(signers_state(s, TAKEN_BACK), SIGNING_AWAITED);
	lost = (struct msg_signing){.target = TAKEN_BACK,
				    .version = 3,
				    .denied = true,
				    .error_type = SPAN("AccessDenied")};
	assert_null(signers_take(s, &lost));
	assert_int_equal(signers_state(s, TAKEN_BACK), SIGNING_REFUSED);
	assert_string_equal(signers_error(s, TAKEN_BACK), "AccessDenied");
	assert_null(put(TAKEN_BACK, 4, 0, 0));
	assert_int_equal(signers_state(s, TAKEN_BACK), SIGNING_GOOD);
	assert_string_equal(signers_error(s, TAKEN_BACK), "");
}

static void
what_cannot_be_used_is_not_taken(void **state)
{
	const struct msg_signing good = {.target = UNUSABLE,
					 .version = 1,
					 .day = SPAN("20261121"),
					 .key = {key, sizeof(key)},
					 .key_id = SPAN("AKIDEXAMPLE")};
	struct msg_signing bad[] = {good, good, good, good, good, good};

	(void)state;
	bad[0].target = PLAIN;
	bad[1].target = TARGETS;
	bad[2].key.len = 31;
	bad[3].day = SPAN("2026112");
	bad[4].key_id = SPAN("A\r\nB");
	bad[5].token = SPAN("a\nb");
	assert_null(signers_take(s, &good));
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_non_null(signers_take(s, &bad[i]));
}

static int
set_up(void **state)
{
	(void)state;
	s = signers_new(&plan);
	return secret_init(64 * 1024) == SECRET_PAGES_NONE ? -1 : 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_days_are_held),
		cmocka_unit_test(the_day_is_by_aws_s_clock),
		cmocka_unit_test(the_edge_of_a_day),
		cmocka_unit_test(another_version_replaces_all),
		cmocka_unit_test(keys_are_taken_back),
		cmocka_unit_test(what_cannot_be_used_is_not_taken),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
