/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/fd.h"
#include "config/source.h"
#include "config/way.h"

enum source_fault
source_read(const char *path, struct buf *out, char where[static SOURCE_PATH_MAX])
{
	/* O_NONBLOCK: a FIFO must not hold us up. */
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	snprintf(where, SOURCE_PATH_MAX, "%s", path);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? SOURCE_ABSENT : SOURCE_UNREADABLE;
	if (fstat(fd, &st) != 0)
		return SOURCE_UNREADABLE;
	if (!S_ISREG(st.st_mode))
		return SOURCE_NOT_A_FILE;
	if (!way_is_closed(&st))
		return SOURCE_FOREIGN;
	if (!way_is_ours(path, where))
		return SOURCE_FOREIGN_DIR;
	if (fd_read_all(fd, out) != 0)
		return errno == EFBIG ? SOURCE_TOO_LARGE : SOURCE_UNREADABLE;
	return SOURCE_OK;
}
