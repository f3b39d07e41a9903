/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting a role by re-executing our own file through its descriptor
 * (execveat(2), AT_EMPTY_PATH): fresh address space, empty environment, argv of one
 * name, and only the descriptors that it is given.
 */
#ifndef BOX_SPAWN_H
#define BOX_SPAWN_H

#include <sys/types.h>

#include "base/buf.h"

enum role { ROLE_NONE, ROLE_RESOLVER, ROLE_KEEPER, ROLE_INGRESS, ROLE_EGRESS, ROLES };

/*
 * Descriptors of a role, by place: a role knows what to find where. Listeners follow
 * SPAWN_FIRST_LISTENER.
 */
enum {
	SPAWN_PROJECTION = 3, /* sealed memfd */
	SPAWN_WAITS = 3,      /* once that is read, ingress, egress: ev/patience.h */
	SPAWN_PARENT = 4,     /* SEQPACKET to the parent */
	SPAWN_CHANNEL_A =
		5, /* resolver: keeper;  keeper: resolver; ingress: keeper; egress: resolver */
	SPAWN_CHANNEL_B =
		6, /* resolver: egress;  keeper: egress;   ingress: egress; egress: keeper */
	SPAWN_CHANNEL_C = 7, /* keeper: ingress;   egress: ingress;  resolver: none */
	SPAWN_LIMITS = 7,    /* ingress: the pages of ingress/limits.h */
	SPAWN_TRUNK = 8,     /* ingress, egress: its struct trunk_fds, at three places */
	SPAWN_FIRST_LISTENER = 11,
};

const char *role_name(enum role r);
/* The role that argv[0] names ("sidekey: egress"), or ROLE_NONE. */
enum role role_of(const char *argv0);

/*
 * A descriptor (O_PATH, close-on-exec) of our own file: /proc/self/exe, else AT_EXECFN. -1 with
 * errno.
 */
int spawn_self(void);

/* A sealed memfd (no write, grow, shrink, seal) with content, or -1. */
int spawn_sealed(const char *name, struct span content);
/*
 * Reads all of a sealed memfd into out; refuses one that is not fully sealed or over out's
 * maximum. 0 or -1.
 */
int spawn_unseal(int fd, struct buf *out);

/*
 * Starts role with descriptors fds[0..n) at places 3, 4, 5 … (-1: that place stays closed) and
 * standard error; 0 and 1 are /dev/null. The child dies with its parent (PR_SET_PDEATHSIG),
 * blocks no signal, ignores INT, TERM, HUP, USR1, USR2, PIPE. Returns its pid, or -1.
 */
pid_t spawn_role(int self, enum role role, const int *fds, size_t n);

#endif
