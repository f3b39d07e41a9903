/* SPDX-License-Identifier: Apache-2.0 */
/* Standard error is a pipe while a test logs, and read without waiting. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include "base/log.h"

enum { OUTPUT_MAX = 256 * 1024 };

static int out[2], own;
static char output[OUTPUT_MAX];

static int
turn_to_pipe(void **state)
{
	(void)state;
	if (pipe2(out, O_NONBLOCK | O_CLOEXEC) != 0)
		return -1;
	own = dup(STDERR_FILENO);
	dup2(out[1], STDERR_FILENO);
	log_setup(LOG_JSON, LOG_INFO, "unit");
	return 0;
}

static int
turn_back(void **state)
{
	(void)state;
	log_flush();
	dup2(own, STDERR_FILENO);
	close(own);
	close(out[0]);
	close(out[1]);
	return 0;
}

/* What has been written since. */
static const char *
read_output(void)
{
	size_t n = 0;
	ssize_t got;

	while ((got = read(out[0], output + n, sizeof(output) - 1 - n)) > 0)
		n += (size_t)got;
	output[n] = '\0';
	return output;
}

static size_t
count_of(const char *text, const char *what)
{
	size_t n = 0;

	for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what))
		n++;
	return n;
}

static void
a_line_goes_out_at_once(void **state)
{
	const char *line;

	(void)state;
	log_say(LOG_INFO, "one", LOG_U("n", 7), LOG_C("text", "a\"b\n"));
	line = read_output();
	assert_int_equal(count_of(line, "\n"), 1);
	assert_non_null(strstr(line, "\"level\":\"info\",\"role\":\"unit\",\"msg\":\"one\",\"n\":7,"
				     "\"text\":\"a\\\"b\\n\"}\n"));
	log_write(LOG_DEBUG, "below the level", NULL, 0);
	assert_string_equal(read_output(), "");
}

static void
lines_that_say_that_all_is_well_wait(void **state)
{
	const char *lines;

	(void)state;
	log_gather();
	log_write(LOG_INFO, "one", NULL, 0);
	log_write(LOG_INFO, "two", NULL, 0);
	assert_string_equal(read_output(), "");
	log_flush();
	lines = read_output();
	assert_int_equal(count_of(lines, "\n"), 2);
	assert_true(strstr(lines, "\"one\"") < strstr(lines, "\"two\""));
	log_flush();
	assert_string_equal(read_output(), "");
}

static void
a_warning_waits_for_nothing_and_overtakes_nothing(void **state)
{
	const char *lines;

	(void)state;
	log_gather();
	log_write(LOG_INFO, "one", NULL, 0);
	log_write(LOG_WARN, "two", NULL, 0);
	lines = read_output();
	assert_int_equal(count_of(lines, "\n"), 2);
	assert_true(strstr(lines, "\"one\"") < strstr(lines, "\"two\""));
}

/* More is not one write to a pipe (POSIX, write): lines of other processes could mix in. */
static void
no_more_wait_than_go_out_in_one_write(void **state)
{
	size_t whole = 0;
	const char *got;

	(void)state;
	log_gather();
	for (unsigned i = 0; i < 1000; i++) {
		log_say(LOG_INFO, "call", LOG_U("number", i));
		got = read_output();
		assert_true(strlen(got) <= PIPE_BUF);
		assert_true(*got == '\0' || got[strlen(got) - 1] == '\n');
		whole += count_of(got, "\"msg\":\"call\"");
	}
	assert_true(whole > 900);
	log_flush();
	assert_int_equal(whole + count_of(read_output(), "\"msg\":\"call\""), 1000);
}

static void
a_line_beyond_a_write_is_whole(void **state)
{
	static char text[2 * PIPE_BUF];
	const char *got;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	log_gather();
	log_write(LOG_INFO, "before", NULL, 0);
	log_say(LOG_INFO, "long", LOG_C("text", text));
	log_write(LOG_INFO, "after", NULL, 0);
	log_flush();
	got = read_output();
	assert_int_equal(count_of(got, "\n"), 3);
	assert_non_null(strstr(got, text));
}

static void
each_line_that_is_lost_is_counted(void **state)
{
	unsigned all = 0;
	size_t seen;
	char note[64];
	const char *got;

	(void)state;
	log_gather();
	for (; all < 2000; all++) /* more than a pipe holds */
		log_say(LOG_INFO, "call", LOG_U("number", all));
	log_flush();
	seen = count_of(read_output(), "\"msg\":\"call\"");
	assert_in_range(seen, 1, all - 1);
	log_write(LOG_INFO, "again", NULL, 0);
	log_flush();
	got = read_output();
	snprintf(note, sizeof(note), "\"lines\":%zu}\n", all - seen);
	assert_non_null(strstr(got, note));
	assert_true(strstr(got, note) < strstr(got, "\"again\""));
	log_write(LOG_INFO, "and again", NULL, 0);
	log_flush();
	assert_int_equal(count_of(read_output(), "\n"), 1);
}

#define LOG_TEST(f) cmocka_unit_test_setup_teardown(f, turn_to_pipe, turn_back)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LOG_TEST(a_line_goes_out_at_once), /* first: gathering is for good */
		LOG_TEST(lines_that_say_that_all_is_well_wait),
		LOG_TEST(a_warning_waits_for_nothing_and_overtakes_nothing),
		LOG_TEST(no_more_wait_than_go_out_in_one_write),
		LOG_TEST(a_line_beyond_a_write_is_whole),
		LOG_TEST(each_line_that_is_lost_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
