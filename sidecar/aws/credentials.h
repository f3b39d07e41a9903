/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answers by which AWS gives out temporary keys: the container endpoint and the instance's
 * (JSON), IAM Identity Center (JSON) and STS (XML); reference/aws.md 4.4 to 4.7. Pure. Expired or
 * not is for who has a clock. The caller bounds the size.
 */
#ifndef AWS_CREDENTIALS_H
#define AWS_CREDENTIALS_H

#include <stdint.h>

#include "aws/error.h"
#include "base/buf.h"
#include "base/json.h"

struct credentials {
	struct json *doc; /* what the views point into, to be freed with credentials_free: */
	struct buf text;  /* a JSON document, or the texts taken from XML */
	struct span key_id, secret, token; /* the token may be empty for a container's alone */
	uint64_t expires_s;                /* seconds since 1970; 0: none said */
};

/*
 * Whether s can be a key or a token: visible ASCII, at least one. Theirs are base64 or nearly so,
 * and go into header fields.
 */
bool credentials_is_value(struct span s);

/* Wipes and frees; a second time does nothing. */
void credentials_free(struct credentials *c);

/*
 * Each reads a 200 answer; false, and *out left alone, when something needed is missing, empty, of
 * another type or is no credentials_is_value. All but the container's must have a token and an
 * expiry.
 */
bool credentials_read_container(struct span json, struct credentials *out);

/* IMDS says its errors in a 200: Code is then not Success, and why is that Code (else ""). */
bool credentials_read_instance(struct span json, struct credentials *out, char why[static 80]);

/* GetRoleCredentials of IAM Identity Center, whose expiration is in milliseconds. */
bool credentials_read_sso(struct span json, struct credentials *out);

/*
 * AssumeRole and AssumeRoleWithWebIdentity. The elements of <Credentials> are found by name, with
 * no DTD, CDATA or comment: "<!" anywhere is refused. *assumed_arn (AssumedRoleUser's; empty when
 * not said) lives as long as *out.
 */
bool credentials_read_sts(struct span xml, struct credentials *out, struct span *assumed_arn);

/* STS's ErrorResponse; out is filled as aws_error_read does. */
void credentials_read_sts_error(unsigned status, struct span xml, struct aws_error *out);

/* GetCallerIdentity: *arn is a view into xml. */
bool credentials_read_caller(struct span xml, struct span *arn);

#endif
