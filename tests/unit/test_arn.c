/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "aws/arn.h"
#include "base/date.h"

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

static void
references(void **state)
{
#define SM "arn:aws:secretsmanager:us-east-1:123456789012:secret:"
	static const struct {
		const char *text;
		enum reference_fault fault;
		enum reference_kind kind;
		const char *key, *stage, *id;
	} cases[] = {
		{SM "k-AbCdEf", 0, REFERENCE_SECRETS_MANAGER, "", "", ""},
		{SM "a/b_c+d=e.f@g-h-AbCdEf", 0, REFERENCE_SECRETS_MANAGER, "", "", ""},
		{SM "bedrock-agentcore-identity!default/apikey/x-AbCdEf", 0,
		 REFERENCE_SECRETS_MANAGER, "", "", ""},
		{SM "k-AbCdEf:key::", 0, REFERENCE_SECRETS_MANAGER, "key", "", ""},
		{SM "k-AbCdEf::AWSPREVIOUS:", 0, REFERENCE_SECRETS_MANAGER, "", "AWSPREVIOUS", ""},
		{SM "k-AbCdEf:key", REFERENCE_BAD_SUFFIX, 0, "", "", ""},
		{SM "k-AbCdEf:a:b:c:d", REFERENCE_BAD_SUFFIX, 0, "", "", ""},
		{"arn:aws:secretsmanager:x@evil:443/#:123456789012:secret:k", REFERENCE_BAD_REGION,
		 0, "", "", ""},
		{"arn:aws:s3:us-east-1:123456789012:bucket", REFERENCE_UNKNOWN_SERVICE, 0, "", "",
		 ""},
		{"arn:aws:ssm:us-east-1:123456789012:parameter/llm/aig", 0, REFERENCE_SSM, "", "",
		 ""},
		{"arn:aws:bedrock-agentcore:us-east-1:123456789012:token-vault/default/"
		 "apikeycredentialprovider/my_key",
		 0, REFERENCE_AGENTCORE, "", "", ""},
		{"arn:aws:acps:us-east-1:123456789012:token-vault/default/apikeycredentialprovider/k",
		 0, REFERENCE_AGENTCORE, "", "", ""},
		{"env:OPENAI_API_KEY", 0, REFERENCE_ENV, "", "", ""},
		{"env:", REFERENCE_BAD_ENV, 0, "", "", ""},
		{"env:A B", REFERENCE_BAD_ENV, 0, "", "", ""},
		{"file:/run/key", 0, REFERENCE_FILE, "", "", ""},
		{"file:key", REFERENCE_BAD_FILE, 0, "", "", ""},
		{"sk-1234567890", REFERENCE_NOT_ONE, 0, "", "", ""},
		{"", REFERENCE_NOT_ONE, 0, "", "", ""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct reference r;
		enum reference_fault fault = reference_parse(span_of(cases[i].text), &r);

		if (fault != cases[i].fault)
			fail_msg("%s: %s", cases[i].text, reference_fault_text(fault));
		if (fault != REFERENCE_OK)
			continue;
		assert_int_equal(r.kind, cases[i].kind);
		assert_true(span_is(r.json_key, cases[i].key));
		assert_true(span_is(r.version_stage, cases[i].stage));
		assert_true(span_is(r.version_id, cases[i].id));
	}
}

static void
partitions(void **state)
{
	static const char *const cases[][3] = {
		{"us-east-1", "aws", "amazonaws.com"},
		{"cn-north-1", "aws-cn", "amazonaws.com.cn"},
		{"us-gov-west-1", "aws-us-gov", "amazonaws.com"},
		{"eusc-de-east-1", "aws-eusc", "amazonaws.eu"},
		{"us-iso-east-1", "aws-iso", "c2s.ic.gov"},
		{"us-isob-east-1", "aws-iso-b", "sc2s.sgov.gov"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_string_equal(arn_partition_of(span_of(cases[i][0])), cases[i][1]);
		assert_string_equal(arn_dns_suffix(span_of(cases[i][1])), cases[i][2]);
	}
}

static void
dates(void **state)
{
	char text[17];
	uint64_t s = 0;

	(void)state;
	date_to_basic(1440938160, text);
	assert_string_equal(text, "20150830T123600Z");
	date_to_basic(951782400, text);
	assert_string_equal(text, "20000229T000000Z");
	assert_int_equal(date_from_iso(SPAN("2015-08-30T12:36:00Z"), &s), 0);
	assert_true(s == 1440938160);
	assert_int_equal(date_from_iso(SPAN("2015-08-30T14:36:00.5+02:00"), &s), 0);
	assert_true(s == 1440938160);
	assert_int_equal(date_from_http(SPAN("Sun, 30 Aug 2015 12:36:00 GMT"), &s), 0);
	assert_true(s == 1440938160);
	assert_int_equal(date_from_iso(SPAN("2015-13-30T12:36:00Z"), &s), -1);
	assert_int_equal(date_from_http(SPAN("yesterday"), &s), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(regions),
		cmocka_unit_test(references),
		cmocka_unit_test(partitions),
		cmocka_unit_test(dates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
