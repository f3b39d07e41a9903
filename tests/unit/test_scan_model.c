/* SPDX-License-Identifier: Apache-2.0 */
/* Ways to bring a second or another model, or a steering member, past the scanner. */
#include <stdio.h>
#include <stdlib.h>

#include "ingress/scan.h"
#include "policy/access/models.h"
#include "unit.h"

static bool
denies(const void *arg, struct span name)
{
	(void)arg;
	return model_field_denied(name, NULL, 0);
}

#define M "\"model\":\"gpt\""

static const struct {
	const char *text;
	enum scan_fault fault;
	const char *why;
} rows[] = {
	{"{" M ",\"model\":\"b\"}", SCAN_MODEL_TWICE, "twice"},
	{"{" M ",\"MODEL\":\"b\"}", SCAN_MODEL_TWICE, "Go matches it without regard to case"},
	{"{" M ",\"mODEL\":1}", SCAN_MODEL_TWICE, "the second one's type does not matter"},
	{"{" M ",\"\\u006dodel\":\"b\"}", SCAN_MODEL_TWICE, "one letter escaped"},
	{"{" M ",\"\\u004Dodel\":\"b\"}", SCAN_MODEL_TWICE, "an escaped capital"},
	{"{" M ",\"\\u006d\\u006f\\u0064\\u0065\\u006c\":\"b\"}", SCAN_MODEL_TWICE, "all of it"},
	{"{\"\\u006d\\u006F\\u0064\\u0065\\u006C\":\"gpt\"," M "}", SCAN_MODEL_TWICE,
	 "the first one"},
	{"{\"\\u006d\\u004F\\u0064\\u0045\\u006C\":\"gpt\"," M "}", SCAN_MODEL_TWICE,
	 "the first one, with capitals"},
	{"{\"Model\":1}", SCAN_MODEL_TYPE, "with a capital alone, of another type"},
	{"{\"mod\\u0065l\":\"gpt\"}", SCAN_OK, "escaped, it is the same to all"},
	{"{\"x\":{\"Model\":1}}", SCAN_OK, "nested, it is free"},
	{"{" M ",\"x\":{" M "}}", SCAN_OK, "a nested one is not the call's"},
	{"{" M ",\"x\":[{" M "}]}", SCAN_OK, "nor one in a list"},
	{"{\"x\":{" M "}}", SCAN_OK, "a nested one alone: the call names none"},
	{"{" M ",\"model \":\"b\"}", SCAN_OK, "a blank behind: no reader trims it"},
	{"{" M ",\" model\":\"b\"}", SCAN_OK, "a blank in front"},
	{"{" M ",\"model\\t\":\"b\"}", SCAN_OK, "a tab behind"},
	{"{" M ",\"model\\u200b\":\"b\"}", SCAN_OK, "a blank without width"},
	{"{" M ",\"m\\u043edel\":\"b\"}", SCAN_OK, "a Cyrillic o folds to no ASCII letter"},
	{"{" M ",\"\\uff4dodel\":\"b\"}", SCAN_OK, "nor does a wide m"},
	{"{" M ",\"model\\u0000\":\"b\"}", SCAN_NOT_JSON, "a NUL would end a C string"},
	{"{" M ",\"\\u0000model\":\"b\"}", SCAN_NOT_JSON, "a NUL in front"},
	{"{" M ",\"mod\\ud800el\":\"b\"}", SCAN_NOT_JSON, "half a pair, which readers drop"},
	{"{" M ",\"model\\udfff\":\"b\"}", SCAN_NOT_JSON, "the other half"},
	{"{" M ",\"mo\0del\":\"b\"}", SCAN_NOT_JSON, "cut by a raw NUL"},
	{"{\"model\":\"a\\u0000b\"}", SCAN_MODEL_TYPE, "a NUL in the model"},
	{"{\"model\":\"\\ud83d\\ud83d\"}", SCAN_MODEL_TYPE, "two first halves"},
	{"{\"model\":1}", SCAN_MODEL_TYPE, "a number"},
	{"{\"model\":1e400}", SCAN_MODEL_TYPE, "a number beyond doubles"},
	{"{\"model\":true}", SCAN_MODEL_TYPE, "a word"},
	{"{\"model\":null}", SCAN_MODEL_TYPE, "nothing"},
	{"{\"model\":{\"a\":\"gpt\"}}", SCAN_MODEL_TYPE, "an object"},
	{"{\"model\":[\"gpt\"]}", SCAN_MODEL_TYPE, "a list of one"},
	{"\xef\xbb\xbf{" M "}", SCAN_NOT_UTF8, "a byte order mark"},
	{"\xff\xfe{\0\"\0", SCAN_NOT_JSON, "UTF-16's byte order mark"},
	{"{" M "}\xef\xbb\xbf", SCAN_NOT_JSON, "a mark behind the document"},
	{"{\"model\":\"\xc0\xa2\"}", SCAN_NOT_UTF8, "an overlong quote"},
	{"{\"model\":\"\xed\xa0\x80\"}", SCAN_NOT_UTF8, "a surrogate in UTF-8"},
	{"{'model':'gpt'}", SCAN_NOT_JSON, "single quotes"},
	{"{" M "/**/,\"a\":1}", SCAN_NOT_JSON, "a comment"},
	{"{" M "}{\"model\":\"b\"}", SCAN_NOT_JSON, "a second document"},
	{"{" M ",\"API_BASE\":1}", SCAN_DENIED_FIELD, "steering, in capitals"},
	{"{" M ",\"api\\u005Fbase\":1}", SCAN_DENIED_FIELD, "with an escape"},
	{"{" M ",\"\\u0041PI\\u005fKEY\":1}", SCAN_DENIED_FIELD, "with an escaped capital"},
	{"{" M ",\"api_\\u212aey\":1}", SCAN_DENIED_FIELD, "with a Kelvin sign, which folds to k"},
	{"{" M ",\"ba\\u017fe_url\":1}", SCAN_DENIED_FIELD, "with a long s, which folds to s"},
	{"{" M ",\"fallback\xc5\xbf\":1}", SCAN_DENIED_FIELD, "the long s as UTF-8"},
	{"{" M ",\"AWS_anything\":1}", SCAN_DENIED_FIELD, "by its prefix, folded"},
	{"{" M ",\"metadata\":{\"api_base\":1}}", SCAN_OK, "nested, it is the caller's data"},
};

static void
attacks(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		static struct scan out;
		enum scan_fault got = scan_json(&out, span_of(rows[i].text), denies, NULL);

		if (got != rows[i].fault)
			fail_msg("%s (%s): %d", rows[i].text, rows[i].why, (int)got);
	}
}

static const struct {
	const char *name;
	bool is_folded;
} names[] = {
	{"model", false},      {"mod\\u0065l", false}, {"\\u006d\\u006F\\u0064\\u0065l", false},
	{"Model", true},       {"MODEL", true},        {"\\u004Dodel", true},
	{"mode\\u004c", true},
};

/* An upstream that minds case sees no model in those. */
static void
tells_how_the_model_is_spelt(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		static struct scan out;
		char text[64];

		snprintf(text, sizeof(text), "{\"%s\":\"gpt\"}", names[i].name);
		assert_int_equal(scan_json(&out, span_of(text), denies, NULL), SCAN_OK);
		assert_true(out.has_model);
		assert_string_equal(out.model, "gpt");
		if (out.model_is_folded != names[i].is_folded)
			fail_msg("%s", text);
	}
}

/* A member's place does not matter: before, between and behind a mebibyte of others. */
static void
far_apart(void **state)
{
	enum { PAD = 1024 * 1024 };
	static const char head[] = "{\"pad\":\"", tail[] = "\",\"Model\":\"late\"}";
	static struct scan out;
	size_t n = 0;
	char *text = malloc(PAD + 256);

	(void)state;
	assert_non_null(text);
	memcpy(text, head, sizeof(head) - 1);
	n += sizeof(head) - 1;
	memset(text + n, 'x', PAD);
	n += PAD;
	memcpy(text + n, tail, sizeof(tail) - 1);
	n += sizeof(tail) - 1;
	assert_int_equal(scan_json(&out, (struct span){text, n}, denies, NULL), SCAN_OK);
	assert_string_equal(out.model, "late");
	n--;
	memcpy(text + n, "," M "}", sizeof("," M "}") - 1);
	n += sizeof("," M "}") - 1;
	assert_int_equal(scan_json(&out, (struct span){text, n}, denies, NULL), SCAN_MODEL_TWICE);
	free(text);
}

static void
nested_200_levels(void **state)
{
	static struct scan out;
	char text[1024];
	size_t n = (size_t)snprintf(text, sizeof(text), "{" M ",\"x\":");

	(void)state;
	memset(text + n, '[', 200);
	memset(text + n + 200, ']', 200);
	text[n + 400] = '}';
	assert_int_equal(scan_json(&out, (struct span){text, n + 401}, denies, NULL),
			 SCAN_TOO_DEEP);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attacks),
		cmocka_unit_test(tells_how_the_model_is_spelt),
		cmocka_unit_test(far_apart),
		cmocka_unit_test(nested_200_levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
