/* SPDX-License-Identifier: Apache-2.0 */
/* What is found in a JSON answer depends on its bytes alone. */
#include "tests/fuzz/metering.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 0)
		metering_same(DIALECT_OPENAI, "/responses", "application/json", data, size);
	return 0;
}
