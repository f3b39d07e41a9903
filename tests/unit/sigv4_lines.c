/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signs what comes on standard input, for test_sigv4_botocore.py: a request a line, its fields
 * divided by 0x1f, and a line with the value of Authorization for each.
 *
 *   key-id secret region service date method path query payload-hash (name value)*
 */
#include <assert.h>
#include <stdio.h>

#include "aws/sigv4.h"
#include "base/auto.h"

enum { FIELDS_MAX = 64, FIRST_HEADER = 9, INPUT_MAX = 64 << 20 };

static size_t
split(struct span line, struct span fields[static FIELDS_MAX])
{
	size_t n = 0;

	for (size_t at = 0, end; at <= line.len; at = end + 1) {
		assert(n < FIELDS_MAX);
		end = span_find(line, at, '\x1f');
		fields[n++] = span_cut(line, at, end);
	}
	return n;
}

static void
sign(struct span line, struct buf *out)
{
	struct span f[FIELDS_MAX];
	struct sigv4_header headers[FIELDS_MAX];
	unsigned char key[SIGV4_KEY_LEN];
	size_t n = split(line, f);
	struct sigv4_scope scope = {
		.access_key_id = f[0], .region = f[2], .service = f[3], .amz_date = f[4]};
	struct sigv4_request r = {.method = f[5],
				  .path = f[6],
				  .query = f[7],
				  .payload_hash = f[8],
				  .headers = headers};

	for (size_t i = FIRST_HEADER; i + 1 < n; i += 2)
		headers[r.nheaders++] = (struct sigv4_header){f[i], f[i + 1]};
	assert(sigv4_key(f[1], &scope, key) == 0);
	assert(sigv4_authorization(&r, &scope, key, out) == 0);
}

int
main(void)
{
	auto_buf struct buf in = {.max = INPUT_MAX}, out = {.max = 1 << 16};
	size_t n;

	do {
		char *room = buf_room(&in, 1 << 16);

		assert(room != NULL);
		n = fread(room, 1, 1 << 16, stdin);
		buf_grew(&in, n);
	} while (n > 0);
	for (size_t at = 0, end; at < in.len; at = end + 1) {
		end = span_find(buf_span(&in), at, '\n');
		buf_keep(&out, 0);
		sign(span_cut(buf_span(&in), at, end), &out);
		printf("%.*s\n", (int)out.len, out.ptr);
	}
	return 0;
}
