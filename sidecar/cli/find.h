/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding the running sidekey by /proc. The parent is not dumpable, and its file may be
 * unreadable, so that /proc/PID/exe says nothing: what counts is the uid, the name that the kernel
 * has for the program (ours), and arguments that mean serving. An agent of the same user can run
 * something under that name. It gains nothing: a second candidate makes the verbs ask for --pid,
 * and the worst that a signal does is to end a process which that user could end anyway.
 */
#ifndef CLI_FIND_H
#define CLI_FIND_H

#include <sys/types.h>

enum { RUNNING_CONFIG_MAX = 4096 };

struct running {
	pid_t pid;
	char config[RUNNING_CONFIG_MAX]; /* what its -c names, or empty */
};

/*
 * The one that is meant: of process pid (0: any), started with -c config (NULL: any), or
 * without -c where config is what our own environment leads to: that of another process cannot be
 * seen. 0, or -1 when that is none or more than one; why is then on standard error, behind verb's
 * name.
 */
int find_the_one(const char *verb, pid_t pid, const char *config, struct running *out);

#endif
