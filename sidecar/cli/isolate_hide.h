/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an isolated command must not find: the directories of sockets and of temporary files, the
 * files that references of the configuration name, those of the cloud identity, and each Unix
 * socket that stands in a directory where one was bound.
 */
#ifndef CLI_ISOLATE_HIDE_H
#define CLI_ISOLATE_HIDE_H

#include "base/buf.h"
#include "config/project.h"

/* Of each list; the second, of all that init is told: them, and an environment. */
enum { HIDDEN_MAX = 8 * 1024 * 1024, ORDERS_MAX = 4 * HIDDEN_MAX };

struct hidden {
	/* Absolute paths, a NUL behind each; some are not there. What is kept is read-only. */
	struct buf directories, files, kept;
	bool is_partial; /* something could not be listed */
};

void hidden_init(struct hidden *h);
void hidden_free(struct hidden *h);

/*
 * Lists it. The directory of a secret file is hidden as a whole, since a file that is replaced
 * under its name would show: but not one that the command may need, which is the home or the
 * working directory or above it, or one of the system's. Of a name that is a link, so is what it
 * leads to. A socket bound by a relative name is looked for where processes stand that this user
 * may see. Kept are the files of authorities, which are no secret. env: where HOME stands. -1:
 * /proc/net/unix cannot be read, or there is more than HIDDEN_MAX.
 */
int hidden_fill(struct hidden *h, const struct plans *plans, const struct environment *env);

/* Whether path is dir or below it. */
bool hidden_is_within(const char *path, const char *dir);

#endif
