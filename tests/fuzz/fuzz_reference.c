/* SPDX-License-Identifier: Apache-2.0 */
/* What is taken for a reference is one: its parts lie inside it, and are all of it. */
#include <assert.h>
#include <stdint.h>

#include "aws/arn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_inside(struct span part, struct span text)
{
	assert(part.len == 0 ||
	       (part.ptr >= text.ptr && part.ptr + part.len <= text.ptr + text.len));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = {(const char *)data, size};
	struct reference r;
	enum reference_fault fault = reference_parse(text, &r);

	assert(reference_fault_text(fault) != NULL);
	if (fault != REFERENCE_OK)
		return 0;
	check_inside(r.secret, text);
	check_inside(r.json_key, text);
	check_inside(r.version_stage, text);
	check_inside(r.version_id, text);
	check_inside(r.name, text);
	if (r.kind == REFERENCE_ENV || r.kind == REFERENCE_FILE)
		return 0;
	/* what goes into a host name */
	assert(arn_is_region(r.arn.region) && arn_dns_suffix(r.arn.partition) != NULL);
	check_inside(r.arn.region, text);
	if (r.kind == REFERENCE_SECRETS_MANAGER)
		assert(r.secret.len == text.len ||
		       r.secret.len + r.json_key.len + r.version_stage.len + r.version_id.len + 3 ==
			       text.len);
	return 0;
}
