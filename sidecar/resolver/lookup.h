/* SPDX-License-Identifier: Apache-2.0 */
/* One look-up, in a child of its own. */
#ifndef RESOLVER_LOOKUP_H
#define RESOLVER_LOOKUP_H

#include <sys/types.h>

#include "box/msg.h"

enum {
	LOOKUP_SHOWN = 3,    /* addresses of a name that others get to see */
	LOOKUP_ANSWERS = 16, /* that a child may bring: a name server may rotate a long list */
};

struct lookup_address {
	unsigned char v6; /* 0 or 1 */
	unsigned char bytes[16];
};

struct lookup_answer {
	size_t n;
	struct lookup_address addresses[LOOKUP_ANSWERS];
};

/* Forks a child that looks host up: its pid, and where to read its answer (nonblocking); or -1. */
pid_t lookup_start(const char *host, int *out_fd);

/* Reads the answer, and ends the child whether it has answered or not; fd stays the caller's.
 * 0, or -1 when the name has no address now. */
int lookup_finish(pid_t pid, int fd, struct lookup_answer *out);

/*
 * shown becomes at most LOOKUP_SHOWN addresses of got: those that were shown before first and
 * in their order, so that a name server that rotates its answers changes nothing; and one at
 * least of each family that got has. Whether it changed.
 */
bool lookup_merge(struct lookup_answer *shown, const struct lookup_answer *got);

#endif
