/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /status: what an operator sees of a running sidekey, as one JSON object. It tells which calls
 * were made, so only the admin Unix socket and the holder of `adminToken` get it.
 */
#ifndef INGRESS_STATUS_H
#define INGRESS_STATUS_H

#include "base/buf.h"
#include "ingress/ingress.h"

void status_answer(const struct ingress *in, struct buf *b);

#endif
