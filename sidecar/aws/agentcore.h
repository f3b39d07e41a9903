/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AgentCore Identity's GetApiKeyCredentialProvider, which says what secret a provider's key stands
 * in (https://docs.aws.amazon.com/bedrock-agentcore-control/latest/APIReference/
 * API_GetApiKeyCredentialProvider.html). Pure.
 */
#ifndef AWS_AGENTCORE_H
#define AWS_AGENTCORE_H

#include "aws/arn.h"
#include "base/buf.h"
#include "base/json.h"

/* Appends {"name":PROVIDER}. 0 or -1. */
int agentcore_body(const struct reference *provider, struct buf *out);

enum agentcore_fault {
	AGENTCORE_OK,
	AGENTCORE_NOT_JSON,  /* the answer is not GetApiKeyCredentialProvider's */
	AGENTCORE_NO_SECRET, /* what it names is not a secret of Secrets Manager */
	AGENTCORE_ELSEWHERE, /* the secret is of another partition, account or region */
	AGENTCORE_BAD_KEY,   /* a JSON key longer than one may be */
};

struct agentcore_secret {
	struct json *doc;        /* owner */
	struct reference secret; /* views into doc */
	struct span json_key;    /* api_key_value where the answer names none */
};

/*
 * Reads a 200 answer; agentcore_free it. The name in the request says neither account nor region,
 * so that the answer is of the caller's own: it is held against the provider's ARN. On a fault
 * *out is as it was.
 */
enum agentcore_fault agentcore_read(struct span answer, const struct reference *provider,
				    struct agentcore_secret *out);
void agentcore_free(struct agentcore_secret *s);
/* One sentence, without the text it is about. */
const char *agentcore_fault_text(enum agentcore_fault f);

#endif
