/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /v1/models: an upstream's list of models, cut down to what the call may use, each under the
 * name by which the agent must ask for it.
 */
#ifndef INGRESS_LISTING_H
#define INGRESS_LISTING_H

#include "ingress/ingress.h"

/*
 * An upstream's list, and what may become of it (names of rules can be longer than the upstream's).
 * Gateways with several hundred models send less than 1 MiB. Of prefixes to be put back each is
 * tried for each entry, and what comes of it is held against all rules: ten thousand entries, ten
 * prefixes and a hundred rules are 30 ms.
 */
enum {
	LISTING_MAX = 2 * 1024 * 1024,
	LISTING_OUT_MAX = 3 * 1024 * 1024,
	LISTING_ENTRIES_MAX = 10 * 1000,
};

/*
 * Appends the list that is in document, an answer of target, to out: of the entries of its top
 * "data" those that a rule of `models` leads to, with their "id" as the rule wants it (an alias
 * for sendAs, the prefix that stripPrefix cuts), all their other bytes as they were; then an entry
 * for each exact name of the rules, of any target, that is not among them. Prefix rules of
 * other targets cannot be told. Of all of these, what the caller may name; without `models` that
 * alone decides. Returns NULL, or a static sentence on why it is no such list.
 */
const char *listing_filter(const struct ingress *in, long caller, uint16_t target,
			   struct span document, struct buf *out);

#endif
