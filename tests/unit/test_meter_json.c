/* SPDX-License-Identifier: Apache-2.0 */
/* Where usage is found in a JSON answer, and where it is not to be believed. */
#include "tests/unit/metering.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

#define USAGE(in, out) "\"usage\":{\"prompt_tokens\":" in ",\"completion_tokens\":" out "}"

static const struct row {
	const char *text;
	bool known;
	uint64_t input, output;
	const char *why;
} rows[] = {
	{"{" USAGE("1", "2") "}", true, 1, 2, "the least"},
	{"\n{ \"usage\" : { \"prompt_tokens\" : 1 , \"completion_tokens\" : 2 } }\r\n\t", true, 1,
	 2, "blanks everywhere"},
	{"{\"a\":[{\"b\":[]},\"]}\"],\"c\":\"\\\"}\",\"d\":-1.5e+3,\"e\":true," USAGE("1", "2") "}",
	 true, 1, 2, "behind all kinds of values"},
	{"{" USAGE("1", "2") ",\"usage_breakdown\":null,\"x\":{}}", true, 1, 2, "before others"},
	{"{\"usage\":null," USAGE("1", "2") "}", true, 1, 2, "null is as if it were not there"},
	{"{\"usage\":{\"prompt_tokens\":1,\"prompt_tokens_details\":null,"
	 "\"completion_tokens\":2,\"completion_tokens_details\":{\"reasoning_tokens\":null}}}",
	 true, 1, 2, "null within"},
	{"{" USAGE("0", "0") "}", true, 0, 0, "nothing used"},
	{"{" USAGE("67108864", "1") "}", true, 67108864, 1, "2^26"},
	{"{" USAGE("1", "2") "," USAGE("1", "2") "}", true, 1, 2, "said twice, the same"},

	{"{" USAGE("67108865", "1") "}", false, 0, 0, "more than any model takes"},
	{"{" USAGE("9007199254740992", "1") "}", false, 0, 0, "all of a budget"},
	{"{" USAGE("18446744073709551617", "1") "}", false, 0, 0, "more than 2^64"},
	{"{" USAGE("00000000000000000000000000000000000000000000001", "1") "}", false, 0, 0,
	 "a number without end"},
	{"{" USAGE("01", "2") "}", false, 0, 0, "a leading zero"},
	{"{" USAGE("-1", "2") "}", false, 0, 0, "negative"},
	{"{" USAGE("1.0", "2") "}", false, 0, 0, "a fraction"},
	{"{" USAGE("1e3", "2") "}", false, 0, 0, "an exponent"},
	{"{" USAGE("\"1\"", "2") "}", false, 0, 0, "a string"},
	{"{" USAGE("[1]", "2") "}", false, 0, 0, "an array"},
	{"{" USAGE("{}", "2") "}", false, 0, 0, "an object"},
	{"{" USAGE("true", "2") "}", false, 0, 0, "a word"},
	{"{" USAGE("nul", "2") "}", false, 0, 0, "half a word"},
	{"{\"usage\":5}", false, 0, 0, "usage is a number"},
	{"{\"usage\":[{\"prompt_tokens\":1,\"completion_tokens\":2}]}", false, 0, 0, "an array"},
	{"{\"usage\":{\"prompt_tokens\":1}}", false, 1, 0, "half of it"},
	{"{\"usage\":{\"total_tokens\":3}}", false, 0, 0, "a total does not say of what"},
	{"{\"usage\":{}}", false, 0, 0, "empty"},
	{"{" USAGE("1", "2") "," USAGE("1", "3") "}", false, 0, 0, "two that differ"},
	{"{\"usage\":{\"prompt_tokens\":1,\"prompt_tokens\":2,\"completion_tokens\":2}}", false, 0,
	 0, "one name, two numbers"},
	{"{\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,"
	 "\"completion_tokens_details\":{\"reasoning_tokens\":\"x\"}}}",
	 false, 0, 0, "a part that is none"},

	/* What a model, a tool or an agent wrote. */
	{"{\"choices\":[{" USAGE("1", "2") "}]}", false, 0, 0, "in an array"},
	{"{\"x\":{" USAGE("1", "2") "}}", false, 0, 0, "in another object"},
	{"{\"response\":{" USAGE("1", "2") "}}", false, 0, 0, "where only an event has it"},
	{"{\"content\":\"{\\\"usage\\\":{\\\"prompt_tokens\\\":1}}\"}", false, 0, 0, "in a text"},
	{"{\"content\":\"\\\\\"," USAGE("1", "2") "}", true, 1, 2, "behind an escaped backslash"},
	{"{\"content\":\"\\\\\\\"," USAGE("1", "2") "}", false, 0, 0, "inside, behind a quote"},
	{"{\"usage\":{\"x\":{\"prompt_tokens\":1,\"completion_tokens\":2}}}", false, 0, 0,
	 "too deep"},
	{"{\"prompt_tokens\":1,\"completion_tokens\":2}", false, 0, 0, "not deep enough"},
	{"{\"us\\u0061ge\":{\"prompt_tokens\":1,\"completion_tokens\":2}}", false, 0, 0,
	 "a name that no server writes so"},
	{"{\"Usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}", false, 0, 0, "another name"},
	{"{\"usage2\":{\"prompt_tokens\":1,\"completion_tokens\":2}}", false, 0, 0,
	 "a longer name"},

	/* Not whole, or not JSON. */
	{"", false, 0, 0, "nothing"},
	{"{" USAGE("1", "2"), false, 0, 0, "cut short"},
	{"{" USAGE("1", "2") "}}", false, 0, 0, "closed twice"},
	{"{" USAGE("1", "2") "} x", false, 0, 0, "bytes behind it"},
	{"[{" USAGE("1", "2") "}]", false, 0, 0, "an array"},
	{"x{" USAGE("1", "2") "}", false, 0, 0, "bytes before it"},
	{"{" USAGE("1", "2") ",}", false, 0, 0, "a trailing comma"},
	{"{,\"a\":1," USAGE("1", "2") "}", false, 0, 0, "a leading comma"},
	{"{\"a\" 1," USAGE("1", "2") "}", false, 0, 0, "no colon"},
	{"{\"a\":," USAGE("1", "2") "}", false, 0, 0, "no value"},
	{"{\"a\":1 \"b\":2," USAGE("1", "2") "}", false, 0, 0, "no comma"},
	{"{a:1," USAGE("1", "2") "}", false, 0, 0, "a bare name"},
	{"{\"a\":[}]," USAGE("1", "2") "}", false, 0, 0, "crossed brackets"},
	{"{\"a\":{]," USAGE("1", "2") "}", false, 0, 0, "closed wrongly"},
};

static void
places(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct answer a = {DIALECT_OPENAI, "/chat/completions", JSON_TYPE,
				   span_of(rows[i].text), false};
		struct usage u = {0};
		enum meter_result result = metering(&a, &u);

		if (result != (rows[i].known ? METER_KNOWN : METER_UNKNOWN) ||
		    u.input != rows[i].input || u.output != rows[i].output)
			fail_msg("%s: %s", rows[i].why, rows[i].text);
	}
}

/* Whether usage is found behind so many open brackets that are closed again. */
static bool
found_behind(size_t depth, char open, char close)
{
	struct answer a = {DIALECT_OPENAI, "/chat/completions", JSON_TYPE, {NULL, 0}, false};
	struct usage u = {0};
	struct buf b;
	bool found;

	buf_init(&b, 4 << 20);
	(void)buf_add_str(&b, "{\"a\":");
	for (size_t i = 0; i < depth; i++)
		(void)buf_addf(&b, open == '{' && i > 0 ? "\"a\":%c" : "%c", open);
	for (size_t i = 0; i < depth; i++)
		(void)buf_add_char(&b, close);
	(void)buf_add_str(&b, "," USAGE("1", "2") "}");
	a.body = buf_span(&b);
	found = metering_cut(&a, b.len, 1, &u) == METER_KNOWN;
	buf_free(&b);
	return found;
}

static void
depth(void **state)
{
	(void)state;
	assert_true(found_behind(METER_DEPTH, '[', ']'));
	assert_true(found_behind(METER_DEPTH, '{', '}'));
	assert_false(found_behind(METER_DEPTH + 1, '[', ']'));
	assert_false(found_behind(METER_DEPTH + 1, '{', '}'));
	assert_false(found_behind(1000000, '[', ']'));
}

/* Anthropic's and Bedrock's input leaves out what came from a cache, OpenAI's does not. */
static void
caches(void **state)
{
	static const struct {
		const char *usage;
		struct usage due;
	} cases[] = {
		{"\"input_tokens\":10,\"output_tokens\":1,\"cache_read_input_tokens\":100,"
		 "\"cache_creation_input_tokens\":1000,\"cache_creation\":{\"input_tokens\":7}",
		 {.input = 1110, .output = 1, .cache_read = 100, .cache_write = 1000}},
		{"\"inputTokens\":10,\"outputTokens\":1,\"totalTokens\":1111,"
		 "\"cacheReadInputTokens\":100,\"cacheReadInputTokenCount\":100,"
		 "\"cacheWriteInputTokens\":1000",
		 {.input = 1110, .output = 1, .cache_read = 100, .cache_write = 1000}},
		{"\"prompt_tokens\":1110,\"completion_tokens\":1,\"cache_read_input_tokens\":100,"
		 "\"prompt_tokens_details\":{\"cached_tokens\":100}",
		 {.input = 1110, .output = 1, .cache_read = 100}},
		{"\"input_tokens\":1110,\"output_tokens\":9,"
		 "\"input_tokens_details\":{\"cached_tokens\":100,\"cache_write_tokens\":5},"
		 "\"output_tokens_details\":{\"reasoning_tokens\":4},\"total_tokens\":1119",
		 {.input = 1110, .output = 9, .cache_read = 100, .cache_write = 5, .reasoning = 4}},
		{"\"prompt_tokens\":12,\"completion_tokens\":1,\"total_tokens\":17,"
		 "\"completion_tokens_details\":{\"reasoning_tokens\":4}",
		 {.input = 12, .output = 5, .reasoning = 4}},
		/* new-api's: fields that it never fills stand beside those of OpenAI's. */
		{"\"prompt_tokens\":1459,\"completion_tokens\":91,\"total_tokens\":1550,"
		 "\"prompt_tokens_details\":{\"cached_tokens\":0},\"input_tokens\":0,"
		 "\"output_tokens\":0,\"input_tokens_details\":null",
		 {.input = 1459, .output = 91}},
		{"\"output_tokens\":0,\"input_tokens\":736,\"prompt_tokens\":736,"
		 "\"completion_tokens\":535",
		 {.input = 736, .output = 535}},
		{"\"prompt_tokens\":0,\"completion_tokens\":0,\"input_tokens\":100,"
		 "\"output_tokens\":50,\"total_tokens\":150",
		 {.input = 100, .output = 50}},
		{"\"prompt_tokens\":9,\"completion_tokens\":3,\"total_tokens\":105",
		 {.input = 9, .output = 96}}, /* Gemini's */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[512];
		struct answer a = {DIALECT_OPENAI, "/responses", JSON_TYPE, {text, 0}, false};
		struct usage u = {0};

		a.body.len =
			(size_t)snprintf(text, sizeof(text), "{\"usage\":{%s}}", cases[i].usage);
		assert_int_equal(metering(&a, &u), METER_KNOWN);
		assert_memory_equal(&u, &cases[i].due, sizeof(u));
	}
}

/* A body that was cut right behind its last brace has said all; one cut before has not. */
static void
broken_off(void **state)
{
	struct answer a = {DIALECT_OPENAI, "/chat/completions", JSON_TYPE,
			   SPAN("{" USAGE("1", "2") "}"), true};
	struct usage u;

	(void)state;
	assert_int_equal(metering(&a, &u), METER_KNOWN);
	a.body.len--;
	assert_int_equal(metering(&a, &u), METER_UNKNOWN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places),
		cmocka_unit_test(depth),
		cmocka_unit_test(caches),
		cmocka_unit_test(broken_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
