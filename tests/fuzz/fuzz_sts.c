/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No value that goes into a request to STS changes what is asked, and each is read from it as it
 * was; a policy is JSON and fits.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "aws/sts.h"
#include "base/json.h"
#include "base/num.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t
count(struct span s, char c)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += s.ptr[i] == c;
	return n;
}

/* As whoever takes forms reads a value: without its percent signs. */
static void
decode(struct span s, struct buf *out)
{
	for (size_t i = 0; i < s.len; i++) {
		uint64_t byte = (unsigned char)s.ptr[i];

		if (byte == '%') {
			assert(num_hex(span_cut(s, i + 1, i + 3), 255, &byte) == 0);
			i += 2;
		}
		assert(buf_add_char(out, (char)byte) == 0);
	}
}

/* The field of that name is there, once, and says value. */
static void
check_field(struct span form, const char *name, struct span value)
{
	struct buf decoded;
	size_t found = 0;

	buf_init(&decoded, value.len);
	for (size_t at = 0, end; at < form.len; at = end + 1) {
		struct span field = span_cut(form, at, end = span_find(form, at, '&'));
		size_t name_end = span_find(field, 0, '=');

		if (!span_is(span_cut(field, 0, name_end), name))
			continue;
		decode(span_cut(field, name_end + 1, field.len), &decoded);
		found++;
	}
	assert(found == 1 && span_eq(buf_span(&decoded), value));
	buf_free(&decoded);
}

static void
check_bodies(struct span value)
{
	static const char *const names[] = {"RoleArn", "RoleSessionName", "ExternalId", "Policy"};
	struct buf out;

	buf_init(&out, 1 << 20);
	if (sts_body_assume_role(value, value, value, 900, value, &out) == 0) {
		assert(count(buf_span(&out), '&') == (value.len > 0 ? 6 : 2));
		assert(count(buf_span(&out), '=') == (value.len > 0 ? 7 : 3));
		check_field(buf_span(&out), "Action", SPAN("AssumeRole"));
		check_field(buf_span(&out), "DurationSeconds", SPAN("900"));
		for (size_t i = 0; value.len > 0 && i < sizeof(names) / sizeof(names[0]); i++)
			check_field(buf_span(&out), names[i], value);
	}
	for (size_t i = 0; i < out.len; i++)
		assert(out.ptr[i] > ' ' && out.ptr[i] < 0x7f);
	buf_free(&out);
}

/* How often six question marks stand for what an ARN was written without, at its end. */
static size_t
suffixes(struct span s)
{
	const struct span marks = SPAN("-??????\"");
	size_t n = 0;

	for (size_t i = 0; i + marks.len <= s.len; i++)
		n += span_eq(span_cut(s, i, i + marks.len), marks);
	return n;
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
		assert(count(buf_span(&out), '?') == 6 * suffixes(buf_span(&out)));
	} else {
		assert(out.len == 0);
	}
	buf_free(&out);
	return 0;
}
