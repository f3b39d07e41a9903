/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>

#include "cli/exec_why.h"

static void
a_terminal_obeys_nothing_of_what_is_missing(void **state)
{
	static const char readyz[] =
		"{\"slots\":{"
		"\"a.apiKey\":{\"state\":\"denied\",\"error\":\"no\\u001b]0;t\\u0007\"},"
		"\"b.apiKey\":{\"state\":\"fresh\"},\"c\\u009b\":{\"state\":\"pending\"}},"
		"\"targets\":{\"a\\u001b[2J\":{\"state\":\"unusable\",\"required\":true,"
		"\"resolved\":true}}}";
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	assert_non_null(out);
	exec_why_print(span_of(readyz), out);
	fclose(out);
	assert_string_equal(
		text, "sidekey exec: the secret a.apiKey is denied (no?]0;t?)\n"
		      "sidekey exec: the secret c?? is pending (its store has not answered yet)\n"
		      "sidekey exec: the target a?[2J cannot be called\n");
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_terminal_obeys_nothing_of_what_is_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
