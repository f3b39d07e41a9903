/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the kernel schedules this process (sched(7)). One that is woken usually preempts the one that
 * woke it, although that one is about to sleep. As long as both are runnable, the kernel wakes the
 * next in line, such as the agent whose answer comes, on another processor: where processors are
 * virtual and idle that costs more than all the work for a call. A process under SCHED_BATCH
 * preempts nobody, and a call then goes from one to the next on one processor. But it also waits
 * for the slice of whoever keeps that one busy. So it is SCHED_BATCH as long as, by the kernel's
 * count (/proc/self/schedstat), it hardly waits, and SCHED_OTHER else.
 */
#ifndef EV_PATIENCE_H
#define EV_PATIENCE_H

#include "ev/loop.h"

/*
 * The kernel's count, at the descriptor at; before the sandbox. Without it (no /proc, another
 * descriptor was free), or where the process was given a policy of its own, nothing will change:
 * then it is -1.
 */
int patience_open(int at);

struct patience { /* embed */
	struct source source;
	struct loop *loop;
	int fd;
	bool is_patient;
	uint64_t look_at; /* loop_now */
	uint64_t waited,
		ran; /* as of the last look: ns in which it could not run, how often it did */
};

/* fd is patience_open's. p looks by itself, when the loop turns anyway. */
void patience_start(struct patience *p, struct loop *l, int fd);

#endif
