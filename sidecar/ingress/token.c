/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/token.h"

#include "base/digest.h"

enum token_state
token_check(const struct ingress *in, const struct ingress_token *token, struct span presented)
{
	struct span known = token->digest;
	unsigned char digest[DIGEST_BYTES];
	struct span got = {(const char *)digest, sizeof(digest)};

	if (token->slot < in->plan.nslots) {
		const struct slot_view *s = &in->slots[token->slot];

		if (!s->has_digest)
			return TOKEN_UNKNOWN;
		known = (struct span){(const char *)s->digest, sizeof(s->digest)};
	}
	if (known.len == 0)
		return TOKEN_NOT_CONFIGURED;
	if (presented.len == 0)
		return TOKEN_WRONG;
	digest_sha256(presented, digest);
	return span_eq_ct(got, known) ? TOKEN_RIGHT : TOKEN_WRONG;
}

struct span
token_bearer(const struct http_request *r)
{
	static const struct span scheme = {"Bearer ", sizeof("Bearer ") - 1};
	const struct http_field *f = http_find(r, "authorization");

	if (f == NULL || http_count(r, "authorization") > 1 || !span_istarts(f->value, scheme))
		return (struct span){NULL, 0};
	return span_trim(span_cut(f->value, scheme.len, f->value.len));
}
