/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/open.h"

#include "base/auto.h"
#include "base/num.h"
#include "cli/ask.h"
#include "cli/browser.h"
#include "ev/loop.h"
#include "ev/send.h"
#include "http/head.h"
#include "ingress/page.h"
#include "ingress/reply.h"

enum {
	HEAD_MAX = 32 * 1024, /* cookies of every other port of 127.0.0.1 come along */
	OUT_MAX = ASK_ANSWER_MAX + 4096,
	PEERS_MAX = 32,
	PEER_MS = 10 * 1000,
	IDLE_MS = 10 * 60 * 1000,
	KEY_BYTES = 32,
	KEY_DIGITS = 2 * KEY_BYTES,
};

#define PAGE_NAME "page"

struct peer {
	struct open *open;
	struct watch watch; /* fd -1: free */
	struct timer timer;
	struct buf in, out;
	size_t seen;
};

struct open {
	const struct config_listeners *listeners;
	const char *token;
	struct loop *loop;
	struct watch door, signals;
	struct timer idle;
	struct peer peers[PEERS_MAX];
	char host[sizeof("127.0.0.1:65535")];
	char key[KEY_DIGITS + 1], session[KEY_DIGITS + 1];
	bool used; /* the key */
};

/* ---- who gets it ---- */

/* What follows "/KEY/"; false when that does not lead the path. */
static bool
behind_key(const struct open *o, struct span path, struct span *name)
{
	struct span key = {o->key, KEY_DIGITS};

	if (path.len < KEY_DIGITS + 2 || path.ptr[KEY_DIGITS + 1] != '/' ||
	    !span_eq_ct(span_cut(path, 1, KEY_DIGITS + 1), key))
		return false;
	*name = span_cut(path, KEY_DIGITS + 2, path.len);
	return true;
}

/* Other ports of 127.0.0.1 may have given the browser cookies of any name. */
static bool
has_session(const struct open *o, const struct http_request *r)
{
	static const struct span name = {"sidekey=", sizeof("sidekey=") - 1};
	const struct http_field *f = http_find(r, "cookie");
	struct span session = {o->session, KEY_DIGITS};

	for (size_t at = 0; f != NULL && at < f->value.len;) {
		size_t end = span_find(f->value, at, ';');
		struct span cookie = span_trim(span_cut(f->value, at, end));

		if (span_starts(cookie, name) &&
		    span_eq_ct(span_cut(cookie, name.len, cookie.len), session))
			return true;
		at = end + 1;
	}
	return false;
}

/* Whether another site's page sent it. */
static bool
is_foreign(const struct http_request *r)
{
	const struct http_field *site = http_find(r, "sec-fetch-site");

	return http_find(r, "origin") != NULL || (site != NULL && !span_is(site->value, "none") &&
						  !span_is(site->value, "same-origin"));
}

/* ---- answers ---- */

static void
put(struct buf *out, unsigned status, const char *type, const char *fields, struct span body)
{
	const struct reply_page page = {status, type, fields, false};

	if (reply_plain(out, &page, body, true) != 0)
		buf_clear(out, 0); /* closes without an answer */
}

/*
 * The link may have been followed from the file for the browser, which is another site to it: such
 * a load brings no cookie, nor does its reload. So what the link leads to is not the page, but what
 * sends the browser there, as a page of our own.
 */
static void
put_entry(const struct open *o, struct buf *out)
{
	char fields[sizeof(PAGE_FIELDS) + 256];

	/* Cookies do not keep to a port; nobody else on 127.0.0.1 knows the path. */
	snprintf(fields, sizeof(fields),
		 "%sRefresh: 0; url=%s\r\n"
		 "Set-Cookie: sidekey=%s; Path=/%s/; HttpOnly; SameSite=Strict\r\n",
		 PAGE_FIELDS, PAGE_NAME, o->session, o->key);
	put(out, 200, "text/html; charset=utf-8", fields,
	    SPAN("<!doctype html><title>sidekey</title><link rel=\"icon\" href=\"data:,\">"
		 "<a href=\"" PAGE_NAME "\">sidekey</a>\n"));
	explicit_bzero(fields, sizeof(fields));
}

/* This waits for the running sidekey, which is near; the one who looks waits for it as well. */
static void
put_status(const struct open *o, struct buf *out)
{
	struct span body = SPAN("{\"error\":\"sidekey does not answer\"}\n");
	struct buf answer;
	unsigned status;

	buf_init(&answer, ASK_ANSWER_MAX);
	status = ask_secured(o->listeners, "/status", o->token, &answer, &body);
	put(out, status == 0 ? 502 : status, "application/json", PAGE_FIELDS, body);
	buf_free(&answer);
}

static void
answer(struct open *o, const struct http_request *r, struct buf *out)
{
	static const char type[] = "text/plain; charset=utf-8";
	const struct page_file *file;
	struct span name;
	bool entry;

	if (!span_is(r->host, o->host) || !span_is(r->method, "GET") ||
	    !behind_key(o, r->path, &name)) {
		put(out, 404, type, PAGE_FIELDS, SPAN(""));
		return;
	}
	entry = name.len == 0;
	if (entry ? o->used : !has_session(o, r) || is_foreign(r)) {
		put(out, 403, type, PAGE_FIELDS,
		    SPAN("This link has been used, by this browser or by another program. If you "
			 "see no page, start `sidekey status --open` again.\n"));
		return;
	}
	o->used = true;
	timer_set(o->loop, &o->idle, IDLE_MS);
	file = page_find(span_is(name, PAGE_NAME) ? SPAN("") : name);
	if (entry)
		put_entry(o, out);
	else if (file != NULL)
		put(out, 200, file->type, PAGE_FIELDS, span_of(file->text));
	else if (span_is(name, "status"))
		put_status(o, out);
	else
		put(out, 404, type, PAGE_FIELDS, SPAN(""));
}

/* ---- connections: one request each ---- */

static void
drop(struct peer *p)
{
	watch_stop(p->open->loop, &p->watch);
	timer_stop(p->open->loop, &p->timer);
	close(p->watch.fd);
	p->watch.fd = -1;
	buf_free(&p->in);
	buf_free(&p->out);
}

static void
send_on(struct peer *p)
{
	if (send_buf(p->watch.fd, &p->out, 0, NULL) != 0 || p->out.len == 0)
		drop(p);
	else
		watch_set(p->open->loop, &p->watch, EPOLLOUT);
}

static void
receive(struct peer *p)
{
	enum { PIECE = 4096 };
	char *room = buf_room(&p->in, PIECE);
	ssize_t n = room == NULL ? 0 : recv(p->watch.fd, room, PIECE, 0);
	struct http_request r;
	long head;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(p);
		return;
	}
	buf_grew(&p->in, (size_t)n);
	head = http_head_parse(&r, p->in.ptr, p->in.len, &p->seen, HEAD_MAX);
	if (head == 0)
		return;
	if (head > 0)
		answer(p->open, &r, &p->out);
	send_on(p);
}

static void
on_peer(struct watch *w, uint32_t events)
{
	struct peer *p = ev_owner(w, struct peer, watch);

	if ((events & (EPOLLERR | EPOLLHUP)) != 0)
		drop(p);
	else if (p->out.len > 0)
		send_on(p);
	else
		receive(p);
}

static void
on_late(struct timer *t)
{
	drop(ev_owner(t, struct peer, timer));
}

static void
on_door(struct watch *w, uint32_t events)
{
	struct open *o = ev_owner(w, struct open, door);
	int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	size_t i = 0;

	(void)events;
	if (fd < 0)
		return;
	while (i < PEERS_MAX && o->peers[i].watch.fd >= 0)
		i++;
	if (i == PEERS_MAX) {
		close(fd);
		return;
	}
	o->peers[i] = (struct peer){.open = o, .watch = {fd, 0, on_peer}, .timer = {.fn = on_late}};
	buf_init(&o->peers[i].in, HEAD_MAX + 4096);
	buf_init(&o->peers[i].out, OUT_MAX);
	watch_set(o->loop, &o->peers[i].watch, EPOLLIN);
	timer_set(o->loop, &o->peers[i].timer, PEER_MS);
}

/* ---- life ---- */

static void
on_signal(struct watch *w, uint32_t events)
{
	(void)events;
	loop_stop(ev_owner(w, struct open, signals)->loop, 0);
}

static void
on_idle(struct timer *t)
{
	puts("nobody has looked for ten minutes: the page is closed");
	loop_stop(ev_owner(t, struct open, idle)->loop, 0);
}

static bool
make_key(char out[static KEY_DIGITS + 1])
{
	unsigned char bytes[KEY_BYTES];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return false;
	num_to_hex(bytes, sizeof(bytes), out);
	return true;
}

static int
listen_on_loopback(char host[static sizeof("127.0.0.1:65535")])
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(at);
	auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) != 0 || listen(fd, PEERS_MAX) != 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) != 0)
		return -1;
	snprintf(host, sizeof("127.0.0.1:65535"), "127.0.0.1:%u", (unsigned)ntohs(at.sin_port));
	return take_fd(&fd);
}

static int
watch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	return sigprocmask(SIG_BLOCK, &set, NULL) != 0
		       ? -1
		       : signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static int
serve(struct open *o)
{
	char link[256], path[PATH_MAX];
	bool started;
	int code;

	watch_set(o->loop, &o->door, EPOLLIN);
	watch_set(o->loop, &o->signals, EPOLLIN);
	timer_set(o->loop, &o->idle, IDLE_MS);
	snprintf(link, sizeof(link), "http://%s/%s/", o->host, o->key);
	started = browser_start(link, path);
	printf("%s\n%s; Ctrl-C closes it\n", link,
	       started ? "your browser is being shown this page; the link works once"
		       : "open this link, which works once, in a browser on this machine");
	fflush(stdout);
	code = loop_run(o->loop);
	if (started)
		unlink(path);
	return code;
}

int
open_page(const struct config_listeners *listeners, const char *token)
{
	struct open o = {.listeners = listeners,
			 .token = token,
			 .door = {-1, 0, on_door},
			 .signals = {-1, 0, on_signal},
			 .idle = {.fn = on_idle}};
	int code = 1;

	/* The browser has no use for it; the text that token points to stays. */
	unsetenv("SIDEKEY_ADMIN_TOKEN");
	for (size_t i = 0; i < PEERS_MAX; i++)
		o.peers[i].watch.fd = -1;
	o.loop = loop_new();
	o.door.fd = listen_on_loopback(o.host);
	o.signals.fd = watch_signals();
	if (o.door.fd >= 0 && o.signals.fd >= 0 && make_key(o.key) && make_key(o.session))
		code = serve(&o);
	else
		fprintf(stderr, "sidekey status: no port can be opened on 127.0.0.1: %s\n",
			strerrordesc_np(errno));
	for (size_t i = 0; i < PEERS_MAX; i++)
		if (o.peers[i].watch.fd >= 0)
			drop(&o.peers[i]);
	close(o.door.fd);
	close(o.signals.fd);
	loop_free(o.loop);
	explicit_bzero(o.key, sizeof(o.key));
	explicit_bzero(o.session, sizeof(o.session));
	return code;
}
