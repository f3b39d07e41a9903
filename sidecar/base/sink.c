/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sink.h"

#include "base/auto.h"
#include "base/fd.h"

static struct {
	enum { SINK_WRITTEN, SINK_SOCKET, SINK_ASKED } kind;
	bool torn; /* the last line went out without its end */
} sink;

/* What may be waited for: a disk is not. */
static bool
may_wait(void)
{
	struct stat st;

	return fstat(STDERR_FILENO, &st) == 0 &&
	       (S_ISFIFO(st.st_mode) || (S_ISCHR(st.st_mode) && isatty(STDERR_FILENO)));
}

/* Who may not open it again, since it is another user's, asks before each write. */
void
sink_own(void)
{
	auto_close int own = -1;

	(void)fd_keep_places();
	(void)fcntl(STDERR_FILENO, F_SETFD, 0); /* in a role, too, nothing else is to come there */
	if (may_wait())
		own = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (own >= 0)
		(void)dup2(own, STDERR_FILENO);
}

void
sink_open(void)
{
	struct stat st;

	if (fstat(STDERR_FILENO, &st) == 0 && S_ISSOCK(st.st_mode))
		sink.kind = SINK_SOCKET;
	else if (may_wait() && (fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK) == 0)
		sink.kind = SINK_ASKED;
	else
		sink.kind = SINK_WRITTEN;
}

static ssize_t
send_piece(struct span piece)
{
	return send(STDERR_FILENO, piece.ptr, piece.len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* A pipe that says yes takes PIPE_BUF bytes; unless another role's line comes in between. */
static ssize_t
write_if_asked(struct span piece)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};

	if (poll(&p, 1, 0) == 1)
		return write(STDERR_FILENO, piece.ptr, piece.len < PIPE_BUF ? piece.len : PIPE_BUF);
	errno = EAGAIN;
	return -1;
}

static ssize_t
put_some(struct span piece)
{
	if (sink.kind == SINK_SOCKET)
		return send_piece(piece);
	if (sink.kind == SINK_ASKED)
		return write_if_asked(piece);
	return write(STDERR_FILENO, piece.ptr, piece.len);
}

/* Returns what is left of rest. */
static struct span
put_most(struct span rest)
{
	while (rest.len > 0) {
		ssize_t n = put_some(rest);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		sink.torn = rest.ptr[n - 1] != '\n';
		rest = span_cut(rest, (size_t)n, rest.len);
	}
	return rest;
}

/* In one write, so that lines of several processes do not mix. */
size_t
sink_put(struct span lines)
{
	if (sink.torn && put_most(SPAN("\n")).len > 0)
		return span_count(lines, '\n');
	return span_count(put_most(lines), '\n');
}
