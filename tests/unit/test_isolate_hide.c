/* SPDX-License-Identifier: Apache-2.0 */
/* What an isolated command must not find is listed whole, or the command does not run. */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/isolate_hide.h"
#include "tests/unit/variables.h"

static bool
lists(const struct hidden *h, const char *path)
{
	const struct buf *list = &h->directories;

	for (size_t at = 0; at < list->len; at += strlen(list->ptr + at) + 1)
		if (strcmp(list->ptr + at, path) == 0)
			return true;
	return false;
}

static void
no_table_no_list(void **state)
{
	const char *const rows[] = {"HOME=/home/me", NULL};
	const struct environment env = environment(rows);
	const struct plans plans = {0};
	struct rlimit usual, none;
	struct hidden h;
	int next = dup(STDIN_FILENO);

	(void)state;
	assert_true(next >= 0);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
	none = (struct rlimit){(rlim_t)next, usual.rlim_max};
	for (int i = 0; i < 2; i++) {
		assert_int_equal(setrlimit(RLIMIT_NOFILE, i == 0 ? &usual : &none), 0);
		hidden_init(&h);
		assert_int_equal(hidden_fill(&h, &plans, &env), i == 0 ? 0 : -1);
		assert_true(lists(&h, "/tmp") && lists(&h, "/home/me/.aws"));
		hidden_free(&h);
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_table_no_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
