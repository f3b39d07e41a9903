/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper's looks, and the age of a slot's value, with a store that answers when told to. */
#include "unit.h"

#include <stdlib.h>

#include "keeper/rotation.h"

enum { KEY, ACCESS, ENV, SLOTS, FLOOR_MS = 1000 };

static struct plan_number numbers[SLOTS] = {{KEY}, {ACCESS}, {ENV}};
static struct keeper_slot slot_plans[SLOTS];
static struct keeper_target target = {.slots = numbers, .nslots = SLOTS};
static struct keeper_plan plan;

static struct loop *loop;
static struct slot_owner owner;
static struct slot slots[SLOTS];
static struct rotation rotation, other; /* two targets with the same secrets */
static int asked[SLOTS], looks, other_looks, gone;
static bool one_document; /* KEY and ACCESS are members of it */

static void
fetch(struct slot_owner *o, struct slot *s)
{
	(void)o;
	asked[s->number]++;
	if (one_document && s->number != ENV)
		slot_begin(&slots[s->number == KEY ? ACCESS : KEY]);
}

static void
changed(struct slot_owner *o, struct slot *s, bool value_changed)
{
	(void)o;
	gone += value_changed && slot_value(s).ptr == NULL ? 1 : 0;
	rotation_slot_ended(&rotation, s, value_changed);
	rotation_slot_ended(&other, s, value_changed);
}

static void
looked(struct rotation *r)
{
	looks += r == &rotation ? 1 : 0;
	other_looks += r == &other ? 1 : 0;
}

static void
answer(int slot, const char *value)
{
	slot_fetched(&slots[slot], span_of(value), &(struct slot_version){0});
}

static void
fault(int slot, enum slot_failure kind, const char *type)
{
	slot_failed(&slots[slot], &(struct slot_fault){.kind = kind, .type = type});
}

static int
begin(void **state)
{
	(void)state;
	plan = (struct keeper_plan){.slots = slot_plans,
				    .nslots = SLOTS,
				    .ttl_ms = 300000,
				    .max_stale_ms = 86400000,
				    .failure_ttl_ms = 10000};
	loop = loop_new();
	owner = (struct slot_owner){loop, &plan, fetch, changed};
	for (int i = 0; i < SLOTS; i++) {
		slot_init(&slots[i], &owner, (uint16_t)i);
		slots[i].reference.kind = i == ENV ? REFERENCE_ENV : REFERENCE_SECRETS_MANAGER;
	}
	rotation_init(&rotation, loop, &target, slots, looked);
	rotation_init(&other, loop, &target, slots, looked);
	for (int i = 0; i < SLOTS; i++)
		answer(i, "before");
	memset(asked, 0, sizeof(asked));
	looks = other_looks = gone = 0;
	one_document = false;
	return 0;
}

static int
end(void **state)
{
	(void)state;
	for (int i = 0; i < SLOTS; i++)
		secret_free(slots[i].value);
	free(rotation.open);
	free(rotation.stale);
	free(other.open);
	free(other.stale);
	loop_free(loop);
	return 0;
}

static void
stop(struct timer *t)
{
	(void)t;
	loop_stop(loop, 0);
}

static void
pass(uint64_t ms)
{
	struct timer t = {.fn = stop};

	timer_set(loop, &t, ms);
	loop_run(loop);
}

/* What decides whom sidekey trusts, in a run of exec. */
static void
a_value_for_good(void **state)
{
	struct slot s;

	(void)state;
	slot_plans[KEY].once = true;
	slot_init(&s, &owner, KEY);
	s.reference.kind = REFERENCE_FILE;
	assert_null(slot_fetched(&s, SPAN("first"), &(struct slot_version){0}));
	assert_null(slot_fetched(&s, SPAN("second"), &(struct slot_version){0}));
	slot_failed(&s, &(struct slot_fault){.kind = SLOT_DENIED, .type = "PermissionDenied"});
	assert_string_equal(slot_state_name(s.state), "fresh");
	assert_false(slot_is_news(&s));
	s.age.fn(&s.age); /* maxStale is over, and the last look has not come back */
	assert_true(span_is(slot_value(&s), "first"));
	assert_int_equal(s.version, 1);
	timer_stop(loop, &s.timer);
	timer_stop(loop, &s.age);
	secret_free(s.value);
	slot_plans[KEY].once = false;
}

/* A file that is put there later is not taken; a store may be reached later. */
static void
none_for_good(void **state)
{
	(void)state;
	slot_plans[KEY].once = true;
	for (int is_file = 0; is_file < 2; is_file++) {
		struct slot s;

		slot_init(&s, &owner, KEY);
		s.reference.kind = is_file ? REFERENCE_FILE : REFERENCE_SECRETS_MANAGER;
		slot_failed(&s, &(struct slot_fault){.kind = SLOT_UNREACHED, .type = "NoSuchFile"});
		assert_int_equal(s.state, is_file ? SLOT_REFUSED : SLOT_MISSING);
		for (int i = 0; i < 2; i++)
			assert_int_equal(
				slot_fetched(&s, SPAN("later"), &(struct slot_version){0}) == NULL,
				!is_file);
		assert_int_equal(slot_value(&s).ptr != NULL, !is_file);
		timer_stop(loop, &s.timer);
		timer_stop(loop, &s.age);
		secret_free(s.value);
	}
	slot_plans[KEY].once = false;
}

static void
every_slot_is_asked_once(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++)
		rotation_look(&rotation);
	assert_int_equal(asked[KEY], 1);
	assert_int_equal(asked[ACCESS], 1);
	assert_int_equal(asked[ENV], 0); /* the environment does not change */
	answer(KEY, "after");
	assert_int_equal(looks, 0);
	fault(ACCESS, SLOT_UNREACHED, "Unreachable");
	assert_int_equal(looks, 1);
	answer(KEY, "later still"); /* an ordinary refresh */
	assert_int_equal(looks, 1);
}

/* A hostile egress asks as often as it can. */
static void
looks_are_a_second_apart(void **state)
{
	uint64_t began = loop_now(loop);

	(void)state;
	for (int second = 0; second < 2; second++) {
		int before = looks;

		for (int i = 0; i < 1000; i++)
			rotation_look(&rotation);
		while (asked[KEY] <= before)
			pass(10);
		assert_int_equal(asked[KEY], before + 1);
		answer(KEY, "before");
		answer(ACCESS, "before");
		assert_int_equal(looks, before + 1);
	}
	assert_true(loop_now(loop) - began >= FLOOR_MS);
}

static void
a_refresh_under_way_is_joined(void **state)
{
	(void)state;
	slot_refresh(&slots[KEY]);
	pass(5);
	rotation_look(&rotation);
	assert_int_equal(asked[KEY], 1);
	answer(KEY, "after");
	assert_int_equal(asked[KEY], 1); /* it brought the new version: enough */
	answer(ACCESS, "before");
	assert_int_equal(asked[ACCESS], 1);
	assert_int_equal(looks, 1);
}

/* The store may have answered the refresh before the rotation. */
static void
a_joined_refresh_without_news_is_repeated_once(void **state)
{
	(void)state;
	slot_refresh(&slots[KEY]);
	pass(5);
	rotation_look(&rotation);
	answer(ACCESS, "before");
	answer(KEY, "before");
	pass(5);
	assert_int_equal(looks, 0);
	assert_int_equal(asked[KEY], 2);
	answer(KEY, "before");
	pass(5);
	assert_int_equal(asked[KEY], 2);
	assert_int_equal(looks, 1);
}

/* The first target's repetition is no answer to the second. */
static void
a_repetition_is_awaited_by_all_targets(void **state)
{
	(void)state;
	slot_refresh(&slots[KEY]);
	pass(5);
	rotation_look(&rotation);
	rotation_look(&other);
	answer(ACCESS, "before");
	answer(KEY, "before");
	pass(5);
	assert_int_equal(asked[KEY], 2);
	assert_int_equal(looks, 0);
	assert_int_equal(other_looks, 0);
	answer(KEY, "after");
	assert_int_equal(looks, 1);
	assert_int_equal(other_looks, 1);
}

/* One answer of the store ends the fetch of each member in turn: the look ends with the last. */
static void
a_document_of_two_secrets_is_repeated_whole(void **state)
{
	(void)state;
	one_document = true;
	slot_refresh(&slots[KEY]);
	pass(5);
	rotation_look(&rotation);
	answer(KEY, "before");
	answer(ACCESS, "before");
	pass(5);
	assert_int_equal(asked[KEY] + asked[ACCESS], 2);
	answer(KEY, "after");
	assert_int_equal(looks, 0); /* egress has one half of the new pair */
	answer(ACCESS, "after, too");
	assert_int_equal(looks, 1);
}

static void
a_failure_is_left_alone_for_failure_ttl(void **state)
{
	(void)state;
	fault(KEY, SLOT_DENIED, "AccessDeniedException");
	rotation_look(&rotation);
	assert_int_equal(asked[KEY], 0);
	assert_int_equal(asked[ACCESS], 1);
	fault(ACCESS, SLOT_ERROR, "ThrottlingException");
	assert_int_equal(looks, 1);
	assert_int_equal(asked[ACCESS], 1);
}

/* Fails slot count times: each next attempt is within least and most, which begin at now. */
static void
fails(int slot, enum slot_failure kind, int count, uint64_t least, uint64_t most)
{
	for (int i = 0; i < count; i++) {
		uint64_t before = loop_lived_ms();

		fault(slot, kind, "Failure");
		assert_in_range(slots[slot].next_ms, before + least, loop_lived_ms() + most);
	}
}

/* By no chance of the jitter; nor when it is an hour: the longest back-off does not cut it. */
static void
no_failure_is_asked_again_before_failure_ttl(void **state)
{
	static const enum slot_failure kinds[] = {SLOT_UNREACHED, SLOT_ERROR, SLOT_DENIED};

	(void)state;
	secret_free(slots[ACCESS].value);
	slots[ACCESS].value = NULL;
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		plan.failure_ttl_ms = 3000;
		for (int i = 0; i < 100; i++) {
			slots[KEY].failures = slots[ACCESS].failures = 0;
			fails(KEY, kinds[k], 1, 3000, 3600);
			fails(ACCESS, kinds[k], 1, 3000, 3600);
		}
		fails(KEY, kinds[k], 20, 6000, 72000);
		plan.failure_ttl_ms = 300000;
		fails(KEY, kinds[k], 20, 300000, 360000);
	}
}

/* All is well soon after the store is. */
static void
without_a_value_nobody_s_answer_is_asked_for_every_failure_ttl(void **state)
{
	(void)state;
	secret_free(slots[KEY].value);
	slots[KEY].value = NULL;
	plan.failure_ttl_ms = 1000;
	fails(KEY, SLOT_UNREACHED, 1, 1000, 1200);
	fails(KEY, SLOT_UNREACHED, 20, 2000, 2400);
	plan.failure_ttl_ms = 3000;
	fails(KEY, SLOT_UNREACHED, 20, 3000, 3600);
}

static void
nothing_to_ask_is_answered_at_once(void **state)
{
	struct keeper_target none = {.nslots = 0};

	(void)state;
	free(rotation.open);
	free(rotation.stale);
	rotation_init(&rotation, loop, &none, slots, looked);
	rotation_look(&rotation);
	assert_int_equal(looks, 1);
}

static void
a_value_goes_at_max_stale(void **state)
{
	(void)state;
	plan.max_stale_ms = 20;
	answer(KEY, "short-lived");
	answer(ACCESS, "short-lived, too");
	fault(ACCESS, SLOT_DENIED, "AccessDeniedException");
	assert_int_equal(slots[ACCESS].state, SLOT_STALE);
	slot_refresh(&slots[KEY]); /* and never ends */
	assert_int_equal(gone, 0);
	pass(40);
	assert_int_equal(gone, 2);
	assert_int_equal(slots[KEY].state, SLOT_MISSING);
	assert_int_equal(slots[ACCESS].state, SLOT_REFUSED);
	assert_null(slot_value(&slots[KEY]).ptr);
	answer(KEY, "short-lived");
	assert_int_equal(slots[KEY].state, SLOT_FRESH);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
		CASE(a_value_for_good),
		CASE(none_for_good),
		CASE(every_slot_is_asked_once),
		CASE(looks_are_a_second_apart),
		CASE(a_refresh_under_way_is_joined),
		CASE(a_joined_refresh_without_news_is_repeated_once),
		CASE(a_repetition_is_awaited_by_all_targets),
		CASE(a_document_of_two_secrets_is_repeated_whole),
		CASE(a_failure_is_left_alone_for_failure_ttl),
		CASE(no_failure_is_asked_again_before_failure_ttl),
		CASE(without_a_value_nobody_s_answer_is_asked_for_every_failure_ttl),
		CASE(nothing_to_ask_is_answered_at_once),
		CASE(a_value_goes_at_max_stale),
#undef CASE
	};

	if (secret_init(64 * 1024) == SECRET_PAGES_NONE)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
