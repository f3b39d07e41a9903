/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "ev/patience.h"

struct end {
	struct timer timer;
	struct loop *loop;
};

static void
stop(struct timer *t)
{
	loop_stop(ev_owner(t, struct end, timer)->loop, 0);
}

/* The kernel's count is now that; the loop turns, and it is time to look. */
static int
policy_after(struct patience *p, const char *count)
{
	struct end end = {{.fn = stop}, p->loop};

	assert_int_equal(ftruncate(p->fd, 0), 0);
	assert_int_equal(pwrite(p->fd, count, strlen(count), 0), (ssize_t)strlen(count));
	if (p->look_at != UINT64_MAX)
		p->look_at = 0;
	timer_set(p->loop, &end.timer, 1);
	loop_run(p->loop);
	return sched_getscheduler(0);
}

static struct patience *
begin(void)
{
	static struct patience p;
	char path[] = "/tmp/sidekey-patience-XXXXXX";
	const struct sched_param none = {0};
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(sched_setscheduler(0, SCHED_OTHER, &none), 0);
	patience_start(&p, loop_new(), fd);
	return &p;
}

static void
done(struct patience *p)
{
	const struct sched_param none = {0};

	assert_int_equal(sched_setscheduler(0, SCHED_OTHER, &none), 0);
	close(p->fd);
	loop_free(p->loop);
}

static void
is_patient_as_long_as_it_hardly_waits(void **state)
{
	struct patience *p = begin();

	(void)state;
	assert_int_equal(policy_after(p, "900 5000 10\n"), SCHED_BATCH);
	/* 40 us a run; then 400 us, of too few runs to say anything; then of enough. */
	assert_int_equal(policy_after(p, "900 4005000 110\n"), SCHED_BATCH);
	assert_int_equal(policy_after(p, "900 8005000 120\n"), SCHED_BATCH);
	assert_int_equal(policy_after(p, "900 12005000 130\n"), SCHED_OTHER);
	assert_true(p->look_at >= loop_now(p->loop) + 9000);
	/* It is tried again, from the counts of then. */
	assert_int_equal(policy_after(p, "900 99000000 140\n"), SCHED_BATCH);
	assert_int_equal(policy_after(p, "900 99400000 180\n"), SCHED_BATCH);
	done(p);
}

static void
who_cannot_know_is_not_patient(void **state)
{
	static const char *const counts[] = {"",        "900\n",         "900 5000\n", "900 x 10\n",
					     "0 0 0\n", "900 5000 -1\n", "900 5000 10"};

	(void)state;
	for (size_t i = 0; i < COUNT(counts); i++) {
		struct patience *p = begin();
		bool good = i + 1 == COUNT(counts);

		assert_int_equal(policy_after(p, "900 5000 10\n"), SCHED_BATCH);
		assert_int_equal(policy_after(p, counts[i]), good ? SCHED_BATCH : SCHED_OTHER);
		assert_int_equal(p->look_at == UINT64_MAX, !good);
		done(p);
	}
}

/* As a container's or systemd's filter may. */
static void
who_is_forbidden_to_asks_once(void **state)
{
	pid_t child;
	int status;

	(void)state;
	if (is_emulated())
		skip();
	child = fork();
	if (child == 0) {
		struct patience *p = begin();
		scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

		if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(sched_setscheduler),
				     0) != 0 ||
		    seccomp_load(filter) != 0)
			_exit(2);
		_exit(policy_after(p, "900 5000 10\n") == SCHED_OTHER && p->look_at == UINT64_MAX);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
}

static void
looks_no_more_than_ten_times_a_second(void **state)
{
	struct patience *p = begin();

	(void)state;
	(void)policy_after(p, "900 5000 10\n");
	assert_true(p->look_at >= loop_now(p->loop) + 90 && p->look_at <= loop_now(p->loop) + 100);
	done(p);
}

static int
opened_under(int policy, int at)
{
	const struct sched_param none = {0};
	pid_t child = fork();
	int status;

	if (child == 0) {
		close(at);
		_exit(sched_setscheduler(0, policy, &none) != 0 ? 2 : patience_open(at) == at);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
a_policy_that_somebody_chose_stays(void **state)
{
	int low = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	if (access("/proc/self/schedstat", R_OK) != 0)
		skip();
	assert_int_equal(opened_under(SCHED_OTHER, low), 1);
	assert_int_equal(opened_under(SCHED_OTHER, 99), 0); /* another descriptor was free */
	assert_int_equal(opened_under(SCHED_BATCH, low), 0);
	assert_int_equal(opened_under(SCHED_IDLE, low), 0);
	close(low);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_patient_as_long_as_it_hardly_waits),
		cmocka_unit_test(who_cannot_know_is_not_patient),
		cmocka_unit_test(who_is_forbidden_to_asks_once),
		cmocka_unit_test(looks_no_more_than_ten_times_a_second),
		cmocka_unit_test(a_policy_that_somebody_chose_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
