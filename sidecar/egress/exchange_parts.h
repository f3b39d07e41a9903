/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the two files share that an exchange is made of: exchange.c, which sends the request, and
 * exchange_answer.c, which passes the answer on, or holds it back while a newer secret or another
 * deployment may bring a better one.
 */
#ifndef EGRESS_EXCHANGE_PARTS_H
#define EGRESS_EXCHANGE_PARTS_H

#include "egress/exchange.h"

/* ---- exchange.c ---- */

/* The number of the target that the call is with. */
size_t exchange_target(const struct exchange *x);
/* Sends the request to the target that the call is with; fails or waits when it cannot. */
void exchange_start(struct exchange *x);
/* Ends it with an event. */
void exchange_fail(struct exchange *x, enum verdict v);

/* ---- exchange_answer.c ---- */

/* The upstream's side: what libcurl says of the transfer. */
extern const struct transfer_events exchange_answer;

/*
 * Gives the call to another deployment, which gets a request of its own: nothing that was made for
 * the one before goes there. answers: only to one that is likely to answer. False: there is none.
 */
bool exchange_move_on(struct exchange *x, enum verdict why, bool answers);
/* Whether an answer is held back, and still coming. */
bool exchange_is_held(const struct exchange *x);
/* It is held no longer, nor is a look waited for. */
void exchange_held_too_long(struct exchange *x);
/* What comes cannot be passed on. */
void exchange_broken(struct later *l);

#endif
