/* SPDX-License-Identifier: Apache-2.0 */
/* What the scanner reports must lie in the document, and what it accepts must be UTF-8. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/grammar.h"
#include "ingress/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
denies(const void *arg, struct span name)
{
	(void)arg;
	assert(name.len <= SCAN_NAME_MAX);
	return span_is(name, "api_base");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size + 1); /* of its own size, so that a read beyond it shows */
	struct span document = {copy, size};
	struct scan out;
	enum scan_fault fault;

	if (copy == NULL)
		return 0;
	memcpy(copy, data, size);
	fault = scan_json(&out, document, denies, NULL);
	assert(out.error_at <= size && out.model_len == strlen(out.model));
	if (fault == SCAN_OK)
		assert(grammar_is_utf8(document));
	if (fault == SCAN_OK && out.has_model)
		assert(out.model_raw.len >= 2 && out.model_raw.ptr[0] == '"');
	free(copy);
	return 0;
}
