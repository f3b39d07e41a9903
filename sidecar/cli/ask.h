/* SPDX-License-Identifier: Apache-2.0 */
/* Asking the running sidekey, over its admin port or socket, what it has to say of itself. */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include "base/buf.h"
#include "config/config.h"

enum { ASK_ANSWER_MAX = 4 * 1024 * 1024 };

/* The status of an answer, head and body, and its body: a view. 0: it is none. */
unsigned ask_status(struct span answer, struct span *body);

/*
 * GET path at the first of listeners that answers, without a token: the whole answer, which stays
 * empty when none does.
 */
void ask_admin(const struct config_listeners *listeners, const char *path, struct buf *answer);

/*
 * GET path, which only the admin Unix sockets or the holder of token get: the sockets of listeners
 * are asked first, since they need none. Returns the answer's status, with a view of its body; 0
 * when nobody answers.
 */
unsigned ask_secured(const struct config_listeners *listeners, const char *path, const char *token,
		     struct buf *answer, struct span *body);

#endif
