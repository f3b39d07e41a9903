/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ev/loop.h"

enum { NOT_ALLOWED = 77 };

static char order[64];
static struct loop *loop;

struct tick {
	struct timer timer;
	char mark;
};

static void
ticked(struct timer *t)
{
	struct tick *k = ev_owner(t, struct tick, timer);

	strncat(order, &k->mark, 1);
	if (k->mark == 'z')
		loop_stop(loop, 7);
}

static void
timers_fire_in_order_and_once(void **state)
{
	struct tick ticks[] = {{{.fn = ticked}, 'c'},
			       {{.fn = ticked}, 'a'},
			       {{.fn = ticked}, 'x'},
			       {{.fn = ticked}, 'b'},
			       {{.fn = ticked}, 'z'}};

	(void)state;
	loop = loop_new();
	order[0] = '\0';
	timer_set(loop, &ticks[0].timer, 6);
	timer_set(loop, &ticks[1].timer, 50);
	timer_set(loop, &ticks[2].timer, 3);
	timer_set(loop, &ticks[3].timer, 4);
	timer_set(loop, &ticks[4].timer, 20);
	timer_set(loop, &ticks[1].timer, 2); /* moved */
	timer_stop(loop, &ticks[2].timer);
	assert_int_equal(loop_run(loop), 7);
	assert_string_equal(order, "abcz");
	loop_free(loop);
}

struct restless {
	struct timer timer;
	int fired, pipe;
};

static void
set_for_now(struct timer *t)
{
	struct restless *r = ev_owner(t, struct restless, timer);

	if (r->fired++ == 0)
		assert_int_equal(write(r->pipe, "x", 1), 1);
	if (r->fired == 1000)
		loop_stop(loop, 1);
	else
		timer_set(loop, t, 0);
}

static void
stop_at_read(struct watch *w, uint32_t events)
{
	(void)w;
	(void)events;
	loop_stop(loop, 0);
}

static void
a_timer_set_for_now_leaves_descriptors_their_turn(void **state)
{
	struct restless r = {{.fn = set_for_now}, 0, -1};
	struct watch w = {.fn = stop_at_read};
	struct timer later = {.fn = set_for_now};
	int fds[2];

	(void)state;
	loop = loop_new();
	assert_int_equal(pipe(fds), 0);
	w.fd = fds[0];
	r.pipe = fds[1];
	watch_set(loop, &w, EPOLLIN);
	timer_set(loop, &r.timer, 0);
	timer_set(loop, &later, 60000);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(r.fired, 1);
	loop_free(loop);
}

static uint64_t seen_us[2];

static void
looked_twice(struct timer *t)
{
	for (size_t i = 0; i < 2; i++) {
		struct timespec now;

		assert_int_equal(loop_clock_gettime(CLOCK_MONOTONIC, &now), 0);
		seen_us[i] = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
		usleep(2000);
	}
	(void)t;
	loop_stop(loop, 0);
}

static void
libcurls_clock_all_but_stands_still_in_a_round(void **state)
{
	struct timer timer = {.fn = looked_twice};
	struct timespec later;
	uint64_t before = loop_clock_us();

	(void)state;
	loop = loop_new();
	timer_set(loop, &timer, 1);
	assert_int_equal(loop_run(loop), 0);
	loop_free(loop);
	assert_true(seen_us[0] >= before && seen_us[1] - seen_us[0] <= 1);
	assert_int_equal(loop_clock_gettime(CLOCK_MONOTONIC, &later), 0); /* no loop runs */
	assert_true((uint64_t)later.tv_sec * 1000000 + (uint64_t)later.tv_nsec / 1000 >=
		    seen_us[1] + 4000);
}

/* In a time namespace whose CLOCK_BOOTTIME is a day on, as after a day of sleep. */
static int
run_a_day_later(void)
{
	static const char offset[] = "boottime 86400 0";
	struct timer timer = {.fn = looked_twice};
	struct timespec awake;
	int fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || unshare(CLONE_NEWTIME) != 0 || write(fd, offset, sizeof(offset) - 1) < 0)
		return NOT_ALLOWED;
	close(fd);
	if (fork() != 0) { /* a child is in it */
		int status;

		return wait(&status) > 0 ? WEXITSTATUS(status) : 1;
	}
	loop = loop_new();
	timer_set(loop, &timer, 1);
	if (loop_run(loop) != 0 || clock_gettime(CLOCK_MONOTONIC, &awake) != 0)
		_exit(1);
	_exit(seen_us[0] / 1000000 >= (uint64_t)awake.tv_sec + 86000 &&
			      loop_now(loop) / 1000 >= (uint64_t)awake.tv_sec + 86000 &&
			      loop_clock_us() / 1000000 >= (uint64_t)awake.tv_sec + 86000
		      ? 0
		      : 1);
}

static void
time_in_which_it_was_suspended_counts(void **state)
{
	pid_t child = fork();
	int status = 0;

	(void)state;
	if (child == 0)
		_exit(run_a_day_later());
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WEXITSTATUS(status) == NOT_ALLOWED)
		skip();
	assert_int_equal(status, 0);
}

static void
looked_until_later(struct timer *t)
{
	struct timespec first, now;
	size_t looks = 0;

	(void)t;
	assert_int_equal(loop_clock_gettime(CLOCK_MONOTONIC, &first), 0);
	do
		assert_int_equal(loop_clock_gettime(CLOCK_MONOTONIC, &now), 0);
	while (now.tv_sec == first.tv_sec && now.tv_nsec / 1000 == first.tv_nsec / 1000 &&
	       ++looks < 100);
	assert_true(looks < 100);
	loop_stop(loop, 0);
}

/* To libcurl, which counts microseconds, what is set for now must not be due for ever. */
static void
libcurls_clock_moves_on_as_it_is_read(void **state)
{
	struct timer timer = {.fn = looked_until_later};

	(void)state;
	loop = loop_new();
	timer_set(loop, &timer, 1);
	assert_int_equal(loop_run(loop), 0);
	loop_free(loop);
}

struct end {
	struct watch watch;
	int reads;
	struct end *victim;
};

static void
readable(struct watch *w, uint32_t events)
{
	struct end *e = ev_owner(w, struct end, watch);
	char byte;

	(void)events;
	e->reads += (int)read(w->fd, &byte, 1);
	if (e->victim != NULL) { /* drops the other, whose event is in the same batch */
		watch_stop(loop, &e->victim->watch);
		close(e->victim->watch.fd);
		loop_stop(loop, 0);
	}
}

static void
a_dropped_watch_gets_no_event_of_its_batch(void **state)
{
	int one[2], two[2];
	struct end a = {{0, 0, readable}, 0, NULL}, b = {{0, 0, readable}, 0, NULL};

	(void)state;
	loop = loop_new();
	assert_int_equal(pipe(one), 0);
	assert_int_equal(pipe(two), 0);
	a.watch.fd = one[0];
	b.watch.fd = two[0];
	a.victim = &b;
	b.victim = &a;
	watch_set(loop, &a.watch, EPOLLIN);
	watch_set(loop, &b.watch, EPOLLIN);
	assert_int_equal(write(one[1], "x", 1), 1);
	assert_int_equal(write(two[1], "x", 1), 1);
	loop_run(loop);
	assert_int_equal(a.reads + b.reads, 1);
	loop_free(loop);
}

static void
stop_soon(struct timer *t)
{
	(void)t;
	loop_stop(loop, 0);
}

/*
 * Wanting nothing is lazy: it fires once unwanted, is taken out of epoll, and comes back when
 * wanted.
 */
static void
a_lazy_watch_does_not_spin(void **state)
{
	int fds[2];
	struct end e = {{0, 0, readable}, 0, NULL};
	struct timer t = {.fn = stop_soon};

	(void)state;
	loop = loop_new();
	assert_int_equal(pipe(fds), 0);
	e.watch.fd = fds[0];
	watch_set(loop, &e.watch, EPOLLIN);
	watch_set(loop, &e.watch, 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	timer_set(loop, &t, 10);
	loop_run(loop);
	assert_int_equal(e.reads, 0);
	watch_set(loop, &e.watch, EPOLLIN);
	timer_set(loop, &t, 10);
	loop_run(loop);
	assert_int_equal(e.reads, 1);
	loop_free(loop);
}

struct job {
	struct later later;
	int runs;
};

static void
run_job(struct later *l)
{
	struct job *j = ev_owner(l, struct job, later);

	j->runs++;
	loop_stop(loop, 0);
}

static void
later_runs_once_however_often_asked(void **state)
{
	struct job j = {{.fn = run_job}, 0};

	(void)state;
	loop = loop_new();
	loop_later(loop, &j.later);
	loop_later(loop, &j.later);
	loop_run(loop);
	assert_int_equal(j.runs, 1);
	loop_free(loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_fire_in_order_and_once),
		cmocka_unit_test(a_timer_set_for_now_leaves_descriptors_their_turn),
		cmocka_unit_test(libcurls_clock_all_but_stands_still_in_a_round),
		cmocka_unit_test(time_in_which_it_was_suspended_counts),
		cmocka_unit_test(libcurls_clock_moves_on_as_it_is_read),
		cmocka_unit_test(a_dropped_watch_gets_no_event_of_its_batch),
		cmocka_unit_test(a_lazy_watch_does_not_spin),
		cmocka_unit_test(later_runs_once_however_often_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
