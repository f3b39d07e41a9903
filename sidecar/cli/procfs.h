/* SPDX-License-Identifier: Apache-2.0 */
/* What /proc tells everybody: small files, and who runs beside us. */
#ifndef CLI_PROCFS_H
#define CLI_PROCFS_H

#include <sys/types.h>

#include "base/buf.h"

enum { PROCFS_MAX = 256 * 1024, PROCESS_NAME = 16 };

/* Appends a file's content, up to out's maximum. 0, or -1 with errno. */
int procfs_read(const char *path, struct buf *out);

struct process {
	pid_t pid, parent;
	uint32_t uid;  /* the effective one */
	uint64_t caps; /* the effective ones, a bit each */
	bool no_new_privs;
	bool is_kernel;  /* a thread of the kernel, or a process that has ended: it has no memory */
	bool is_sidekey; /* told to processes_visit's fn alone */
	char name[PROCESS_NAME + 1]; /* its own choice */
};

/* A /proc/PID/status; pid and is_sidekey are left alone. False: it is none. */
bool process_parse(struct span status, struct process *out);

/* Process pid; 0 is this one. False when it is not to be seen. */
bool process_read(pid_t pid, struct process *out);

/*
 * Calls fn for each process but this one and those that it descends from: who started it is no
 * neighbour, unless that is sidekey. 0, or -1 when /proc tells nothing. That a process is
 * sidekey's is taken from its arguments or its name, which any program may give itself: an agent
 * that hides so from `doctor` gains nothing that it had not.
 */
int processes_visit(void (*fn)(void *arg, const struct process *p), void *arg);

/* A file that holds one number, as those of /proc/sys do. False when there is none. */
bool procfs_number(const char *path, uint64_t *out);

#endif
