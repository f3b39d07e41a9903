/* SPDX-License-Identifier: Apache-2.0 */
/* The choice of an identity's source: what identity.c asks, and the files that know each source. */
#ifndef CONFIG_IDENTITY_CHOICE_H
#define CONFIG_IDENTITY_CHOICE_H

#include "config/plan_identity.h"
#include "config/projector.h"

struct identity_choice {
	struct projector *pr;
	const struct config_identity *want;
	struct plan_identity *out;
	struct span session; /* the name of a session that nobody named */
	struct span profile; /* that was looked for */
	struct span region;  /* that it names, or empty */
};

enum identity_found {
	IDENTITY_HALF = -1, /* something of it is there and something is not: a fault was added */
	IDENTITY_ABSENT,
	IDENTITY_FOUND, /* out says what is needed */
};

enum identity_found identity_find_environment(struct identity_choice *ch);
enum identity_found identity_find_web(struct identity_choice *ch);
enum identity_found identity_find_container(struct identity_choice *ch);
enum identity_found identity_find_profile(struct identity_choice *ch);
enum identity_found identity_find_instance(struct identity_choice *ch);

#endif
