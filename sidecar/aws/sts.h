/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said to the Security Token Service: the form bodies of its requests, and the policy that
 * narrows a role's session to what we read (https://docs.aws.amazon.com/STS/latest/APIReference/,
 * version 2011-06-15; reference/aws.md 4.5 and 4.6). The answers: aws/credentials.h. Pure.
 */
#ifndef AWS_STS_H
#define AWS_STS_H

#include <stdint.h>

#include "base/buf.h"

/*
 * Each appends a body of application/x-www-form-urlencoded. Empty spans and a duration of 0 are
 * left out. 0; -1 when out is full, which is then as it was.
 */
int sts_body_web_identity(struct span role_arn, struct span session_name, struct span token,
			  uint32_t duration_s, struct buf *out);
int sts_body_assume_role(struct span role_arn, struct span session_name, struct span external_id,
			 uint32_t duration_s, struct span policy, struct buf *out);
int sts_body_caller_identity(struct buf *out);

/* STS takes no inline policy of more characters. */
enum { STS_POLICY_MAX = 2048 };

/*
 * Appends an inline session policy that allows reading these references (texts that
 * reference_parse takes) and nothing else; kms:Decrypt only through the services that are read.
 * env: and file: are skipped. 0; -1 when none is left, one is no reference, the policy would be
 * over STS_POLICY_MAX, or out is full, which is then as it was.
 *
 * It cannot know the name of the secret behind an AgentCore provider of type EXTERNAL, which is
 * denied under it; so is one whose name itself ends like an ARN's last characters ("-2026Q1") and
 * was written without those.
 */
int sts_policy_for(const struct span *references, size_t n, struct buf *out);

#endif
