/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "parent/listeners.h"

#include "base/auto.h"
#include "base/rights.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452 /* Linux 6.6 */
#endif

enum { BACKLOG = 1024, PROC_NAME_BYTES = 32 };

static int
open_tcp(const struct plan_listener *l)
{
	struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = htons(l->port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(l->port)};
	bool v6 = inet_pton(AF_INET, l->host.ptr, &in4.sin_addr) != 1;
	auto_close int fd = -1;
	int on = 1;

	if (v6 && inet_pton(AF_INET6, l->host.ptr, &in6.sin6_addr) != 1) {
		errno = EINVAL;
		return -1;
	}
	fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
		return -1;
	if (v6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0)
		return -1;
	if (bind(fd, v6 ? (const struct sockaddr *)&in6 : (const struct sockaddr *)&in4,
		 v6 ? sizeof(in6) : sizeof(in4)) != 0 ||
	    listen(fd, BACKLOG) != 0)
		return -1;
	return take_fd(&fd);
}

/* What a start left that ended between bind and set_access, or failed there. */
static bool
is_unfinished(const struct stat *st)
{
	return st->st_uid == geteuid() && (st->st_mode & 07777) == 0;
}

/*
 * A socket that nobody listens on any more is left over from a killed run; a live one is not
 * taken.
 */
static int
clear_stale(const struct sockaddr_un *un)
{
	struct stat st;
	auto_close int fd = -1;

	if (lstat(un->sun_path, &st) != 0)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISSOCK(st.st_mode)) {
		errno = EEXIST;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	/* EAGAIN: its owner takes nobody, and as many wait as it has room for. */
	if (connect(fd, (const struct sockaddr *)un, sizeof(*un)) == 0 || errno == EAGAIN) {
		errno = EADDRINUSE;
		return -1;
	}
	if (errno == ECONNREFUSED || (errno == EACCES && is_unfinished(&st)))
		return unlink(un->sun_path);
	return -1;
}

/* Of what an O_PATH descriptor stands for. A filter may refuse a call that it does not know. */
static int
set_mode(int fd, mode_t mode)
{
	char name[PROC_NAME_BYTES];

	if (syscall(SYS_fchmodat2, fd, "", mode, AT_EMPTY_PATH) == 0)
		return 0;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	if (chmod(name, mode) == 0)
		return 0;
	errno = errno == ENOENT ? EOPNOTSUPP : errno;
	return -1;
}

/*
 * Gives the socket that bind has just made its group and mode. Not by its path: in a directory that
 * others may write that may be a link by now, or another file of ours. No other has mode 0.
 */
static int
set_access(const char *path, const struct plan_listener *l)
{
	auto_close int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0)
		return -1;
	if (!S_ISSOCK(st.st_mode) || !is_unfinished(&st)) {
		errno = ESTALE;
		return -1;
	}
	if (l->group >= 0 && fchownat(fd, "", (uid_t)-1, (gid_t)l->group, AT_EMPTY_PATH) != 0)
		return -1;
	return set_mode(fd, (mode_t)l->mode);
}

/* Of mode 0: by the umask, and by the descriptor's own where an ACL of the directory rules. */
static int
bind_closed(int fd, const struct sockaddr_un *un)
{
	mode_t before = umask(0777);
	int bad;

	(void)fchmod(fd, 0);
	bad = bind(fd, (const struct sockaddr *)un, sizeof(*un));
	umask(before);
	return bad;
}

static int
open_unix(const struct plan_listener *l)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	auto_close int fd = -1;

	if (l->path.len >= sizeof(un.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(un.sun_path, l->path.ptr, l->path.len);
	if (clear_stale(&un) != 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	(void)rights_let(fd, false); /* an old kernel: rights_bear in ingress */
	/* Nobody gets in before the last of these. */
	if (bind_closed(fd, &un) != 0 || set_access(un.sun_path, l) != 0 ||
	    listen(fd, BACKLOG) != 0)
		return -1;
	return take_fd(&fd);
}

/* What to do about it; empty where the error says enough. */
static const char *
remedy(const struct plan_listener *l, int error)
{
	switch (error) {
	case EADDRINUSE:
		return "; another program holds it and would receive the agent's calls in "
		       "sidekey's place: find and end it (ss -ltnp), or choose another port in "
		       "`listen`";
	case EACCES:
		return l->is_unix ? "; choose a directory that sidekey's user may write"
				  : "; choose a port from 1024 up";
	case EADDRNOTAVAIL:
		return "; this machine does not have the address (ip addr)";
	case ENOENT:
		return "; make its directory, writable by sidekey's user";
	case EEXIST:
		return "; what lies there is no socket: remove it, or choose another path";
	case EOPNOTSUPP:
		return "; mount /proc, by which the socket is given its mode before Linux 6.6";
	case ESTALE:
		return "; what lies there is not the socket that was just made: choose a directory "
		       "that sidekey's user alone may write";
	default:
		return "";
	}
}

static void
explain(const struct plan_listener *l, int error, struct buf *why)
{
	(void)buf_addf(why, "cannot listen on %.*s: %s%s", (int)l->name.len, l->name.ptr,
		       strerrordesc_np(error), remedy(l, error));
}

int
listeners_open(const struct plans *plan, int *fds, struct buf *why)
{
	for (size_t i = 0; i < plan->nlisteners; i++) {
		const struct plan_listener *l = &plan->listeners[i];

		fds[i] = l->is_unix ? open_unix(l) : open_tcp(l);
		if (fds[i] >= 0)
			continue;
		explain(l, errno, why);
		while (i-- > 0)
			close(fds[i]);
		return -1;
	}
	return 0;
}

void
listeners_remove(const struct plans *plan)
{
	for (size_t i = 0; i < plan->nlisteners; i++)
		if (plan->listeners[i].is_unix)
			(void)unlink(plan->listeners[i].path.ptr);
}
