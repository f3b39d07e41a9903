/* SPDX-License-Identifier: Apache-2.0 */
/* Who, besides root and this user, has a say in what a path leads to. */
#ifndef CONFIG_WAY_H
#define CONFIG_WAY_H

#include <stdbool.h>
#include <sys/stat.h>

enum { WAY_PATH_MAX = 4096 };

/* Whether a file is root's or ours, and neither its group nor others may write it. */
bool way_is_closed(const struct stat *st);
/* Whether it is on a file system that is mounted so, where nobody writes. */
bool way_is_read_only(const char *path);

/*
 * Whether nobody else can put another file where path leads: of the directories in which a part of
 * it is looked up, or a part of a link on its way, each is closed, and each such link is ours or
 * root's. A directory with the sticky bit does no harm (its entries are looked at themselves), nor
 * does one that is mounted read-only (a ConfigMap's is mode 0777). Says nothing of the file itself.
 * On false, where is the first that is not so, or cannot be followed.
 */
bool way_is_ours(const char *path, char where[static WAY_PATH_MAX]);

#endif
