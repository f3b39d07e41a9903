/* SPDX-License-Identifier: Apache-2.0 */
/* Shares by weight, cooling, and a clock that wraps around. */
#include "egress/balance.h"
#include "unit.h"

enum { ALL = 0xffff, START = 1000 * 1000 };

static struct balance
balance_of(const uint32_t *weights, size_t n)
{
	struct balance b = {0};

	for (size_t i = 0; i < n; i++)
		balance_add(&b, weights[i]);
	return b;
}

/* Of a call that went there at started: lost, or answered with how long to wait. */
static bool
lost(struct balance *b, size_t i, uint64_t started, uint64_t now)
{
	return balance_failed(b, i, &(struct balance_failure){started, now, false, 0});
}

static bool
asked(struct balance *b, size_t i, uint64_t started, uint64_t now, uint64_t retry_ms)
{
	return balance_failed(b, i, &(struct balance_failure){started, now, true, retry_ms});
}

/* In each cycle of as many calls as the weights together, each has exactly its share. */
static void
test_shares(void **state)
{
	static const struct {
		uint32_t weights[BALANCE_MAX];
		size_t n;
	} cases[] = {
		{{1, 1}, 2},       {{3, 1}, 2},
		{{5, 1, 1}, 3},    {{100, 1}, 2},
		{{7, 5, 3, 1}, 4}, {{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, BALANCE_MAX},
	};

	(void)state;
	for (size_t c = 0; c < COUNT(cases); c++) {
		struct balance b = balance_of(cases[c].weights, cases[c].n);
		uint32_t cycle = 0;

		for (size_t i = 0; i < cases[c].n; i++)
			cycle += cases[c].weights[i];
		for (unsigned round = 0; round < 3; round++) {
			uint32_t got[BALANCE_MAX] = {0};

			for (uint32_t i = 0; i < cycle; i++)
				got[balance_pick(&b, (1U << cases[c].n) - 1, START)]++;
			for (size_t i = 0; i < cases[c].n; i++)
				assert_int_equal(got[i], cases[c].weights[i]);
		}
	}
}

/* The heavy one's calls are spread among the others'. */
static void
test_order_is_smooth(void **state)
{
	static const uint32_t weights[] = {5, 1, 1};
	static const long order[] = {0, 0, 1, 0, 2, 0, 0};
	struct balance b = balance_of(weights, COUNT(weights));

	(void)state;
	for (size_t i = 0; i < COUNT(order); i++)
		assert_int_equal(balance_pick(&b, 7, START), order[i]);
}

static void
test_only_those_that_may(void **state)
{
	static const uint32_t weights[] = {100, 1, 1};
	struct balance b = balance_of(weights, COUNT(weights));

	(void)state;
	assert_int_equal(balance_pick(&b, 0, START), -1);
	for (int i = 0; i < 5; i++)
		assert_int_equal(balance_pick(&b, 1U << 2, START), 2);
	assert_int_equal(balance_pick(&b, 1U << 1, START), 1);
}

static void
test_cooling(void **state)
{
	static const uint32_t weights[] = {1, 1};
	static const uint64_t waits[] = {5000, 10000, 20000, 40000, 60000, 60000};
	struct balance b = balance_of(weights, COUNT(weights));
	uint64_t now = START;

	(void)state;
	for (size_t i = 0; i < COUNT(waits); i++) {
		assert_true(lost(&b, 0, now, now + 1));
		now += 1 + waits[i];
		assert_false(balance_is_cool(&b, 0, now - 1));
		assert_int_equal(balance_pick(&b, ALL & 3, now - 1), 1);
		assert_int_equal(balance_pick(&b, 1, now - 1), 0); /* there is no other */
		assert_true(balance_is_cool(&b, 0, now));
	}
	assert_true(balance_succeeded(&b, 0, now));
	assert_false(balance_succeeded(&b, 0, now)); /* nothing new */
	assert_true(lost(&b, 0, now, now));
	assert_true(balance_is_cool(&b, 0, now + BALANCE_COOL_MS));
}

/* Of many calls that fail together the first counts; an answer from before says nothing. */
static void
test_calls_under_way(void **state)
{
	static const uint32_t weights[] = {1, 1};
	struct balance b = balance_of(weights, COUNT(weights));

	(void)state;
	assert_true(lost(&b, 0, START, START + 10));
	for (int i = 0; i < 100; i++)
		assert_false(lost(&b, 0, START, START + 11));
	assert_true(balance_is_cool(&b, 0, START + 10 + BALANCE_COOL_MS));
	assert_false(balance_succeeded(&b, 0, START));
	assert_false(balance_is_cool(&b, 0, START + 12));
	assert_true(balance_succeeded(&b, 0, START + 11)); /* it went there all the same */
	assert_true(balance_is_cool(&b, 0, START + 12));
}

static void
test_asked_to_wait(void **state)
{
	static const struct {
		uint64_t asked, waits;
	} cases[] = {{1, 1000}, {1000, 1000}, {2500, 2500}, {60000, 60000}, {86400000, 60000}};
	static const uint32_t weights[] = {1, 1};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct balance b = balance_of(weights, COUNT(weights));

		assert_true(asked(&b, 1, START, START, cases[i].asked));
		assert_false(balance_is_cool(&b, 1, START + cases[i].waits - 1));
		assert_true(balance_is_cool(&b, 1, START + cases[i].waits));
		/* It is never cut short by another that asks for less, but may be made longer. */
		assert_int_equal(asked(&b, 1, START, START + 1, 60000), true);
		assert_false(asked(&b, 1, START, START + 1, 1));
		assert_false(balance_is_cool(&b, 1, START + 60000));
	}
}

/* When all cool, the one that has cooled soonest is tried. */
static void
test_all_cool(void **state)
{
	static const uint32_t weights[] = {1, 100, 1};
	struct balance b = balance_of(weights, COUNT(weights));

	(void)state;
	assert_true(asked(&b, 0, START, START, 30000));
	assert_true(asked(&b, 1, START, START, 50000));
	assert_true(asked(&b, 2, START, START, 10000));
	assert_int_equal(balance_pick(&b, 7, START + 1), 2);
	assert_int_equal(balance_pick(&b, 3, START + 1), 0);
	assert_int_equal(balance_pick(&b, 7, START + 10000), 2);
	assert_int_equal(balance_pick(&b, 3, START + 40000), 0);
}

/* Who may be asked when another has turned a call away. */
static void
test_may_ask(void **state)
{
	static const uint32_t weights[] = {1, 1, 1, 1};
	struct balance b = balance_of(weights, COUNT(weights));

	(void)state;
	assert_true(lost(&b, 1, START, START));        /* it would only fail to be reached */
	assert_true(asked(&b, 2, START, START, 0));    /* how long it needs is our guess */
	assert_true(asked(&b, 3, START, START, 9000)); /* it said so */
	for (size_t i = 0; i < COUNT(weights); i++)
		assert_int_equal(balance_may_ask(&b, i, START + 1), i == 0 || i == 2);
	assert_true(asked(&b, 2, START, START + 1, 9000)); /* now it has said so too */
	assert_false(balance_may_ask(&b, 2, START + 2));
	for (size_t i = 0; i < COUNT(weights); i++)
		assert_true(balance_may_ask(&b, i, START + 9001));
}

static void
test_clock_wraps(void **state)
{
	static const uint32_t weights[] = {1, 1};
	struct balance b = balance_of(weights, COUNT(weights));
	uint64_t now = UINT64_MAX - 1000;

	(void)state;
	assert_true(lost(&b, 0, now, now));
	assert_false(balance_is_cool(&b, 0, now + 4999));
	assert_int_equal(balance_pick(&b, 3, now + 4999), 1);
	assert_true(balance_is_cool(&b, 0, now + 5000));
	assert_true(lost(&b, 1, now, now));
	assert_int_equal(balance_pick(&b, 3, now + 1), 0);
	assert_false(lost(&b, 0, now - 1, now + 2000));
	assert_true(balance_succeeded(&b, 0, now + 2000));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_order_is_smooth),
		cmocka_unit_test(test_only_those_that_may),
		cmocka_unit_test(test_cooling),
		cmocka_unit_test(test_calls_under_way),
		cmocka_unit_test(test_asked_to_wait),
		cmocka_unit_test(test_all_cool),
		cmocka_unit_test(test_may_ask),
		cmocka_unit_test(test_clock_wraps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
