/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/way.h"

enum { STRANGER = 12345 };

/*
 * mine/key is the file, mine/a a link to shared/b, which is one to ../mine/key; mine/d is one to
 * the directory shared, in which e is one to key's directory.
 */
static char top[] = "/tmp/sidekey-way-XXXXXX";

static int
make_places(void **state)
{
	(void)state;
	if (mkdtemp(top) == NULL || chdir(top) != 0 || mkdir("mine", 0700) != 0 ||
	    mkdir("shared", 0755) != 0)
		return -1;
	close(open("mine/key", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	return symlink("../shared/b", "mine/a") | symlink("../mine/key", "shared/b") |
	       symlink("../shared", "mine/d") | symlink("../mine", "shared/e") |
	       symlink("loop", "mine/loop");
}

static int
remove_places(void **state)
{
	(void)state;
	return chdir(top) | unlink("mine/loop") | unlink("shared/e") | unlink("mine/d") |
	       unlink("shared/b") | unlink("mine/a") | unlink("mine/key") | rmdir("shared") |
	       rmdir("mine") | chdir("/") | rmdir(top);
}

static const struct {
	const char *path;
	mode_t shared;
	bool ours;
	const char *where; /* below top */
	const char *why;
} rows[] = {
	{"mine/key", 0777, true, "", "it does not lead through it"},
	{"./mine/../mine//key", 0777, true, "", "nor so"},
	{"mine/a", 0755, true, "", "links that nobody else may change"},
	{"mine/a", 0777, false, "/shared", "a link in the middle that everybody may replace"},
	{"mine/a", 0775, false, "/shared", "or its group"},
	{"mine/a", 01777, true, "", "each may replace only what it owns"},
	{"shared/b", 0777, false, "/shared", "the name that was asked for"},
	{"mine/d/../mine/key", 0777, true, "", "nothing is looked up in it"},
	{"mine/d/e/key", 0777, false, "/shared", "a directory on the way"},
	{"mine/d/e/key", 0755, true, "", "the same without others"},
	{"mine/loop", 0755, false, "", "it leads nowhere"},
	{"mine/none", 0755, false, "/mine/none", "nor is this there"},
};

static void
every_directory_on_the_way_counts(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (int absolute = 0; absolute < 2; absolute++) {
			char path[128], where[WAY_PATH_MAX], wanted[128];

			snprintf(path, sizeof(path), "%s%s%s", absolute ? top : "",
				 absolute ? "/" : "", rows[i].path);
			snprintf(wanted, sizeof(wanted), "%s%s", top, rows[i].where);
			assert_int_equal(chmod("shared", rows[i].shared), 0);
			if (way_is_ours(path, where) != rows[i].ours)
				fail_msg("%s: %s (%s)", path, rows[i].why, where);
			if (!rows[i].ours && rows[i].where[0] != '\0')
				assert_string_equal(where, wanted);
		}
}

static void
what_another_owns_counts(void **state)
{
	char where[WAY_PATH_MAX];
	struct stat st;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod("shared", 01777), 0);
	assert_int_equal(lchown("shared/b", STRANGER, STRANGER), 0);
	assert_false(way_is_ours("mine/a", where));
	assert_non_null(strstr(where, "/shared/b"));
	assert_int_equal(lchown("shared/b", 0, 0), 0);
	assert_int_equal(chmod("shared", 0755), 0);
	assert_int_equal(chown("shared", STRANGER, 0), 0);
	assert_false(way_is_ours("mine/a", where));
	assert_int_equal(chown("shared", 0, 0), 0);
	assert_true(way_is_ours("mine/a", where));
	assert_int_equal(stat("mine/key", &st), 0);
	assert_true(way_is_closed(&st));
	st.st_uid = STRANGER;
	assert_false(way_is_closed(&st));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_directory_on_the_way_counts),
		cmocka_unit_test(what_another_owns_counts),
	};

	return cmocka_run_group_tests(tests, make_places, remove_places);
}
