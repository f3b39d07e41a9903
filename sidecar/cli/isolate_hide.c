/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/isolate_hide.h"

#include "aws/arn.h"
#include "base/auto.h"
#include "base/shortage.h"
#include "config/plan_identity.h"

/*
 * Sockets of services, temporary files with agents' sockets, and groups of processes, which their
 * user may kill by a file.
 */
static const char *const always[] = {"/run", "/var/run", "/tmp", "/sys/fs/cgroup"};

/* Beside the secret file, programs have what they need there. */
static const char *const shared[] = {
	"/",     "/etc",   "/etc/ssl", "/etc/ssl/certs", "/etc/ssl/private",
	"/home", "/media", "/mnt",     "/opt",           "/root",
	"/srv",  "/usr",   "/var",     "/var/lib",
};

void
hidden_init(struct hidden *h)
{
	h->is_partial = false;
	buf_init(&h->directories, HIDDEN_MAX);
	buf_init(&h->files, HIDDEN_MAX);
	buf_init(&h->kept, HIDDEN_MAX);
}

void
hidden_free(struct hidden *h)
{
	buf_free(&h->directories);
	buf_free(&h->files);
	buf_free(&h->kept);
}

bool
hidden_is_within(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	if (strcmp(dir, "/") == 0)
		return true;
	return strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static void
add(struct hidden *h, struct buf *list, const char *path)
{
	if (buf_add(list, path, strlen(path) + 1) != 0)
		h->is_partial = true;
}

/* By its name without links, which may be another's of the same directory. */
static bool
is_needed(const char *dir, const char *home)
{
	auto_free char *real = realpath(dir, NULL), *work = getcwd(NULL, 0);

	if (real == NULL)
		return false;
	for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++)
		if (strcmp(real, shared[i]) == 0)
			return true;
	return (home != NULL && hidden_is_within(home, real)) ||
	       (work != NULL && hidden_is_within(work, real));
}

static void
add_with_directory(struct hidden *h, const char *path, const char *home)
{
	char dir[PATH_MAX];

	snprintf(dir, sizeof(dir), "%s", path);
	add(h, &h->files, path);
	if (!is_needed(dirname(dir), home))
		add(h, &h->directories, dir);
}

/* Where the name is a link, or behind one, what it leads to can be read by a name of its own. */
static void
add_file(struct hidden *h, struct span file, const char *home)
{
	auto_free char *real = NULL;
	char path[PATH_MAX];

	if (file.len == 0 ||
	    snprintf(path, sizeof(path), "%.*s", (int)file.len, file.ptr) >= (int)sizeof(path))
		return;
	add_with_directory(h, path, home);
	real = realpath(path, NULL);
	if (real != NULL && strcmp(real, path) != 0)
		add_with_directory(h, real, home);
}

/*
 * Authorities' certificates are no secret, and programs look for them too. But the next run would
 * trust whom the command writes there.
 */
static bool
is_authority(const struct keeper_plan *k, size_t slot)
{
	for (size_t i = 0; i < k->ntargets; i++)
		if (k->targets[i].ca == slot)
			return true;
	return false;
}

/* By its own name alone: what is mounted on a link is mounted on what it leads to. */
static void
keep_file(struct hidden *h, struct span file)
{
	if (buf_add_span(&h->kept, file) != 0 || buf_add_char(&h->kept, '\0') != 0)
		h->is_partial = true;
}

static void
add_references(struct hidden *h, const struct keeper_plan *k, const char *home)
{
	for (size_t i = 0; i < k->nslots; i++) {
		struct reference ref;

		if (k->slots[i].kind != REFERENCE_FILE ||
		    reference_parse(k->slots[i].reference, &ref) != REFERENCE_OK)
			continue;
		if (is_authority(k, i))
			keep_file(h, ref.name);
		else
			add_file(h, ref.name, home);
	}
	for (size_t i = 0; i < k->nidentities; i++) {
		add_file(h, k->identities[i].token_file, home);
		add_file(h, k->identities[i].config_file, home);
		add_file(h, k->identities[i].credentials_file, home);
		add_file(h, k->identities[i].sso_cache, home);
	}
}

/* ---- Unix sockets ---- */

static bool
is_socket(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

static bool
has(const struct buf *list, const char *path)
{
	for (size_t at = 0; at < list->len; at += strlen(list->ptr + at) + 1)
		if (strcmp(list->ptr + at, path) == 0)
			return true;
	return false;
}

static void
add_sockets_in(struct hidden *h, const char *dir)
{
	DIR *d = opendir(dir);
	const struct dirent *entry;
	char path[PATH_MAX];

	if (d == NULL && is_shortage(errno))
		h->is_partial = true;
	while (d != NULL && (entry = readdir(d)) != NULL)
		if ((entry->d_type == DT_SOCK || entry->d_type == DT_UNKNOWN) &&
		    snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name) < PATH_MAX &&
		    is_socket(path))
			add(h, &h->files, path);
	if (d != NULL)
		closedir(d);
}

/* seen: what was read, each but once. */
static void
add_directory(struct hidden *h, const char *dir, struct buf *seen)
{
	auto_free char *real = realpath(dir, NULL);

	if (real == NULL || has(seen, real))
		return;
	add(h, seen, real);
	add_sockets_in(h, real);
}

/* Whoever bound a socket by a relative name stands where it did, as a rule; root alone sees all. */
static void
add_relative(struct hidden *h, const char *dir, struct buf *seen)
{
	glob_t places = {0};
	char path[PATH_MAX];

	if (has(seen, dir))
		return;
	add(h, seen, dir);
	if (glob("/proc/[0-9]*/cwd", GLOB_NOSORT, NULL, &places) == GLOB_NOSPACE)
		h->is_partial = true;
	for (size_t i = 0; i < places.gl_pathc; i++)
		if (snprintf(path, sizeof(path), "%s/%s", places.gl_pathv[i], dir) < PATH_MAX)
			add_directory(h, path, seen);
	globfree(&places);
}

/* Of a line `Num RefCount Protocol Flags Type St Inode Path` (proc(5)); empty without a name. */
static char *
path_of(char *line)
{
	enum { BEFORE = 7 };

	line[strcspn(line, "\n")] = '\0';
	for (int i = 0; i < BEFORE; i++) {
		line += strspn(line, " ");
		line += strcspn(line, " ");
	}
	return *line == ' ' ? line + 1 : line;
}

/*
 * The table tells names as they were at bind(2). A socket may have another since, most often in the
 * same directory: OpenSSH's ControlPath has. Abstract ones, with an @, stay in the network outside.
 */
static void
add_sockets(struct hidden *h)
{
	FILE *table = fopen("/proc/net/unix", "re");
	auto_free char *line = NULL;
	auto_buf struct buf seen = {0};
	size_t size = 0;
	bool has_head = table != NULL && getline(&line, &size, table) > 0;

	buf_init(&seen, HIDDEN_MAX);
	while (has_head && getline(&line, &size, table) > 0) {
		char *path = path_of(line);

		if (path[0] == '/') {
			add(h, &h->files, path);
			add_directory(h, dirname(path), &seen);
		} else if (path[0] != '\0' && path[0] != '@') {
			add_relative(h, dirname(path), &seen);
		}
	}
	if (!has_head || !feof(table))
		h->is_partial = true;
	if (table != NULL)
		fclose(table);
}

/* ---- all of it ---- */

int
hidden_fill(struct hidden *h, const struct plans *plans, const struct environment *env)
{
	const char *home = env->get(env->arg, "HOME");
	const char *sockets = env->get(env->arg, "XDG_RUNTIME_DIR");
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		add(h, &h->directories, always[i]);
	if (sockets != NULL && sockets[0] == '/')
		add(h, &h->directories, sockets);
	if (home != NULL && home[0] == '/' &&
	    snprintf(path, sizeof(path), "%s/.aws", home) < (int)sizeof(path))
		add(h, &h->directories, path);
	add_references(h, &plans->keeper, home);
	add_sockets(h);
	return h->is_partial ? -1 : 0;
}
