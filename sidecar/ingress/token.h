/* SPDX-License-Identifier: Apache-2.0 */
/* Whether what was presented is a token that we know: digests are compared, no token is held. */
#ifndef INGRESS_TOKEN_H
#define INGRESS_TOKEN_H

#include "http/head.h"
#include "ingress/ingress.h"

enum token_state {
	TOKEN_NOT_CONFIGURED,
	TOKEN_UNKNOWN, /* it could not be read yet: nobody has it */
	TOKEN_WRONG,   /* or missing */
	TOKEN_RIGHT,
};

enum token_state token_check(const struct ingress *in, const struct ingress_token *token,
			     struct span presented);

/* What `Authorization: Bearer` carries: a view; empty when there is none, or more than one. */
struct span token_bearer(const struct http_request *r);

#endif
