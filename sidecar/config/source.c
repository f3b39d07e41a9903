/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "config/source.h"

static bool
is_ours(const struct stat *st)
{
	return st->st_uid == 0 || st->st_uid == geteuid();
}

static bool
others_may_write(const struct stat *st)
{
	return (st->st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

static bool
is_safe_directory(const char *path)
{
	struct statvfs fs;
	struct stat st;

	if (stat(path, &st) != 0)
		return false;
	if (is_ours(&st) && (!others_may_write(&st) || (st.st_mode & S_ISVTX) != 0))
		return true;
	return statvfs(path, &fs) == 0 && (fs.f_flag & ST_RDONLY) != 0;
}

/* Every directory from that of an absolute path, without links, up to the root. */
static bool
are_safe_above(const char *path, char where[static SOURCE_PATH_MAX])
{
	if (snprintf(where, SOURCE_PATH_MAX, "%s", path) >= SOURCE_PATH_MAX)
		return false;
	do {
		dirname(where);
		if (!is_safe_directory(where))
			return false;
	} while (strcmp(where, "/") != 0);
	return true;
}

/* The directories of the file itself, and those of the name it was asked for by. */
static bool
is_safe_path(const char *path, char where[static SOURCE_PATH_MAX])
{
	auto_free char *real = realpath(path, NULL);
	auto_free char *real_dir = NULL;
	char name[SOURCE_PATH_MAX];

	if (real == NULL || snprintf(name, sizeof(name), "%s", path) >= (int)sizeof(name))
		return false;
	real_dir = realpath(dirname(name), NULL);
	/* A name inside the directory, so that the walk starts with the directory. */
	if (real_dir == NULL ||
	    snprintf(name, sizeof(name), "%s/x", strcmp(real_dir, "/") == 0 ? "" : real_dir) >=
		    (int)sizeof(name))
		return false;
	return are_safe_above(real, where) && are_safe_above(name, where);
}

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
	if (!is_ours(&st) || others_may_write(&st))
		return SOURCE_FOREIGN;
	if (!is_safe_path(path, where))
		return SOURCE_FOREIGN_DIR;
	if (fd_read_all(fd, out) != 0)
		return errno == EFBIG ? SOURCE_TOO_LARGE : SOURCE_UNREADABLE;
	return SOURCE_OK;
}
