/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever the control plane answers: no secret but one beside the provider, and an error of
 * bounded texts.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "aws/agentcore.h"
#include "aws/error.h"

#define PROVIDER                                                                                   \
	"arn:aws:bedrock-agentcore:us-east-1:123456789012:token-vault/default/"                    \
	"apikeycredentialprovider/p"
#define BESIDE "arn:aws:secretsmanager:us-east-1:123456789012:secret:"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte says how long the error's header is; then come the header and the answer. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span all = {(const char *)data, size}, header, answer;
	struct reference provider;
	struct agentcore_secret s;
	struct aws_error e;

	if (size == 0 || reference_parse(SPAN(PROVIDER), &provider) != REFERENCE_OK)
		return 0;
	header = span_cut(all, 1, 1 + (size_t)data[0] % 64);
	answer = span_cut(all, 1 + header.len, size);
	if (agentcore_read(answer, &provider, &s) == AGENTCORE_OK) {
		assert(span_starts(s.secret.text, SPAN(BESIDE)));
		assert(s.json_key.len > 0 && s.json_key.len <= 128);
		agentcore_free(&s);
	}
	aws_error_read_rest(400 + data[0], header, answer, &e);
	assert(memchr(e.type, '\0', sizeof(e.type)) != NULL);
	assert(memchr(e.principal, '\0', sizeof(e.principal)) != NULL);
	assert(strpbrk(e.type, " \"\n") == NULL && strpbrk(e.principal, " \"\n") == NULL);
	return 0;
}
