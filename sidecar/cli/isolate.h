/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command in namespaces of its own (user, network, mounts, processes, IPC): an empty network in
 * which sidekey alone answers, and none of the sockets and secret files of the host.
 *
 *   sidekey exec     the shell's child: relays signals, ends as the command does
 *     init           process 1 in there: made before the configuration is read, and forgets the
 *                    environment at once; dies with exec, and everything in there with it
 *       CMD          in the terminal's foreground, with no capability
 *
 * All three are of one process group, so that the keys of the terminal reach the command by
 * themselves; what is sent to exec alone is relayed.
 */
#ifndef CLI_ISOLATE_H
#define CLI_ISOLATE_H

#include <sys/types.h>

#include "cli/isolate_hide.h"

enum { ISOLATE_PORT = 7717 }; /* on 127.0.0.1 in there: free, whatever the host has on it */

struct isolated {
	pid_t init;
	int line;     /* to it; it ends when this closes */
	int listener; /* in there */
	int stops;    /* of the command, so far */
};

/*
 * Makes the namespaces, before there is anything to hide from them. 0, or -1 with a sentence on
 * standard error, with the remedy where the machine gives users no namespaces.
 */
int isolate_begin(char **command, struct isolated *i);

/*
 * Runs the command with env, and with what hidden lists (and the sockets that the host has now)
 * hidden; i is used up. Returns its exit status, or 1 with a sentence on standard error when it
 * could not be started; ends this process by the same signal when the command was ended by one.
 */
int isolate_run(struct isolated *i, const struct hidden *hidden, char *const *env);

#endif
