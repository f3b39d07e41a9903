/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether calls can be made: /readyz, and what /status shares with it. Names only, and the ARN of a
 * principal that a store denied; no reference.
 */
#ifndef INGRESS_READY_H
#define INGRESS_READY_H

#include "base/buf.h"
#include "ingress/ingress.h"

/* Whether every required target can be called. */
bool ready_now(const struct ingress *in);

/* The whole of /readyz; returns its status. */
unsigned ready_answer(const struct ingress *in, struct buf *b);

/* The values of "slots", "targets" and "sandbox". store_ids: the store's version ids as well. */
void ready_add_slots(struct buf *b, const struct ingress *in, bool store_ids);
void ready_add_targets(struct buf *b, const struct ingress *in);
void ready_add_sandbox(struct buf *b, const struct ingress *in);

#endif
