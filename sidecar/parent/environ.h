/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The start-up environment: read once into secret pages and overwritten in place, so that
 * /proc/PID/environ shows nothing and no child inherits it.
 */
#ifndef PARENT_ENVIRON_H
#define PARENT_ENVIRON_H

#include "config/expand.h"

/* Takes the environment over. 0, or -1 when it does not fit into pages of either kind. */
int environ_capture(void);

/* The value of name (NUL-terminated, in secret pages, for good), or NULL. */
const char *environ_get(void *unused, const char *name);

/* The same as a source for config_read and project. */
struct environment environ_source(void);

#endif
