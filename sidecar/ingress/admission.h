/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A caller's limits, held against its calls. A call is under way from its head to its end, so that
 * a body that does not come is one of `concurrentRequests`, too. Against the other limits it counts
 * from when it is handed to egress, whatever becomes of it there; one that is refused does not.
 */
#ifndef INGRESS_ADMISSION_H
#define INGRESS_ADMISSION_H

#include "ingress/call.h"

/* Finds every caller's counters, and makes those of its bodies (call_reserve). */
void admission_start(struct ingress *in);

/*
 * Whether there is room now: asked by the head, and then the call is under way. Sets why and
 * retry_seconds in c.
 */
enum verdict admission_enter(const struct ingress *in, struct call *c);
/* The same of a call that has entered, once it can be handed over: from here on it counts. */
enum verdict admission_take(const struct ingress *in, struct call *c);
/* The call is over: its place, if it had one, is the next one's. */
void admission_give(const struct ingress *in, struct call *c);

/*
 * Charges what the call used, once its end is metered. Unknown usage (a broken stream, an agent
 * that left before it was told) is charged with the bytes that went in and came out, since a token
 * is a byte at least, or with what was said by then, where that is more: hanging up early saves
 * little. What the upstream had thought out and not yet
 * sent is not seen.
 */
void admission_charge(const struct ingress *in, const struct call *c);

#endif
