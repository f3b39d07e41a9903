/* SPDX-License-Identifier: Apache-2.0 */
/* Where a streamed chat asks for usage; every other byte stays, and the agent's word stands. */
#include <stdio.h>

#include "tests/unit/unit.h"

#include "base/buf.h"
#include "ingress/include_usage.h"

#define WISH "{\"include_usage\":true}"

static const struct row {
	const char *body, *due; /* NULL: left as it is */
	const char *why;
} rows[] = {
	{"{\"stream\":true}", "{\"stream_options\":" WISH ",\"stream\":true}", "the least"},
	{"\r\n{ \"stream\":true }", "\r\n{\"stream_options\":" WISH ", \"stream\":true }",
	 "blanks"},
	{"{\"stream_options\":{},\"stream\":true}", "{\"stream_options\":" WISH ",\"stream\":true}",
	 "empty options"},
	{"{\"stream\":true,\"stream_options\":{ \n}}",
	 "{\"stream\":true,\"stream_options\":{\"include_usage\":true \n}}", "blanks in them"},
	{"{\"stream\":true,\"stream_options\":{\"a\":{\"include_usage\":false}}}",
	 "{\"stream\":true,\"stream_options\":{\"include_usage\":true,\"a\":{\"include_usage\":"
	 "false}}}",
	 "a word elsewhere is not theirs"},
	{"{\"stream\":true,\"stream_options\":null}",
	 "{\"stream\":true,\"stream_options\":" WISH "}", "null"},
	{"{\"x\":[{\"stream_options\":{\"include_usage\":false}}],\"stream\":true}",
	 "{\"stream_options\":" WISH ",\"x\":[{\"stream_options\":{\"include_usage\":false}}],"
	 "\"stream\":true}",
	 "options that are another's"},
	{"{\"stream\":true,\"stream_opti\\u006fns\":{}}",
	 "{\"stream\":true,\"stream_opti\\u006fns\":" WISH "}", "an escaped name"},

	{"{\"stream\":true,\"stream_options\":{\"include_usage\":false}}", NULL, "no"},
	{"{\"stream\":true,\"stream_options\":{\"a\":1,\"include_usage\":true}}", NULL, "yes"},
	{"{\"stream\":true,\"stream_options\":{\"includ\\u0065_usage\":null}}", NULL, "escaped"},
	{"{\"stream\":true,\"stream_options\":[]}", NULL, "an array"},
	{"{\"stream\":true,\"stream_options\":\"x\"}", NULL, "a text"},
	{"{\"stream\":true,\"stream_options\":5 }", NULL, "a number"},
	{"{\"stream\":true,\"stream_options\":true}", NULL, "a word"},
	{"{\"stream\":true,\"stream_options\":{},\"stream_options\":{}}", NULL, "two"},
	{"{\"stream\":true,\"stream_options\":{},\"stream_options\":{},\"stream_options\":1}", NULL,
	 "three"},
	{"{\"stream\":false}", NULL, "no stream"},
	{"{\"stream\":\"true\"}", NULL, "not quite a stream"},
	{"{}", NULL, "nothing"},
};

static void
table(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct span body = span_of(rows[i].body), at, text;
		struct scan s;
		struct buf b;
		bool changed;

		buf_init(&b, 4096);
		assert_int_equal(scan_json(&s, body, NULL, NULL), SCAN_OK);
		changed = include_usage(body, &s, &at, &text);
		if (changed) {
			size_t from = (size_t)(at.ptr - body.ptr);

			assert_true(from + at.len <= body.len);
			(void)buf_add_span(&b, span_cut(body, 0, from));
			(void)buf_add_span(&b, text);
			(void)buf_add_span(&b, span_cut(body, from + at.len, body.len));
			assert_int_equal(scan_json(&s, buf_span(&b), NULL, NULL), SCAN_OK);
		}
		if (changed != (rows[i].due != NULL) ||
		    (changed && !span_is(buf_span(&b), rows[i].due)))
			fail_msg("%s: %.*s", rows[i].why, (int)b.len, b.ptr);
		buf_free(&b);
	}
}

/* Whether usage can come, where it is asked for: what the agent may say who pays by tokens. */
static void
words(void **state)
{
	static const struct {
		const char *options;
		bool open;
	} cases[] = {
		{"\"x\":1", true},
		{"\"stream_options\":null", true},
		{"\"stream_options\":{}", true},
		{"\"stream_options\":{\"a\":{\"include_usage\":false}}", true},
		{"\"stream_options\":{\"include_usage\":true}", true},
		{"\"stream_options\":{\"a\":[1], \"include_usage\" : true }", true},
		{"\"stream_options\":{\"includ\\u0065_usage\":true}", true},
		{"\"stream_options\":{\"include_usage\":false}", false},
		{"\"stream_options\":{\"include_usage\":null}", false},
		{"\"stream_options\":{\"include_usage\":\"true\"}", false},
		{"\"stream_options\":{\"include_usage\":1}", false},
		{"\"stream_options\":{\"includ\\u0065_usage\":false}", false},
		{"\"stream_options\":{\"include_usage\":true,\"include_usage\":false}", false},
		{"\"stream_options\":{\"include_usage\":false,\"include_usage\":true}", false},
		/* Said in a way that sidekey sees, and not every upstream. */
		{"\"stream_options\":{\"Include_usage\":true}", false},
		{"\"stream_options\":{\"include_u\\u017fage\":true}", false},
		{"\"Stream_options\":{}", false},
		{"\"stream_options\":{\"\\u0000\":1}", false},
		{"\"stream_options\":{\"\\ud800\":1,\"include_usage\":true}", false},
		{"\"stream_options\":{},\"stream_options\":{}", false},
		{"\"stream_options\":null,\"stream_options\":null,\"stream_options\":null", false},
		{"\"stream_options\":[]", false},
		{"\"stream_options\":\"x\"", false},
		{"\"stream_options\":false", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char body[256];
		struct scan s;

		snprintf(body, sizeof(body), "{\"stream\":true,%s}", cases[i].options);
		assert_int_equal(scan_json(&s, span_of(body), NULL, NULL), SCAN_OK);
		if (include_usage_is_open(&s) != cases[i].open)
			fail_msg("%s", body);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
		cmocka_unit_test(words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
