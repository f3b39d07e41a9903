/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox tried from inside. Only in the test build (SIDEKEY_TEST_HOOKS): the parent's
 * environment names SIDEKEY_PROBE=ROLE:ACTION, and that role performs the action as soon as
 * it is boxed. In the program itself these are empty.
 */
#ifndef BOX_PROBE_H
#define BOX_PROBE_H

#include "box/spawn.h"

#ifdef SIDEKEY_TEST_HOOKS

/* The second argument for a role that is to be started: its action, or none. */
char *probe_for(enum role r);

/* Performs this process's action, if it has one: exit status 0 when it succeeded, and else its
 * errno; unless the kernel kills it first. */
void probe_run(void);

#else

static inline char *
probe_for(enum role r)
{
	(void)r;
	return NULL;
}

static inline void
probe_run(void)
{
}

#endif
#endif
