/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that processes share, none of which trusts another: nobody can make it smaller, which
 * would be a SIGBUS for the others, or larger.
 */
#ifndef BOX_PAGES_H
#define BOX_PAGES_H

#include <stddef.h>

/* size bytes of zeros under name (for /proc): a descriptor, or -1 (errno). */
int pages_create(const char *name, size_t size);
/* Maps them, once they are seen to be of pages_create and of that size. NULL: no. */
void *pages_map(int fd, size_t size);

#endif
