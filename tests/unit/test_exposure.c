/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/exposure.h"

struct folder {
	char top[64], file[128];
};

static int
make_folder(void **state)
{
	struct folder *f = calloc(1, sizeof(*f));
	int fd;

	snprintf(f->top, sizeof(f->top), "/tmp/sidekey-exposure-XXXXXX");
	if (mkdtemp(f->top) == NULL)
		return -1;
	snprintf(f->file, sizeof(f->file), "%s/file", f->top);
	fd = open(f->file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	close(fd);
	*state = f;
	return 0;
}

static int
remove_folder(void **state)
{
	struct folder *f = *state;
	int bad = unlink(f->file) | rmdir(f->top);

	free(f);
	return bad;
}

static const struct {
	mode_t top, file;
	bool others_read, others_write, group_read, group_write, dir_write;
	const char *why;
} rows[] = {
	{0755, 0400, 0, 0, 0, 0, 0, "its owner's alone"},
	{0755, 0440, 0, 0, 1, 0, 0, "its group's too"},
	{0755, 0404, 1, 0, 0, 0, 0, "everybody's, but its group's"},
	{0755, 0666, 1, 1, 1, 1, 0, "everybody's"},
	{0700, 0666, 0, 0, 0, 0, 0, "behind a directory that is its owner's alone"},
	{0750, 0666, 0, 0, 1, 1, 0, "behind one that is its group's"},
	{0777, 0400, 0, 0, 0, 0, 1, "in a directory in which others may replace it"},
	{0775, 0400, 0, 0, 0, 0, 1, "in one in which its group may"},
	{01777, 0400, 0, 0, 0, 0, 0, "in one in which each may remove what it owns"},
};

static void
modes_are_seen_through_the_directories_above(void **state)
{
	const struct folder *f = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct exposure e;

		assert_int_equal(chmod(f->top, rows[i].top), 0);
		assert_int_equal(chmod(f->file, rows[i].file), 0);
		assert_int_equal(exposure_of(f->file, &e), 0);
		if (e.others_read != rows[i].others_read ||
		    e.others_write != rows[i].others_write || e.group_read != rows[i].group_read ||
		    e.group_write != rows[i].group_write || e.dir_write != rows[i].dir_write)
			fail_msg("wrong of a file %s", rows[i].why);
		assert_int_equal(e.mode, rows[i].file);
		assert_int_equal(e.owner, geteuid());
		assert_false(e.foreign);
		assert_true(e.own_group);
	}
}

static void
a_file_that_is_not_there_is_an_error(void **state)
{
	struct exposure e;

	(void)state;
	assert_int_equal(exposure_of("/no/such/file", &e), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(modes_are_seen_through_the_directories_above,
						make_folder, remove_folder),
		cmocka_unit_test(a_file_that_is_not_there_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
