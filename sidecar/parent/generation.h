/* SPDX-License-Identifier: Apache-2.0 */
/* One set of the four roles over one configuration: started together, ended together. */
#ifndef PARENT_GENERATION_H
#define PARENT_GENERATION_H

#include "box/channel.h"
#include "box/spawn.h"
#include "config/project.h"

struct generation;

struct generation_events {
	/* All four roles are boxed and at work. */
	void (*ready)(void *arg, struct generation *g);
	/* Ingress has answered its last call. */
	void (*drained)(void *arg, struct generation *g);
	/* A role tells what it found (MSG_REPORT_…); NULL: none is due. */
	void (*report)(void *arg, enum msg_type type, const void *obj);
	void *arg;
};

/*
 * Starts the roles of plan on listeners. env gives the variables that plan.env_names lists:
 * they go to the keeper alone. NULL when a role cannot be started (errno).
 */
struct generation *generation_start(struct loop *l, int self, const struct plans *plan,
				    const int *listeners, const struct environment *env,
				    const struct generation_events *ev);

/* Asks ingress to take no new call; drained is called when the last is done, or ms are over. */
void generation_drain(struct generation *g, uint64_t ms);
/* Closes the channels, by which the roles end by themselves; kill: end them now. */
void generation_stop(struct generation *g, bool kill);
/* Asks the keeper to fetch every slot now. */
void generation_refresh(struct generation *g);

/* The role of pid, which has ended and is struck off; ROLE_NONE when it is not of g. */
enum role generation_reap(struct generation *g, pid_t pid);
bool generation_is_gone(const struct generation *g);
void generation_free(struct generation *g);

#endif
