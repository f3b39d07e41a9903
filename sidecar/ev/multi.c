/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>
#include <openssl/ssl.h>

#include "ev/multi.h"

#include "base/secret.h"

struct sock {
	struct watch watch;
	struct multi *multi;
	bool pooled;       /* no transfer uses it, or one that libcurl has not told us of */
	struct sock *next; /* of the pooled ones of its row */
	/* By which libcurl knows a connection too; port 0: not asked yet. */
	in_port_t port;
	char peer[INET6_ADDRSTRLEN];
};

/* A transfer to be let go on at the round's end. */
struct resume {
	struct resume *next;
	void *easy;
	bool was_paused; /* or has no socket: see look_again */
};

#define POOL_ROWS 256

struct multi {
	CURLM *curl;
	struct loop *loop;
	struct timer timer;
	struct later later;
	struct sock **socks; /* by descriptor */
	size_t nsocks;
	struct sock *pool[POOL_ROWS]; /* by row_of the local port: looked up for each call */
	struct resume *resumes;
	multi_done_fn *done;
	multi_paused_fn *paused;
	void *arg;
};

void
multi_setup(void)
{
	if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, wipe_malloc, wipe_free, wipe_realloc,
				 wipe_strdup, wipe_calloc) != CURLE_OK)
		abort();
}

/* Finished transfers are reported outside of libcurl's callbacks, and one at a time, since
 * done may free any of them. */
static void
reap(struct multi *m)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(m->curl, &left)) != NULL) {
		if (msg->msg == CURLMSG_DONE)
			m->done(m->arg, msg->easy_handle, (int)msg->data.result);
	}
}

static void
act(struct multi *m, int fd, int mask)
{
	int running;

	curl_multi_socket_action(m->curl, fd, mask, &running);
	reap(m);
}

static void
learn_ends(struct sock *s)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} a = {.v6 = {0}};
	socklen_t len = sizeof(a);
	bool v6;

	if (getsockname(s->watch.fd, &a.any, &len) != 0)
		return;
	v6 = a.any.sa_family == AF_INET6;
	s->port = ntohs(v6 ? a.v6.sin6_port : a.v4.sin_port);
	len = sizeof(a);
	if (getpeername(s->watch.fd, &a.any, &len) == 0)
		(void)inet_ntop(a.any.sa_family,
				v6 ? (const void *)&a.v6.sin6_addr : &a.v4.sin_addr, s->peer,
				sizeof(s->peer));
}

/* Linux gives the ports of one parity to those that connect. */
static struct sock **
row_of(struct multi *m, long port)
{
	return &m->pool[(size_t)port / 2 % POOL_ROWS];
}

static void
set_pooled(struct sock *s, bool pooled)
{
	struct sock **at;

	if (s->pooled == pooled)
		return;
	s->pooled = pooled;
	if (pooled && s->port == 0)
		learn_ends(s);
	at = row_of(s->multi, s->port);
	if (pooled) {
		s->next = *at;
		*at = s;
		return;
	}
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
}

/*
 * A pooled connection that becomes readable is at its end: the upstream closes it. libcurl 7.88
 * looks at it by a recv(MSG_PEEK) before it uses it again, and takes TLS's close_notify for
 * life; the next call would be lost. So the socket is shut down and what came is thrown away: then
 * the look finds its end, and a new connection is made. In this order, what an upstream may still
 * send is bounded by the receive buffer.
 */
static void
retire(struct sock *s)
{
	char thrown[1024];

	(void)shutdown(s->watch.fd, SHUT_RDWR);
	while (recv(s->watch.fd, thrown, sizeof(thrown), MSG_DONTWAIT) > 0)
		continue;
	watch_stop(s->multi->loop, &s->watch);
}

static void
sock_ready(struct watch *w, uint32_t events)
{
	struct sock *s = ev_owner(w, struct sock, watch);
	int mask = 0;

	if (s->pooled) {
		retire(s);
		return;
	}
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP))
		mask |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		mask |= CURL_CSELECT_OUT;
	if (events & EPOLLERR)
		mask |= CURL_CSELECT_ERR;
	act(s->multi, w->fd, mask);
}

static struct sock *
sock_of(struct multi *m, int fd)
{
	size_t want = (size_t)fd + 1;

	if (want > m->nsocks) {
		m->socks = reallocarray(m->socks, want * 2, sizeof(struct sock *));
		if (m->socks == NULL)
			abort();
		memset(m->socks + m->nsocks, 0, (want * 2 - m->nsocks) * sizeof(struct sock *));
		m->nsocks = want * 2;
	}
	if (m->socks[fd] == NULL) {
		m->socks[fd] = calloc(1, sizeof(struct sock));
		if (m->socks[fd] == NULL)
			abort();
		*m->socks[fd] = (struct sock){.watch = {fd, 0, sock_ready}, .multi = m};
	}
	return m->socks[fd];
}

static void
sock_forget(struct multi *m, int fd)
{
	if ((size_t)fd >= m->nsocks || m->socks[fd] == NULL)
		return;
	watch_stop(m->loop, &m->socks[fd]->watch);
	set_pooled(m->socks[fd], false);
	free(m->socks[fd]);
	m->socks[fd] = NULL;
}

/*
 * libcurl 7.88 closes a socket whose connection is not made yet by itself, without
 * CURLOPT_CLOSESOCKETFUNCTION, and tells of it afterwards as of one that goes back to the pool.
 */
static bool
is_closed(const struct sock *s)
{
	int error;
	socklen_t len = sizeof(error);

	return (s->watch.want & EPOLLOUT) != 0 &&
	       getsockopt(s->watch.fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0;
}

static void
forget_resume(struct multi *m, const void *easy)
{
	for (struct resume **at = &m->resumes; *at != NULL;) {
		struct resume *r = *at;

		if (r->easy != easy) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		free(r);
	}
}

static void
resume_later(struct multi *m, void *easy, bool was_paused)
{
	struct resume *r = calloc(1, sizeof(*r));

	if (r == NULL)
		abort();
	forget_resume(m, easy);
	*r = (struct resume){m->resumes, easy, was_paused};
	m->resumes = r;
	loop_later(m->loop, &m->later);
}

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *sock)
{
	struct multi *m = arg;
	struct sock *s;
	uint32_t want = 0;

	(void)sock;
	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		want |= EPOLLIN;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		want |= EPOLLOUT;
	if (what == CURL_POLL_REMOVE) {
		/* Back to the pool, and still watched for its end; or paused, and not watched. */
		if ((size_t)fd >= m->nsocks || m->socks[fd] == NULL)
			return 0;
		if (is_closed(m->socks[fd])) {
			sock_forget(m, fd);
			resume_later(m, easy, false);
			return 0;
		}
		set_pooled(m->socks[fd], m->paused == NULL || !m->paused(easy));
		watch_set(m->loop, &m->socks[fd]->watch, m->socks[fd]->pooled ? EPOLLIN : 0);
		return 0;
	}
	s = sock_of(m, fd);
	set_pooled(s, false);
	watch_set(m->loop, &s->watch, want);
	return 0;
}

/*
 * Of the pooled ones, from the one behind after on (NULL: all), the first that easy has, or has
 * had; or NULL. A port may be that of two connections, to two addresses.
 */
static struct sock *
pooled_of(struct multi *m, void *easy, const struct sock *after)
{
	char *peer = NULL;
	long port = 0;
	struct sock *s;

	curl_easy_getinfo(easy, CURLINFO_LOCAL_PORT, &port);
	curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &peer);
	if (peer == NULL)
		return NULL;
	s = after != NULL ? after->next : *row_of(m, port);
	while (s != NULL && (s->port != port || strcmp(s->peer, peer) != 0))
		s = s->next;
	return s;
}

void
multi_pausing(struct multi *m, void *easy)
{
	for (struct sock *s = pooled_of(m, easy, NULL), *next; s != NULL; s = next) {
		next = pooled_of(m, easy, s);
		set_pooled(s, false);
		watch_set(m->loop, &s->watch, 0);
	}
}

bool
multi_is_quiet(struct multi *m, void *easy)
{
	const struct curl_tlssessioninfo *tls = NULL;
	long made = 0;
	char byte;

	curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &made);
	if (made > 0)
		return true;
	curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &tls);
	if (tls != NULL && tls->internals != NULL && SSL_has_pending(tls->internals) == 1)
		return false;
	for (struct sock *s = pooled_of(m, easy, NULL); s != NULL; s = pooled_of(m, easy, s))
		if (recv(s->watch.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN)
			return false;
	return true;
}

void
multi_distrust(struct multi *m, void *easy)
{
	for (struct sock *s = pooled_of(m, easy, NULL); s != NULL; s = pooled_of(m, easy, s))
		retire(s);
}

/* CURLOPT_CLOSESOCKETFUNCTION: the watch goes before the descriptor does. */
static int
close_socket(void *arg, curl_socket_t fd)
{
	sock_forget(arg, fd);
	return close(fd);
}

static void
timer_fired(struct timer *t)
{
	act(ev_owner(t, struct multi, timer), CURL_SOCKET_TIMEOUT, 0);
}

static int
on_timer(CURLM *curl, long ms, void *arg)
{
	struct multi *m = arg;

	(void)curl;
	if (ms < 0)
		timer_stop(m->loop, &m->timer);
	else
		timer_set(m->loop, &m->timer, (uint64_t)ms);
	return 0;
}

/*
 * When an address refuses or is silent, libcurl 7.88 closes its socket and goes on to the next one
 * in name only: it dials it when it next looks at the transfer, for which it has set no timer. It
 * looks at what changes its pauses.
 */
static void
look_again(void *easy)
{
	curl_easy_pause(easy, CURLPAUSE_RECV);
	curl_easy_pause(easy, CURLPAUSE_CONT);
}

static void
run_resumes(struct later *l)
{
	struct multi *m = ev_owner(l, struct multi, later);

	while (m->resumes != NULL) {
		struct resume *r = m->resumes;

		m->resumes = r->next;
		if (r->was_paused)
			curl_easy_pause(r->easy, CURLPAUSE_CONT);
		else
			look_again(r->easy);
		free(r);
	}
	reap(m);
}

void
multi_unpause(struct multi *m, void *easy)
{
	resume_later(m, easy, true);
}

struct multi *
multi_new(struct loop *l, long max_connections, multi_done_fn *done, multi_paused_fn *paused,
	  void *arg)
{
	struct multi *m = calloc(1, sizeof(*m));

	if (m == NULL)
		abort();
	*m = (struct multi){.loop = l, .done = done, .paused = paused, .arg = arg};
	m->timer.fn = timer_fired;
	m->later.fn = run_resumes;
	m->curl = curl_multi_init();
	if (m->curl == NULL)
		abort();
	curl_multi_setopt(m->curl, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(m->curl, CURLMOPT_SOCKETDATA, m);
	curl_multi_setopt(m->curl, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(m->curl, CURLMOPT_TIMERDATA, m);
	curl_multi_setopt(m->curl, CURLMOPT_MAXCONNECTS, max_connections);
	curl_multi_setopt(m->curl, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
	return m;
}

void
multi_free(struct multi *m)
{
	if (m == NULL)
		return;
	curl_multi_cleanup(m->curl); /* closes pooled connections through close_socket */
	for (size_t i = 0; i < m->nsocks; i++)
		sock_forget(m, (int)i);
	timer_stop(m->loop, &m->timer);
	later_stop(m->loop, &m->later);
	while (m->resumes != NULL)
		forget_resume(m, m->resumes->easy);
	free(m->socks);
	free(m);
}

void
multi_defaults(struct multi *m, void *easy, bool https)
{
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, https ? "https" : "http");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L); /* else three rt_sigaction a request */
	curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
	/* The trust store comes from memory, parsed once: no CA file, no CA path (15 ms each). */
	curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
	curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, m);
}

int
multi_opened(struct multi *m, int fd)
{
	if (fd >= 0 && (size_t)fd < m->nsocks && m->socks[fd] != NULL) {
		struct watch *w = &m->socks[fd]->watch;
		uint32_t want = w->want;

		watch_stop(m->loop, w);
		watch_set(m->loop, w, want);
	}
	return fd;
}

int
multi_add(struct multi *m, void *easy)
{
	return curl_multi_add_handle(m->curl, easy) == CURLM_OK ? 0 : -1;
}

void
multi_remove(struct multi *m, void *easy)
{
	forget_resume(m, easy);
	curl_multi_remove_handle(m->curl, easy);
}
