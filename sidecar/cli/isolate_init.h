/* SPDX-License-Identifier: Apache-2.0 */
/* Process 1 of an isolated command: makes its place, starts it, reaps, and tells how it fares. */
#ifndef CLI_ISOLATE_INIT_H
#define CLI_ISOLATE_INIT_H

#include <sys/types.h>

/*
 * What it calls itself, for `doctor` to know it by: no process of sidekey's that holds a secret is
 * called so, and the kernel lets nobody rename another's process. 15 bytes at most.
 */
#define INIT_NAME "sidekey: init"

/*
 * In a child that has just been born into its namespaces; line leads out. Never returns: it ends
 * when the command has ended, or when nobody is at the other end of line.
 */
_Noreturn void init_run(int line, uid_t uid, gid_t gid, char **command);

#endif
