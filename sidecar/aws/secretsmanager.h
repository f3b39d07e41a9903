/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets Manager's GetSecretValue: the request's body and the answer's value
 * (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html). Pure.
 */
#ifndef AWS_SECRETSMANAGER_H
#define AWS_SECRETSMANAGER_H

#include "aws/arn.h"
#include "base/buf.h"
#include "base/json.h"

/* Appends {"SecretId":…}, with VersionStage and VersionId where the reference has them. 0 or -1. */
int secretsmanager_body(const struct reference *r, struct buf *out);

enum secretsmanager_fault {
	SECRETSMANAGER_OK,
	SECRETSMANAGER_NOT_JSON,  /* the answer is not a GetSecretValue answer */
	SECRETSMANAGER_BINARY,    /* SecretBinary: a header needs text */
	SECRETSMANAGER_NO_KEY,    /* the JSON key is not in the secret, or not a string */
	SECRETSMANAGER_AMBIGUOUS, /* a JSON object without a key to choose: name one */
};

struct secretsmanager_value {
	struct json *doc, *inner; /* owners; inner is the secret as a JSON object, or NULL */
	struct span text;         /* SecretString */
	struct span version_id;
	uint64_t created_s; /* of that version; 0: not said */
};

/* Reads a 200 answer; its spans are views that live until secretsmanager_free. */
enum secretsmanager_fault secretsmanager_read(struct span answer, struct secretsmanager_value *out);

/*
 * The value under a JSON key. Without a key: a plain string is the value; of a JSON object it is
 * api_key_value, or its one string member (reference/aws.md 1.6).
 */
enum secretsmanager_fault secretsmanager_pick(const struct secretsmanager_value *v,
					      struct span json_key, struct span *value);
void secretsmanager_free(struct secretsmanager_value *v);
/* One sentence, without the text it is about. */
const char *secretsmanager_fault_text(enum secretsmanager_fault f);

#endif
