/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiles who sidekey is to AWS (reference/aws.md 4): one identity for the stores, and one more
 * for each target that says another in its own aws section.
 */
#ifndef CONFIG_IDENTITY_H
#define CONFIG_IDENTITY_H

#include "config/projector.h"

/*
 * Fills in the keeper's identities, and which of them each target has, once all slots are there.
 * Faults (half a configuration, a profile that leads nowhere) set pr->failed. Having none at all
 * is no fault: the source is then IDENTITY_FROM_NOTHING.
 */
void identity_project(struct projector *pr);

#endif
