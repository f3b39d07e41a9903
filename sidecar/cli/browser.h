/* SPDX-License-Identifier: Apache-2.0 */
/* Leading a person's browser to a link that nobody else may learn. */
#ifndef CLI_BROWSER_H
#define CLI_BROWSER_H

#include <limits.h>
#include <stdbool.h>

/*
 * Starts xdg-open, where there is one and a display. A link among its arguments would be there for
 * everyone to read in /proc, so it gets a file, mode 0600 in XDG_RUNTIME_DIR, which leads to the
 * link; without that folder nothing is started. Whether it was; path names the file then, which is
 * the caller's to remove.
 */
bool browser_start(const char *link, char path[static PATH_MAX]);

#endif
