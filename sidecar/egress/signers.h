/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signing keys that the keeper sent, in secret pages: for each target that of today and, ahead
 * of midnight, tomorrow's. One of the few files that see secret bytes.
 */
#ifndef EGRESS_SIGNERS_H
#define EGRESS_SIGNERS_H

#include "box/msg_signing.h"
#include "egress/redact.h"
#include "egress/sign.h"

struct signers;

/* A signer that is lent to a call. Counted references. */
struct signer_loan {
	unsigned refs;
	uint32_t version; /* the keeper's count */
	struct signer signer;
	struct redactor *redactor; /* of the session token; NULL: there is none to be found */
};

/* For plan, which must outlive it. */
struct signers *signers_new(const struct egress_plan *plan);

/*
 * Takes what the keeper sent; a key of an earlier version is forgotten. NULL, or a static sentence
 * why it cannot be used.
 */
const char *signers_take(struct signers *s, const struct msg_signing *m);

/*
 * Today's signer of target with a reference for the caller, or NULL; *now_s is AWS's time. Within
 * an hour of the day that it has a key of, that one's, and *now_s the second of it that is nearest.
 */
struct signer_loan *signers_lend(struct signers *s, size_t target, uint64_t *now_s);
void signers_release(struct signer_loan *loan);

/* What can be said of target, whose calls are signed or not. */
enum signing_state signers_state(struct signers *s, size_t target);
/* The type of the keeper's failure to get keys for it; "" when there are, or none is known. */
const char *signers_error(const struct signers *s, size_t target);
/* Whether there is something newer to sign with than that version. */
bool signers_is_newer(const struct signers *s, size_t target, uint32_t version);

#endif
