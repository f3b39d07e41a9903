/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/box/boxes.h"

#ifdef SIDEKEY_COVERAGE

/* Only in the build of `make coverage`: what a role's start takes besides. */
static const struct box_call calls[] = {
	ANY("shmget", "tests/coverage/counters.c"),
	ANY("shmat", "tests/coverage/counters.c"),
};

const struct box coverage_box = {"coverage", BOX_CALLS(calls), NULL, false, false, false};

#else

const struct box coverage_box = {"coverage", NULL, 0, NULL, false, false, false};

#endif
