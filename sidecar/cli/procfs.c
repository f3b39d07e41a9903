/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/procfs.h"

#include "base/auto.h"
#include "base/fd.h"
#include "base/num.h"
#include "box/spawn.h"

enum { PATH_MAX_BYTES = 64, ANCESTORS = 32, PIECE = 4096 };

int
procfs_read(const char *path, struct buf *out)
{
	/* O_NONBLOCK: a FIFO must not hold us up. */
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	return fd >= 0 && (fd_read_all(fd, out) == 0 || errno == EFBIG) ? 0 : -1;
}

bool
procfs_number(const char *path, uint64_t *out)
{
	auto_buf struct buf text = {0};

	buf_init(&text, PATH_MAX_BYTES);
	if (procfs_read(path, &text) != 0)
		return false;
	return num_u64(span_cut(buf_span(&text), 0, span_find(buf_span(&text), 0, '\n')),
		       UINT64_MAX, out) == 0;
}

/* The n-th word behind "\nname:\t"; empty when there is none. */
static struct span
field(struct span status, const char *name, unsigned word)
{
	const char *line = memmem(status.ptr, status.len, name, strlen(name));
	struct span rest;
	size_t start = 0;

	if (line == NULL)
		return SPAN("");
	line += strlen(name);
	rest = (struct span){line, status.len - (size_t)(line - status.ptr)};
	rest = span_cut(rest, 0, span_find(rest, 0, '\n'));
	for (; word > 0; word--)
		start = span_find(rest, start, '\t') + 1;
	return span_cut(rest, start, span_find(rest, start, '\t'));
}

bool
process_parse(struct span status, struct process *out)
{
	struct span name = field(status, "Name:\t", 0);
	uint64_t uid, parent, caps, privs = 0;

	if (!span_starts(status, SPAN("Name:\t")) ||
	    num_u64(field(status, "\nPPid:\t", 0), INT32_MAX, &parent) != 0 ||
	    num_u64(field(status, "\nUid:\t", 1), UINT32_MAX, &uid) != 0 ||
	    num_hex(field(status, "\nCapEff:\t", 0), UINT64_MAX, &caps) != 0)
		return false;
	(void)num_u64(field(status, "\nNoNewPrivs:\t", 0), 1, &privs);
	out->parent = (pid_t)parent;
	out->uid = (uint32_t)uid;
	out->caps = caps;
	out->no_new_privs = privs == 1;
	out->is_kernel = field(status, "\nVmSize:\t", 0).len == 0;
	snprintf(out->name, sizeof(out->name), "%.*s", (int)name.len, name.ptr);
	return true;
}

static bool
is_sidekey(pid_t pid, const char *name)
{
	char path[PATH_MAX_BYTES];
	auto_buf struct buf text = {0};
	struct span argument;

	if (strcmp(name, "sidekey") == 0)
		return true;
	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	buf_init(&text, PIECE);
	if (procfs_read(path, &text) != 0 || buf_add_char(&text, '\0') != 0 || text.len < 2)
		return false;
	argument = span_of(text.ptr);
	return role_of(text.ptr) != ROLE_NONE || span_is(argument, "sidekey") ||
	       span_ends(argument, SPAN("/sidekey"));
}

bool
process_read(pid_t pid, struct process *out)
{
	char path[PATH_MAX_BYTES] = "/proc/self/status";
	auto_buf struct buf text = {0};
	struct process p = {.pid = pid == 0 ? getpid() : pid};

	if (pid != 0)
		snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	buf_init(&text, PROCFS_MAX);
	if (procfs_read(path, &text) != 0 || !process_parse(buf_span(&text), &p))
		return false;
	*out = p;
	return true;
}

/* This process and its ancestors; their number. */
static size_t
find_family(pid_t family[static ANCESTORS])
{
	struct process p = {.parent = getppid()};
	size_t n = 0;

	family[n++] = getpid();
	while (n < ANCESTORS && p.parent > 0) {
		family[n++] = p.parent;
		if (!process_read(p.parent, &p))
			break;
	}
	return n;
}

static bool
is_among(pid_t pid, const pid_t *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == pid)
			return true;
	return false;
}

int
processes_visit(void (*fn)(void *arg, const struct process *p), void *arg)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	pid_t family[ANCESTORS];
	bool sees_itself = false;
	size_t n;

	if (proc == NULL)
		return -1;
	n = find_family(family);
	while ((entry = readdir(proc)) != NULL) {
		struct process p;
		uint64_t pid;

		if (num_u64(span_of(entry->d_name), INT32_MAX, &pid) != 0)
			continue;
		sees_itself = sees_itself || (pid_t)pid == getpid();
		if ((pid_t)pid == getpid() || !process_read((pid_t)pid, &p) || p.is_kernel)
			continue;
		p.is_sidekey = is_sidekey(p.pid, p.name);
		if (p.is_sidekey || !is_among((pid_t)pid, family, n))
			fn(arg, &p);
	}
	closedir(proc);
	return sees_itself ? 0 : -1;
}
