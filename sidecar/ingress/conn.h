/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One client connection: a state machine over HTTP/1.1, one call at a time. Each state has
 * what it waits for and a deadline; conn.c alone changes it.
 */
#ifndef INGRESS_CONN_H
#define INGRESS_CONN_H

#include "ingress/ingress.h"

/* Takes an accepted socket over. */
void conn_new(struct ingress *in, const struct ingress_listener *l, int fd);

/* Calls of agents whose head has been read and whose answer is not out yet. */
size_t conn_count_calls(const struct ingress *in);

/*
 * There is no room for another connection: ends one that is not at work. First those that were
 * never served, though they have been there for a second (silent, with half a head, refused, or
 * without reading the answer of ours that they have), then what is kept for later calls and has
 * been idle, or read nothing, for a second, then who reads such an answer, then what has just
 * come and said nothing; of each kind the oldest. False: there is none.
 */
bool conn_make_room(struct ingress *in);

/* Idle connections end now; those with a call end after it. */
void conn_drain_all(struct ingress *in);
/* All end now, calls included. */
void conn_drop_all(struct ingress *in);

#endif
