/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the log goes: standard error, whatever that is. A line is never waited for, since a role
 * that waits for the log's reader serves nobody: what a full pipe, a full disk or a reader that is
 * gone does not take is lost, and the log counts it. What is open is shared with others (a shell, a
 * command under exec), so that it cannot be made non-blocking itself.
 */
#ifndef BASE_SINK_H
#define BASE_SINK_H

#include "base/span.h"

/*
 * Opens a pipe or a terminal anew, so that not waiting can be asked of it; and where the first
 * three descriptors are closed, keeps their places from what is opened next. Once, in the process
 * that starts the others.
 */
void sink_own(void);

/* Finds out what standard error is; before the sandbox. Until then a line may be waited for. */
void sink_open(void);

/* Writes lines, each of which ends in a newline; returns how many are lost, wholly or in part. */
size_t sink_put(struct span lines);

#endif
