/* SPDX-License-Identifier: Apache-2.0 */
/* Writing a buffer to a nonblocking socket, as far as it goes now. */
#ifndef EV_SEND_H
#define EV_SEND_H

#include "base/buf.h"

/*
 * Sends from b's front and drops what went; what is left waits for EPOLLOUT. *sent (may be NULL)
 * grows by the bytes that went. An emptied buffer keeps at most keep bytes of memory. 0, or
 * -1 when the peer is gone.
 */
int send_buf(int fd, struct buf *b, size_t keep, uint64_t *sent);

#endif
