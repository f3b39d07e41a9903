/* SPDX-License-Identifier: Apache-2.0 */
/* Errors that are of the moment: no more descriptors, or no memory. */
#ifndef BASE_SHORTAGE_H
#define BASE_SHORTAGE_H

#include <errno.h>
#include <stdbool.h>

/*
 * Whether a descriptor could not be had because there are no more, or no memory: it may be had
 * later. Another error is of what was asked for, as EAFNOSUPPORT on a kernel without IPv6 is.
 */
static inline bool
is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

#endif
