/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clocks put forward or set by a test. Only in the test build (SIDEKEY_TEST_HOOKS): the
 * parent's environment names a file, SIDEKEY_TEST_CLOCK=FILE, whose first eight bytes are
 * milliseconds that every process adds to its clocks from then on, as soon as it looks at them (the
 * keeper and egress do each second). The next eight are milliseconds for the wall clock alone,
 * which may also be put back. In the program itself these are empty.
 */
#ifndef EV_SHIFT_H
#define EV_SHIFT_H

#include <stdint.h>

#ifdef SIDEKEY_TEST_HOOKS

uint64_t shift_ms(void);
int64_t shift_wall_ms(void);

/* The third argument for a role that is to be started: the file, or NULL. */
char *shift_file(void);

#else

static inline uint64_t
shift_ms(void)
{
	return 0;
}

static inline int64_t
shift_wall_ms(void)
{
	return 0;
}

static inline char *
shift_file(void)
{
	return (char *)0;
}

#endif
#endif
