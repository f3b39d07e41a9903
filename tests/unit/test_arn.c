/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "aws/arn.h"

static void
regions(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} cases[] = {
		{"us-east-1", true},
		{"eu-isoe-west-1", true},
		{"us-gov-west-1", true},
		{"eusc-de-east-1", true},
		{"", false},
		{"us-east", false},
		{"us-east-1a", false},
		{"us-1", false},
		{"u-east-1", false},
		{"u1-east-1", false},
		{"abcdefghi-east-1", false},
		{"us-east-", false},
		{"US-EAST-1", false},
		{"x@evil:443/#", false},
		{"us-east-1.evil.example", false},
		{"us-east-1 ", false},
		{"us--1", false},
		{"-us-east-1", false},
		{"us-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-1", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		if (arn_is_region(span_of(cases[i].text)) != cases[i].good)
			fail_msg("%s", cases[i].text);
}

static const struct {
	const char *text;
	bool good;
	const char *why;
} arns[] = {
	{"arn:aws:secretsmanager:us-east-1:123456789012:secret:k-AbCdEf", true, "the usual one"},
	{"arn:aws-cn:ssm:cn-north-1:123456789012:parameter/llm/key", true, "China"},
	{"arn:aws-eusc:ssm:eusc-de-east-1:123456789012:parameter/k", true, "European cloud"},
	{"arn:aws:ssm:us-east-1:123456789012:a:b:c", true, "colons belong to the resource"},
	{"", false, "nothing"},
	{"arn", false, "one part"},
	{"arn:aws:ssm:us-east-1:123456789012", false, "five parts"},
	{"arn:aws:ssm:us-east-1:123456789012:", false, "no resource"},
	{"ARN:aws:ssm:us-east-1:123456789012:parameter/k", false, "upper case"},
	{"arn:gcp:ssm:us-east-1:123456789012:parameter/k", false, "no such partition"},
	{"arn:aws:ssm:cn-north-1:123456789012:parameter/k", false, "another partition's region"},
	{"arn:aws-cn:ssm:us-east-1:123456789012:parameter/k", false, "and the other way round"},
	{"arn:aws:ssm::123456789012:parameter/k", false, "no region"},
	{"arn:aws:ssm:us-east-1@evil:123456789012:parameter/k", false, "would redirect the call"},
	{"arn:aws:SSM:us-east-1:123456789012:parameter/k", false, "services are lower-case"},
	{"arn:aws::us-east-1:123456789012:parameter/k", false, "no service"},
	{"arn:aws:ssm:us-east-1:12345678901:parameter/k", false, "eleven digits"},
	{"arn:aws:ssm:us-east-1:12345678901x:parameter/k", false, "not digits"},
	{"arn:aws:ssm:us-east-1:123456789012:parameter/k\n", false, "a control byte"},
};

static void
wholes(void **state)
{
	struct arn a = {.region = SPAN("before")};

	(void)state;
	for (size_t i = COUNT(arns); i-- > 0;) { /* the good ones come last */
		if ((arn_parse(span_of(arns[i].text), &a) == 0) != arns[i].good)
			fail_msg("%s: %s", arns[i].text, arns[i].why);
		if (!arns[i].good)
			assert_true(span_is(a.region, "before")); /* left alone on failure */
	}
}

static void
parts(void **state)
{
	struct span text = SPAN("arn:aws:secretsmanager:eu-west-1:123456789012:secret:a/b-AbCdEf");
	struct arn a = {0};

	(void)state;
	assert_int_equal(arn_parse(text, &a), 0);
	assert_true(span_is(a.partition, "aws"));
	assert_true(span_is(a.service, "secretsmanager"));
	assert_true(span_is(a.region, "eu-west-1"));
	assert_true(span_is(a.account, "123456789012"));
	assert_true(span_is(a.resource, "secret:a/b-AbCdEf"));
}

static void
partitions(void **state)
{
	static const char *const cases[][4] = {
		{"us-east-1", "aws", "amazonaws.com", "api.aws"},
		{"cn-north-1", "aws-cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn"},
		{"us-gov-west-1", "aws-us-gov", "amazonaws.com", "api.aws"},
		{"eusc-de-east-1", "aws-eusc", "amazonaws.eu", "api.amazonwebservices.eu"},
		{"us-iso-east-1", "aws-iso", "c2s.ic.gov", "api.aws.ic.gov"},
		{"us-isob-east-1", "aws-iso-b", "sc2s.sgov.gov", "api.aws.scloud"},
		{"eu-isoe-west-1", "aws-iso-e", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"},
		{"us-isof-south-1", "aws-iso-f", "csp.hci.ic.gov", "api.aws.hci.ic.gov"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct span partition = span_of(cases[i][1]);

		assert_string_equal(arn_partition_of(span_of(cases[i][0])), cases[i][1]);
		assert_string_equal(arn_dns_suffix(partition), cases[i][2]);
		assert_string_equal(arn_dual_stack_suffix(partition), cases[i][3]);
	}
	assert_null(arn_dual_stack_suffix(SPAN("aws-mars")));
	assert_null(arn_dns_suffix(SPAN("aws-mars")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(regions),
		cmocka_unit_test(wholes),
		cmocka_unit_test(parts),
		cmocka_unit_test(partitions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
