/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/find.h"

#include "base/auto.h"
#include "base/num.h"
#include "box/spawn.h"
#include "cli/help.h"
#include "cli/printable.h"
#include "cli/procfs.h"
#include "config/config.h"

enum { RUNNING_MAX = 16, ARGUMENTS_MAX = 2 * RUNNING_CONFIG_MAX, WORDS_MAX = 8 };

/* Arguments, each with its NUL, as main gets them; how many, or 0: more than there is room for. */
static int
split(char *arguments, size_t len, char *argv[static WORDS_MAX])
{
	int n = 0;

	for (char *at = arguments; at < arguments + len; at += strlen(at) + 1) {
		if (n == WORDS_MAX)
			return 0;
		argv[n++] = at;
	}
	return n;
}

/* Whether they are those of a parent; config gets the file that is named. */
static bool
serves(char *arguments, size_t len, char config[static RUNNING_CONFIG_MAX])
{
	char *argv[WORDS_MAX];
	const char *file = "";
	int argc = split(arguments, len, argv);

	if (argc == 0 || role_of(argv[0]) != ROLE_NONE)
		return false;
	for (int i = argc > 1 && strcmp(argv[1], "serve") == 0 ? 2 : 1; i < argc; i++)
		if (!help_config(argc, argv, &i, &file))
			return false;
	snprintf(config, RUNNING_CONFIG_MAX, "%s", file);
	return true;
}

/*
 * Whether it is a parent of this user. The directory of a process that is not dumpable is root's:
 * its status tells whose it is.
 */
static bool
is_running(const struct process *p, const struct process *self, struct running *out)
{
	auto_buf struct buf arguments = {0};
	char path[64];

	if (p->pid == self->pid || p->uid != self->uid || strcmp(p->name, self->name) != 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)p->pid);
	buf_init(&arguments, ARGUMENTS_MAX);
	out->pid = p->pid;
	return procfs_read(path, &arguments) == 0 && buf_add_char(&arguments, '\0') == 0 &&
	       serves(arguments.ptr, arguments.len - 1, out->config);
}

/* How many of them are in found. */
static size_t
find_running(struct running found[static RUNNING_MAX])
{
	struct process self, p;
	const struct dirent *entry;
	DIR *proc = process_read(0, &self) ? opendir("/proc") : NULL;
	size_t n = 0;

	while (proc != NULL && n < RUNNING_MAX && (entry = readdir(proc)) != NULL) {
		uint64_t number;

		if (num_u64(span_of(entry->d_name), INT32_MAX, &number) == 0 &&
		    process_read((pid_t)number, &p) && is_running(&p, &self, &found[n]))
			n++;
	}
	if (proc != NULL)
		closedir(proc);
	return n;
}

/* One file may have several names; a relative one counts from a directory that is not ours. */
static bool
is_same_file(const char *a, const char *b)
{
	struct stat x, y;

	if (strcmp(a, b) == 0)
		return true;
	return b[0] == '/' && stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

static void
list(const struct running *found, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		fprintf(stderr, "  --pid %d  started %s", (int)found[i].pid,
			found[i].config[0] != '\0' ? "with -c " : "without -c");
		printable_put(span_of(found[i].config), stderr);
		putc('\n', stderr);
	}
}

/* Whether config is the file that one reads which is started without -c, in this environment. */
static bool
is_file_of_environment(const char *config)
{
	const struct config_source source = {NULL, config_own_environment()};
	char place[CONFIG_PATH_MAX];
	const char *path = config_find(&source, place);

	return path != NULL && is_same_file(config, path);
}

/* How many of found were started with that file, or without -c where unnamed; *at is the last. */
static size_t
count(const struct running *found, size_t all, const char *config, bool unnamed, size_t *at)
{
	size_t n = 0;

	for (size_t i = 0; i < all; i++)
		if (unnamed ? found[i].config[0] == '\0' : is_same_file(config, found[i].config)) {
			*at = i;
			n++;
		}
	return n;
}

/*
 * The same of those that are meant. Whoever runs as this user may name that file in its arguments;
 * what another was started with in its environment nobody sees: where both are there, neither is
 * told from the other.
 */
static size_t
count_meant(const struct running *found, size_t all, pid_t pid, const char *config, size_t *at)
{
	size_t n = 0;

	if (pid == 0 && config != NULL) {
		n = count(found, all, config, false, at);
		return is_file_of_environment(config) ? n + count(found, all, config, true, at) : n;
	}
	for (size_t i = 0; i < all; i++)
		if (pid == 0 || found[i].pid == pid) {
			*at = i;
			n++;
		}
	return n;
}

int
find_the_one(const char *verb, pid_t pid, const char *config, struct running *out)
{
	static struct running found[RUNNING_MAX];
	size_t all = find_running(found), at = 0;
	size_t n = count_meant(found, all, pid, config, &at);

	/* Beyond the last that there is room for, there may be another that is meant. */
	if (n == 1 && (pid != 0 || all < RUNNING_MAX)) {
		*out = found[at];
		return 0;
	}
	if (all == 0)
		fprintf(stderr, "sidekey %s: no sidekey of this user is running here\n", verb);
	else if (pid != 0)
		fprintf(stderr, "sidekey %s: process %d is not a running sidekey; these are:\n",
			verb, (int)pid);
	else if (n == 0)
		fprintf(stderr,
			"sidekey %s: no running sidekey was started with -c %s, and SIDEKEY_CONFIG "
			"of another process cannot be seen; name the one that is meant:\n",
			verb, config);
	else
		fprintf(stderr, "sidekey %s: several are running; name one:\n", verb);
	list(found, all);
	return -1;
}
