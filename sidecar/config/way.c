/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "config/way.h"

/* The kernel's own bounds. */
enum { LINKS_MAX = 40, NAME_BYTES = 256 };

struct walk {
	char at[WAY_PATH_MAX]; /* so far, without links; the root is empty */
	char rest[WAY_PATH_MAX];
	unsigned links;
};

static bool
is_ours(const struct stat *st)
{
	return st->st_uid == 0 || st->st_uid == geteuid();
}

bool
way_is_closed(const struct stat *st)
{
	return is_ours(st) && (st->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

bool
way_is_read_only(const char *path)
{
	struct statvfs fs;

	return statvfs(path, &fs) == 0 && (fs.f_flag & ST_RDONLY) != 0;
}

static bool
is_safe_directory(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return false;
	return way_is_closed(&st) || (is_ours(&st) && (st.st_mode & S_ISVTX) != 0) ||
	       way_is_read_only(path);
}

static void
go_up(struct walk *w)
{
	char *slash = strrchr(w->at, '/');

	if (slash != NULL)
		*slash = '\0';
}

/* In place of the link at w->at comes what it says. */
static bool
follow(struct walk *w)
{
	char target[WAY_PATH_MAX], rest[WAY_PATH_MAX];
	ssize_t n = readlink(w->at, target, sizeof(target) - 1);

	if (n <= 0 || ++w->links > LINKS_MAX)
		return false;
	target[n] = '\0';
	memcpy(rest, w->rest, sizeof(rest));
	if (snprintf(w->rest, sizeof(w->rest), "%s/%s", target, rest) >= (int)sizeof(w->rest))
		return false;
	if (target[0] == '/')
		w->at[0] = '\0';
	else
		go_up(w);
	return true;
}

/* One part of the path: looked up in the directory that w is at. */
static bool
look_up(struct walk *w, const char *name, size_t len, char where[static WAY_PATH_MAX])
{
	const char *dir = w->at[0] == '\0' ? "/" : w->at;
	size_t before = strlen(w->at);
	struct stat st;

	memcpy(where, dir, strlen(dir) + 1);
	if (!is_safe_directory(dir) || before + 1 + len >= sizeof(w->at))
		return false;
	w->at[before] = '/';
	memcpy(w->at + before + 1, name, len);
	w->at[before + 1 + len] = '\0';
	if (lstat(w->at, &st) == 0 &&
	    (!S_ISLNK(st.st_mode) || is_ours(&st) || way_is_read_only(where)))
		return !S_ISLNK(st.st_mode) || follow(w);
	memcpy(where, w->at, sizeof(w->at));
	return false;
}

static bool
begin(struct walk *w, const char *path)
{
	char here[WAY_PATH_MAX] = "";

	if (path[0] != '/' && getcwd(here, sizeof(here)) == NULL)
		return false;
	return snprintf(w->rest, sizeof(w->rest), "%s/%s", here, path) < (int)sizeof(w->rest);
}

bool
way_is_ours(const char *path, char where[static WAY_PATH_MAX])
{
	struct walk w = {0};

	snprintf(where, WAY_PATH_MAX, "%s", path);
	if (!begin(&w, path))
		return false;
	for (;;) {
		char name[NAME_BYTES];
		const char *start = w.rest + strspn(w.rest, "/");
		size_t len = strcspn(start, "/");

		if (len == 0)
			return true;
		if (len >= sizeof(name))
			return false;
		memcpy(name, start, len);
		name[len] = '\0';
		memmove(w.rest, start + len, strlen(start + len) + 1);
		if (strcmp(name, "..") == 0)
			go_up(&w);
		else if (strcmp(name, ".") != 0 && !look_up(&w, name, len, where))
			return false;
	}
}
