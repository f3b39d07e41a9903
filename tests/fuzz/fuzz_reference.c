/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is taken for a reference is one: its parts lie inside it, and are all of it. The secret that
 * it names is a reference too, to the same.
 */
#include <assert.h>
#include <stdint.h>

#include "aws/arn.h"
#include "base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_inside(struct span part, struct span text)
{
	assert(part.len == 0 ||
	       (part.ptr >= text.ptr && part.ptr + part.len <= text.ptr + text.len));
}

/* Joined by colons, the parts of an ARN are the text that it was read from. */
static void
check_joined(const struct arn *a, struct span text)
{
	const struct span parts[] = {a->partition, a->service, a->region, a->account, a->resource};
	struct buf joined;

	buf_init(&joined, text.len + 1);
	assert(buf_add_str(&joined, "arn") == 0);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		assert(buf_add_char(&joined, ':') == 0);
		assert(buf_add_span(&joined, parts[i]) == 0);
	}
	assert(span_eq(buf_span(&joined), text));
	buf_free(&joined);
}

static void
check_secret(const struct reference *r)
{
	struct reference again;

	assert(r->secret.len == r->text.len ||
	       r->secret.len + r->json_key.len + r->version_stage.len + r->version_id.len + 3 ==
		       r->text.len);
	assert(reference_parse(r->secret, &again) == REFERENCE_OK);
	assert(again.kind == r->kind && span_eq(again.secret, r->secret));
	assert(again.json_key.len + again.version_stage.len + again.version_id.len == 0);
}

static void
check_arn(const struct reference *r)
{
	/* what goes into a host name */
	assert(arn_is_region(r->arn.region) && arn_dns_suffix(r->arn.partition) != NULL);
	check_inside(r->arn.region, r->text);
	check_joined(&r->arn, r->text);
	if (r->kind == REFERENCE_SECRETS_MANAGER)
		check_secret(r);
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
	assert(span_eq(r.text, text));
	if (r.kind == REFERENCE_ENV)
		assert(r.name.len + 4 == size);
	else if (r.kind == REFERENCE_FILE)
		assert(r.name.len + 5 == size);
	else
		check_arn(&r);
	return 0;
}
