/* SPDX-License-Identifier: Apache-2.0 */
/* The stream of one client connection: frames in, an exchange, frames out; one call at a time. */
#ifndef EGRESS_SERVE_H
#define EGRESS_SERVE_H

#include "box/trunk.h"
#include "egress/exchange.h"

/* For a stream that ingress opens: it is in what it returns. */
struct stream *serve_new(struct egress *e);

#endif
