/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>

#include "base/json.h"
#include "cli/findings.h"

enum { MANY = 2000 };

static void
prints(const struct findings *f, const char *wanted)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	assert_int_equal(findings_print(f, out), 0);
	fclose(out);
	assert_string_equal(text, wanted);
	free(text);
}

static void
the_weightiest_come_first_and_each_kind_in_order(void **state)
{
	struct findings *f = findings_new();

	(void)state;
	findings_add(f, FINDING_OK, "swap", NULL, "none");
	findings_add(f, FINDING_WEAK, "root", "be %s", "uid %u", 0u);
	findings_add(f, FINDING_NOTE, "core", "c", "n");
	findings_add(f, FINDING_WEAK, "file", "d", "m");
	findings_add(f, FINDING_UNKNOWN, "x", "e", "u");
	prints(f, "WEAK     root  uid 0\n"
		  "               -> be %s\n"
		  "WEAK     file  m\n"
		  "               -> d\n"
		  "unknown  x     u\n"
		  "               -> e\n"
		  "note     core  n\n"
		  "               -> c\n"
		  "ok       swap  none\n"
		  "\n2 weak, 1 unknown, 1 to note, 1 ok\n");
	findings_free(f);
}

static void
what_a_stranger_chose_cannot_command_a_terminal(void **state)
{
	struct findings *f = findings_new();

	(void)state;
	findings_add(f, FINDING_WEAK, "a", "\x1b[2J", "%s", "x\n\x1b]0;t\x07\xc3\xa9\x7f");
	prints(f, "WEAK     a  x??]0;t????\n            -> ?[2J\n"
		  "\n1 weak, 0 unknown, 0 to note, 0 ok\n");
	findings_free(f);
}

static void
json_is_json(void **state)
{
	struct findings *f = findings_new();
	const struct json *list, *row;
	struct json *doc;
	struct span s;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	findings_add(f, FINDING_OK, "swap", NULL, "none");
	findings_add(f, FINDING_WEAK, "root", "a \"b\"", "back\\slash");
	assert_int_equal(findings_print_json(f, true, out), 0);
	fclose(out);
	doc = json_doc_parse((struct span){text, len});
	assert_non_null(doc);
	assert_true(json_doc_is_true(doc, "as_agent"));
	list = json_doc_get(doc, "findings");
	row = json_doc_item(list, 0);
	assert_true(json_doc_string(row, "verdict", &s) && span_is(s, "weak"));
	assert_true(json_doc_string(row, "found", &s) && span_is(s, "back\\slash"));
	assert_true(json_doc_string(row, "remedy", &s) && span_is(s, "a \"b\""));
	assert_true(json_doc_string(json_doc_item(list, 1), "remedy", &s) && s.len == 0);
	assert_null(json_doc_item(list, 2));
	json_doc_free(doc);
	free(text);
	findings_free(f);
}

static void
a_weakness_has_room_however_much_is_well(void **state)
{
	struct findings *f = findings_new();

	(void)state;
	for (int i = 0; i < MANY; i++)
		findings_add(f, FINDING_OK, "fine", NULL, "%d", i);
	findings_add(f, FINDING_WEAK, "root", "r", "weak");
	assert_int_equal(findings_count(f, FINDING_WEAK), 1);
	assert_true(findings_has(f, "root"));
	assert_false(findings_has(f, "fine"));
	for (int i = 0; i < MANY; i++)
		findings_add(f, FINDING_WEAK, "more", "r", "%d", i);
	assert_true(findings_count(f, FINDING_WEAK) > 1);
	assert_int_equal(findings_count(f, FINDING_OK), 0);
	findings_free(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_weightiest_come_first_and_each_kind_in_order),
		cmocka_unit_test(what_a_stranger_chose_cannot_command_a_terminal),
		cmocka_unit_test(json_is_json),
		cmocka_unit_test(a_weakness_has_room_however_much_is_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
