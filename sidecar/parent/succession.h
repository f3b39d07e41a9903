/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The generations over time: one serves, one may be coming, older ones finish what they have in
 * hand. The coming one takes over when calls would fare no worse with it: its roles are boxed
 * and each of its targets can be called, or was refused by the store; after 15 s without that, all
 * the same. But never does one that is not ready take over from one that is: then it is given up,
 * as it is when one of its roles dies or is not boxed within 10 s.
 */
#ifndef PARENT_SUCCESSION_H
#define PARENT_SUCCESSION_H

#include "parent/generation.h"

enum { SUCCESSION_MAX = 10 }; /* generations at a time: 8 of them finishing */

struct succession_events {
	/* The coming generation serves now. */
	void (*serving)(void *arg);
	/* The first one did not come up, or a role at work, or all of them, ended unasked. */
	void (*failed)(void *arg);
	/* The serving one has told how it stands. */
	void (*standing)(void *arg, struct generation_state state);
	/* A generation was given up, or has ended: there may be room for another, or none left. */
	void (*changed)(void *arg);
	void *arg;
};

struct succession {
	struct generation_options options;
	struct succession_events ev;
	struct generation *all[SUCCESSION_MAX];
	size_t n;
	struct generation *serving, *coming; /* NULL, or among them */
	struct timer limit;                  /* of the coming one */
	bool waiting;                        /* it is boxed, its targets are not settled */
	bool started;                        /* one has been ready while it served */
	bool ending;                         /* all were told to drain or to stop */
	uint32_t count;                      /* begun so far: the last one's number */
};

/* o's callback is the succession's own to set. */
void succession_init(struct succession *s, const struct generation_options *o,
		     const struct succession_events *ev);

/*
 * Begins the next generation, and sets its number and started in plan; there must be room and none
 * coming. 0, or -1 when a role cannot be started (logged).
 */
int succession_begin(struct succession *s, struct plans *plan);
bool succession_has_room(const struct succession *s);
bool succession_is_gone(const struct succession *s);

/* Every keeper fetches every slot now. */
void succession_refresh(struct succession *s);
/* No new calls; each generation ends when its last is done, or ms are over. */
void succession_drain(struct succession *s, uint64_t ms);
/* All are killed. */
void succession_kill(struct succession *s);

/* A child has ended, with waitpid's status. */
void succession_reap(struct succession *s, pid_t pid, int status);

#endif
