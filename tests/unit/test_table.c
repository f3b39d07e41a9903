/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>

#include "cli/ask.h"
#include "cli/table.h"

static const char *const heads[] = {"NAME", "N"};

static void
prints(struct table *t, const char *wanted)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	table_end(t, out);
	fclose(out);
	assert_string_equal(text, wanted);
	free(text);
}

static void
columns_are_as_wide_as_their_cells(void **state)
{
	struct table t;

	(void)state;
	table_init(&t, heads, 2);
	table_cell(&t, SPAN("a longer name"));
	table_cellf(&t, "%d", 12345);
	table_cell(&t, SPAN(""));
	table_cellf(&t, "%d", 1);
	prints(&t, "NAME           N\na longer name  12345\n               1\n\n");
}

static void
nothing_is_printed_of_a_table_without_rows(void **state)
{
	struct table t;

	(void)state;
	table_init(&t, heads, 2);
	prints(&t, "");
}

static void
a_terminal_obeys_nothing_in_a_cell(void **state)
{
	struct table t;

	(void)state;
	table_init(&t, heads, 1);
	table_cell(&t, SPAN("a\x1b[2J\r\nb\0c\x7f\xc3\xa4\x9b%s"));
	prints(&t, "NAME\na?[2J??b?c????%s\n\n");
}

static void
long_cells_are_cut(void **state)
{
	struct table t;
	char x[200];

	(void)state;
	memset(x, 'x', sizeof(x));
	table_init(&t, heads, 1);
	table_cell(&t, (struct span){x, sizeof(x)});
	prints(&t, "NAME\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx..\n\n");
}

static void
answers_are_told_from_other_bytes(void **state)
{
	static const struct {
		const char *text;
		unsigned status;
		const char *body;
	} rows[] = {
		{"HTTP/1.1 200 OK\r\nA: b\r\n\r\n{}", 200, "{}"},
		{"HTTP/1.1 503 No\r\n\r\n", 503, ""},
		{"HTTP/1.1 200 OK\r\nA: b\r\n", 0, NULL}, /* no end of the head */
		{"HTTP/1.1 20x OK\r\n\r\n", 0, NULL},
		{"SSH-2.0-OpenSSH_9.2\r\n\r\n", 0, NULL},
		{"", 0, NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct span body = {NULL, 0};

		assert_int_equal(ask_status(span_of(rows[i].text), &body), rows[i].status);
		if (rows[i].body != NULL)
			assert_true(span_is(body, rows[i].body));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_as_wide_as_their_cells),
		cmocka_unit_test(nothing_is_printed_of_a_table_without_rows),
		cmocka_unit_test(a_terminal_obeys_nothing_in_a_cell),
		cmocka_unit_test(long_cells_are_cut),
		cmocka_unit_test(answers_are_told_from_other_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
