/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a file that only its owner, us or root, can have written. */
#ifndef CONFIG_SOURCE_H
#define CONFIG_SOURCE_H

#include "base/buf.h"
#include "config/way.h"

enum source_fault {
	SOURCE_OK,
	SOURCE_ABSENT,
	SOURCE_UNREADABLE, /* errno says why */
	SOURCE_NOT_A_FILE,
	SOURCE_TOO_LARGE,
	SOURCE_FOREIGN,     /* the file: another uid owns it or may write it */
	SOURCE_FOREIGN_DIR, /* the same of what is on its way (way.h); *where is which */
};

enum { SOURCE_PATH_MAX = WAY_PATH_MAX };

/* Appends path's content to out. where: the path that is at fault. */
enum source_fault source_read(const char *path, struct buf *out,
			      char where[static SOURCE_PATH_MAX]);

#endif
