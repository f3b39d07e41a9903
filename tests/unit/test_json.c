/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "base/buf.h"
#include "base/json.h"

static const struct {
	const char *text;
	bool good;
	const char *why;
} documents[] = {
	{"{}", true, "the smallest"},
	{" {\"a\": [1, {\"b\": null}]}\n", true, "blanks around"},
	{"", false, "nothing"},
	{"[]", false, "not an object"},
	{"\"text\"", false, "a string is a value of its own"},
	{"{\"a\":1,\"a\":2}", false, "a name twice"},
	{"{\"a\":1,\"\\u0061\":2}", false, "a name twice, once escaped"},
	{"{\"a\":{\"b\":1,\"b\":2}}", false, "a name twice, inside"},
	{"{\"a\":1}x", false, "bytes behind it"},
	{"{\"a\":1", false, "cut off"},
	{"{'a':1}", false, "single quotes"},
	{"{\"a\":\"\xff\"}", false, "not UTF-8"},
	{"{\"a\":\"\\u0000\"}", false, "an escaped NUL"},
	{"{\"a\":\"\\ud800\"}", false, "half a surrogate pair"},
	{"\xef\xbb\xbf{}", false, "a byte order mark"},
};

static void
parses_objects_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(documents); i++) {
		struct json *doc = json_doc_parse(span_of(documents[i].text));

		if ((doc != NULL) != documents[i].good)
			fail_msg("%s: %s", documents[i].text, documents[i].why);
		json_doc_free(doc);
	}
}

/* A stored secret may have one, and whoever takes it says what is wrong with that. */
static void
holds_a_nul_where_one_may_be(void **state)
{
	static const char raw[] = "{\"a\":\"\0\"}";
	struct json *doc = json_doc_parse_nul(SPAN("{\"a\":\"x\\u0000y\"}"));
	struct span value;

	(void)state;
	assert_non_null(doc);
	assert_true(json_doc_string(doc, "a", &value));
	assert_true(span_eq(value, SPAN("x\0y")));
	json_doc_free(doc);
	assert_null(json_doc_parse_nul(SPAN("{\"a\\u0000\":1}")));
	assert_null(json_doc_parse_nul(SPAN("{\"a\":1,\"a\":2}")));
	assert_null(json_doc_parse_nul((struct span){raw, sizeof(raw) - 1}));
}

/* {"a":[[[…]]]} of levels levels, and a string of brackets that are none. */
static struct json *
parse_levels(size_t levels)
{
	struct buf text;
	struct json *doc;

	buf_init(&text, 1 << 20);
	(void)buf_add_str(&text, "{\"s\":\"[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[[[[[[[[[[[[[[[\",\"a\":");
	for (size_t i = 1; i < levels; i++)
		(void)buf_add_char(&text, '[');
	(void)buf_add_char(&text, '1');
	for (size_t i = 1; i < levels; i++)
		(void)buf_add_char(&text, ']');
	(void)buf_add_str(&text, ",\"b\":[{}]}");
	doc = json_doc_parse(buf_span(&text));
	buf_free(&text);
	return doc;
}

/* Neither a crash nor the stack's end: 32 levels, where jansson would go down 2048. */
static void
bounds_the_depth(void **state)
{
	struct json *doc = parse_levels(32);

	(void)state;
	assert_non_null(doc);
	json_doc_free(doc);
	assert_null(parse_levels(33));
	assert_null(parse_levels(2000));
	assert_null(parse_levels(200 * 1000));
}

static void
gives_members(void **state)
{
	struct json *doc = json_doc_parse(SPAN(
		"{\"s\":\"a\\u00e9\\n\",\"n\":1.5,\"o\":{\"in\":\"x\"},\"z\":null,\"e\":\"\"}"));
	const struct json *inner;
	struct span s = SPAN("before");

	(void)state;
	assert_non_null(doc);
	assert_true(json_doc_string(doc, "s", &s));
	assert_true(span_is(s, "a\xc3\xa9\n"));
	assert_true(json_doc_string(doc, "e", &s));
	assert_int_equal(s.len, 0);
	s = SPAN("before");
	assert_false(json_doc_string(doc, "n", &s));
	assert_false(json_doc_string(doc, "z", &s));
	assert_false(json_doc_string(doc, "S", &s));
	assert_true(span_is(s, "before"));
	inner = json_doc_get(doc, "o");
	assert_non_null(inner);
	assert_true(json_doc_string(inner, "in", &s));
	assert_true(span_is(s, "x"));
	assert_null(json_doc_get(doc, "none"));
	json_doc_free(doc);
}

static void
reads_whole_numbers(void **state)
{
	struct json *doc = json_doc_parse(
		SPAN("{\"ms\":1700000000000,\"zero\":0,\"minus\":-1,\"part\":1.0,\"text\":\"1\"}"));
	uint64_t n = 7;

	(void)state;
	assert_non_null(doc);
	assert_false(json_doc_u64(doc, "minus", &n));
	assert_false(json_doc_u64(doc, "part", &n));
	assert_false(json_doc_u64(doc, "text", &n));
	assert_false(json_doc_u64(doc, "none", &n));
	assert_int_equal(n, 7);
	assert_true(json_doc_u64(doc, "ms", &n));
	assert_int_equal(n, 1700000000000);
	assert_true(json_doc_u64(doc, "zero", &n));
	assert_int_equal(n, 0);
	json_doc_free(doc);
}

static bool
collect(void *arg, struct span name, struct span value)
{
	struct buf *text = arg;

	assert_int_equal(
		buf_add_span(text, name) | buf_add_char(text, '=') | buf_add_span(text, value), 0);
	return name.ptr[0] != 'c';
}

static void
walks_strings_in_order(void **state)
{
	struct json *doc =
		json_doc_parse(SPAN("{\"b\":\"1\",\"n\":2,\"a\":\"3\",\"c\":\"4\",\"d\":\"5\"}"));
	struct buf text;

	(void)state;
	buf_init(&text, 64);
	assert_non_null(doc);
	assert_false(json_doc_each(doc, collect, &text));
	assert_true(span_is(buf_span(&text), "b=1a=3c=4")); /* as written; stopped after c */
	buf_free(&text);
	json_doc_free(doc);
}

static void
note_member(void *arg, struct span name, const struct json *value)
{
	double n = -1;

	(void)json_doc_number(value, "n", &n);
	assert_int_equal(buf_addf(arg, "%.*s%.0f", (int)name.len, name.ptr, n), 0);
}

static void
walks_members_and_lists(void **state)
{
	struct json *doc =
		json_doc_parse(SPAN("{\"o\":{\"b\":{\"n\":2},\"a\":{\"n\":\"3\"},\"c\":4},"
				    "\"l\":[{\"n\":1.5,\"t\":true,\"f\":false},2.5,\"3\"]}"));
	const struct json *list, *first;
	struct buf text;
	double n = 0;

	(void)state;
	buf_init(&text, 64);
	assert_non_null(doc);
	json_doc_members(json_doc_get(doc, "o"), note_member, &text);
	assert_true(span_is(buf_span(&text), "b2a-1c-1")); /* a text is no number */
	buf_free(&text);
	list = json_doc_get(doc, "l");
	first = json_doc_item(list, 0);
	assert_non_null(first);
	assert_true(json_doc_number(first, "n", &n));
	assert_true(n > 1.4 && n < 1.6);
	assert_true(json_doc_is_true(first, "t"));
	assert_false(json_doc_is_true(first, "f") || json_doc_is_true(first, "none"));
	assert_null(json_doc_item(list, 3));
	assert_null(json_doc_item(NULL, 0));
	assert_true(json_doc_item_number(list, 1, &n));
	assert_false(json_doc_item_number(list, 0, &n) || json_doc_item_number(list, 2, &n) ||
		     json_doc_item_number(list, 3, &n) || json_doc_item_number(NULL, 0, &n));
	assert_true(n > 2.4 && n < 2.6);
	json_doc_members(NULL, note_member, NULL);
	json_doc_free(doc);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_objects_alone),
		cmocka_unit_test(bounds_the_depth),
		cmocka_unit_test(gives_members),
		cmocka_unit_test(reads_whole_numbers),
		cmocka_unit_test(walks_strings_in_order),
		cmocka_unit_test(walks_members_and_lists),
		cmocka_unit_test(holds_a_nul_where_one_may_be),
	};

	json_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
