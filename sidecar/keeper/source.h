/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps of an acquisition (reference/aws.md 4): each source of keys, and a role on top. Each
 * ends, now or later, in acquire_got or a failure.
 */
#ifndef KEEPER_SOURCE_H
#define KEEPER_SOURCE_H

#include "keeper/acquire.h"

typedef void source_fn(struct acquire *a);

source_fn source_environment, source_keys; /* source_local.c */
source_fn source_container, source_instance, source_sso;
source_fn source_web, source_role; /* source_sts.c; the role of the acquisition's step */

#endif
