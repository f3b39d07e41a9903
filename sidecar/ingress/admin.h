/* SPDX-License-Identifier: Apache-2.0 */
/* What sidekey says of itself: /healthz, /readyz, and its life on the agent's port. */
#ifndef INGRESS_ADMIN_H
#define INGRESS_ADMIN_H

#include "base/buf.h"
#include "http/head.h"
#include "ingress/ingress.h"

/*
 * Answers r (already checked for Host and Origin): appends a body, sets its type, returns the
 * status. is_admin: it came by an admin listener. Names of slots and targets only: no
 * reference, no value.
 */
unsigned admin_answer(const struct ingress *in, bool is_admin, const struct http_request *r,
		      struct buf *body, const char **type);

/* Whether every required target can be called. */
bool admin_is_ready(const struct ingress *in);

#endif
