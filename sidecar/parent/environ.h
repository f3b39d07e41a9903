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

/* Overwrites it in place: from here on there is none. */
void environ_forget(void);

/* As a source for config_read and project; values stay where they are, for good. */
struct environment environ_source(void);

#endif
