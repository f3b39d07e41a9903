/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/token.h"

#include "base/base64.h"
#include "base/digest.h"

struct span
token_digest(const struct ingress *in, const struct ingress_token *token)
{
	const struct slot_view *s;

	if (token->slot >= in->plan.nslots)
		return token->digest;
	s = &in->slots[token->slot];
	return (struct span){(const char *)s->digest, s->has_digest ? sizeof(s->digest) : 0};
}

enum token_state
token_check(const struct ingress *in, const struct ingress_token *token, struct span presented)
{
	struct span known = token_digest(in, token);
	unsigned char digest[DIGEST_BYTES];
	struct span got = {(const char *)digest, sizeof(digest)};

	if (known.len == 0)
		return token->slot < in->plan.nslots ? TOKEN_UNKNOWN : TOKEN_NOT_CONFIGURED;
	if (presented.len == 0)
		return TOKEN_WRONG;
	digest_sha256(presented, digest);
	return span_eq_ct(got, known) ? TOKEN_RIGHT : TOKEN_WRONG;
}

/* What stands behind scheme in the one Authorization field. */
static struct span
authorization(const struct http_request *r, struct span scheme)
{
	const struct http_field *f = http_find(r, "authorization");

	if (f == NULL || http_count(r, "authorization") > 1 || !span_istarts(f->value, scheme))
		return (struct span){NULL, 0};
	return span_trim(span_cut(f->value, scheme.len, f->value.len));
}

struct span
token_bearer(const struct http_request *r)
{
	return authorization(r, SPAN("Bearer "));
}

struct span
token_basic(const struct http_request *r, char room[static TOKEN_ROOM])
{
	long n = base64_decode(authorization(r, SPAN("Basic ")), room, TOKEN_ROOM);
	struct span pair = {room, n < 0 ? 0 : (size_t)n};

	return span_cut(pair, span_find(pair, 0, ':') + 1, pair.len);
}
