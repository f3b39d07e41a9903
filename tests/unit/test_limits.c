/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ingress/limits.h"

#include "ev/loop.h"

enum { HOUR_MS = 3600 * 1000 };

static int
set_up(void **state)
{
	int fd = limits_create();

	assert_true(fd >= 0);
	*state = limits_open(fd);
	assert_non_null(*state);
	close(fd);
	return 0;
}

/* A call whose body is there with its head. */
static enum limit
take(struct limits_caller *c, const struct caller_limits *rules, uint64_t now_ms, uint64_t *wait_ms)
{
	enum limit over = limits_enter(c, rules, now_ms, wait_ms);

	if (over != LIMIT_NONE)
		return over;
	over = limits_take(c, rules, now_ms, wait_ms);
	if (over != LIMIT_NONE)
		limits_give(c);
	return over;
}

/* One that comes to nothing. */
static enum limit
look(struct limits_caller *c, const struct caller_limits *rules, uint64_t now_ms, uint64_t *wait_ms)
{
	enum limit over = limits_enter(c, rules, now_ms, wait_ms);

	if (over == LIMIT_NONE)
		limits_give(c);
	return over;
}

/* ---- the pages ---- */

static void
pages(void **state)
{
	int fd = limits_create(), other = memfd_create("other", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(ftruncate(fd, 1), -1);          /* nobody can take them away … */
	assert_int_equal(ftruncate(fd, 1 << 30), -1);    /* … or make them grow */
	assert_int_equal(fcntl(fd, F_ADD_SEALS, 0), -1); /* or seal them further */
	assert_null(limits_open(other));
	assert_null(limits_open(-1));
	close(fd);
	close(other);
}

static void
names(void **state)
{
	struct limits *l = *state;
	char longest[LIMITS_NAME + 1];
	struct limits_caller *a = limits_caller(l, SPAN("a")), *ab = limits_caller(l, SPAN("ab"));

	memset(longest, 'x', sizeof(longest));
	assert_non_null(a);
	assert_ptr_not_equal(a, ab);
	assert_ptr_equal(limits_caller(l, SPAN("a")), a);
	assert_non_null(limits_caller(l, (struct span){longest, LIMITS_NAME}));
	assert_null(limits_caller(l, (struct span){longest, LIMITS_NAME + 1}));
	assert_null(limits_caller(l, SPAN("")));
}

static void
too_many_names(void **state)
{
	struct limits *l = *state;
	char name[16];

	for (int i = 0; i < LIMITS_CALLERS; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		assert_non_null(limits_caller(l, span_of(name)));
	}
	assert_null(limits_caller(l, SPAN("one more")));
	assert_non_null(limits_caller(l, SPAN("n0"))); /* who is there stays */
}

/* ---- requests a minute ---- */

/* Calls at the ends of seconds, and when the next may be made. */
static void
minute(void **state)
{
	static const struct {
		uint64_t at_ms;
		enum limit over;
		uint64_t wait_ms;
		const char *why;
	} rows[] = {
		{100999, LIMIT_NONE, 0, "the first, at the end of a second"},
		{130000, LIMIT_NONE, 0, "the second"},
		{130000, LIMIT_REQUESTS, 31000, "a third waits for the first one's second"},
		{160998, LIMIT_REQUESTS, 2, "59.999 s after the first: not yet"},
		{160999, LIMIT_REQUESTS, 1, "to the millisecond"},
		{161000, LIMIT_NONE, 0, "60.001 s after the first"},
		{161000, LIMIT_REQUESTS, 30000, "the second still counts"},
		{190999, LIMIT_REQUESTS, 1, "60.999 s after the second: whole seconds count"},
		{191000, LIMIT_NONE, 0, "gone"},
		{500000, LIMIT_NONE, 0, "long after: the ring holds only old ones"},
		{500000, LIMIT_NONE, 0, "both again"},
		{500000, LIMIT_REQUESTS, 61000, "and no more"},
	};
	struct caller_limits rules = {.requests_per_minute = 2};
	struct limits_caller *c = limits_caller(*state, SPAN("a"));

	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t wait = 0;

		if (take(c, &rules, rows[i].at_ms, &wait) != rows[i].over ||
		    wait != rows[i].wait_ms)
			fail_msg("%s: row %zu, wait %llu", rows[i].why, i,
				 (unsigned long long)wait);
	}
}

/* Whenever one comes, no 60 s in a row ever hold more than N. */
static void
any_minute(void **state)
{
	enum { N = 7, TRIES = 20000 };
	static uint64_t admitted[TRIES];
	struct caller_limits rules = {.requests_per_minute = N};
	struct limits_caller *c = limits_caller(*state, SPAN("a"));
	uint64_t now = 5, wait, step = 12345;
	size_t n = 0;

	for (size_t i = 0; i < TRIES; i++) {
		step = (step * 1103515245 + 12345) % 2147483648U;
		now += step % 3000;
		if (take(c, &rules, now, &wait) != LIMIT_NONE)
			continue;
		admitted[n++] = now;
		if (n > N)
			assert_true(now - admitted[n - 1 - N] > 60000);
	}
	assert_true(n > TRIES / 8); /* and nearly so many are let through */
}

/* What a wait promises is kept. */
static void
waits(void **state)
{
	struct caller_limits rules = {.requests_per_minute = 3};
	struct limits_caller *c = limits_caller(*state, SPAN("a"));
	uint64_t now = 1000, wait = 0;

	for (int i = 0; i < 200; i++) {
		if (take(c, &rules, now, &wait) == LIMIT_NONE) {
			now += 777;
			continue;
		}
		assert_int_equal(look(c, &rules, now + wait - 1, &wait), LIMIT_REQUESTS);
		(void)look(c, &rules, now, &wait);
		now += wait;
		assert_int_equal(look(c, &rules, now, &wait), LIMIT_NONE);
	}
}

/* A process that read the clock a moment earlier does not lose what the other wrote. */
static void
behind(void **state)
{
	struct caller_limits rules = {.requests_per_minute = 2};
	struct limits_caller *c = limits_caller(*state, SPAN("a"));
	uint64_t wait;

	assert_int_equal(take(c, &rules, 70000, &wait), LIMIT_NONE);
	assert_int_equal(take(c, &rules, 69999, &wait), LIMIT_NONE);
	assert_int_equal(take(c, &rules, 69999, &wait), LIMIT_REQUESTS);
	assert_int_equal(take(c, &rules, 70000, &wait), LIMIT_REQUESTS);
}

/* ---- at a time ---- */

static void
concurrent(void **state)
{
	struct caller_limits rules = {.concurrent_requests = 2}, none = {0};
	struct limits_caller *c = limits_caller(*state, SPAN("a"));
	uint64_t wait = 0;

	assert_int_equal(take(c, &rules, 0, &wait), LIMIT_NONE);
	assert_int_equal(take(c, &none, 0, &wait), LIMIT_NONE); /* counted without a rule */
	assert_int_equal(take(c, &rules, 0, &wait), LIMIT_CONCURRENT);
	assert_int_equal(wait, 1000);
	limits_give(c);
	assert_int_equal(look(c, &rules, 0, &wait), LIMIT_NONE); /* a look takes nothing */
	assert_int_equal(take(c, &rules, 0, &wait), LIMIT_NONE);
	limits_give(c);
	limits_give(c);
	limits_give(c); /* one too many makes no room for a third */
	assert_int_equal(take(c, &rules, 0, &wait), LIMIT_NONE);
	assert_int_equal(take(c, &rules, 0, &wait), LIMIT_NONE);
	assert_int_equal(take(c, &rules, 0, &wait), LIMIT_CONCURRENT);
}

/* A call that is refused counts nowhere. */
static void
refused_is_free(void **state)
{
	struct caller_limits rules = {.concurrent_requests = 1, .requests_per_minute = 2};
	struct limits_caller *c = limits_caller(*state, SPAN("a"));
	uint64_t wait;

	assert_int_equal(take(c, &rules, 0, &wait), LIMIT_NONE);
	for (int i = 0; i < 10; i++)
		assert_int_equal(take(c, &rules, 0, &wait), LIMIT_CONCURRENT);
	limits_give(c);
	assert_int_equal(take(c, &rules, 0, &wait), LIMIT_NONE);
	limits_give(c);
	assert_int_equal(take(c, &rules, 0, &wait), LIMIT_REQUESTS);
}

/* ---- tokens ---- */

static void
tokens(void **state)
{
	struct caller_limits rules = {.tokens_per_minute = 100};
	struct limits_caller *c = limits_caller(*state, SPAN("a"));
	uint64_t wait = 0;

	limits_spend(c, &rules, 99, 1000);
	assert_int_equal(take(c, &rules, 1000, &wait), LIMIT_NONE); /* below: one more */
	limits_spend(c, &rules, UINT64_MAX, 20000);                 /* may overdraw */
	assert_int_equal(take(c, &rules, 20000, &wait), LIMIT_TOKENS);
	assert_int_equal(wait, 61000);
	assert_int_equal(take(c, &rules, 80999, &wait), LIMIT_TOKENS);
	assert_int_equal(take(c, &rules, 81000, &wait), LIMIT_NONE);
}

static void
longer_wait(void **state)
{
	struct caller_limits rules = {.tokens_per_minute = 1, .requests_per_minute = 1};
	struct limits_caller *c = limits_caller(*state, SPAN("a"));
	uint64_t wait = 0;

	assert_int_equal(take(c, &rules, 1000, &wait), LIMIT_NONE);
	limits_spend(c, &rules, 5, 9000);
	assert_int_equal(look(c, &rules, 9000, &wait), LIMIT_TOKENS);
	assert_int_equal(wait, 61000);
}

static void
budget(void **state)
{
	struct caller_limits rules = {.budget_tokens = 100, .budget_ms = HOUR_MS};
	struct limits_caller *c = limits_caller(*state, SPAN("a"));
	uint64_t wait = 0, start = 5000000;

	assert_int_equal(take(c, &rules, 1, &wait), LIMIT_NONE); /* starts nothing */
	limits_spend(c, &rules, 0, 2);                           /* nor does nothing */
	limits_spend(c, &rules, 60, start);
	limits_spend(c, &rules, 39, start + HOUR_MS - 1);
	assert_int_equal(look(c, &rules, start + HOUR_MS - 1, &wait), LIMIT_NONE);
	limits_spend(c, &rules, 1, start + HOUR_MS - 1);
	assert_int_equal(look(c, &rules, start + HOUR_MS - 1, &wait), LIMIT_BUDGET);
	assert_int_equal(wait, 1);
	assert_int_equal(look(c, &rules, start + HOUR_MS, &wait), LIMIT_NONE);
	/* The next period begins with its own first spend, not with the end of the last. */
	limits_spend(c, &rules, UINT64_MAX, start + 3 * (uint64_t)HOUR_MS);
	limits_spend(c, &rules, UINT64_MAX, start + 3 * (uint64_t)HOUR_MS); /* no wrap to little */
	assert_int_equal(look(c, &rules, start + 3 * (uint64_t)HOUR_MS + 1, &wait), LIMIT_BUDGET);
	assert_int_equal(wait, HOUR_MS - 1);
}

/* After a reload: what is spent stays, what may be spent is the new configuration's. */
static void
new_rules(void **state)
{
	struct caller_limits before = {.budget_tokens = 100, .budget_ms = HOUR_MS};
	struct caller_limits after = {.budget_tokens = 200, .budget_ms = HOUR_MS};
	struct limits_caller *c = limits_caller(*state, SPAN("a"));
	uint64_t wait;

	limits_spend(c, &before, 150, 1000);
	assert_int_equal(look(c, &before, 1000, &wait), LIMIT_BUDGET);
	assert_int_equal(look(c, &after, 1000, &wait), LIMIT_NONE);
	limits_spend(c, &after, 50, 1000);
	assert_int_equal(look(c, &after, 1000, &wait), LIMIT_BUDGET);
}

/* ---- two processes on one page ---- */

static unsigned
take_many(struct limits_caller *c, const struct caller_limits *rules, bool give)
{
	unsigned got = 0;
	uint64_t wait;

	for (int i = 0; i < 20000; i++) {
		if (take(c, rules, 1000, &wait) != LIMIT_NONE)
			continue;
		got++;
		if (give)
			limits_give(c);
	}
	return got;
}

static void
processes(void **state)
{
	struct caller_limits rules = {.requests_per_minute = 30001};
	struct caller_limits one = {.concurrent_requests = 1};
	struct limits_caller *c = limits_caller(*state, SPAN("a"));
	unsigned *theirs = mmap(NULL, sizeof(*theirs), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned ours;
	uint64_t wait;
	pid_t child;
	int status;

	assert_ptr_not_equal(theirs, MAP_FAILED);
	child = fork();
	if (child == 0) {
		*theirs = take_many(limits_caller(*state, SPAN("a")), &rules, true);
		_exit(0);
	}
	ours = take_many(c, &rules, true);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(ours + *theirs, 30001); /* never one more, and none lost */
	assert_int_equal(take(c, &one, 1000, &wait), LIMIT_NONE); /* all are given back */
	assert_int_equal(take(c, &one, 1000, &wait), LIMIT_CONCURRENT);
	munmap(theirs, sizeof(*theirs));
}

/* ---- another ingress that is owned, or was killed in the middle ---- */

/* The pages twice: as we see them, and as another process does. */
static struct limits *
open_twice(unsigned char **theirs)
{
	int fd = limits_create();
	struct limits *ours = limits_open(fd);

	assert_non_null(ours);
	*theirs = (unsigned char *)limits_open(fd);
	assert_non_null(*theirs);
	close(fd);
	return ours;
}

/* The word of theirs that is at ours: each lock is the first of what it locks. */
static atomic_uint *
lock_of(const void *ours, const struct limits *first, unsigned char *theirs)
{
	return (atomic_uint *)(void *)(theirs + ((const unsigned char *)ours -
						 (const unsigned char *)first));
}

/* Hangs where nobody takes it over: the alarm ends that. */
static void
held(void **state)
{
	struct caller_limits rules = {.concurrent_requests = 1, .requests_per_minute = 1};
	unsigned char *theirs;
	struct limits *l = open_twice(&theirs);
	atomic_uint *list = lock_of(l, l, theirs), *word;
	struct limits_caller *c;
	uint64_t wait;

	(void)state;
	alarm(20);
	atomic_store(list, 1);
	c = limits_caller(l, SPAN("a"));
	assert_non_null(c);
	assert_int_equal(atomic_load(list), 0); /* who took it over lets go of it */
	assert_ptr_equal(limits_caller(l, SPAN("a")), c);
	word = lock_of(c, l, theirs);
	atomic_store(word, 1);
	assert_int_equal(limits_enter(c, &rules, 1000, &wait), LIMIT_NONE);
	assert_int_equal(atomic_load(word), 0);
	atomic_store(word, 7);
	assert_int_equal(limits_take(c, &rules, 1000, &wait), LIMIT_NONE);
	atomic_store(word, 1);
	limits_spend(c, &rules, 5, 1000);
	atomic_store(word, 1);
	limits_give(c);
	/* And what was counted counts. */
	assert_int_equal(limits_enter(c, &rules, 1000, &wait), LIMIT_REQUESTS);
	alarm(0);
}

/* Who is never let go of costs the one thread little, however often it is asked for. */
static void
held_always(void **state)
{
	enum { TIMES = 1000, MOST_US = 5 * 1000 * 1000 }; /* 10 ms each would be twice as much */
	struct caller_limits rules = {0};
	unsigned char *theirs;
	struct limits *l = open_twice(&theirs);
	struct limits_caller *c = limits_caller(l, SPAN("a"));
	atomic_uint *word = lock_of(c, l, theirs);
	uint64_t began = loop_clock_us(), wait;

	(void)state;
	alarm(60);
	for (int i = 0; i < TIMES; i++) {
		atomic_store(word, 1);
		assert_int_equal(limits_enter(c, &rules, 1000, &wait), LIMIT_NONE);
	}
	assert_true(loop_clock_us() - began < MOST_US);
	alarm(0);
}

/* A number of names that cannot be is no index, and keeps nobody out. */
static void
count_that_lies(void **state)
{
	static const uint32_t counts[] = {LIMITS_CALLERS, LIMITS_CALLERS + 1, UINT32_MAX};
	struct caller_limits rules = {.concurrent_requests = 1};
	unsigned char *theirs;
	struct limits *l = open_twice(&theirs);
	struct limits_caller *a = limits_caller(l, SPAN("a")), *alone;
	uint64_t wait;

	(void)state;
	for (size_t i = 0; i < COUNT(counts); i++) {
		memcpy(theirs + sizeof(atomic_uint), &counts[i], sizeof(counts[i]));
		assert_ptr_equal(limits_caller(l, SPAN("a")), a);
		assert_null(limits_caller(l, SPAN("new")));
	}
	alone = limits_alone();
	assert_int_equal(take(alone, &rules, 0, &wait), LIMIT_NONE);
	assert_int_equal(take(alone, &rules, 0, &wait), LIMIT_CONCURRENT);
	limits_give(alone);
	assert_int_equal(take(alone, &rules, 0, &wait), LIMIT_NONE);
	free(alone);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages),
		cmocka_unit_test_setup(names, set_up),
		cmocka_unit_test_setup(too_many_names, set_up),
		cmocka_unit_test_setup(minute, set_up),
		cmocka_unit_test_setup(any_minute, set_up),
		cmocka_unit_test_setup(waits, set_up),
		cmocka_unit_test_setup(behind, set_up),
		cmocka_unit_test_setup(concurrent, set_up),
		cmocka_unit_test_setup(refused_is_free, set_up),
		cmocka_unit_test_setup(tokens, set_up),
		cmocka_unit_test_setup(longer_wait, set_up),
		cmocka_unit_test_setup(budget, set_up),
		cmocka_unit_test_setup(new_rules, set_up),
		cmocka_unit_test_setup(processes, set_up),
		cmocka_unit_test(held),
		cmocka_unit_test(held_always),
		cmocka_unit_test(count_that_lies),
	};

	return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
