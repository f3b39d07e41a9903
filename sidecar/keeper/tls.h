/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A target's TLS material, gathered from its slots and sent to egress when it is whole: the CA
 * bundle in a sealed memfd, certificate and key as a matching pair only.
 */
#ifndef KEEPER_TLS_H
#define KEEPER_TLS_H

#include "box/channel.h"
#include "keeper/slot.h"

struct tls_target {
	const struct keeper_target *plan;
	uint16_t number;
	uint32_t version;
	bool told_mismatch;
};

/* Whether a change of slot concerns t. */
bool tls_uses(const struct tls_target *t, uint16_t slot);

/*
 * Sends what there is, when all that the target needs is there. system_ca: the bundle for targets
 * without their own. A pair that does not match is logged, and not sent.
 */
void tls_send(struct tls_target *t, const struct slot *slots, struct span system_ca,
	      struct channel *egress);

#endif
