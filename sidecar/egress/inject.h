/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes on the wire for a call: the joined request target and the header lines, secrets
 * included.
 */
#ifndef EGRESS_INJECT_H
#define EGRESS_INJECT_H

#include "box/frame.h"
#include "config/plan_egress.h"
#include "egress/vault.h"

struct inject {
	char *text; /* owns the target and the lines that are not secret */
	const char *target;
	const char **lines;
	size_t nlines;
	struct header_set *secrets; /* a reference; its lines are the last among lines */
};

/*
 * Checks call once more (ingress is not trusted): operation, route, path, query, field names and
 * values. Returns NULL, or a static sentence saying what is wrong with it.
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
void inject_free(struct inject *in);

#endif
