/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "aws/ssm.h"

#define PARAMETER "arn:aws:ssm:us-east-1:123456789012:parameter/llm/aig"

static void
asks_for_the_decrypted_value(void **state)
{
	struct reference r;
	struct buf out, small;

	(void)state;
	buf_init(&out, 8192);
	buf_init(&small, 30);
	assert_int_equal(reference_parse(SPAN(PARAMETER), &r), REFERENCE_OK);
	assert_int_equal(ssm_body(&r, &out), 0);
	assert_true(
		span_is(buf_span(&out), "{\"Name\":\"" PARAMETER "\",\"WithDecryption\":true}"));
	assert_int_not_equal(ssm_body(&r, &small), 0);
	buf_free(&out);
	buf_free(&small);
}

#define ANSWER(members) "{\"Parameter\":{\"Name\":\"/llm/aig\"," members "}}"

static const struct {
	const char *answer, *value, *version; /* value NULL: refused */
} answers[] = {
	{ANSWER("\"Type\":\"SecureString\",\"Value\":\"sk-1\",\"Version\":12"), "sk-1", "12"},
	{ANSWER("\"Type\":\"StringList\",\"Value\":\"a,b\",\"Version\":1"), "a,b", "1"},
	{ANSWER("\"Value\":\"line\\nline\\n\",\"Version\":2"), "line\nline\n", "2"},
	{ANSWER("\"Value\":\"\",\"Version\":3"), "", "3"}, /* the slot refuses it */
	{ANSWER("\"Value\":\"x\""), "x", ""},
	{ANSWER("\"Value\":\"x\",\"Version\":\"4\""), "x", ""},
	{ANSWER("\"Value\":\"x\",\"Version\":-1"), "x", ""},
	{ANSWER("\"Value\":\"x\",\"Version\":9223372036854775807"), "x", "9223372036854775807"},
	{ANSWER("\"Value\":\"x\",\"Version\":1e300"), "x", ""},
	{ANSWER("\"Value\":7,\"Version\":4"), NULL, NULL},
	{ANSWER("\"Value\":null"), NULL, NULL},
	{ANSWER("\"Value\":\"a\",\"Value\":\"b\""), NULL, NULL}, /* which of the two? */
	{ANSWER("\"Version\":4"), NULL, NULL},
	{"{\"Value\":\"x\"}", NULL, NULL},
	{"{\"Parameter\":\"x\"}", NULL, NULL},
	{"{\"Parameter\":[{\"Value\":\"x\"}]}", NULL, NULL},
	{"{\"Parameters\":[{\"Value\":\"x\"}]}", NULL, NULL},
	{"<html>", NULL, NULL},
	{"{}", NULL, NULL},
	{"", NULL, NULL},
};

static void
reads_the_value(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(answers); i++) {
		struct ssm_value v = {.text = SPAN("before")};
		bool good = ssm_read(span_of(answers[i].answer), &v);

		if (good != (answers[i].value != NULL))
			fail_msg("%s", answers[i].answer);
		if (!good) {
			assert_true(span_is(v.text, "before"));
			continue;
		}
		assert_true(span_is(v.text, answers[i].value));
		assert_string_equal(v.version, answers[i].version);
		ssm_free(&v);
		ssm_free(&v); /* twice is once */
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks_for_the_decrypted_value),
		cmocka_unit_test(reads_the_value),
	};

	json_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
