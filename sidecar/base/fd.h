/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole contents through a descriptor, in however many pieces; and the places of the first three.
 * 0, or -1 with errno.
 */
#ifndef BASE_FD_H
#define BASE_FD_H

#include "base/buf.h"

/* Appends all that comes. EFBIG: there is more than out's maximum; what fits is in it. */
int fd_read_all(int fd, struct buf *out);
int fd_write_all(int fd, struct span content);

/* Where one of the first three is closed, /dev/null takes its place, lest something else does. */
int fd_keep_places(void);

#endif
