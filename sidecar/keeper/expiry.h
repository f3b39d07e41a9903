/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Warns of the end of a target's client certificate: two weeks before, and a day before, once
 * each for a certificate. Looked at when it arrives, and then hourly.
 */
#ifndef KEEPER_EXPIRY_H
#define KEEPER_EXPIRY_H

#include "ev/loop.h"

struct expiry { /* all zero at first */
	struct loop *loop;
	struct span target;
	uint64_t ends_s; /* seconds since 1970 */
	unsigned told;   /* the warnings that were given */
	struct timer timer;
};

/* Watches the certificate of target (a name that lasts) that ends at ends_s, from now on. */
void expiry_watch(struct expiry *e, struct loop *l, struct span target, uint64_t ends_s);

#endif
