/* SPDX-License-Identifier: Apache-2.0 */
/* Opening what sidekey listens on: held by the parent, shared by all generations. */
#ifndef PARENT_LISTENERS_H
#define PARENT_LISTENERS_H

#include "config/project.h"

/*
 * Opens plan's sockets into fds[0..plan->nlisteners). 0, or -1 with a sentence in why
 * that names the address and, for a taken port, what that means; opened ones are closed again.
 */
int listeners_open(const struct plans *plan, int *fds, struct buf *why);

/* Removes the Unix sockets' paths; at the end. */
void listeners_remove(const struct plans *plan);

#endif
