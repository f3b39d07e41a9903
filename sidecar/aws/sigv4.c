/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules are those of botocore's SigV4Auth: the path as it is on the wire is encoded once
 * more, so that its '%' becomes "%25"; the query is encoded once.
 */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "aws/sigv4.h"

#include "base/ascii.h"
#include "base/auto.h"
#include "base/date.h"
#include "base/num.h"

enum {
	HEADERS_MAX = 64,
	QUERY_MAX = 64, /* members of a query */
	QUERY_BYTES_MAX = 64 * 1024,
	CANONICAL_MAX = 256 * 1024,
	SECRET_MAX = 256, /* an AWS secret access key has 40 bytes */
	DATE_LEN = 8,
	AMZ_DATE_LEN = 16,
};

#define ALGORITHM "AWS4-HMAC-SHA256"

/* ---- digests ---- */

static int
hmac(struct span key, struct span data, unsigned char out[static SIGV4_KEY_LEN])
{
	size_t len = 0;

	if (EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key.ptr, key.len,
		      (const unsigned char *)data.ptr, data.len, out, SIGV4_KEY_LEN, &len) == NULL)
		return -1;
	return len == SIGV4_KEY_LEN ? 0 : -1;
}

int
sigv4_hash(struct span body, char hex[static SIGV4_HEX_LEN + 1])
{
	unsigned char digest[SIGV4_KEY_LEN];

	if (EVP_Digest(body.len > 0 ? body.ptr : "", body.len, digest, NULL, EVP_sha256(), NULL) !=
	    1)
		return -1;
	num_to_hex(digest, sizeof(digest), hex);
	return 0;
}

int
sigv4_key(struct span secret_access_key, const struct sigv4_scope *scope,
	  unsigned char key[static SIGV4_KEY_LEN])
{
	struct span step[] = {span_cut(scope->amz_date, 0, DATE_LEN), scope->region, scope->service,
			      SPAN("aws4_request")};
	struct span prefix = SPAN("AWS4");
	char first[4 + SECRET_MAX];
	unsigned char next[SIGV4_KEY_LEN];
	struct span with = {first, prefix.len + secret_access_key.len};
	int bad = 0;

	if (secret_access_key.len == 0 || secret_access_key.len > SECRET_MAX)
		return -1;
	memcpy(first, prefix.ptr, prefix.len);
	memcpy(first + prefix.len, secret_access_key.ptr, secret_access_key.len);
	for (size_t i = 0; i < sizeof(step) / sizeof(step[0]) && bad == 0; i++) {
		bad = hmac(with, step[i], next);
		memcpy(key, next, SIGV4_KEY_LEN);
		with = (struct span){(const char *)key, SIGV4_KEY_LEN};
	}
	OPENSSL_cleanse(first, sizeof(first));
	OPENSSL_cleanse(next, sizeof(next));
	if (bad != 0)
		OPENSSL_cleanse(key, SIGV4_KEY_LEN);
	return bad;
}

/* ---- the path ---- */

/* Takes the last "/segment" of what was written since start away. */
static void
pop_segment(struct buf *out, size_t start)
{
	size_t at = out->len;

	while (at > start && out->ptr[at - 1] != '/')
		at--;
	if (at > start)
		buf_keep(out, at - 1);
}

/* RFC 3986 section 5.2.4, and runs of slashes count as one; a slash at the end stays. */
static int
add_path(struct span path, struct buf *out)
{
	size_t start = out->len, at = 0;
	int bad = 0;

	while (at < path.len && bad == 0) {
		size_t end = span_find(path, at, '/');
		struct span segment = span_cut(path, at, end);

		if (span_is(segment, ".."))
			pop_segment(out, start);
		else if (segment.len > 0 && !span_is(segment, "."))
			bad = buf_add_char(out, '/') | buf_add_percent(out, segment);
		at = end + 1;
	}
	if (bad == 0 && (out->len == start || (path.len > 0 && path.ptr[path.len - 1] == '/')))
		bad = buf_add_char(out, '/');
	return bad;
}

/* ---- the query ---- */

struct member { /* offsets into the scratch buffer, which may move */
	size_t name, name_len, value, value_len;
};

/* Decoded and encoded again, so that "%7e" and "~" are the same. */
static int
add_recoded(struct span s, struct buf *out)
{
	int bad = 0;

	for (size_t i = 0; i < s.len && bad == 0; i++) {
		char c = s.ptr[i];
		uint64_t byte;

		if (c == '%' && i + 2 < s.len &&
		    num_hex(span_cut(s, i + 1, i + 3), UINT8_MAX, &byte) == 0) {
			c = (char)byte;
			i += 2;
		}
		bad = buf_add_percent(out, (struct span){&c, 1});
	}
	return bad;
}

static int
compare(struct span a, struct span b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int order = n == 0 ? 0 : memcmp(a.ptr, b.ptr, n);

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static bool
is_before(const char *text, const struct member *a, const struct member *b)
{
	int order = compare((struct span){text + a->name, a->name_len},
			    (struct span){text + b->name, b->name_len});

	if (order == 0)
		order = compare((struct span){text + a->value, a->value_len},
				(struct span){text + b->value, b->value_len});
	return order < 0;
}

/* Encodes the members into scratch, sorted in list. Their number, or -1. */
static int
read_query(struct span query, struct buf *scratch, struct member list[static QUERY_MAX])
{
	size_t n = 0, at = 0;

	while (at < query.len) {
		size_t end = span_find(query, at, '&');
		struct span part = span_cut(query, at, end);
		size_t eq = span_find(part, 0, '=');
		struct member m = {.name = scratch->len};
		size_t place;

		at = end + 1;
		if (part.len == 0)
			continue;
		if (n == QUERY_MAX || add_recoded(span_cut(part, 0, eq), scratch) != 0)
			return -1;
		m.name_len = scratch->len - m.name;
		m.value = scratch->len;
		if (add_recoded(span_cut(part, eq + 1, part.len), scratch) != 0)
			return -1;
		m.value_len = scratch->len - m.value;
		for (place = n; place > 0 && is_before(scratch->ptr, &m, &list[place - 1]); place--)
			list[place] = list[place - 1];
		list[place] = m;
		n++;
	}
	return (int)n;
}

static int
add_query(struct span query, struct buf *out)
{
	struct member list[QUERY_MAX];
	auto_buf struct buf scratch = {0};
	int n, bad = 0;

	buf_init(&scratch, QUERY_BYTES_MAX);
	n = read_query(query, &scratch, list);
	if (n < 0)
		return -1;
	for (int i = 0; i < n && bad == 0; i++) {
		if (i > 0)
			bad |= buf_add_char(out, '&');
		bad |= buf_add(out, scratch.ptr + list[i].name, list[i].name_len);
		bad |= buf_add_char(out, '=');
		bad |= buf_add(out, scratch.ptr + list[i].value, list[i].value_len);
	}
	return bad;
}

/* ---- the headers ---- */

static int
compare_names(struct span a, struct span b)
{
	size_t n = a.len < b.len ? a.len : b.len;

	for (size_t i = 0; i < n; i++)
		if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i]))
			return (unsigned char)ascii_lower(a.ptr[i]) <
					       (unsigned char)ascii_lower(b.ptr[i])
				       ? -1
				       : 1;
	return (a.len > b.len) - (a.len < b.len);
}

/* By name alone; those of one name keep their order. */
static int
sort_headers(const struct sigv4_request *r, const struct sigv4_header *sorted[static HEADERS_MAX])
{
	if (r->nheaders > HEADERS_MAX)
		return -1;
	for (size_t n = 0; n < r->nheaders; n++) {
		size_t place = n;

		while (place > 0 &&
		       compare_names(r->headers[n].name, sorted[place - 1]->name) < 0) {
			sorted[place] = sorted[place - 1];
			place--;
		}
		sorted[place] = &r->headers[n];
	}
	return 0;
}

static int
add_lower(struct span s, struct buf *out)
{
	int bad = 0;

	for (size_t i = 0; i < s.len && bad == 0; i++)
		bad = buf_add_char(out, ascii_lower(s.ptr[i]));
	return bad;
}

/* Trimmed, and runs of blanks made one. */
static int
add_value(struct span value, struct buf *out)
{
	struct span s = span_trim(value);
	bool blank = false;
	int bad = 0;

	for (size_t i = 0; i < s.len && bad == 0; i++) {
		bool is_blank = s.ptr[i] == ' ' || s.ptr[i] == '\t';

		if (!is_blank)
			bad = buf_add_char(out, s.ptr[i]);
		else if (!blank)
			bad = buf_add_char(out, ' ');
		blank = is_blank;
	}
	return bad;
}

static bool
is_same_name(const struct sigv4_header *const *sorted, size_t i)
{
	return i > 0 && compare_names(sorted[i - 1]->name, sorted[i]->name) == 0;
}

static int
add_headers(const struct sigv4_request *r, struct buf *out)
{
	const struct sigv4_header *sorted[HEADERS_MAX];
	int bad = sort_headers(r, sorted);

	for (size_t i = 0; i < r->nheaders && bad == 0; i++) {
		if (is_same_name(sorted, i)) {
			buf_keep(out, out->len - 1); /* its line end */
			bad = buf_add_char(out, ',');
		} else {
			bad = add_lower(sorted[i]->name, out) | buf_add_char(out, ':');
		}
		bad |= add_value(sorted[i]->value, out) | buf_add_char(out, '\n');
	}
	return bad;
}

static int
add_signed_names(const struct sigv4_request *r, struct buf *out)
{
	const struct sigv4_header *sorted[HEADERS_MAX];
	int bad = sort_headers(r, sorted);

	for (size_t i = 0; i < r->nheaders && bad == 0; i++) {
		if (is_same_name(sorted, i))
			continue;
		if (i > 0)
			bad = buf_add_char(out, ';');
		bad |= add_lower(sorted[i]->name, out);
	}
	return bad;
}

/* ---- the request ---- */

int
sigv4_canonical(const struct sigv4_request *r, struct buf *out)
{
	int bad = buf_add_span(out, r->method) | buf_add_char(out, '\n');

	bad |= add_path(r->path, out);
	bad |= buf_add_char(out, '\n');
	bad |= add_query(r->query, out) | buf_add_char(out, '\n');
	bad |= add_headers(r, out) | buf_add_char(out, '\n');
	bad |= add_signed_names(r, out) | buf_add_char(out, '\n');
	bad |= buf_add_span(out, r->payload_hash);
	return bad != 0 ? -1 : 0;
}

static int
add_scope(const struct sigv4_scope *scope, struct buf *out)
{
	int bad = buf_add_span(out, span_cut(scope->amz_date, 0, DATE_LEN));

	bad |= buf_add_char(out, '/') | buf_add_span(out, scope->region);
	bad |= buf_add_char(out, '/') | buf_add_span(out, scope->service);
	return bad | buf_add_str(out, "/aws4_request");
}

int
sigv4_string_to_sign(const struct sigv4_request *r, const struct sigv4_scope *scope,
		     struct buf *out)
{
	auto_buf struct buf canonical = {0};
	char hex[SIGV4_HEX_LEN + 1];
	int bad;

	if (scope->amz_date.len != AMZ_DATE_LEN)
		return -1;
	buf_init(&canonical, CANONICAL_MAX);
	if (sigv4_canonical(r, &canonical) != 0 || sigv4_hash(buf_span(&canonical), hex) != 0)
		return -1;
	bad = buf_add_str(out, ALGORITHM "\n") | buf_add_span(out, scope->amz_date);
	bad |= buf_add_char(out, '\n') | add_scope(scope, out) | buf_add_char(out, '\n');
	bad |= buf_add(out, hex, SIGV4_HEX_LEN);
	return bad != 0 ? -1 : 0;
}

int
sigv4_authorization(const struct sigv4_request *r, const struct sigv4_scope *scope,
		    const unsigned char key[static SIGV4_KEY_LEN], struct buf *out)
{
	auto_buf struct buf text = {0};
	unsigned char signature[SIGV4_KEY_LEN];
	char hex[SIGV4_HEX_LEN + 1];
	int bad;

	buf_init(&text, 1024);
	if (sigv4_string_to_sign(r, scope, &text) != 0 ||
	    hmac((struct span){(const char *)key, SIGV4_KEY_LEN}, buf_span(&text), signature) != 0)
		return -1;
	num_to_hex(signature, sizeof(signature), hex);
	bad = buf_add_str(out, ALGORITHM " Credential=") | buf_add_span(out, scope->access_key_id);
	bad |= buf_add_char(out, '/') | add_scope(scope, out);
	bad |= buf_add_str(out, ", SignedHeaders=") | add_signed_names(r, out);
	bad |= buf_add_str(out, ", Signature=") | buf_add(out, hex, SIGV4_HEX_LEN);
	return bad != 0 ? -1 : 0;
}
