/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ingress/listen.h"

#include "base/log.h"
#include "base/shortage.h"
#include "ingress/call.h"
#include "ingress/conn.h"
#include "ingress/reply.h"

enum {
	ACCEPTS_A_ROUND = 64,
	PAUSE_MS = 100,
	ADMIN_RESERVE = 8,
	LOG_AGAIN_MS = 60 * 1000,
	ANSWER_MAX = 4096
};

struct listener {
	struct ingress *in;
	const struct ingress_listener *plan;
	struct watch watch;
	struct timer pause;
	uint64_t told_at; /* loop_now of the last line about a shortage; 0: none yet */
	size_t count;     /* in the first: how many there are */
};

/* Health checks get through when the agent has taken all connections. */
static bool
is_full(const struct listener *l)
{
	size_t max = l->in->plan.connections + (l->plan->is_admin ? ADMIN_RESERVE : 0);

	return l->in->nconns >= max;
}

/*
 * One too many: told so before it has asked, and counted and logged as any refusal is. A flood
 * writes no more in this way than it could by calls that are refused, for which it would not even
 * have to connect again; the lines of a round go out in one write, and nobody waits for the log.
 */
static void
refuse(struct ingress *in, int fd)
{
	struct call *call = call_new(in);
	const struct reply r = {
		.verdict = VERDICT_OVERLOADED,
		.dialect = DIALECT_OPENAI,
		.why = "sidekey has reached limits.connections; close idle connections or raise "
		       "the limit.",
		.request_id = call_id(call),
		.close = true,
	};
	struct buf answer;
	ssize_t n;

	buf_init(&answer, ANSWER_MAX);
	call->code = verdict_row(r.verdict)->code;
	call->status = reply_error(&answer, &r);
	n = send(fd, answer.ptr, answer.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	call->bytes_out = n > 0 ? (uint64_t)n : 0;
	buf_free(&answer);
	call_over(in, call);
	call_free(in, call);
	close(fd);
}

/*
 * A connection inherits what the listener has, which another generation's ingress can set: a
 * close is not to wait.
 */
static void
have_manners(const struct listener *l, int fd)
{
	const struct linger none = {0, 0};
	const int on = 1;

	if (l->plan->is_unix)
		return;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void
greet(struct listener *l, int fd)
{
	have_manners(l, fd);
	if (is_full(l) && !conn_make_room(l->in)) {
		refuse(l->in, fd);
		return;
	}
	conn_new(l->in, l->plan, fd);
}

/* Who dials waits in the listener's queue. A line a minute tells of it, however many they are. */
static void
take_breath(struct listener *l)
{
	uint64_t now = loop_now(l->in->loop);

	if (l->told_at == 0 || now >= l->told_at + LOG_AGAIN_MS) {
		log_say(LOG_WARN,
			"there is no descriptor for a new connection: callers wait; raise "
			"RLIMIT_NOFILE or lower limits.connections",
			LOG_S("listener", l->plan->name));
		l->told_at = now;
	}
	watch_set(l->in->loop, &l->watch, 0);
	timer_set(l->in->loop, &l->pause, PAUSE_MS);
}

static void
ready(struct watch *w, uint32_t events)
{
	struct listener *l = ev_owner(w, struct listener, watch);

	(void)events;
	for (int i = 0; i < ACCEPTS_A_ROUND; i++) {
		int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		int error = errno;

		if (fd >= 0) {
			greet(l, fd);
		} else if (is_shortage(error)) {
			if (conn_make_room(l->in))
				continue;
			take_breath(l);
			return;
		} else if (error != ECONNABORTED && error != EINTR) {
			return;
		}
	}
}

static void
resume(struct timer *t)
{
	struct listener *l = ev_owner(t, struct listener, pause);

	watch_set(l->in->loop, &l->watch, EPOLLIN);
}

struct listener *
listen_start(struct ingress *in)
{
	struct listener *all = calloc(in->plan.nlisteners + 1, sizeof(*all));

	if (all == NULL)
		abort();
	all[0].count = in->plan.nlisteners;
	for (size_t i = 0; i < in->plan.nlisteners; i++) {
		struct listener *l = &all[i];

		l->in = in;
		l->plan = &in->plan.listeners[i];
		l->watch = (struct watch){l->plan->fd, 0, ready};
		l->pause.fn = resume;
		watch_set(in->loop, &l->watch, EPOLLIN);
	}
	return all;
}

void
listen_stop(struct listener *all)
{
	for (size_t i = 0; i < all[0].count; i++) {
		timer_stop(all[i].in->loop, &all[i].pause);
		watch_stop(all[i].in->loop, &all[i].watch);
		close(all[i].watch.fd);
	}
	free(all);
}
