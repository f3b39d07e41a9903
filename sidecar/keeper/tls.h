/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A target's TLS material, gathered from its slots and sent to egress when it is whole: the CA
 * bundle in a sealed memfd, certificate and key as a matching pair only.
 */
#ifndef KEEPER_TLS_H
#define KEEPER_TLS_H

#include "box/channel.h"
#include "box/tls_fault.h"
#include "keeper/expiry.h"
#include "keeper/slot.h"

struct tls_target {
	const struct keeper_target *plan;
	uint16_t number;
	struct slot *slots; /* the keeper's */
	struct loop *loop;
	struct channel *egress;
	struct span system_ca; /* the bundle for targets without their own */
	uint32_t version;
	uint16_t awaited;    /* the other half of a pair of which one half has changed; PLAN_NONE */
	enum tls_fault told; /* to log and egress */
	struct expiry expiry;
	struct timer again;
};

/* Sends what there is when all that the target needs is there; takes it back when it is not. */
void tls_send(struct tls_target *t);

/*
 * A fetch of slot has ended, with a new value if changed: sends what is new. The halves of a pair
 * come one after the other: when they do not match, the other half is fetched too (one that has
 * just failed when its time comes), and what does not match then is logged, once, told to egress,
 * and not sent.
 */
void tls_slot_ended(struct tls_target *t, uint16_t slot, bool changed);

#endif
