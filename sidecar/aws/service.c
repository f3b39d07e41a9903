/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/service.h"

#include "aws/arn.h"

static const struct {
	const char *host, *signing_name, *variable;
	bool plain_gov_fips;   /* in us-gov the name without -fips is the one held to FIPS 140 */
	bool plain_dual_stack; /* the plain name has IPv6 addresses, and there is no other */
	bool api_only;         /* there is the dual-stack name and no other */
} services[SERVICES] = {
	[SERVICE_SECRETSMANAGER] = {.host = "secretsmanager",
				    .signing_name = "secretsmanager",
				    .variable = "AWS_ENDPOINT_URL_SECRETS_MANAGER",
				    .plain_dual_stack = true},
	[SERVICE_SSM] = {.host = "ssm",
			 .signing_name = "ssm",
			 .variable = "AWS_ENDPOINT_URL_SSM",
			 .plain_gov_fips = true},
	[SERVICE_STS] = {.host = "sts",
			 .signing_name = "sts",
			 .variable = "AWS_ENDPOINT_URL_STS",
			 .plain_gov_fips = true},
	[SERVICE_SSO] = {.host = "portal.sso",
			 .signing_name = "awsssoportal",
			 .variable = "AWS_ENDPOINT_URL_SSO",
			 .plain_gov_fips = true},
	[SERVICE_BEDROCK_RUNTIME] = {.host = "bedrock-runtime",
				     .signing_name = "bedrock",
				     .variable = "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"},
	[SERVICE_BEDROCK_AGENT_RUNTIME] = {.host = "bedrock-agent-runtime",
					   .signing_name = "bedrock",
					   .variable = "AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME"},
	[SERVICE_BEDROCK_MANTLE] = {.host = "bedrock-mantle",
				    .signing_name = "bedrock-mantle",
				    .variable = "AWS_ENDPOINT_URL_BEDROCK_MANTLE",
				    .api_only = true},
	[SERVICE_AGENTCORE_CONTROL] = {.host = "bedrock-agentcore-control",
				       .signing_name = "bedrock-agentcore",
				       .variable = "AWS_ENDPOINT_URL_BEDROCK_AGENTCORE_CONTROL"},
};

/*
 * The SDKs would build a FIPS name for every region; these alone have such hosts, and a name that
 * does not resolve is a worse message than a refusal.
 */
static bool
has_fips(struct span region)
{
	return span_starts(region, SPAN("us-")) || span_starts(region, SPAN("ca-"));
}

/* Secrets Manager has the one name for both in the three partitions that came first. */
static bool
is_plain_dual_stack(enum service s, struct span partition)
{
	return services[s].plain_dual_stack &&
	       (span_is(partition, "aws") || span_is(partition, "aws-cn") ||
		span_is(partition, "aws-us-gov"));
}

int
service_host(enum service s, struct span region, struct service_options o, struct buf *out)
{
	struct span partition;
	const char *suffix, *fips;
	size_t before = out->len;
	bool dual;

	if (!arn_is_region(region) || (o.fips && !has_fips(region)))
		return -1;
	partition = span_of(arn_partition_of(region));
	if (services[s].api_only && (o.fips || !span_is(partition, "aws")))
		return -1;
	dual = services[s].api_only || (o.dual_stack && !is_plain_dual_stack(s, partition));
	fips = o.fips ? "-fips" : "";
	if (services[s].plain_gov_fips && !dual && span_is(partition, "aws-us-gov"))
		fips = "";
	suffix = dual ? arn_dual_stack_suffix(partition) : arn_dns_suffix(partition);
	if (buf_add_str(out, services[s].host) == 0 && buf_add_str(out, fips) == 0 &&
	    buf_add_char(out, '.') == 0 && buf_add_span(out, region) == 0 &&
	    buf_add_char(out, '.') == 0 && buf_add_str(out, suffix) == 0)
		return 0;
	buf_keep(out, before);
	return -1;
}

const char *
service_signing_name(enum service s)
{
	return services[s].signing_name;
}

const char *
service_variable(enum service s)
{
	return services[s].variable;
}
