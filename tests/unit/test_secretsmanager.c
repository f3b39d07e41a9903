/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "aws/secretsmanager.h"

#define SM   "arn:aws:secretsmanager:us-east-1:123456789012:secret:k-AbCdEf"
#define UUID "EXAMPLE1-90ab-cdef-fedc-ba987EXAMPLE"

/* ---- the request ---- */

static const struct {
	const char *reference, *body;
} bodies[] = {
	{SM, "{\"SecretId\":\"" SM "\"}"},
	{SM ":apiKey::", "{\"SecretId\":\"" SM "\"}"}, /* GetSecretValue refuses the long form */
	{SM "::AWSPREVIOUS:", "{\"SecretId\":\"" SM "\",\"VersionStage\":\"AWSPREVIOUS\"}"},
	{SM ":::" UUID, "{\"SecretId\":\"" SM "\",\"VersionId\":\"" UUID "\"}"},
	{SM ":k:a\"b:" UUID,
	 "{\"SecretId\":\"" SM "\",\"VersionStage\":\"a\\\"b\",\"VersionId\":\"" UUID "\"}"},
};

static void
builds_the_body(void **state)
{
	struct buf out, small;

	(void)state;
	buf_init(&out, 8192);
	buf_init(&small, 20);
	for (size_t i = 0; i < COUNT(bodies); i++) {
		struct reference r;

		assert_int_equal(reference_parse(span_of(bodies[i].reference), &r), REFERENCE_OK);
		buf_clear(&out, 8192);
		assert_int_equal(secretsmanager_body(&r, &out), 0);
		assert_true(span_is(buf_span(&out), bodies[i].body));
		assert_int_not_equal(secretsmanager_body(&r, &small), 0);
		buf_clear(&small, 0);
	}
	buf_free(&out);
}

/* ---- the answer ---- */

#define ANSWER(secret) "{\"ARN\":\"" SM "\",\"CreatedDate\":1.5e9,\"VersionId\":\"v1\"," secret "}"

static const struct {
	const char *answer, *json_key;
	enum secretsmanager_fault fault;
	const char *value;
} answers[] = {
	{ANSWER("\"SecretString\":\"sk-1\""), "", SECRETSMANAGER_OK, "sk-1"},
	{ANSWER("\"SecretString\":\"{\\\"api_key_value\\\":\\\"sk-2\\\",\\\"x\\\":\\\"y\\\"}\""),
	 "", SECRETSMANAGER_OK, "sk-2"},
	{ANSWER("\"SecretString\":\"{\\\"one\\\":\\\"sk-3\\\",\\\"n\\\":4}\""), "",
	 SECRETSMANAGER_OK, "sk-3"}, /* the one member that is a string */
	{ANSWER("\"SecretString\":\"{\\\"a\\\":\\\"1\\\",\\\"b\\\":\\\"2\\\"}\""), "b",
	 SECRETSMANAGER_OK, "2"},
	{ANSWER("\"SecretString\":\"{\\\"a.b/c\\\":\\\"\\\\u00e9\\\"}\""), "a.b/c",
	 SECRETSMANAGER_OK, "\xc3\xa9"},
	{ANSWER("\"SecretString\":\"{\\\"a\\\":\\\"1\\\",\\\"b\\\":\\\"2\\\"}\""), "",
	 SECRETSMANAGER_AMBIGUOUS, NULL},
	{ANSWER("\"SecretString\":\"{}\""), "", SECRETSMANAGER_AMBIGUOUS, NULL},
	{ANSWER("\"SecretString\":\"{\\\"a\\\":\\\"1\\\"}\""), "A", SECRETSMANAGER_NO_KEY, NULL},
	{ANSWER("\"SecretString\":\"{\\\"a\\\":1}\""), "a", SECRETSMANAGER_NO_KEY, NULL},
	{ANSWER("\"SecretString\":\"sk-1\""), "a", SECRETSMANAGER_NO_KEY, NULL},
	{ANSWER("\"SecretString\":\"{\\\"a\\\":\\\"1\\\",\\\"a\\\":\\\"2\\\"}\""), "a",
	 SECRETSMANAGER_NO_KEY, NULL}, /* a name twice: not a JSON object to us */
	{ANSWER("\"SecretString\":\"[1]\""), "", SECRETSMANAGER_OK, "[1]"},
	{ANSWER("\"SecretString\":\"\""), "", SECRETSMANAGER_OK, ""}, /* the slot refuses it */
	{ANSWER("\"SecretBinary\":\"c2stNA==\""), "", SECRETSMANAGER_BINARY, NULL},
	{ANSWER("\"SecretString\":7"), "", SECRETSMANAGER_NOT_JSON, NULL},
	{ANSWER("\"Other\":\"x\""), "", SECRETSMANAGER_NOT_JSON, NULL},
	{"{\"SecretString\":\"a\",\"SecretString\":\"b\"}", "", SECRETSMANAGER_NOT_JSON, NULL},
	{"{\"SecretString\":\"a\"} x", "", SECRETSMANAGER_NOT_JSON, NULL},
	{"<html>", "", SECRETSMANAGER_NOT_JSON, NULL},
	{"[]", "", SECRETSMANAGER_NOT_JSON, NULL},
	{"", "", SECRETSMANAGER_NOT_JSON, NULL},
};

/* Both steps, as a store with one slot does them. */
static enum secretsmanager_fault
read_and_pick(struct span answer, struct span json_key, struct secretsmanager_value *v,
	      struct span *value)
{
	enum secretsmanager_fault fault = secretsmanager_read(answer, v);

	return fault != SECRETSMANAGER_OK ? fault : secretsmanager_pick(v, json_key, value);
}

static void
picks_the_value(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(answers); i++) {
		struct secretsmanager_value v = {.version_id = SPAN("before")};
		struct span value = SPAN("before");
		enum secretsmanager_fault fault = read_and_pick(
			span_of(answers[i].answer), span_of(answers[i].json_key), &v, &value);

		if (fault != answers[i].fault)
			fail_msg("%s: %d", answers[i].answer, (int)fault);
		if (fault != SECRETSMANAGER_OK) {
			assert_true(span_is(value, "before"));
			assert_true(strlen(secretsmanager_fault_text(fault)) > 10);
		} else if (!span_is(value, answers[i].value)) {
			fail_msg("%s: %.*s", answers[i].answer, (int)value.len, value.ptr);
		}
		if (v.doc == NULL) {
			assert_true(span_is(v.version_id, "before"));
			continue;
		}
		assert_true(span_is(v.version_id, "v1"));
		secretsmanager_free(&v);
		secretsmanager_free(&v); /* twice is once */
	}
}

/* The Access pair stands in one secret, and comes out of one answer. */
static void
picks_several_keys_of_one_answer(void **state)
{
	struct secretsmanager_value v;
	struct span id, secret, none = SPAN("before");

	(void)state;
	assert_int_equal(secretsmanager_read(SPAN(ANSWER("\"SecretString\":\"{\\\"id\\\":\\\"i\\\","
							 "\\\"secret\\\":\\\"s\\\"}\"")),
					     &v),
			 SECRETSMANAGER_OK);
	assert_int_equal(secretsmanager_pick(&v, SPAN("id"), &id), SECRETSMANAGER_OK);
	assert_int_equal(secretsmanager_pick(&v, SPAN("secret"), &secret), SECRETSMANAGER_OK);
	assert_int_equal(secretsmanager_pick(&v, SPAN("x"), &none), SECRETSMANAGER_NO_KEY);
	assert_true(span_is(id, "i") && span_is(secret, "s") && span_is(none, "before"));
	secretsmanager_free(&v);
}

static void
takes_no_key_that_is_too_long(void **state)
{
	static char key[300];
	struct secretsmanager_value v;
	struct span value;

	(void)state;
	memset(key, 'k', sizeof(key));
	assert_int_equal(read_and_pick(SPAN("{\"SecretString\":\"{\\\"a\\\":\\\"1\\\"}\"}"),
				       (struct span){key, sizeof(key)}, &v, &value),
			 SECRETSMANAGER_NO_KEY);
	secretsmanager_free(&v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(builds_the_body),
		cmocka_unit_test(picks_the_value),
		cmocka_unit_test(picks_several_keys_of_one_answer),
		cmocka_unit_test(takes_no_key_that_is_too_long),
	};

	json_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
