/* SPDX-License-Identifier: Apache-2.0 */
/* What a stream of events comes to depends on its bytes alone, for each dialect. */
#include "tests/fuzz/metering.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	metering_same(DIALECT_OPENAI, "/chat/completions", "text/event-stream", data, size);
	metering_same(DIALECT_OPENAI, "/responses", "text/event-stream", data, size);
	metering_same(DIALECT_ANTHROPIC, "/v1/messages", "text/event-stream", data, size);
	return 0;
}
