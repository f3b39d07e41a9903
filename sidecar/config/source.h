/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a file that only its owner, us or root, can have written. */
#ifndef CONFIG_SOURCE_H
#define CONFIG_SOURCE_H

#include "base/buf.h"

enum source_fault {
	SOURCE_OK,
	SOURCE_ABSENT,
	SOURCE_UNREADABLE, /* errno says why */
	SOURCE_NOT_A_FILE,
	SOURCE_TOO_LARGE,
	SOURCE_FOREIGN,     /* the file: another uid owns it or may write it */
	SOURCE_FOREIGN_DIR, /* the same of a directory above it; *where is which */
};

enum { SOURCE_PATH_MAX = 4096 };

/*
 * Appends path's content to out. A directory with the sticky bit does no harm (its entries are
 * checked by themselves), nor does one that is mounted read-only (a ConfigMap's is mode 0777).
 * where: the path that is at fault.
 */
enum source_fault source_read(const char *path, struct buf *out,
			      char where[static SOURCE_PATH_MAX]);

#endif
