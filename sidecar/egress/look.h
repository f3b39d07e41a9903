/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The refused calls of one target that wait while the keeper looks for newer secrets: one look
 * for all of them, and the memory of which looks were in vain.
 *
 * That memory is kept for calls that are alike (struct look_print: kind of refusal, method, path,
 * model), and not for the target: whoever repeats a call that no key will ever be good for has
 * only that call's refusals passed on at once, and the same refusal of any other call still
 * brings a look, so that nobody's rotation is missed for his sake. What a crowd of calls that are
 * all different can ask for is bounded by the keeper, which looks at a target once a second and
 * makes the rest wait (keeper/rotation.c).
 */
#ifndef EGRESS_LOOK_H
#define EGRESS_LOOK_H

#include "egress/refusal.h"

enum { LOOK_VAIN_MAX = 32, LOOK_PRINT_LEN = 32 };

/* Equal for calls that are alike. */
struct look_print {
	char hex[LOOK_PRINT_LEN]; /* of a SHA-256 */
};

struct look_call { /* embedded in the refused call */
	struct look_call *next;
	bool waits;
	bool late; /* it came while a look was under way, which may have missed what refused it */
	struct look_print print;
	/* The keeper has looked. True: there is a newer secret, and the call is sent again. */
	bool (*again)(struct look_call *c);
	/* It was in vain: the refusal is to be passed on. */
	void (*pass_on)(struct look_call *c);
};

struct look_vain {
	struct look_print print;
	uint64_t until; /* no look for such a call before; 0: a free place */
	uint64_t wait_ms;
};

struct look { /* of one target; all zero at first */
	bool under_way;
	bool told_slow; /* that a look takes too long, once for each */
	struct look_call *waiting;
	struct look_call *ended; /* those whose look has ended, while they are gone through */
	struct look_vain vain[LOOK_VAIN_MAX];
};

void look_print(struct look_print *out, enum refusal kind, struct span method, struct span target,
		struct span model);

enum look_answer {
	LOOK_IN_VAIN, /* that was looked for already: pass the refusal on */
	LOOK_WAIT,    /* a look is under way: c waits for its end */
	LOOK_ASK,     /* c waits, and the keeper is to be asked */
};

/* Whether c's refusal is worth a look; now: loop_now. */
enum look_answer look_join(struct look *l, struct look_call *c, uint64_t now);

/* c waits no longer; nothing happens if it did not. */
void look_leave(struct look *l, struct look_call *c);
/* The look takes too long for c: it counts as in vain. True the first time in a look. */
bool look_late(struct look *l, struct look_call *c, uint64_t now);

struct look_outcome {
	unsigned again, passed_on;
	bool ask; /* for those that came too late for the look that has ended */
};

/* The keeper has looked: goes through all that wait. Calls may leave meanwhile, not join. */
struct look_outcome look_ended(struct look *l, uint64_t now);

/* A secret of the target has changed: what was in vain before may help now. */
void look_changed(struct look *l);

#endif
