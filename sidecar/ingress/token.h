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

/* By which token is known. Empty: it has not been read yet, or there is no such token. */
struct span token_digest(const struct ingress *in, const struct ingress_token *token);

enum token_state token_check(const struct ingress *in, const struct ingress_token *token,
			     struct span presented);

/* What `Authorization: Bearer` carries: a view; empty when there is none, or more than one. */
struct span token_bearer(const struct http_request *r);

/*
 * The password of `Authorization: Basic` (RFC 7617), which is how a browser asks a person for a
 * token; the user's name may be any. A view into room, which is the caller's to wipe; empty as
 * above, and when it is longer than any token.
 */
enum { TOKEN_ROOM = 2048 };
struct span token_basic(const struct http_request *r, char room[static TOKEN_ROOM]);

#endif
