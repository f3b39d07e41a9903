/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sidekey beside a command: started by the process that is about to become the command, or to wait
 * for it, and never its child, so that the command has no child that it does not know of.
 *
 *   command                     the shell's child, from before to behind its exec
 *   watcher                     holds no secret; sees both ends
 *     parent … and its roles    as for serving
 *
 * When the command has ended, the watcher makes sidekey finish its calls and end; when sidekey
 * ends first, it says so and ends the command, which has no model any more. Neither watcher nor
 * parent is of the terminal's session: keys that are typed do not reach them.
 */
#ifndef CLI_BESIDE_H
#define CLI_BESIDE_H

#include "config/config.h"

enum { BESIDE_LISTENERS = 2 };

struct beside_options {
	const char *path;                /* of the configuration, or NULL */
	struct config *config;           /* read from there, and changed */
	int listeners[BESIDE_LISTENERS]; /* as many as config names */
	int log;                         /* where sidekey logs, or -1: standard error */
};

struct beside {
	int standing; /* where the parent tells how its start went */
	int held;     /* closed at the latest when the command runs (close-on-exec) */
};

enum beside_start {
	BESIDE_READY,
	BESIDE_LACKS, /* a secret is missing, and waiting would not bring it, or has not */
	BESIDE_ENDED, /* sidekey has ended, and said why */
};

/*
 * Starts sidekey with this process as the command. 0, or -1 when a process cannot be started
 * (errno).
 */
int beside_begin(const struct beside_options *o, struct beside *b);

/* Waits until calls are served, or will not be: for half a minute at most. */
enum beside_start beside_wait(const struct beside *b);

#endif
