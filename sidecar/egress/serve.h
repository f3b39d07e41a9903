/* SPDX-License-Identifier: Apache-2.0 */
/* The stream of one client connection: frames in, an exchange, frames out; one call at a time. */
#ifndef EGRESS_SERVE_H
#define EGRESS_SERVE_H

#include "egress/exchange.h"

/* Takes fd over. */
void serve_new(struct egress *e, int fd);

#endif
