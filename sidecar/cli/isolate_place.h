/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of an isolated command's namespaces: who is there, what answers, and what is to be
 * seen.
 */
#ifndef CLI_ISOLATE_PLACE_H
#define CLI_ISOLATE_PLACE_H

#include "base/span.h"
#include "cli/isolate_note.h"

/* Each returns 0, or -1 with errno; *step tells at what. */

/* The user is who it was; the loopback interface is up. uid, gid: from before the namespaces. */
int place_enter(uint32_t uid, uint32_t gid, enum isolate_step *step);
/* A listener on the one port that answers in there: its descriptor. */
int place_listen(enum isolate_step *step);
/*
 * A /proc and a /dev of its own, empty directories in place of those that are listed, and nothing
 * in the files. The working directory stays, but below one that is hidden (other than /tmp).
 */
int place_hide(struct span directories, struct span files, enum isolate_step *step);
/* Afterwards: these files, as far as they can be seen, are read-only (Linux 5.12). */
int place_keep(struct span files, enum isolate_step *step);

#endif
