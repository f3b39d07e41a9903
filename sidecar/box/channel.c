/* SPDX-License-Identifier: Apache-2.0 */
/*
 * On the wire: u8 message type, then the packed struct. One SEQPACKET message each. An
 * outgoing message waits in a queue while the socket is full.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "box/channel.h"

#include "base/rights.h"
#include "base/shortage.h"

enum {
	QUEUE_MAX = 4096,
	POOL_BYTES = 4096,
	PAUSE_MS = 50,
	AT_ONCE = 64, /* messages taken: a peer that never stops gets its turn like everybody */
};

struct queued {
	struct queued *next;
	int fd;
	size_t len;
	char bytes[];
};

struct channel {
	struct loop *loop;
	struct watch watch;
	struct channel_options o;
	struct queued *first, **last;
	size_t nqueued;
	int spare;          /* kept free for a descriptor that comes; -1: none could be had */
	struct timer pause; /* until there are descriptors, or memory, again */
	bool takes_fds, lost;
	bool in_handler, doomed; /* freed by its own handler: once that has returned */
};

/* Messages are read here; wiped after each, since values of secrets pass. */
static char inbox[MSG_BYTES_MAX];

int
channel_pair(int fds[2])
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0)
		return -1;
	(void)rights_let(fds[0], false);
	(void)rights_let(fds[1], false);
	return 0;
}

static void
lose(struct channel *c, const char *why)
{
	if (c->lost)
		return;
	c->lost = true;
	watch_stop(c->loop, &c->watch);
	timer_stop(c->loop, &c->pause);
	c->o.on_lost(c->o.arg, why);
}

/* ---- when the kernel has no more to give ---- */

/* Nothing is read or sent for a while, rather than tried again and again. */
static void
pause_a_while(struct channel *c)
{
	watch_set(c->loop, &c->watch, 0);
	timer_set(c->loop, &c->pause, PAUSE_MS);
}

static void
go_on(struct timer *t)
{
	struct channel *c = ev_owner(t, struct channel, pause);

	watch_set(c->loop, &c->watch, EPOLLIN | (c->first != NULL ? EPOLLOUT : 0u));
}

static bool
may_bring_fd(const struct channel *c)
{
	for (unsigned type = MSG_NONE + 1; type < MSG_TYPES; type++)
		if ((c->o.accepts >> type & 1) != 0 && msg_row((enum msg_type)type)->may_carry_fd)
			return true;
	return false;
}

/* A descriptor for which there is no place is lost to the kernel, and its message with it. */
static bool
take_spare(struct channel *c)
{
	if (c->spare < 0)
		c->spare = dup(c->watch.fd);
	return c->spare >= 0;
}

/* ---- sending ---- */

/* The socket is full, or the kernel short of something: no reason to lose a message. */
static bool
is_for_now(int error)
{
	return error == EAGAIN || error == EINTR || is_shortage(error);
}

/* Then the other end is closed, of which the read side tells. */
static bool
is_gone(int error)
{
	return error == EPIPE || error == ECONNRESET;
}

static ssize_t
send_with_fd(int sock, const char *bytes, size_t len, int fd)
{
	struct iovec iov = {(void *)(uintptr_t)bytes, len};
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control.room,
			   .msg_controllen = sizeof(control.room)};
	struct cmsghdr *head = CMSG_FIRSTHDR(&m);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &fd, sizeof(int));
	return sendmsg(sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* By sendmsg where it must: no box allows it but the keeper's. */
static ssize_t
send_one(int sock, const char *bytes, size_t len, int fd)
{
	if (fd >= 0)
		return send_with_fd(sock, bytes, len, fd);
	return send(sock, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void
queued_free(struct queued *q)
{
	explicit_bzero(q->bytes, q->len);
	if (q->fd >= 0)
		close(q->fd);
	free(q);
}

static int
enqueue(struct channel *c, const struct buf *b, int fd)
{
	struct queued *q;

	if (c->nqueued >= QUEUE_MAX)
		return -1;
	q = malloc(sizeof(*q) + b->len);
	if (q == NULL)
		abort();
	*q = (struct queued){NULL, -1, b->len};
	memcpy(q->bytes, b->ptr, b->len);
	if (fd >= 0) {
		q->fd = dup(fd);
		if (q->fd < 0) {
			queued_free(q);
			return -1;
		}
	}
	*c->last = q;
	c->last = &q->next;
	c->nqueued++;
	if (c->pause.slot == 0)
		watch_set(c->loop, &c->watch, EPOLLIN | EPOLLOUT);
	return 0;
}

/* At once, or behind what is waiting. */
static int
send_or_enqueue(struct channel *c, const struct buf *b, int fd)
{
	if (c->first != NULL)
		return enqueue(c, b, fd);
	if (send_one(c->watch.fd, b->ptr, b->len, fd) >= 0)
		return 0;
	if (is_for_now(errno))
		return enqueue(c, b, fd);
	if (!is_gone(errno))
		lose(c, "its channel cannot be written to");
	return -1;
}

int
channel_send(struct channel *c, enum msg_type type, const void *obj, int fd)
{
	struct buf b;
	char kind = (char)type;
	int bad;

	if (c->lost)
		return -1;
	assert(fd < 0 || msg_row(type)->may_carry_fd);
	buf_init(&b, MSG_BYTES_MAX);
	bad = buf_add_char(&b, kind) != 0 || pack_write(msg_row(type)->type, obj, &b) != 0;
	if (!bad)
		bad = send_or_enqueue(c, &b, fd);
	buf_free(&b);
	return bad ? -1 : 0;
}

static void
flush_queue(struct channel *c)
{
	while (c->first != NULL) {
		struct queued *q = c->first;

		if (send_one(c->watch.fd, q->bytes, q->len, q->fd) < 0) {
			if (is_shortage(errno))
				pause_a_while(c);
			else if (!is_for_now(errno) && !is_gone(errno))
				lose(c, "its channel cannot be written to");
			return;
		}
		c->first = q->next;
		if (c->first == NULL)
			c->last = &c->first;
		c->nqueued--;
		queued_free(q);
	}
	watch_set(c->loop, &c->watch, EPOLLIN);
}

/* ---- receiving ---- */

/* The one descriptor that came along, or -1; -2 for any other control data (all closed). */
static int
take_passed_fd(struct msghdr *m)
{
	int fd = -1;

	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h != NULL; h = CMSG_NXTHDR(m, h)) {
		size_t n;

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			return -2;
		n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int got;

			memcpy(&got, CMSG_DATA(h) + i * sizeof(int), sizeof(int));
			if (fd != -1) {
				close(got);
				close(fd);
				return -2;
			}
			fd = got;
		}
	}
	if ((m->msg_flags & MSG_CTRUNC) == 0)
		return fd;
	if (fd != -1)
		close(fd);
	return -2;
}

static const char *
handle(struct channel *c, size_t len, int fd)
{
	_Alignas(max_align_t) char room[POOL_BYTES];
	_Alignas(max_align_t) char obj[512];
	enum msg_type type = (unsigned char)inbox[0];
	const struct msg_row *row;
	struct pool pool;

	if (type == MSG_NONE || type >= MSG_TYPES || (c->o.accepts >> type & 1) == 0)
		return "it sent a message of a type that it may not send";
	row = msg_row(type);
	if (fd >= 0 && !row->may_carry_fd)
		return "it sent a descriptor with a message that carries none";
	assert(row->type->size <= sizeof(obj));
	pool_over(&pool, room, sizeof(room));
	if (pack_read(row->type, (struct span){inbox + 1, len - 1}, &pool, obj) != 0)
		return "it sent a message that does not fit its form";
	c->o.on_message(c->o.arg, type, obj, fd);
	return NULL;
}

/* Gives the spare place to what may come, and takes another after it. */
static ssize_t
receive(struct channel *c, struct msghdr *m)
{
	ssize_t n;
	int error;

	if (c->spare >= 0)
		close(c->spare);
	c->spare = -1;
	n = recvmsg(c->watch.fd, m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	error = errno;
	if (c->takes_fds)
		(void)take_spare(c);
	errno = error;
	return n;
}

static bool
receive_one(struct channel *c)
{
	struct iovec iov = {inbox, sizeof(inbox)};
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(2 * sizeof(int))];
	} control;
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control.room,
			   .msg_controllen = sizeof(control.room)};
	const char *wrong;
	ssize_t n;
	int fd;

	if (c->takes_fds && !take_spare(c)) {
		pause_a_while(c);
		return false;
	}
	n = receive(c, &m);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		lose(c, n == 0 || is_gone(errno) ? NULL : "its channel cannot be read");
		return false;
	}
	fd = take_passed_fd(&m);
	if (fd == -2 || (m.msg_flags & MSG_TRUNC) != 0) {
		lose(c, "it sent a message that is too large or carries too much");
		return false;
	}
	wrong = handle(c, (size_t)n, fd);
	explicit_bzero(inbox, (size_t)n);
	if (wrong == NULL)
		return true;
	if (fd >= 0)
		close(fd);
	lose(c, wrong);
	return false;
}

static void
really_free(struct channel *c)
{
	watch_stop(c->loop, &c->watch);
	timer_stop(c->loop, &c->pause);
	close(c->watch.fd);
	if (c->spare >= 0)
		close(c->spare);
	while (c->first != NULL) {
		struct queued *q = c->first;

		c->first = q->next;
		queued_free(q);
	}
	free(c);
}

static void
ready(struct watch *w, uint32_t events)
{
	struct channel *c = ev_owner(w, struct channel, watch);

	c->in_handler = true;
	if (events & EPOLLOUT)
		flush_queue(c);
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		for (int i = 0; i < AT_ONCE && !c->lost && !c->doomed && receive_one(c); i++)
			continue;
	c->in_handler = false;
	if (c->doomed)
		really_free(c);
}

struct channel *
channel_new(struct loop *l, int fd, const struct channel_options *o)
{
	struct channel *c = calloc(1, sizeof(*c));

	if (c == NULL)
		abort();
	*c = (struct channel){.loop = l, .watch = {fd, 0, ready}, .o = *o, .spare = -1};
	c->last = &c->first;
	c->pause.fn = go_on;
	c->takes_fds = may_bring_fd(c);
	if (c->takes_fds)
		(void)take_spare(c);
	watch_set(l, &c->watch, EPOLLIN);
	return c;
}

void
channel_accept(struct channel *c, enum msg_type type)
{
	assert(!msg_row(type)->may_carry_fd);
	c->o.accepts |= 1u << type;
}

void
channel_free(struct channel *c)
{
	if (c == NULL)
		return;
	if (c->in_handler)
		c->doomed = true;
	else
		really_free(c);
}
