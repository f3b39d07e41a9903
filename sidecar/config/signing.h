/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Targets whose calls are signed for AWS, by an identity of the keeper's, and where Bedrock is
 * (reference/aws.md 6).
 */
#ifndef CONFIG_SIGNING_H
#define CONFIG_SIGNING_H

#include "config/projector.h"
#include "config/url.h"

/* Whether t's calls are signed: auth says so, or it is of Bedrock and has no key. */
bool signing_is_due(const struct config_target *t);

/* The region that one of Bedrock's hosts names (VPC endpoints too); empty: it is none of them. */
struct span signing_host_region(struct span host);

/*
 * The region that the configuration names for t, which is of Bedrock: its own, its host's, its
 * identity's, the stores'. A view; empty: none of them.
 */
struct span signing_region(const struct config *c, const struct config_target *t);

/*
 * Where the target that is being compiled is: its apiBase, else Bedrock in its region, as the
 * configuration's or the environment's endpoint says. False with a fault.
 */
bool signing_url(struct projector *pr, struct url *out);

/* Tells keeper and egress of the target, which is at url, what its calls are signed for. */
void signing_project(struct projector *pr, const struct url *url);

#endif
