/* SPDX-License-Identifier: Apache-2.0 */
/* For `check --resolve`: what became of each slot's first fetch, and who each identity is. */
#ifndef KEEPER_REPORT_H
#define KEEPER_REPORT_H

#include "box/channel.h"
#include "keeper/identity.h"
#include "keeper/slot.h"

/* Tells the parent of s (MSG_REPORT_SLOT): length and fingerprint in place of the value. */
void report_slot(struct channel *parent, const struct slot *s);

/* The identities, each of which is told of once (MSG_REPORT_IDENTITY). */
struct report_who;

struct report_who *report_who_new(const struct identity_options *o, struct identity_set *all,
				  struct channel *parent);
/* Keys have come, or have not: asks STS whose they are (GetCallerIdentity), or tells why not. */
void report_who_look(struct report_who *w);

#endif
