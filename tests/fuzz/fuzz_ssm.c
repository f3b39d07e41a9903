/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a store answers: a value out of it and a version of bounded length, or no. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "aws/ssm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span answer = {(const char *)data, size};
	struct ssm_value v;

	if (!ssm_read(answer, &v))
		return 0;
	assert(v.text.ptr != NULL && v.text.len <= size);
	assert(v.text.ptr[v.text.len] ==
	       '\0'); /* not the only one: whoever keeps it refuses others */
	assert(strspn(v.version, "0123456789") == strlen(v.version));
	ssm_free(&v);
	return 0;
}
