/* SPDX-License-Identifier: Apache-2.0 */
/* Asking the admin port of a running sidekey. */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include "base/buf.h"
#include "config/config.h"

/*
 * GET path at the first of listeners that answers: the whole answer, its head included, in answer,
 * which stays empty when none does. Each gets three seconds.
 */
void ask_admin(const struct config_listeners *listeners, const char *path, struct buf *answer);

#endif
