/* SPDX-License-Identifier: Apache-2.0 */
/* Places of a source that are called by one name, as the deployments of one target. */
#ifndef CLI_INIT_DEPLOYMENTS_H
#define CLI_INIT_DEPLOYMENTS_H

#include "cli/init_draft.h"

/*
 * In what further differs from t, which is not settled, so that it cannot be a deployment of it, as
 * "its headers"; NULL when they differ in no more than their place and their key.
 */
const char *deployments_difference(const struct draft_target *t,
				   const struct draft_target *further);

/*
 * Adds one to t's list, of which t itself is the first. share: of the calls, in any unit, 0 for the
 * least; a place that is there already, with the same key, gets this share too. NULL, or why it
 * could not be added.
 */
const char *deployments_add(struct draft_target *t, const struct draft_target *place,
			    uint64_t share);

/* Once all are there: shares become weights, and of a single one t is a target without a list. */
void deployments_settle(struct draft *d, struct draft_target *t);

#endif
