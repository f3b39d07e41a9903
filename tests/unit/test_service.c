/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "aws/service.h"

/*
 * The hosts are botocore 1.44.5's: EndpointProvider over each service's endpoint-rule-set-1 and
 * partitions.json, with UseGlobalEndpoint off for STS. Bedrock Mantle is in no SDK's rules.
 */
static const struct {
	enum service service;
	const char *region;
	bool fips, dual_stack;
	const char *host;
} hosts[] = {
	{SERVICE_SECRETSMANAGER, "us-east-1", false, false,
	 "secretsmanager.us-east-1.amazonaws.com"},
	{SERVICE_SECRETSMANAGER, "us-west-2", true, false,
	 "secretsmanager-fips.us-west-2.amazonaws.com"},
	{SERVICE_SECRETSMANAGER, "eu-west-1", false, true,
	 "secretsmanager.eu-west-1.amazonaws.com"},
	{SERVICE_SECRETSMANAGER, "ca-central-1", true, true,
	 "secretsmanager-fips.ca-central-1.amazonaws.com"},
	{SERVICE_SECRETSMANAGER, "us-gov-west-1", true, false,
	 "secretsmanager-fips.us-gov-west-1.amazonaws.com"},
	{SERVICE_SECRETSMANAGER, "us-gov-east-1", true, true,
	 "secretsmanager-fips.us-gov-east-1.amazonaws.com"},
	{SERVICE_SECRETSMANAGER, "us-gov-west-1", false, true,
	 "secretsmanager.us-gov-west-1.amazonaws.com"},
	{SERVICE_SECRETSMANAGER, "cn-north-1", false, false,
	 "secretsmanager.cn-north-1.amazonaws.com.cn"},
	{SERVICE_SECRETSMANAGER, "cn-north-1", false, true,
	 "secretsmanager.cn-north-1.amazonaws.com.cn"},
	{SERVICE_SECRETSMANAGER, "eusc-de-east-1", false, false,
	 "secretsmanager.eusc-de-east-1.amazonaws.eu"},
	{SERVICE_SECRETSMANAGER, "eusc-de-east-1", false, true,
	 "secretsmanager.eusc-de-east-1.api.amazonwebservices.eu"},
	{SERVICE_SECRETSMANAGER, "us-iso-east-1", true, false,
	 "secretsmanager-fips.us-iso-east-1.c2s.ic.gov"},
	{SERVICE_SECRETSMANAGER, "us-iso-east-1", false, true,
	 "secretsmanager.us-iso-east-1.api.aws.ic.gov"},
	{SERVICE_SECRETSMANAGER, "us-isob-east-1", false, false,
	 "secretsmanager.us-isob-east-1.sc2s.sgov.gov"},
	{SERVICE_SECRETSMANAGER, "eu-isoe-west-1", false, true,
	 "secretsmanager.eu-isoe-west-1.api.cloud-aws.adc-e.uk"},
	{SERVICE_SECRETSMANAGER, "us-isof-south-1", false, false,
	 "secretsmanager.us-isof-south-1.csp.hci.ic.gov"},
	{SERVICE_SSM, "us-east-1", false, false, "ssm.us-east-1.amazonaws.com"},
	{SERVICE_SSM, "us-west-2", true, false, "ssm-fips.us-west-2.amazonaws.com"},
	{SERVICE_SSM, "eu-west-1", false, true, "ssm.eu-west-1.api.aws"},
	{SERVICE_SSM, "ca-central-1", true, true, "ssm-fips.ca-central-1.api.aws"},
	{SERVICE_SSM, "us-gov-west-1", true, false, "ssm.us-gov-west-1.amazonaws.com"},
	{SERVICE_SSM, "us-gov-east-1", true, true, "ssm-fips.us-gov-east-1.api.aws"},
	{SERVICE_SSM, "us-gov-west-1", false, true, "ssm.us-gov-west-1.api.aws"},
	{SERVICE_SSM, "cn-north-1", false, false, "ssm.cn-north-1.amazonaws.com.cn"},
	{SERVICE_SSM, "cn-north-1", false, true, "ssm.cn-north-1.api.amazonwebservices.com.cn"},
	{SERVICE_STS, "us-east-1", false, false, "sts.us-east-1.amazonaws.com"},
	{SERVICE_STS, "us-west-2", true, false, "sts-fips.us-west-2.amazonaws.com"},
	{SERVICE_STS, "eu-west-1", false, true, "sts.eu-west-1.api.aws"},
	{SERVICE_STS, "ca-central-1", true, true, "sts-fips.ca-central-1.api.aws"},
	{SERVICE_STS, "us-gov-west-1", true, false, "sts.us-gov-west-1.amazonaws.com"},
	{SERVICE_STS, "us-gov-east-1", true, true, "sts-fips.us-gov-east-1.api.aws"},
	{SERVICE_STS, "us-gov-west-1", false, true, "sts.us-gov-west-1.api.aws"},
	{SERVICE_STS, "cn-north-1", false, false, "sts.cn-north-1.amazonaws.com.cn"},
	{SERVICE_STS, "cn-north-1", false, true, "sts.cn-north-1.api.amazonwebservices.com.cn"},
	{SERVICE_STS, "eusc-de-east-1", false, true, "sts.eusc-de-east-1.api.amazonwebservices.eu"},
	{SERVICE_STS, "us-isob-east-1", false, true, "sts.us-isob-east-1.api.aws.scloud"},
	{SERVICE_STS, "eu-isoe-west-1", false, false, "sts.eu-isoe-west-1.cloud.adc-e.uk"},
	{SERVICE_STS, "us-isof-south-1", false, true, "sts.us-isof-south-1.api.aws.hci.ic.gov"},
	{SERVICE_SSO, "us-east-1", false, false, "portal.sso.us-east-1.amazonaws.com"},
	{SERVICE_SSO, "us-west-2", true, false, "portal.sso-fips.us-west-2.amazonaws.com"},
	{SERVICE_SSO, "eu-west-1", false, true, "portal.sso.eu-west-1.api.aws"},
	{SERVICE_SSO, "ca-central-1", true, true, "portal.sso-fips.ca-central-1.api.aws"},
	{SERVICE_SSO, "us-gov-west-1", true, false, "portal.sso.us-gov-west-1.amazonaws.com"},
	{SERVICE_SSO, "us-gov-east-1", true, true, "portal.sso-fips.us-gov-east-1.api.aws"},
	{SERVICE_SSO, "us-gov-west-1", false, true, "portal.sso.us-gov-west-1.api.aws"},
	{SERVICE_SSO, "cn-north-1", false, false, "portal.sso.cn-north-1.amazonaws.com.cn"},
	{SERVICE_SSO, "cn-north-1", false, true,
	 "portal.sso.cn-north-1.api.amazonwebservices.com.cn"},
	{SERVICE_BEDROCK_RUNTIME, "us-east-1", false, false,
	 "bedrock-runtime.us-east-1.amazonaws.com"},
	{SERVICE_BEDROCK_RUNTIME, "us-west-2", true, false,
	 "bedrock-runtime-fips.us-west-2.amazonaws.com"},
	{SERVICE_BEDROCK_RUNTIME, "eu-west-1", false, true, "bedrock-runtime.eu-west-1.api.aws"},
	{SERVICE_BEDROCK_RUNTIME, "ca-central-1", true, true,
	 "bedrock-runtime-fips.ca-central-1.api.aws"},
	{SERVICE_BEDROCK_RUNTIME, "us-gov-west-1", true, false,
	 "bedrock-runtime-fips.us-gov-west-1.amazonaws.com"},
	{SERVICE_BEDROCK_RUNTIME, "us-gov-east-1", true, true,
	 "bedrock-runtime-fips.us-gov-east-1.api.aws"},
	{SERVICE_BEDROCK_RUNTIME, "us-gov-west-1", false, true,
	 "bedrock-runtime.us-gov-west-1.api.aws"},
	{SERVICE_BEDROCK_RUNTIME, "cn-north-1", false, false,
	 "bedrock-runtime.cn-north-1.amazonaws.com.cn"},
	{SERVICE_BEDROCK_RUNTIME, "cn-north-1", false, true,
	 "bedrock-runtime.cn-north-1.api.amazonwebservices.com.cn"},
	{SERVICE_BEDROCK_AGENT_RUNTIME, "us-east-1", false, false,
	 "bedrock-agent-runtime.us-east-1.amazonaws.com"},
	{SERVICE_BEDROCK_AGENT_RUNTIME, "us-west-2", true, false,
	 "bedrock-agent-runtime-fips.us-west-2.amazonaws.com"},
	{SERVICE_BEDROCK_AGENT_RUNTIME, "eu-west-1", false, true,
	 "bedrock-agent-runtime.eu-west-1.api.aws"},
	{SERVICE_BEDROCK_AGENT_RUNTIME, "ca-central-1", true, true,
	 "bedrock-agent-runtime-fips.ca-central-1.api.aws"},
	{SERVICE_BEDROCK_AGENT_RUNTIME, "us-gov-west-1", true, false,
	 "bedrock-agent-runtime-fips.us-gov-west-1.amazonaws.com"},
	{SERVICE_BEDROCK_AGENT_RUNTIME, "us-gov-east-1", true, true,
	 "bedrock-agent-runtime-fips.us-gov-east-1.api.aws"},
	{SERVICE_BEDROCK_AGENT_RUNTIME, "us-gov-west-1", false, true,
	 "bedrock-agent-runtime.us-gov-west-1.api.aws"},
	{SERVICE_BEDROCK_AGENT_RUNTIME, "cn-north-1", false, false,
	 "bedrock-agent-runtime.cn-north-1.amazonaws.com.cn"},
	{SERVICE_BEDROCK_AGENT_RUNTIME, "cn-north-1", false, true,
	 "bedrock-agent-runtime.cn-north-1.api.amazonwebservices.com.cn"},
	{SERVICE_AGENTCORE_CONTROL, "us-east-1", false, false,
	 "bedrock-agentcore-control.us-east-1.amazonaws.com"},
	{SERVICE_AGENTCORE_CONTROL, "us-west-2", true, false,
	 "bedrock-agentcore-control-fips.us-west-2.amazonaws.com"},
	{SERVICE_AGENTCORE_CONTROL, "eu-west-1", false, true,
	 "bedrock-agentcore-control.eu-west-1.api.aws"},
	{SERVICE_AGENTCORE_CONTROL, "ca-central-1", true, true,
	 "bedrock-agentcore-control-fips.ca-central-1.api.aws"},
	{SERVICE_AGENTCORE_CONTROL, "us-gov-west-1", true, false,
	 "bedrock-agentcore-control-fips.us-gov-west-1.amazonaws.com"},
	{SERVICE_AGENTCORE_CONTROL, "us-gov-east-1", true, true,
	 "bedrock-agentcore-control-fips.us-gov-east-1.api.aws"},
	{SERVICE_AGENTCORE_CONTROL, "us-gov-west-1", false, true,
	 "bedrock-agentcore-control.us-gov-west-1.api.aws"},
	{SERVICE_AGENTCORE_CONTROL, "cn-north-1", false, false,
	 "bedrock-agentcore-control.cn-north-1.amazonaws.com.cn"},
	{SERVICE_AGENTCORE_CONTROL, "cn-north-1", false, true,
	 "bedrock-agentcore-control.cn-north-1.api.amazonwebservices.com.cn"},
	{SERVICE_BEDROCK_MANTLE, "us-east-1", false, false, "bedrock-mantle.us-east-1.api.aws"},
	{SERVICE_BEDROCK_MANTLE, "eu-west-1", false, true, "bedrock-mantle.eu-west-1.api.aws"},
};

static void
as_botocore_resolves(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 256);
	for (size_t i = 0; i < COUNT(hosts); i++) {
		struct service_options o = {hosts[i].fips, hosts[i].dual_stack};

		buf_clear(&out, 256);
		assert_int_equal(service_host(hosts[i].service, span_of(hosts[i].region), o, &out),
				 0);
		if (!span_is(buf_span(&out), hosts[i].host))
			fail_msg("%s: %.*s", hosts[i].host, (int)out.len, out.ptr);
	}
	buf_free(&out);
}

static const struct {
	enum service service;
	const char *region;
	bool fips;
	const char *why;
} refused[] = {
	{SERVICE_STS, "eu-west-1", true, "no FIPS host outside North America"},
	{SERVICE_STS, "mx-central-1", true, "Mexico is not Canada"},
	{SERVICE_SSM, "cn-north-1", true, "nor in China"},
	{SERVICE_BEDROCK_MANTLE, "us-east-1", true, "Mantle has no FIPS host"},
	{SERVICE_BEDROCK_MANTLE, "cn-north-1", false, "and is in one partition"},
	{SERVICE_STS, "", false, "nothing"},
	{SERVICE_STS, "us-east", false, "no number"},
	{SERVICE_STS, "x@evil:443/#", false, "what would lead elsewhere"},
	{SERVICE_STS, "us-east-1.evil.example", false, "a longer name"},
	{SERVICE_STS, "us-east-1/", false, "a path"},
	{SERVICE_STS, "us-east-1\n", false, "a line"},
	{SERVICE_STS, "US-EAST-1", false, "capitals"},
	{SERVICE_STS, "us--1", false, "an empty group"},
	{SERVICE_STS, "us-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-1", false, "too long"},
};

static void
refuses_what_has_no_host(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 256);
	assert_int_equal(buf_add_str(&out, "https://"), 0);
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct service_options o = {refused[i].fips, false};

		if (service_host(refused[i].service, span_of(refused[i].region), o, &out) != -1)
			fail_msg("%s", refused[i].why);
		assert_true(span_is(buf_span(&out), "https://"));
	}
	buf_free(&out);
}

static void
leaves_a_full_buffer_alone(void **state)
{
	const struct service_options o = {false, false};
	const size_t whole = strlen("sts.us-east-1.amazonaws.com");

	(void)state;
	for (size_t max = 0; max <= whole; max++) {
		struct buf out;

		buf_init(&out, max);
		assert_int_equal(service_host(SERVICE_STS, SPAN("us-east-1"), o, &out),
				 max == whole ? 0 : -1);
		assert_int_equal(out.len, max == whole ? whole : 0);
		buf_free(&out);
	}
}

static void
every_service_has_its_names(void **state)
{
	static const char *const signing_names[SERVICES] = {
		"secretsmanager",
		"ssm",
		"sts",
		"awsssoportal",
		"bedrock",
		"bedrock",
		"bedrock-mantle",
		"bedrock-agentcore",
	};

	(void)state;
	for (enum service s = 0; s < SERVICES; s++) {
		struct span variable = span_of(service_variable(s));

		assert_string_equal(service_signing_name(s), signing_names[s]);
		assert_true(span_starts(variable, SPAN("AWS_ENDPOINT_URL_")));
		for (enum service t = 0; t < s; t++)
			assert_false(span_is(variable, service_variable(t)));
	}
	assert_string_equal(service_variable(SERVICE_SECRETSMANAGER),
			    "AWS_ENDPOINT_URL_SECRETS_MANAGER");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_botocore_resolves),
		cmocka_unit_test(refuses_what_has_no_host),
		cmocka_unit_test(leaves_a_full_buffer_alone),
		cmocka_unit_test(every_service_has_its_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
