/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a store answers: a value out of it or a fault, and an error of bounded texts. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "aws/error.h"
#include "aws/secretsmanager.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte says how long the JSON key is; then come the key and the answer. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span all = {(const char *)data, size}, key, answer, value;
	struct secretsmanager_value v;
	struct aws_error e;

	if (size == 0)
		return 0;
	key = span_cut(all, 1, 1 + (size_t)data[0] % 16);
	answer = span_cut(all, 1 + key.len, size);
	if (secretsmanager_read(answer, &v) == SECRETSMANAGER_OK) {
		assert(v.doc != NULL && v.text.ptr != NULL);
		if (secretsmanager_pick(&v, key, &value) == SECRETSMANAGER_OK)
			assert(value.len <= answer.len && value.ptr[value.len] == '\0');
		secretsmanager_free(&v);
	}
	aws_error_read(400 + data[0], answer, &e);
	assert(memchr(e.type, '\0', sizeof(e.type)) != NULL);
	assert(memchr(e.principal, '\0', sizeof(e.principal)) != NULL);
	assert(strpbrk(e.type, " \"\n") == NULL && strpbrk(e.principal, " \"\n") == NULL);
	return 0;
}
