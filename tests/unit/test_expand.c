/* SPDX-License-Identifier: Apache-2.0 */
#include "config/expand.h"
#include "unit.h"

static const char *
variable(void *arg, const char *name)
{
	(void)arg;
	if (strcmp(name, "NAME") == 0)
		return "value";
	if (strcmp(name, "EMPTY") == 0)
		return "";
	if (strcmp(name, "NESTED") == 0)
		return "${NAME}";
	return NULL;
}

static const struct environment env = {variable, NULL};

static const struct {
	const char *raw, *text, *comment;
} good[] = {
	{"", "", "nothing"},
	{"plain", "plain", "no variable"},
	{"${NAME}", "value", "alone"},
	{"a ${NAME} b", "a value b", "inside"},
	{"${NAME}${NAME}", "valuevalue", "twice"},
	{"${EMPTY}", "", "set, though empty"},
	{"${EMPTY:-d}", "d", "empty takes the default"},
	{"${NOT:-d e}", "d e", "unset takes the default"},
	{"${NOT:-}", "", "an empty default"},
	{"${NAME:-d}", "value", "set wins"},
	{"${NESTED}", "${NAME}", "not expanded again"},
	{"$NAME $ $$", "$NAME $ $$", "a dollar alone is a dollar"},
	{"$${NAME}", "$value", "no escape"},
	{"${env:NAME}", "${env:NAME}", "a reference stays"},
	{"${arn:aws:x}", "${arn:aws:x}", "a reference stays"},
	{"${file:/a}-${NAME}", "${file:/a}-value", "beside a reference"},
	{"${env:NAME?}", "${env:NAME?}", "an optional reference stays"},
};

static const struct {
	const char *raw;
	enum expand_fault fault;
	const char *name;
} bad[] = {
	{"a ${NOT} b", EXPAND_UNDEFINED, "NOT"},
	{"${NAME", EXPAND_MALFORMED, "NAME"},
	{"${}", EXPAND_MALFORMED, ""},
	{"${A-B}", EXPAND_MALFORMED, "A-B"},
	{"${1A}", EXPAND_MALFORMED, "1A"},
	{"${A:+x}", EXPAND_MALFORMED, "A:+x"},
	{"${:-x}", EXPAND_MALFORMED, ""},
	{"${NAME?}", EXPAND_MALFORMED, "NAME?"},
	{"${NOT:-${NAME}}", EXPAND_MALFORMED, "NOT"},
	{"${NAME:-a${env:X}}", EXPAND_MALFORMED, "NAME"},
};

static void
test_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		struct span name = {NULL, 0};
		struct buf out;

		buf_init(&out, 1024);
		assert_int_equal(expand(span_of(good[i].raw), &env, &out, &name), EXPAND_OK);
		if (!span_is(buf_span(&out), good[i].text))
			fail_msg("%s: %s", good[i].raw, good[i].comment);
		buf_free(&out);
	}
}

static void
test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct span name = {NULL, 0};
		struct buf out;

		buf_init(&out, 1024);
		if (expand(span_of(bad[i].raw), &env, &out, &name) != bad[i].fault ||
		    !span_is(name, bad[i].name))
			fail_msg("%s", bad[i].raw);
		buf_free(&out);
	}
}

static void
test_too_long(void **state)
{
	struct span name = {NULL, 0};
	struct buf out;

	(void)state;
	buf_init(&out, 8);
	assert_int_equal(expand(SPAN("${NAME}${NAME}"), &env, &out, &name), EXPAND_TOO_LONG);
	assert_int_equal(expand(SPAN("123456789"), &env, &out, &name), EXPAND_TOO_LONG);
	buf_free(&out);
}

static void
test_is_variable(void **state)
{
	struct span name = {NULL, 0};

	(void)state;
	assert_true(expand_is_variable(SPAN("${OPENAI_API_KEY}"), &name));
	assert_true(span_is(name, "OPENAI_API_KEY"));
	assert_false(expand_is_variable(SPAN("x${A}"), &name));
	assert_false(expand_is_variable(SPAN("${A:-b}"), &name));
	assert_false(expand_is_variable(SPAN("${}"), &name));
	assert_false(expand_is_variable(SPAN("${env:A}"), &name));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_is_variable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
