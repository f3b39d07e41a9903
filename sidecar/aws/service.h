/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an AWS service is: its host by partition, region, FIPS and dual-stack
 * (reference/aws.md 1.7; https://docs.aws.amazon.com/general/latest/gr/rande.html). Pure.
 */
#ifndef AWS_SERVICE_H
#define AWS_SERVICE_H

#include "base/buf.h"

enum service {
	SERVICE_SECRETSMANAGER,
	SERVICE_SSM,
	SERVICE_STS,
	SERVICE_SSO, /* the portal, where IAM Identity Center gives out a role's keys */
	SERVICE_BEDROCK_RUNTIME,
	SERVICE_BEDROCK_AGENT_RUNTIME,
	SERVICE_BEDROCK_MANTLE,
	SERVICE_AGENTCORE_CONTROL,
	SERVICES,
};

struct service_options {
	bool fips, dual_stack;
};

/*
 * Appends the host of s in region to out. 0; -1 when the region is of no partition, when the
 * service has no such host there (FIPS outside us-*, ca-* and us-gov-*; Mantle, which is dual-stack
 * only, with FIPS or outside of the partition aws), or when out is full; out is then as it was.
 */
int service_host(enum service s, struct span region, struct service_options o, struct buf *out);

/* The service in a signature's scope: "secretsmanager", "bedrock" for both of Bedrock's. */
const char *service_signing_name(enum service s);

/* The environment variable by which the SDKs override the endpoint: "AWS_ENDPOINT_URL_SSM". */
const char *service_variable(enum service s);

#endif
