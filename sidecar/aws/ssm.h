/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SSM Parameter Store's GetParameter: the request's body and the answer's value
 * (https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html). Pure.
 */
#ifndef AWS_SSM_H
#define AWS_SSM_H

#include "aws/arn.h"
#include "base/buf.h"
#include "base/json.h"

/* Appends {"Name":ARN,"WithDecryption":true}. 0 or -1. */
int ssm_body(const struct reference *r, struct buf *out);

struct ssm_value {
	struct json *doc;    /* owner */
	struct span text;    /* Value, a view; of a StringList all of it */
	char version[24];    /* Version, or "" */
	uint64_t modified_s; /* LastModifiedDate, or 0 */
};

/* Reads a 200 answer; ssm_free it. False, and *out as it was, when it is not GetParameter's. */
bool ssm_read(struct span answer, struct ssm_value *out);
void ssm_free(struct ssm_value *v);

#endif
