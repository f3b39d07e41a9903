/* SPDX-License-Identifier: Apache-2.0 */
/* The cloud identity that the environment offers (reference/aws.md 4). */
#ifndef CONFIG_IDENTITY_H
#define CONFIG_IDENTITY_H

#include "config/config.h"
#include "config/plan_egress.h"
#include "config/plan_ingress.h"

/*
 * Fills in what plan says of the identity: credentials, container_uri, container_token_file,
 * role_session_name. Spans are copies in pool or literals. False, with a fault, when
 * something is set that must not be used.
 */
bool identity_find(const struct config *c, const struct environment *env, struct pool *pool,
		   struct keeper_plan *plan, struct config_faults *faults);

/* The variables that the keeper needs for that identity, NULL behind the last. */
const char *const *identity_variables(enum plan_credentials credentials);

#endif
