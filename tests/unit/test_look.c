/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "egress/look.h"
#include "ev/loop.h"

struct caller {
	struct look_call call;
	bool newer; /* what the look finds for it */
	int again, passed_on;
	struct caller *drops; /* a call that ends while this one is told */
	struct look *look;
};

static bool
again(struct look_call *c)
{
	struct caller *caller = ev_owner(c, struct caller, call);

	caller->again += caller->newer ? 1 : 0;
	if (caller->drops != NULL)
		look_leave(caller->look, &caller->drops->call);
	return caller->newer;
}

static void
pass_on(struct look_call *c)
{
	ev_owner(c, struct caller, call)->passed_on++;
}

static struct caller
caller(enum refusal kind, const char *model)
{
	struct caller c = {.call = {.again = again, .pass_on = pass_on}};

	look_print(&c.call.print, kind, SPAN("POST"), SPAN("/v1/chat/completions"), span_of(model));
	return c;
}

/* Asks for c alone, in vain. */
static void
look_in_vain(struct look *l, struct caller *c, uint64_t now)
{
	struct look_outcome o;

	assert_int_equal(look_join(l, &c->call, now), LOOK_ASK);
	o = look_ended(l, now);
	assert_int_equal(o.passed_on, 1);
	assert_false(o.ask);
}

static void
one_look_serves_all(void **state)
{
	struct caller c[] = {caller(REFUSAL_UNAUTHORIZED, "a"), caller(REFUSAL_UNAUTHORIZED, "a"),
			     caller(REFUSAL_FORBIDDEN, "b")};
	struct look l = {0};
	struct look_outcome o;

	(void)state;
	assert_int_equal(look_join(&l, &c[0].call, 1), LOOK_ASK);
	assert_int_equal(look_join(&l, &c[1].call, 1), LOOK_WAIT);
	assert_int_equal(look_join(&l, &c[2].call, 1), LOOK_WAIT);
	for (size_t i = 0; i < COUNT(c); i++)
		c[i].newer = true;
	o = look_ended(&l, 2);
	assert_int_equal(o.again, 3);
	assert_int_equal(o.passed_on, 0);
	assert_false(o.ask);
	assert_int_equal(c[0].again + c[1].again + c[2].again, 3);
	assert_int_equal(look_join(&l, &c[0].call, 2), LOOK_ASK); /* nothing was in vain */
}

static void
vain_looks_become_rare(void **state)
{
	static const uint64_t waits[] = {2000, 4000, 8000, 16000, 30000, 30000};
	struct caller c = caller(REFUSAL_UNAUTHORIZED, "a");
	struct look l = {0};
	uint64_t now = 5;

	(void)state;
	for (size_t i = 0; i < COUNT(waits); i++) {
		look_in_vain(&l, &c, now);
		assert_int_equal(look_join(&l, &c.call, now + waits[i] - 1), LOOK_IN_VAIN);
		assert_false(c.call.waits);
		now += waits[i];
	}
	look_in_vain(&l, &c, now);
	look_changed(&l);
	look_in_vain(&l, &c, now);
	assert_int_equal(look_join(&l, &c.call, now + 1999), LOOK_IN_VAIN);
	look_in_vain(&l, &c, now + 2000);
	assert_int_equal(look_join(&l, &c.call, now + 2000 + 3999), LOOK_IN_VAIN);
	now += 3600 * 1000; /* of yesterday, so to speak */
	look_in_vain(&l, &c, now);
	assert_int_equal(look_join(&l, &c.call, now + 1999), LOOK_IN_VAIN);
	look_in_vain(&l, &c, now + 2000);
}

static void
what_was_in_vain_for_one_is_not_for_others(void **state)
{
	struct caller loop = caller(REFUSAL_UNAUTHORIZED, "denied"),
		      others[] = {caller(REFUSAL_UNAUTHORIZED, "good"),
				  caller(REFUSAL_FORBIDDEN, "denied"),
				  caller(REFUSAL_ACCESS, "denied")};
	struct look l = {0};

	(void)state;
	look_in_vain(&l, &loop, 1);
	for (size_t i = 0; i < COUNT(others); i++)
		look_in_vain(&l, &others[i], 1);
	assert_int_equal(look_join(&l, &loop.call, 2), LOOK_IN_VAIN);
	look_print(&loop.call.print, REFUSAL_UNAUTHORIZED, SPAN("GET"),
		   SPAN("/v1/chat/completions"), SPAN("denied"));
	assert_int_equal(look_join(&l, &loop.call, 2), LOOK_ASK);
}

/* The look began before the refusal: it may have seen the store before the rotation. */
static void
who_comes_late_gets_a_look_of_its_own(void **state)
{
	struct caller first = caller(REFUSAL_UNAUTHORIZED, "a"),
		      alike = caller(REFUSAL_UNAUTHORIZED, "a"),
		      late = caller(REFUSAL_UNAUTHORIZED, "b");
	struct look l = {0};
	struct look_outcome o;

	(void)state;
	assert_int_equal(look_join(&l, &first.call, 1), LOOK_ASK);
	assert_int_equal(look_join(&l, &alike.call, 1), LOOK_WAIT);
	assert_int_equal(look_join(&l, &late.call, 1), LOOK_WAIT);
	o = look_ended(&l, 2);
	assert_true(o.ask && l.under_way);
	assert_int_equal(o.passed_on, 2); /* alike is known to be in vain by then */
	assert_true(late.call.waits);
	o = look_ended(&l, 3);
	assert_int_equal(o.passed_on, 1);
	assert_false(o.ask || l.under_way || late.call.waits);
}

static void
calls_leave(void **state)
{
	struct caller c[] = {caller(REFUSAL_FORBIDDEN, "a"), caller(REFUSAL_FORBIDDEN, "b"),
			     caller(REFUSAL_FORBIDDEN, "c"), caller(REFUSAL_FORBIDDEN, "d")};
	struct look l = {0};

	(void)state;
	look_leave(&l, &c[0].call); /* it never waited */
	for (size_t i = 0; i < COUNT(c); i++)
		assert_int_not_equal(look_join(&l, &c[i].call, 1), LOOK_IN_VAIN);
	look_leave(&l, &c[1].call);
	assert_true(look_late(&l, &c[2].call, 2));
	assert_int_equal(look_join(&l, &c[2].call, 2), LOOK_WAIT); /* another's costs nothing */
	assert_false(look_late(&l, &c[2].call, 2));                /* told once a look */
	c[0].newer = c[3].newer = true;
	c[0].look = &l;
	c[0].drops = &c[3];
	assert_int_equal(look_ended(&l, 3).again, 1);
	assert_int_equal(c[0].again, 1);
	assert_int_equal(c[1].again + c[1].passed_on + c[3].again + c[3].passed_on, 0);
	assert_int_equal(look_join(&l, &c[2].call, 4), LOOK_IN_VAIN);
}

/* Memory is bounded; what is forgotten first is what would have ended first. */
static void
many_kinds_of_calls(void **state)
{
	struct caller first = caller(REFUSAL_UNAUTHORIZED, "first");
	struct look l = {0};
	uint64_t now = 1;

	(void)state;
	look_in_vain(&l, &first, now);
	for (int i = 0; i < LOOK_VAIN_MAX; i++) {
		struct caller c;
		char model[16];

		snprintf(model, sizeof(model), "m%d", i);
		c = caller(REFUSAL_UNAUTHORIZED, model);
		look_in_vain(&l, &c, ++now);
		assert_int_equal(look_join(&l, &c.call, now), LOOK_IN_VAIN);
	}
	assert_int_equal(look_join(&l, &first.call, now), LOOK_ASK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_look_serves_all),
		cmocka_unit_test(vain_looks_become_rare),
		cmocka_unit_test(what_was_in_vain_for_one_is_not_for_others),
		cmocka_unit_test(who_comes_late_gets_a_look_of_its_own),
		cmocka_unit_test(calls_leave),
		cmocka_unit_test(many_kinds_of_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
