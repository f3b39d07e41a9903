/* SPDX-License-Identifier: Apache-2.0 */
/* What sidekey says of itself: the pages of the admin port, and its life on the agent's port. */
#ifndef INGRESS_ADMIN_H
#define INGRESS_ADMIN_H

#include "base/buf.h"
#include "http/head.h"
#include "ingress/ingress.h"
#include "ingress/reply.h"

enum { ADMIN_BODY_MAX = 2 * 1024 * 1024 }; /* rendered in one go: some milliseconds at the most */

/* Whether r asks on the agent's port whether sidekey lives, which is no call. */
bool admin_asks_life(const struct http_request *r);

/*
 * Answers r, which came by l and was checked for Host and Origin: appends a body (at most
 * ADMIN_BODY_MAX), and says in *page what goes with it. Names of slots, targets and denied
 * principals only: no reference, no value, no address.
 */
void admin_answer(struct ingress *in, const struct ingress_listener *l,
		  const struct http_request *r, struct buf *body, struct reply_page *page);

#endif
