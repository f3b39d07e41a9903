/* SPDX-License-Identifier: Apache-2.0 */
/* No value that goes into a request to STS changes what is asked; a policy is JSON and fits. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "aws/sts.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t
count(struct span s, char c)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += s.ptr[i] == c;
	return n;
}

static void
check_bodies(struct span value)
{
	struct buf out;

	buf_init(&out, 1 << 20);
	if (sts_body_assume_role(value, value, value, 900, value, &out) == 0) {
		assert(count(buf_span(&out), '&') == (value.len > 0 ? 6 : 2));
		assert(count(buf_span(&out), '=') == (value.len > 0 ? 7 : 3));
	}
	for (size_t i = 0; i < out.len; i++)
		assert(out.ptr[i] > ' ' && out.ptr[i] < 0x7f);
	buf_free(&out);
}

/* The references are the lines. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span all = {(const char *)data, size}, references[8];
	struct json *doc;
	struct buf out;
	size_t n = 0;

	check_bodies(all);
	for (size_t at = 0, end; n < 8 && at < size; at = end + 1) {
		end = span_find(all, at, '\n');
		references[n++] = span_cut(all, at, end);
	}
	buf_init(&out, 4096);
	if (sts_policy_for(references, n, &out) == 0) {
		assert(out.len <= STS_POLICY_MAX);
		doc = json_doc_parse(buf_span(&out));
		assert(doc != NULL);
		json_doc_free(doc);
		/* the one star alone is KMS's, and the one behind a name is AgentCore's */
		assert(memmem(out.ptr, out.len, "/*", 2) == NULL);
		assert(memmem(out.ptr, out.len, "?", 1) == NULL);
	} else {
		assert(out.len == 0);
	}
	buf_free(&out);
	return 0;
}
