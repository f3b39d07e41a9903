/* SPDX-License-Identifier: Apache-2.0 */
/* What a client tells of its call is its own; what chooses a deployment of LiteLLM's is not. */
#include "tests/unit/unit.h"

#include "ingress/metadata.h"

static const struct row {
	const char *body;
	bool steers;
	const char *why;
} rows[] = {
	{"{}", false, "none"},
	{"{\"metadata\":null}", false, "null"},
	{"{\"metadata\":{}}", false, "empty"},
	{"{\"metadata\":{\"user_id\":\"u\",\"tags\":\"a, b\"}}", false,
	 "a text, as OpenAI has them"},
	{"{\"metadata\":{\"a\":{\"tags\":[\"x\"]},\"b\":[\"tags\"]}}", false, "deeper"},
	{"{\"x\":{\"metadata\":{\"tags\":[]}}}", false, "elsewhere"},
	{"{\"metadata\":[1]}", false, "no object: the upstream judges"},
	{"{\"metadata\":{\"tags\":[\"free\"]}}", true, "a list"},
	{"{\"metadata\":{\"a\":1, \"t\\u0061gs\" : [ ]}}", true, "escaped"},
	{"{\"metadata\":{\"Tags\":[\"free\"]}}", true, "in capitals"},
	{"{\"metadata\":{\"\\u0000\":1,\"tags\":[\"free\"]}}", true, "behind an odd name"},
	{"{\"metadata\":{\"tags\":\"a\",\"tags\":[\"free\"]}}", true, "the second time"},
	{"{\"metadata\":{\"tags\":{}}}", true, "an object"},
	{"{\"metadata\":\"{\\\"tags\\\":[\\\"free\\\"]}\"}", true, "JSON in a text, which is read"},
	{"{\"metadata\":{\"tags\":[1]},\"Metadata\":{}}", true, "two"},
	{"{\"metadata\":{},\"metadata\":{}}", true, "two of the same"},
};

static void
table(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct scan s;

		assert_int_equal(scan_json(&s, span_of(rows[i].body), NULL, NULL), SCAN_OK);
		if (metadata_steers(&s) != rows[i].steers)
			fail_msg("%s", rows[i].why);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
