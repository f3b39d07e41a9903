/* SPDX-License-Identifier: Apache-2.0 */
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/exposure.h"

#include "base/auto.h"
#include "config/way.h"

enum { GROUPS_MAX = 256 };

static bool
is_own_group(gid_t group)
{
	gid_t groups[GROUPS_MAX];
	int n = getgroups(GROUPS_MAX, groups);

	for (int i = 0; i < n; i++)
		if (groups[i] == group)
			return true;
	return group == getegid();
}

static bool
is_foreign(const struct stat *st)
{
	return st->st_uid != 0 && st->st_uid != geteuid();
}

/* A directory that lets nobody through closes off all that is below it. */
static int
look_above(char *path, struct exposure *e)
{
	struct stat st;

	do {
		dirname(path);
		if (stat(path, &st) != 0)
			return -1;
		if ((st.st_mode & S_IXOTH) == 0)
			e->others_read = e->others_write = false;
		if ((st.st_mode & (S_IXGRP | S_IXOTH)) == 0)
			e->group_read = e->group_write = false;
	} while (strcmp(path, "/") != 0);
	return 0;
}

int
exposure_of(const char *path, struct exposure *out)
{
	auto_free char *real = realpath(path, NULL);
	char where[WAY_PATH_MAX];
	struct exposure e;
	struct stat st;

	if (real == NULL || stat(real, &st) != 0)
		return -1;
	e = (struct exposure){.owner = st.st_uid,
			      .group = st.st_gid,
			      .mode = st.st_mode & 07777,
			      .foreign = is_foreign(&st),
			      .own_group = is_own_group(st.st_gid),
			      .others_read = (st.st_mode & S_IROTH) != 0,
			      .group_read = (st.st_mode & S_IRGRP) != 0,
			      .dir_write = !way_is_ours(path, where)};
	if (!way_is_read_only(real)) {
		e.others_write = (st.st_mode & S_IWOTH) != 0;
		e.group_write = (st.st_mode & S_IWGRP) != 0;
	}
	if (look_above(real, &e) != 0)
		return -1;
	*out = e;
	return 0;
}
