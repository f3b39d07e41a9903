/* SPDX-License-Identifier: Apache-2.0 */
/* What is found in a JSON answer depends on its bytes alone, for each form that an answer has. */
#include "tests/fuzz/metering.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char type[] = "application/json";

	if (size == 0)
		return 0;
	metering_same(DIALECT_OPENAI, "/chat/completions", type, data, size);
	metering_same(DIALECT_OPENAI, "/responses", type, data, size);
	metering_same(DIALECT_ANTHROPIC, "/v1/messages", type, data, size);
	metering_same(DIALECT_BEDROCK, "/model/m/converse", type, data, size);
	metering_same(DIALECT_BEDROCK, "/model/m/invoke", type, data, size);
	return 0;
}
