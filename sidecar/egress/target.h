/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A target at run time: its addresses, its TLS material, the lane in use, and whether it can be
 * called.
 */
#ifndef EGRESS_TARGET_H
#define EGRESS_TARGET_H

#include "box/msg_signing.h"
#include "egress/balance.h"
#include "egress/look.h"
#include "egress/transfer.h"

struct target {
	const struct egress_target *plan;
	struct loop *loop;
	struct lane *lane; /* NULL: not ready to be dialled */
	uint32_t tls_version;
	enum tls_fault tls_fault; /* of the material that came last; the lane may be of older */
	uint64_t certificate_expiry;
	struct addresses addresses;
	struct balance balance;   /* of its deployments, where it has some */
	struct look look;         /* of refused calls, at the store */
	uint32_t refused_version; /* of the last of them: what it was signed with; 0: it was not */
	uint64_t refused_s;       /* and its Date, or 0 */
	bool reported, was_usable, was_resolved; /* what ingress was told last */
	enum signing_state was_signing;
	char was_error[SIGNING_ERROR_SIZE];
	enum tls_fault was_tls;
	uint64_t was_expiry;
};

void target_init(struct target *t, struct loop *l, const struct egress_target *plan);

/*
 * Takes new TLS material for new connections; calls under way keep theirs. NULL, or a static
 * sentence why it was not taken (what was there before stays in use; tls_fault says so).
 */
const char *target_set_tls(struct target *t, uint32_t version, struct span ca, struct span cert,
			   struct span key);
/* The material is not to be used any more, nor is the target until there is other. */
void target_drop_tls(struct target *t);
/* Takes the resolver's answer. */
void target_set_addresses(struct target *t, const struct msg_addresses *m);

bool target_is_resolved(const struct target *t);
/* Of a target without a lane: what its calls end with. */
enum verdict target_verdict(const struct target *t);

#endif
