/* SPDX-License-Identifier: Apache-2.0 */
/* One set of the four roles over one configuration: started together, ended together. */
#ifndef PARENT_GENERATION_H
#define PARENT_GENERATION_H

#include "box/channel.h"
#include "box/spawn.h"
#include "config/project.h"

struct generation;

/* What its roles have said. */
struct generation_state {
	uint32_t number; /* plan.ingress.generation */
	bool boxed;      /* all four are boxed and at work */
	bool ready;      /* every required target can be called */
	bool settled;    /* waiting longer would change nothing */
	bool drained;    /* ingress has nothing left to do */
};

struct generation_options {
	struct loop *loop;
	int self;             /* our own file (spawn_self) */
	const int *listeners; /* as many as the plans name */
	int limits;           /* limits_create's: the same for every generation */
	const struct environment *env;
	void (*changed)(void *arg, struct generation *g); /* its state */
	/* A role tells what it found (MSG_REPORT_…); NULL: none is due. */
	void (*report)(void *arg, enum msg_type type, const void *obj);
	void *arg;
};

/*
 * Starts the roles of plan; its ingress accepts nothing before generation_accept. The variables
 * that plan.env_names lists go to the keeper alone. NULL when a role cannot be started (errno).
 */
struct generation *generation_start(const struct generation_options *o, const struct plans *plan);

struct generation_state generation_state(const struct generation *g);

/* Ingress takes connections from now on. */
void generation_accept(struct generation *g);
/* Ingress takes no new connection; drained when the last one has ended by itself. */
void generation_retire(struct generation *g);
/* Nor a new call; drained when the last is done, or ms are over. */
void generation_drain(struct generation *g, uint64_t ms);
/*
 * Closes the channels, by which the roles end by themselves, and kills those that have not after
 * two seconds; kill: end them now.
 */
void generation_stop(struct generation *g, bool kill);
bool generation_is_stopping(const struct generation *g);
/* Whether a role that ended with status (waitpid's) did as generation_stop wants. */
bool generation_asked_for(const struct generation *g, int status);
/* Asks the keeper to fetch every slot now. */
void generation_refresh(struct generation *g);

/* The role of pid, which has ended and is struck off; ROLE_NONE when it is not of g. */
enum role generation_reap(struct generation *g, pid_t pid);
bool generation_is_gone(const struct generation *g);
void generation_free(struct generation *g);

#endif
