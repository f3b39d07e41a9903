/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <unistd.h>

#include "cli/listening.h"
#include "cli/procfs.h"

#define STATUS                                                                                     \
	"Name:\tpython3\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t7\nPid:\t7\nPPid:\t3\n"        \
	"TracerPid:\t0\nUid:\t1000\t1001\t1002\t1003\nGid:\t5\t5\t5\t5\nVmSize:\t  2576 kB\n"      \
	"CapInh:\t0000000000000000\nCapEff:\t00000000a80425fb\nNoNewPrivs:\t1\n"

static void
a_status_is_read(void **state)
{
	struct process p = {.pid = 7};

	(void)state;
	assert_true(process_parse(SPAN(STATUS), &p));
	assert_string_equal(p.name, "python3");
	assert_int_equal(p.parent, 3);
	assert_int_equal(p.uid, 1001);
	assert_true(p.caps == 0xa80425fb);
	assert_true(p.no_new_privs);
	assert_false(p.is_kernel);
}

static const struct {
	const char *status;
	const char *why;
} bad_statuses[] = {
	{"", "nothing"},
	{"Name:\tx\n", "a name alone"},
	{"Uid:\t1\t1\t1\t1\nPPid:\t1\nCapEff:\t0\n", "no name"},
	{"Name:\tx\nPPid:\t-1\nUid:\t1\t1\t1\t1\nCapEff:\t0\n", "a negative parent"},
	{"Name:\tx\nPPid:\t1\nUid:\t1\nCapEff:\t0\n", "one uid of four"},
	{"Name:\tx\nPPid:\t1\nUid:\t1\t1\t1\t1\nCapEff:\tzz\n", "capabilities that are no number"},
};

static void
what_is_no_status_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad_statuses); i++) {
		struct process p = {0};

		if (process_parse(span_of(bad_statuses[i].status), &p))
			fail_msg("taken for a status: %s", bad_statuses[i].why);
	}
}

/* A name ends at its line: what a program calls itself adds no field. */
static void
a_name_is_no_field(void **state)
{
	struct process p = {0};

	(void)state;
	assert_true(process_parse(SPAN("Name:\tUid:\t0\t0\nPPid:\t1\nUid:\t9\t9\t9\t9\n"
				       "CapEff:\t0\n"),
				  &p));
	assert_int_equal(p.uid, 9);
	assert_true(p.is_kernel);
}

static void
this_process_is_seen_and_its_family_is_no_neighbour(void **state)
{
	struct process self;

	(void)state;
	assert_true(process_read(0, &self));
	assert_int_equal(self.pid, getpid());
	assert_int_equal(self.parent, getppid());
	assert_int_equal(self.uid, geteuid());
	assert_false(process_read(INT32_MAX, &self));
}

static void
is_no_relative(void *arg, const struct process *p)
{
	unsigned *n = arg;

	assert_int_not_equal(p->pid, getpid());
	assert_int_not_equal(p->pid, getppid());
	(*n)++;
}

static void
neighbours_are_visited(void **state)
{
	unsigned before = 0, after = 0;
	int ends[2];
	pid_t child;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(processes_visit(is_no_relative, &before), 0);
	child = fork();
	if (child == 0) {
		char byte;

		close(ends[1]);
		_exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
	}
	assert_int_equal(processes_visit(is_no_relative, &after), 0);
	assert_true(after > 0);
	close(ends[0]);
	close(ends[1]);
}

static void
a_file_of_one_number_is_read(void **state)
{
	uint64_t n = 0;

	(void)state;
	assert_true(procfs_number("/proc/sys/kernel/pid_max", &n));
	assert_true(n > 0);
	assert_false(procfs_number("/proc/version", &n));
	assert_false(procfs_number("/proc/no/such", &n));
}

/* ---- listening ---- */

#define HEADING                                                                                    \
	"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
#define ROW(local, state, uid)                                                                     \
	"   0: " local " 00000000:0000 " state " 00000000:00000000 00:00000000 00000000 " uid      \
	"        0 20304 1 0000000000000000 100 0 0 10 0\n"

static const struct {
	const char *table;
	bool found;
	uint32_t uid;
	const char *why;
} tables[] = {
	{HEADING ROW("0100007F:1E25", "0A", "  999"), true, 999, "port 7717"},
	{HEADING ROW("0100007F:1E25", "01", "  999"), false, 0, "a connection, no listener"},
	{HEADING ROW("0100007F:1E26", "0A", "  999"), false, 0, "another port"},
	{HEADING ROW("0100007F:1E25", "01", "1") ROW("0100007F:1E25", "0A", "2"), true, 2, "both"},
	{ROW("00000000000000000000000001000000:1E25", "0A", "5"), true, 5, "IPv6"},
	{HEADING, false, 0, "none"},
	{"", false, 0, "no table"},
	{"   0: 0100007F:1E25", false, 0, "half a row"},
	{"::::\n   \n", false, 0, "rubbish"},
};

static void
a_listening_port_tells_its_user(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(tables); i++) {
		uint32_t uid = 0;

		if (listening_uid(span_of(tables[i].table), 7717, &uid) != tables[i].found ||
		    uid != tables[i].uid)
			fail_msg("wrong: %s", tables[i].why);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_status_is_read),
		cmocka_unit_test(what_is_no_status_is_refused),
		cmocka_unit_test(a_name_is_no_field),
		cmocka_unit_test(this_process_is_seen_and_its_family_is_no_neighbour),
		cmocka_unit_test(neighbours_are_visited),
		cmocka_unit_test(a_file_of_one_number_is_read),
		cmocka_unit_test(a_listening_port_tells_its_user),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
