/* SPDX-License-Identifier: Apache-2.0 */
/* The stream of one client connection: frames in, an exchange, frames out; one call at a time. */
#ifndef EGRESS_SERVE_H
#define EGRESS_SERVE_H

#include "egress/exchange.h"

/* Takes fd over. is_last: no call can be made by it, since its descriptor was the last. */
void serve_new(struct egress *e, int fd, bool is_last);

#endif
