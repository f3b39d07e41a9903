/* SPDX-License-Identifier: Apache-2.0 */
#include <sched.h>

#include "policy/box/boxes.h"

#include "box/spawn.h"

/* ev/patience.h: of itself alone, and to these two policies alone. */
static const struct box_call calls[] = {
	WHEN("pread64", "how long it waits for a processor", EQ32(0, SPAWN_WAITS)),
	WHEN("sched_setscheduler", "to wait its turn", EQ32(0, 0), EQ32(1, SCHED_BATCH)),
	WHEN("sched_setscheduler", "to preempt, like anybody", EQ32(0, 0), EQ32(1, SCHED_OTHER)),
};

const struct box patient_box = {"patient", BOX_CALLS(calls), NULL, false, false, false};
