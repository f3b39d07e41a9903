/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "aws/secretsmanager.h"

static void
values_are_picked_as_in_ecs(void **state)
{
	static const struct {
		const char *answer, *key, *value;
		enum secretsmanager_fault fault;
		const char *why;
	} cases[] = {
		{"{\"SecretString\":\"sk-1\",\"VersionId\":\"v\"}", "", "sk-1", 0, "a plain string"},
		{"{\"SecretString\":\"{\\\"a\\\":\\\"1\\\",\\\"b\\\":\\\"2\\\"}\"}", "b", "2", 0,
		 "the named key"},
		{"{\"SecretString\":\"{\\\"a\\\":\\\"1\\\"}\"}", "", "1", 0, "the only member"},
		{"{\"SecretString\":\"{\\\"api_key_value\\\":\\\"k\\\",\\\"x\\\":\\\"y\\\"}\"}", "", "k", 0,
		 "AgentCore's managed secret"},
		{"{\"SecretString\":\"{\\\"a\\\":\\\"1\\\",\\\"b\\\":\\\"2\\\"}\"}", "", "",
		 SECRETSMANAGER_AMBIGUOUS, "two members and no key"},
		{"{\"SecretString\":\"{\\\"a\\\":1}\"}", "a", "", SECRETSMANAGER_NO_KEY, "a number"},
		{"{\"SecretString\":\"sk-1\"}", "a", "", SECRETSMANAGER_NO_KEY, "a key of a plain string"},
		{"{\"SecretBinary\":\"c2s=\"}", "", "", SECRETSMANAGER_BINARY, "binary"},
		{"{}", "", "", SECRETSMANAGER_NOT_JSON, "neither"},
		{"<html>", "", "", SECRETSMANAGER_NOT_JSON, "a captive portal"},
		{"{\"SecretString\":\"a\",\"SecretString\":\"b\"}", "", "", SECRETSMANAGER_NOT_JSON,
		 "a member twice"},
		{"{\"SecretString\":\"a\"} x", "", "", SECRETSMANAGER_NOT_JSON, "bytes behind it"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct secretsmanager_value v = {0};
		enum secretsmanager_fault fault = secretsmanager_read(
			span_of(cases[i].answer), span_of(cases[i].key), &v);

		if (fault != cases[i].fault)
			fail_msg("%s: %d", cases[i].why, (int)fault);
		if (fault == SECRETSMANAGER_OK)
			assert_true(span_is(v.value, cases[i].value));
		secretsmanager_free(&v);
	}
}

static void
bodies_follow_the_reference(void **state)
{
	static const struct {
		const char *reference, *body;
	} cases[] = {
		{"arn:aws:secretsmanager:us-east-1:123456789012:secret:k-AbCdEf",
		 "{\"SecretId\":\"arn:aws:secretsmanager:us-east-1:123456789012:secret:k-AbCdEf\"}"},
		{"arn:aws:secretsmanager:us-east-1:123456789012:secret:k-AbCdEf:key::",
		 "{\"SecretId\":\"arn:aws:secretsmanager:us-east-1:123456789012:secret:k-AbCdEf\"}"},
		{"arn:aws:secretsmanager:us-east-1:123456789012:secret:k-AbCdEf::AWSPREVIOUS:",
		 "{\"SecretId\":\"arn:aws:secretsmanager:us-east-1:123456789012:secret:k-AbCdEf\","
		 "\"VersionStage\":\"AWSPREVIOUS\"}"},
		{"arn:aws:secretsmanager:us-east-1:123456789012:secret:k-AbCdEf"
		 ":::01234567-89ab-cdef-0123-456789abcdef",
		 "{\"SecretId\":\"arn:aws:secretsmanager:us-east-1:123456789012:secret:k-AbCdEf\","
		 "\"VersionId\":\"01234567-89ab-cdef-0123-456789abcdef\"}"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct reference r;
		struct buf b;

		assert_int_equal(reference_parse(span_of(cases[i].reference), &r), REFERENCE_OK);
		buf_init(&b, 4096);
		assert_int_equal(secretsmanager_body(&r, &b), 0);
		assert_true(span_is(buf_span(&b), cases[i].body));
		buf_free(&b);
	}
}

static void
errors_are_read_by_type(void **state)
{
	static const struct {
		unsigned status;
		const char *body, *type;
		enum aws_error_class class;
	} cases[] = {
		{400, "{\"__type\":\"AccessDeniedException\",\"Message\":\"x\"}", "AccessDeniedException",
		 AWS_ERROR_DENIED},
		{500, "{\"__type\":\"AccessDeniedException\"}", "AccessDeniedException", AWS_ERROR_DENIED},
		{403, "{\"__type\":\"com.amazon#ThrottlingException:http://x\"}", "ThrottlingException",
		 AWS_ERROR_THROTTLED},
		{400, "{\"__type\":\"ExpiredTokenException\"}", "ExpiredTokenException",
		 AWS_ERROR_CREDENTIALS},
		{403, "{\"__type\":\"RequestTimeTooSkewed\"}", "RequestTimeTooSkewed", AWS_ERROR_CLOCK},
		{503, "<html>", "", AWS_ERROR_TRANSIENT},
		{429, "", "", AWS_ERROR_THROTTLED},
		{400, "{\"__type\":\"bad type with\\nnewline\"}", "", AWS_ERROR_DENIED},
	};
	struct aws_error e;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		aws_error_read(cases[i].status, span_of(cases[i].body), &e);
		assert_string_equal(e.type, cases[i].type);
		assert_int_equal(e.class, cases[i].class);
	}
	aws_error_read(400,
		       SPAN("{\"__type\":\"AccessDeniedException\",\"Message\":\"User: "
			    "arn:aws:iam::123456789012:user/bob is not authorized\"}"),
		       &e);
	assert_string_equal(e.principal, "arn:aws:iam::123456789012:user/bob");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_picked_as_in_ecs),
		cmocka_unit_test(bodies_follow_the_reference),
		cmocka_unit_test(errors_are_read_by_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
