/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>
#include <jansson.h>

#include "ingress/scan.h"

struct row {
	const char *text;
	enum scan_fault fault;
	const char *why;
};

static bool
denies(const void *arg, struct span name)
{
	return span_is(name, "api_base") || span_is(name, "api_key") ||
	       (arg != NULL && span_starts(name, span_of(arg)));
}

static const struct row rows[] = {
	{"{}", SCAN_OK, "the least"},
	{" \t\r\n{ \"a\" : [ 1 , { } , [ ] , \"b\" ] } \n", SCAN_OK, "blanks everywhere"},
	{"{\"a\":true,\"b\":false,\"c\":null}", SCAN_OK, "words"},
	{"[0,-0,1,-1,10,1.5,0.5,1e1,1E+1,1e-1,-0.0e00]", SCAN_NOT_OBJECT, "numbers"},
	{"[]", SCAN_NOT_OBJECT, "an array"},
	{"\"a\"", SCAN_NOT_OBJECT, "a string"},
	{"1", SCAN_NOT_OBJECT, "a number"},
	{"null", SCAN_NOT_OBJECT, "null"},
	{"[{\"model\":1}]", SCAN_NOT_OBJECT, "a model in an array is none"},
	{"", SCAN_NOT_JSON, "nothing"},
	{" ", SCAN_NOT_JSON, "blanks"},
	{"{", SCAN_NOT_JSON, "cut short"},
	{"}", SCAN_NOT_JSON, "closed only"},
	{"{]", SCAN_NOT_JSON, "closed wrongly"},
	{"{\"a\"", SCAN_NOT_JSON, "a name alone"},
	{"{\"a\":", SCAN_NOT_JSON, "no value"},
	{"{\"a\":}", SCAN_NOT_JSON, "no value, closed"},
	{"{\"a\" 1}", SCAN_NOT_JSON, "no colon"},
	{"{\"a\":1", SCAN_NOT_JSON, "not closed"},
	{"{\"a\":1,}", SCAN_NOT_JSON, "a trailing comma"},
	{"{,\"a\":1}", SCAN_NOT_JSON, "a leading comma"},
	{"{\"a\":1 \"b\":2}", SCAN_NOT_JSON, "no comma"},
	{"{\"a\":[1,]}", SCAN_NOT_JSON, "a trailing comma in an array"},
	{"{\"a\":[1 2]}", SCAN_NOT_JSON, "no comma in an array"},
	{"{\"a\":[1}", SCAN_NOT_JSON, "crossed"},
	{"{a:1}", SCAN_NOT_JSON, "a bare name"},
	{"{'a':1}", SCAN_NOT_JSON, "single quotes"},
	{"{1:1}", SCAN_NOT_JSON, "a number as name"},
	{"{}{}", SCAN_NOT_JSON, "two documents"},
	{"{} x", SCAN_NOT_JSON, "bytes behind the document"},
	{"{}//", SCAN_NOT_JSON, "a comment"},
	{"{\"a\":/**/1}", SCAN_NOT_JSON, "a comment within"},
	{"{\"a\":tru}", SCAN_NOT_JSON, "half a word"},
	{"{\"a\":truex}", SCAN_NOT_JSON, "more than a word"},
	{"{\"a\":True}", SCAN_NOT_JSON, "a capital"},
	{"{\"a\":NaN}", SCAN_NOT_JSON, "NaN"},
	{"{\"a\":Infinity}", SCAN_NOT_JSON, "Infinity"},
	{"{\"a\":-}", SCAN_NOT_JSON, "a sign alone"},
	{"{\"a\":+1}", SCAN_NOT_JSON, "a plus sign"},
	{"{\"a\":01}", SCAN_NOT_JSON, "a leading zero"},
	{"{\"a\":-01}", SCAN_NOT_JSON, "a negative leading zero"},
	{"{\"a\":1.}", SCAN_NOT_JSON, "no fraction"},
	{"{\"a\":.1}", SCAN_NOT_JSON, "no integer"},
	{"{\"a\":1e}", SCAN_NOT_JSON, "no exponent"},
	{"{\"a\":1e+}", SCAN_NOT_JSON, "an exponent's sign alone"},
	{"{\"a\":0x1}", SCAN_NOT_JSON, "hexadecimal"},
	{"{\"a\":1_0}", SCAN_NOT_JSON, "an underscore"},
	{"{\"a\":\"b}", SCAN_NOT_JSON, "an open string"},
	{"{\"a\":\"b\\\"}", SCAN_NOT_JSON, "an escaped end"},
	{"{\"a\":\"\\", SCAN_NOT_JSON, "half an escape"},
	{"{\"a\":\"\\x\"}", SCAN_NOT_JSON, "an unknown escape"},
	{"{\"a\":\"\\u12\"}", SCAN_NOT_JSON, "a short escape"},
	{"{\"a\":\"\\u12g4\"}", SCAN_NOT_JSON, "no hexadecimal"},
	{"{\"a\":\"\\U0041\"}", SCAN_NOT_JSON, "a capital U"},
	{"{\"a\":\"\n\"}", SCAN_NOT_JSON, "a raw line feed"},
	{"{\"a\":\"0123456789\x1f\"}", SCAN_NOT_JSON, "a raw control byte after eight others"},
	{"{\"a\":\"\x7f\"}", SCAN_OK, "DEL is no control character here"},
	{"{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"}", SCAN_OK, "each escape"},
	{"{\"a\":\"é€😀 0123456789 é\"}", SCAN_OK, "each length of UTF-8"},
	{"{\"a\":\"\\ud83d\\ude00\"}", SCAN_OK, "a pair"},
	{"{\"a\":\"\\ud83d\"}", SCAN_OK, "a lone surrogate in a value is RFC 8259"},
	{"{\"a\":\"\\u0000\"}", SCAN_OK, "an escaped NUL in a value too"},
	{"{\"a\":{\"\\ud83d\":1}}", SCAN_OK, "and in a name below the top"},
	{"{\"\\ud83d\":1}", SCAN_NOT_JSON, "a lone high surrogate in a name"},
	{"{\"\\ude00\":1}", SCAN_NOT_JSON, "a lone low surrogate in a name"},
	{"{\"\\ud83d\\u0041\":1}", SCAN_NOT_JSON, "half a pair in a name"},
	{"{\"\\ud83dxxxxxx\":1}", SCAN_NOT_JSON, "half a pair and text in a name"},
	{"{\"model\\u0000\":1}", SCAN_NOT_JSON, "a NUL that would end a C string"},
	{"{\"a\":\"\xff\"}", SCAN_NOT_UTF8, "0xff"},
	{"{\"a\":\"\xc0\xaf\"}", SCAN_NOT_UTF8, "overlong"},
	{"{\"a\":\"\xed\xa0\x80\"}", SCAN_NOT_UTF8, "a raw surrogate"},
	{"{\"a\":\"\xe2\x82\"}", SCAN_NOT_UTF8, "cut short"},
	{"{\"\xff\":1}", SCAN_NOT_UTF8, "in a name"},
	{"\xef\xbb\xbf{}", SCAN_NOT_UTF8, "a byte order mark"},
	{"{\xc2\xa0}", SCAN_NOT_JSON, "a no-break space is no blank"},
	{"{\"a\":1}\v", SCAN_NOT_JSON, "nor is a vertical tab"},
	{"{\"model\":\"a\"}", SCAN_OK, "a model"},
	{"{\"a\":{\"model\":1,\"model\":2,\"api_base\":3}}", SCAN_OK, "below the top all is free"},
	{"{\"model\":\"a\",\"model\":\"a\"}", SCAN_MODEL_TWICE, "twice, though equal"},
	{"{\"model\":\"a\",\"Model\":\"b\"}", SCAN_MODEL_TWICE, "in other case"},
	{"{\"model\":\"a\",\"mod\\u0065l\":\"b\"}", SCAN_MODEL_TWICE, "escaped"},
	{"{\"MODEL\":\"a\",\"\\u004dodel\":\"b\"}", SCAN_MODEL_TWICE, "both"},
	{"{\"model\":1}", SCAN_MODEL_TYPE, "a number"},
	{"{\"model\":null}", SCAN_MODEL_TYPE, "null"},
	{"{\"model\":[\"a\"]}", SCAN_MODEL_TYPE, "an array"},
	{"{\"model\":{}}", SCAN_MODEL_TYPE, "an object"},
	{"{\"model\":\"\\ud800\"}", SCAN_MODEL_TYPE, "a lone surrogate"},
	{"{\"model\":\"a\\u0000b\"}", SCAN_MODEL_TYPE, "a NUL"},
	{"{\"model\":\"a", SCAN_NOT_JSON, "an open model"},
	{"{\"model\":", SCAN_MODEL_TYPE, "no model"},
	{"{\"model\":\"\xff\"}", SCAN_NOT_UTF8, "a model that is not UTF-8"},
	{"{\"api_base\":1}", SCAN_DENIED_FIELD, "denied"},
	{"{\"API_Base\":1}", SCAN_DENIED_FIELD, "denied in other case"},
	{"{\"\\u0061pi_base\":1}", SCAN_DENIED_FIELD, "denied, escaped"},
	{"{\"api_ba\xc5\xbf"
	 "e\":1}",
	 SCAN_DENIED_FIELD, "LONG S folds to s"},
	{"{\"api_\xe2\x84\xaa"
	 "ey\":1}",
	 SCAN_DENIED_FIELD, "KELVIN SIGN folds to k"},
	{"{\"api_\\u212aey\":1}", SCAN_DENIED_FIELD, "KELVIN SIGN, escaped"},
	{"{\"api_base \":1}", SCAN_OK, "another name"},
};

static void
table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span text = span_of(rows[i].text);
		char *copy = malloc(text.len + 1);
		struct scan out;
		enum scan_fault got;

		assert_non_null(copy);
		memcpy(copy, text.ptr, text.len);
		got = scan_json(&out, (struct span){copy, text.len}, denies, NULL);
		if (got != rows[i].fault || out.error_at > text.len)
			fail_msg("%s: %d at %zu", rows[i].why, (int)got, out.error_at);
		free(copy);
	}
}

/* What an upstream that is not strict may take for a stream, or for options, and another not. */
static void
odd_streams(void **state)
{
	static const struct {
		const char *text;
		bool odd, folded;
	} cases[] = {
		{"{\"stream\":true}", false, false},
		{"{\"stream\": false }", false, false},
		{"{\"stream\":null}", false, false},
		{"{\"x\":{\"stream\":1}}", false, false},
		{"{\"stream\":1}", true, false},
		{"{\"stream\":\"true\"}", true, false},
		{"{\"stream\":[]}", true, false},
		{"{\"stre\\u0061m\":1}", true, false},
		{"{\"Stream\":\"on\"}", true, false},
		{"{\"stream\":1,\"stream\":true}", true, false},
		{"{\"stream\":true,\"stream\":1}", true, false},
		{"{\"stream_options\":{}}", false, false},
		{"{\"stream_opti\\u006fns\":{}}", false, false},
		{"{\"Stream_options\":{}}", false, true},
		{"{\"\\u017ftream_options\":{}}", false, true},
		{"{\"Stream_options\":{},\"stream_options\":{}}", false, true},
	};
	struct scan out;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(scan_json(&out, span_of(cases[i].text), NULL, NULL), SCAN_OK);
		if (out.odd_stream != cases[i].odd ||
		    out.stream_options_is_folded != cases[i].folded)
			fail_msg("%s", cases[i].text);
	}
}

static void
reports(void **state)
{
	static const struct {
		const char *text, *model, *raw;
		bool stream;
	} cases[] = {
		{"{\"stream\":true,\"model\":\"gpt-4o\",\"n\":1}", "gpt-4o", "\"gpt-4o\"", true},
		{"{\"stream\":false,\"m\":\"x\"}", NULL, NULL, false},
		{"{\"stream\":\"true\"}", NULL, NULL, false},
		{"{\"a\":{\"stream\":true}}", NULL, NULL, false},
		{"{\"stream\" : true , \"stream\":false}", NULL, NULL, true},
		{"{\"model\" : \"a\\/b\\u00e9\\ud83d\\ude00\\n\"}", "a/bé😀\n",
		 "\"a\\/b\\u00e9\\ud83d\\ude00\\n\"", false},
		{"{\"model\":\"\"}", "", "\"\"", false},
	};
	struct scan out;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(scan_json(&out, span_of(cases[i].text), NULL, NULL), SCAN_OK);
		assert_int_equal(out.has_model, cases[i].model != NULL);
		assert_int_equal(out.stream, cases[i].stream);
		if (cases[i].model == NULL)
			continue;
		assert_string_equal(out.model, cases[i].model);
		assert_int_equal(out.model_len, strlen(cases[i].model));
		assert_true(span_is(out.model_raw, cases[i].raw));
	}
	assert_int_equal(scan_json(&out, SPAN("{\"x\":1, \"API_KEY\":2}"), denies, NULL),
			 SCAN_DENIED_FIELD);
	assert_string_equal(out.denied, "api_key");
	assert_int_equal(out.error_at, 8);
	assert_int_equal(scan_json(&out, SPAN("{\"a\":tru}"), NULL, NULL), SCAN_NOT_JSON);
	assert_int_equal(out.error_at, 5);
}

/* The values that a second look is worth: views of all their bytes. */
static void
views(void **state)
{
	static const struct {
		const char *text, *options, *tools; /* NULL: none */
		bool many;
	} cases[] = {
		{"{\"model\":\"a\"}", NULL, NULL, false},
		{"{\"x\":{\"tools\":[]}}", NULL, NULL, false},
		{"{\"tools\":[]}", NULL, "[]", false},
		{"{\"tools\" : 1.5 }", NULL, "1.5", false},
		{"{\"tools\":[{\"tools\":[1]}, 2 ] , \"a\":[3]}", NULL, "[{\"tools\":[1]}, 2 ]",
		 false},
		{"{\"t\\u006fols\":\"[]\",\"stream_options\":{\"a\":{}}}", "{\"a\":{}}", "\"[]\"",
		 false},
		{"{\"stream_options\":null,\"tools\":{}}", "null", "{}", false},
		{"{\"tools\":[],\"Tool\\u017f\":[1]}", NULL, "[1]", true},
	};
	struct scan out;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(scan_json(&out, span_of(cases[i].text), NULL, NULL), SCAN_OK);
		assert_int_equal(out.stream_options.ptr != NULL, cases[i].options != NULL);
		assert_int_equal(out.tools.ptr != NULL, cases[i].tools != NULL);
		if (cases[i].options != NULL)
			assert_true(span_is(out.stream_options, cases[i].options));
		if (cases[i].tools != NULL)
			assert_true(span_is(out.tools, cases[i].tools));
		assert_int_equal(out.many_tools, cases[i].many);
	}
}

static void
bounds(void **state)
{
	static char text[8192];
	struct scan out;
	size_t n;

	(void)state;
	for (size_t depth = SCAN_DEPTH - 2; depth <= SCAN_DEPTH; depth++) {
		n = (size_t)sprintf(text, "{\"a\":");
		memset(text + n, '[', depth);
		memset(text + n + depth, ']', depth);
		text[n + 2 * depth] = '}';
		assert_int_equal(
			scan_json(&out, (struct span){text, n + 2 * depth + 1}, NULL, NULL),
			depth < SCAN_DEPTH ? SCAN_OK : SCAN_TOO_DEEP);
	}
	for (size_t len = 2047; len <= 2049; len++) {
		n = (size_t)sprintf(text, "{\"model\":\"");
		memset(text + n, 'm', len);
		memcpy(text + n + len, "\"}", 2);
		assert_int_equal(scan_json(&out, (struct span){text, n + len + 2}, NULL, NULL),
				 len <= 2048 ? SCAN_OK : SCAN_MODEL_TYPE);
	}
	n = (size_t)sprintf(text, "{\"model");
	memset(text + n, 'l', 100);
	memcpy(text + n + 100, "\":1}", 4);
	assert_int_equal(scan_json(&out, (struct span){text, n + 104}, denies, NULL), SCAN_OK);
	assert_int_equal(scan_json(&out, (struct span){text, n + 104}, denies, "modelllll"),
			 SCAN_DENIED_FIELD);
	assert_int_equal(strlen(out.denied), SCAN_NAME_MAX);
	assert_int_equal(scan_json(&out, (struct span){NULL, 0}, NULL, NULL), SCAN_NOT_JSON);
}

/* What jansson refuses though it is RFC 8259: lone surrogates, NUL in names, huge numbers. */
static bool
is_disputed(const char *text, const json_error_t *error)
{
	return strstr(text, "\\u") != NULL || json_error_code(error) == json_error_numeric_overflow;
}

/* The member that the scanner takes for the model: by its name in any case. */
static const char *
model_in(json_t *tree)
{
	const char *name;
	json_t *value;

	json_object_foreach(tree, name, value)
	{
		if (strcasecmp(name, "model") == 0)
			return json_string_value(value);
	}
	return NULL;
}

static void
agrees_with_jansson(void **state)
{
	static const char *const seeds[] = {
		"{\"model\":\"a\",\"messages\":[{\"role\":\"user\",\"content\":\"hi \\n é\"}]}",
		"{\"a\":[1,2.5e1,-3,true,false,null,{},[]],\"b\":{\"c\":\"\\\"\"}}",
		"[0.1,1E+2,\"€😀\",[[[]]],{\"x\":\"0123456789abcdef\"}]",
		"{\"mod\\u0065l\":\"a\\/\\u00e9\\n\\ud83d\\ude00\",\"x\":{\"model\":1}}",
	};
	static const char alphabet[] =
		"{}[]\",:\\/ntu0123456789.eE+-aflsr \t\n\x01\x7f\xc3\xa9\xf0";
	unsigned seed = 7717;
	char text[256];

	(void)state;
	for (int i = 0; i < 200000; i++) {
		size_t len = strlen(strcpy(text, seeds[i % 4]));
		struct scan out;
		enum scan_fault got;
		json_error_t error = {0};
		json_t *tree;

		for (int k = rand_r(&seed) % 4; k >= 0; k--) {
			size_t at = (size_t)rand_r(&seed) % len;

			text[at] = alphabet[(size_t)rand_r(&seed) % (sizeof(alphabet) - 1)];
			if (rand_r(&seed) % 4 == 0)
				len = at + 1;
		}
		text[len] = '\0';
		got = scan_json(&out, (struct span){text, len}, NULL, NULL);
		if (got >= SCAN_TOO_DEEP || strlen(text) != len)
			continue;
		tree = json_loadb(text, len, JSON_DECODE_ANY, &error);
		if (tree == NULL && is_disputed(text, &error))
			continue;
		if ((tree != NULL) != (got == SCAN_OK || got == SCAN_NOT_OBJECT))
			fail_msg("%d: %s", (int)got, text);
		if (got == SCAN_OK && out.has_model)
			assert_string_equal(out.model, model_in(tree));
		else if (got == SCAN_OK)
			assert_null(model_in(tree));
		json_decref(tree);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),       cmocka_unit_test(reports),
		cmocka_unit_test(odd_streams), cmocka_unit_test(views),
		cmocka_unit_test(bounds),      cmocka_unit_test(agrees_with_jansson),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
