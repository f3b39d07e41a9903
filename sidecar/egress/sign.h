/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing a call with AWS Signature Version 4, by a key that the keeper derived for one day, region
 * and service. The AWS secret access key itself never comes here.
 */
#ifndef EGRESS_SIGN_H
#define EGRESS_SIGN_H

#include "aws/sigv4.h"
#include "base/secret.h"

struct signer {                    /* what signs for one target on one day */
	struct secret *key;        /* SIGV4_KEY_LEN bytes */
	struct secret *token_line; /* "X-Amz-Security-Token: …", or NULL: long-term keys */
	char key_id[129];
	char day[9]; /* YYYYMMDD, in AWS's time */
	struct span region, service;
};

/* The line of a token; NULL when the secret pages are full. */
struct secret *sign_token_line(struct span token);
/* The token in the line of s, which has one. */
struct span sign_token(const struct signer *s);

struct sign { /* the header lines of one signature */
	char date[32];
	char *authorization;
	const struct signer *signer;
};

/*
 * Signs method and target (path and query as on the wire) with the lines among lines that bear on
 * it (Host, Content-Type, X-Amzn-*) and body, at now_s, AWS's time. 0; or -1 when s is of another
 * day, or the request is beyond the signer's bounds. s must live as long as out.
 */
int sign_build(struct sign *out, const struct signer *s, struct span method, struct span target,
	       const char *const *lines, size_t nlines, struct span body, uint64_t now_s);

enum { SIGN_LINES = 3 };

/* The lines to add, at most SIGN_LINES; their number. */
size_t sign_lines(const struct sign *s, const char *lines[static SIGN_LINES]);

void sign_free(struct sign *s);
void signer_free(struct signer *s);

#endif
