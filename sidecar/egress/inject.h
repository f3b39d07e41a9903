/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes on the wire for a call: the joined request target and the header lines, secrets
 * included.
 */
#ifndef EGRESS_INJECT_H
#define EGRESS_INJECT_H

#include "box/frame.h"
#include "config/plan_egress.h"
#include "egress/signers.h"
#include "egress/vault.h"
#include "policy/access/verdict.h"

struct inject {
	char *text; /* owns the target and the lines that are not secret */
	const char *target;
	const char **lines;
	size_t nlines;
	struct header_set *secrets; /* a reference; its lines come last but for the signature's */
	size_t nsigned;             /* lines of the signature, the last */
	struct sign sign;
	struct signer_loan *loan; /* what it was made with; NULL: it is not signed */
};

/*
 * Checks call once more (ingress is not trusted): dialect, operation, route, path, query, whether a
 * body is due, field names and values. Returns NULL, or a static sentence saying what is wrong with
 * it.
 */
const char *inject_check(const struct egress_target *t, const struct frame_call *call,
			 uint64_t body_max, uint64_t upload_max);

/*
 * Appends the request target of a checked call. apiBase's path and the call's are joined without
 * decoding (paths_join); the target's fixed query members win; members that carry credentials are
 * dropped.
 */
void inject_target(struct buf *out, const struct egress_target *t, const struct frame_call *call);

/*
 * Builds the request of a checked call. secrets: target's header set, whose reference passes over.
 * A configured header replaces the client's.
 */
void inject_build(struct inject *out, const struct egress_target *t, const struct frame_call *call,
		  struct header_set *secrets);
/* Puts secrets (a reference, which passes over) in place of those it was built with. */
void inject_renew(struct inject *in, struct header_set *secrets);
/*
 * Puts the signature of today in place of that which it has, or behind what it has not. signers: of
 * the target. What is wrong: there is nothing to sign with, or the request has more members of a
 * query, or header fields, than can be signed.
 */
enum verdict inject_sign(struct inject *in, struct signers *signers, size_t target,
			 struct span method, struct span body);
/*
 * What finds in an answer the secrets that were sent, or NULL. Those of headers come first: beside
 * them a session token is not looked for.
 */
const struct redactor *inject_redactor(const struct inject *in);
/* The slot of the ith secret that it found; PLAN_NONE: it is a session token. */
uint16_t inject_redacted(const struct inject *in, size_t i);
void inject_free(struct inject *in);

#endif
