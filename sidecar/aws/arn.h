/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Amazon Resource Names and the references of our configuration (reference/aws.md sections 1.4,
 * 1.6, 1.7). Pure.
 */
#ifndef AWS_ARN_H
#define AWS_ARN_H

#include "base/span.h"

struct arn {
	struct span partition, service, region, account, resource; /* views into the text */
};

/*
 * arn:partition:service:region:account:resource, each part checked (region by its grammar and
 * partition). 0 or -1.
 */
int arn_parse(struct span text, struct arn *out);

/* ^[a-z]{2,8}(-[a-z0-9]+)+-[0-9]+$ and at most 32 bytes: safe inside a host name. */
bool arn_is_region(struct span region);

/*
 * The DNS suffix of a partition ("amazonaws.com"), and of its names that have IPv6 addresses too
 * ("api.aws"); NULL when the partition is not known.
 */
const char *arn_dns_suffix(struct span partition);
const char *arn_dual_stack_suffix(struct span partition);
/* The partition of a region by its prefix ("aws" for us-east-1). */
const char *arn_partition_of(struct span region);

enum reference_kind {
	REFERENCE_SECRETS_MANAGER,
	REFERENCE_SSM,
	REFERENCE_AGENTCORE,
	REFERENCE_ENV,
	REFERENCE_FILE,
};

/* Where a secret is. Views into the text it was parsed from. */
struct reference {
	enum reference_kind kind;
	struct span text;   /* the whole reference */
	struct arn arn;     /* the ARN kinds */
	struct span secret; /* Secrets Manager: the ARN without the ECS suffix */
	struct span json_key, version_stage, version_id; /* the ECS suffix; empty: default */
	struct span name; /* env: the variable; file: the absolute path; AgentCore: the provider */
};

enum reference_fault {
	REFERENCE_OK,
	REFERENCE_NOT_ONE, /* none of the forms: most likely a literal secret */
	REFERENCE_BAD_ARN,
	REFERENCE_BAD_REGION,
	REFERENCE_UNKNOWN_SERVICE,
	REFERENCE_BAD_SUFFIX, /* after the 7th colon: json-key:version-stage:version-id */
	REFERENCE_SEED_ARN,   /* …:credential-provider/NAME: the token-vault form is meant */
	REFERENCE_BAD_ENV,
	REFERENCE_BAD_FILE, /* not an absolute path */
};

enum reference_fault reference_parse(struct span text, struct reference *out);
/* One sentence that never echoes the text. */
const char *reference_fault_text(enum reference_fault f);

#endif
