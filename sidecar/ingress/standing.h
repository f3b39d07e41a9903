/* SPDX-License-Identifier: Apache-2.0 */
/* Whether this generation would serve its calls: what the parent asks before it takes over. */
#ifndef INGRESS_STANDING_H
#define INGRESS_STANDING_H

#include "ingress/ingress.h"

/*
 * As of what keeper and egress last said. A target is settled when it can be called, or when the
 * store has said no to one of its secrets, or its TLS material is no good; a store or a name server
 * that does not answer may do so in a moment.
 */
struct msg_standing standing_of(const struct ingress *in);

#endif
