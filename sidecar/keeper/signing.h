/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys that egress signs with: for each target whose calls are signed, one for the day, region
 * and service, derived here from the identity's secret key, which stays here (reference/aws.md
 * 5.1). They are sent anew when the identity has other keys, ahead of midnight, and when AWS's
 * clock turns out to be another; and taken back when the identity is lost.
 */
#ifndef KEEPER_SIGNING_H
#define KEEPER_SIGNING_H

#include "box/channel.h"
#include "box/msg_signing.h"
#include "keeper/identity.h"

struct signing;

struct signing_options {
	struct loop *loop;
	const struct keeper_plan *plan; /* must outlive it */
	struct identity_set *identities;
	const struct skew *skew; /* the stores' */
};

struct signing *signing_new(const struct signing_options *o);

/* Sends what egress does not have yet. Cheap: to be called each second, and at every change. */
void signing_look(struct signing *s, struct channel *egress);

/*
 * Egress says that an answer refused a signature made with that version. Its Date teaches the
 * clock for that target, or the identity is renewed; what is new is sent. Egress is not trusted
 * with either: an hour of clock at most, and one renewal a second; until that has brought other
 * keys, those that are there are used.
 */
void signing_refused(struct signing *s, struct channel *egress, const struct msg_refused *m);

/* Whether keys are being acquired just now for what the target's calls were refused with. */
bool signing_is_waiting(struct signing *s, uint16_t target);

#endif
