/* SPDX-License-Identifier: Apache-2.0 */
/* Errors that are of the moment: no more descriptors, buffers or memory. */
#ifndef BASE_SHORTAGE_H
#define BASE_SHORTAGE_H

#include <errno.h>
#include <stdbool.h>

/*
 * Whether a descriptor could not be had or sent because there are too many, or no memory: later it
 * may. Another error is of what was asked for, as EAFNOSUPPORT on a kernel without IPv6 is.
 */
static inline bool
is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM ||
	       error == ETOOMANYREFS;
}

#endif
