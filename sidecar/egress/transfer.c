/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <curl/curl.h>

#include "egress/transfer.h"

#include "base/shortage.h"
#include "egress/answer_head.h"
#include "egress/framing.h"
#include "ev/multi.h"

enum {
	POOLED_MAX = 256,           /* idle connections a target keeps */
	IDLE_HANDLES_MAX = 64,      /* easy handles kept for reuse: 1 to 2 µs a call */
	HEAD_BYTES_MAX = 64 * 1024, /* of an answer */
	URL_BYTES = 512,            /* without a path */
	INTERIM_MAX = 32,           /* 1xx answers before the one that counts */
	/* libcurl's buffer for what a call sends, wiped: 64 KiB were a third of a small call. */
	SEND_SMALL = 16 * 1024,
	SEND_LARGE = 64 * 1024,
};

struct lane {
	unsigned refs;
	struct loop *loop;
	const struct egress_target *target;
	struct tls *tls;
	struct multi *multi;
	struct dial dial;
	char url[URL_BYTES];
	CURLU *parts; /* of the URL: libcurl would take it apart for each call */
	CURL *idle[IDLE_HANDLES_MAX];
	size_t nidle;
	struct later reap; /* frees the lane outside of libcurl's callbacks */
};

struct transfer {
	struct lane *lane;
	CURL *easy;
	const struct transfer_events *ev;
	void *arg;
	struct curl_slist *nodes; /* ours: libcurl is lent the lines in place */
	struct dial_news news;
	struct handshake *handshake; /* of the connection, when it was made for this call */
	struct transfer_report *report;
	unsigned requests; /* how often libcurl was about to send the request */
	unsigned interim;  /* 1xx answers so far */
	size_t trailers;   /* bytes of them so far */
	int64_t length;    /* of the request's body; -1: chunked */
	uint64_t moved;    /* loop_now when some of the request went out last */
	int64_t sent;      /* of the body, where it is large */
	bool watched;      /* it is large: libcurl says how it goes out */
	bool head_done, paused;
	bool starved;         /* the rest of a streamed body is awaited */
	bool given;           /* all of a streamed body */
	bool unquiet;         /* something waited on the connection: another one is needed */
	bool complete;        /* the answer */
	bool is_short;        /* there was no descriptor for the connection */
	enum verdict verdict; /* why we ended it, if we did */
	struct buf head;
};

/* ---- the lane ---- */

static void
lane_free(struct later *l)
{
	struct lane *lane = ev_owner(l, struct lane, reap);

	for (size_t i = 0; i < lane->nidle; i++)
		curl_easy_cleanup(lane->idle[i]);
	multi_free(lane->multi);
	curl_url_cleanup(lane->parts);
	dial_free(&lane->dial);
	tls_release(lane->tls);
	free(lane);
}

void
lane_release(struct lane *lane)
{
	if (lane != NULL && --lane->refs == 0)
		loop_later(lane->loop, &lane->reap);
}

static void transfer_done(void *arg, void *easy, int result);
static bool transfer_is_paused(void *easy);

/* scheme://host:port/; the path is each call's (CURLOPT_REQUEST_TARGET). */
static void
set_url(struct lane *lane)
{
	const struct egress_target *t = lane->target;

	snprintf(lane->url, sizeof(lane->url),
		 dial_is_ipv6(t) ? "%s://[%.*s]:%u/" : "%s://%.*s:%u/", t->https ? "https" : "http",
		 (int)t->server_name.len, t->server_name.ptr, (unsigned)t->port);
	lane->parts = curl_url();
	if (curl_url_set(lane->parts, CURLUPART_URL, lane->url, 0) == CURLUE_OK)
		return;
	curl_url_cleanup(lane->parts); /* each call then says what is wrong with it */
	lane->parts = NULL;
}

struct lane *
lane_new(struct loop *l, const struct egress_target *target, struct tls *tls)
{
	struct lane *lane = calloc(1, sizeof(*lane));

	if (lane == NULL)
		abort();
	lane->refs = 1;
	lane->loop = l;
	lane->target = target;
	lane->reap.fn = lane_free;
	set_url(lane);
	lane->multi = multi_new(l, POOLED_MAX, transfer_done, transfer_is_paused, lane);
	if (tls != NULL)
		lane->tls = tls_keep(tls);
	return lane;
}

void
lane_set_addresses(struct lane *lane, const struct addresses *a)
{
	dial_set(&lane->dial, lane->target, a);
}

/* CURLOPT_OPENSOCKETFUNCTION */
static curl_socket_t
open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *addr)
{
	struct transfer *t = arg;
	struct lane *lane = t->lane;
	int fd;

	dial_told(&lane->dial, &t->news);
	if (purpose != CURLSOCKTYPE_IPCXN || !dial_allows(&lane->dial, lane->target, addr))
		return CURL_SOCKET_BAD;
	fd = socket(addr->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	t->is_short = fd < 0 && is_shortage(errno);
	return multi_opened(lane->multi, fd);
}

/* CURLOPT_SSL_CTX_FUNCTION: once for each new connection, made for this transfer. */
static CURLcode
ssl_ctx(CURL *easy, void *ctx, void *arg)
{
	const struct lane *lane = arg;
	struct handshake *made;
	struct transfer *t = NULL;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &t);
	if (lane->tls == NULL || t == NULL)
		return CURLE_SSL_CERTPROBLEM;
	made = tls_apply(lane->tls, ctx);
	if (made == NULL)
		return CURLE_SSL_CERTPROBLEM;
	/* After a request on another connection this one tells nothing of what became of it. */
	if (t->requests > 0) {
		handshake_release(made);
		return CURLE_OK;
	}
	handshake_release(t->handshake);
	t->handshake = made;
	if (t->report != NULL)
		handshake_watch(made, &t->report->peer);
	return CURLE_OK;
}

/* ---- callbacks of a transfer ---- */

/*
 * Called when a connection is there and the request is about to be sent. libcurl 7.88 sends a
 * POST again by itself when a reused connection dies without an answer: a paid call would be
 * made twice. The second time for one transfer is refused.
 */
static int
before_request(void *arg, char *ip, char *local_ip, int port, int local_port)
{
	struct transfer *t = arg;
	long made = 0; /* 0: one from the pool, which tells nothing of now */

	(void)local_ip;
	(void)port;
	(void)local_port;
	dial_told(&t->lane->dial, &t->news);
	if (curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &made) == CURLE_OK && made > 0)
		dial_reached(&t->lane->dial, t->lane->target, ip);
	t->unquiet = t->requests == 0 && !multi_is_quiet(t->lane->multi, t->easy);
	if (t->unquiet)
		return CURL_PREREQFUNC_ABORT;
	t->moved = loop_now(t->lane->loop);
	return t->requests++ == 0 ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

/* CURLOPT_XFERINFOFUNCTION, of requests that do not go out at once. */
static int
on_progress(void *arg, curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal, curl_off_t ulnow)
{
	struct transfer *t = arg;

	(void)dltotal;
	(void)dlnow;
	(void)ultotal;
	if (ulnow != t->sent)
		t->moved = loop_now(t->lane->loop);
	t->sent = ulnow;
	return 0;
}

bool
transfer_is_sent(const struct transfer *t, uint64_t *at)
{
	*at = t->moved;
	return t->requests > 0;
}

static void
note_length(CURL *easy, struct frame_head *head)
{
	curl_off_t length = -1;

	if (curl_easy_getinfo(easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length) == CURLE_OK &&
	    length >= 0) {
		head->has_length = true;
		head->length = (uint64_t)length;
	}
}

/*
 * A connection serves another call only if this one's request was sent whole before its answer
 * came; until then CURLOPT_FORBID_REUSE is set. Else a server that did not wait may take the rest
 * for a request; and libcurl 7.88 returns a connection to the pool when its first send fails, with
 * the request in OpenSSL's buffer: it would go out before the next call's, which would get its
 * answer.
 */
static void
allow_reuse(struct transfer *t)
{
	curl_off_t sent = -1;

	if (t->lane->target->pool_idle_ms < 1000)
		return; /* which libcurl's seconds cannot say */
	if (t->length >= 0 && curl_easy_getinfo(t->easy, CURLINFO_SIZE_UPLOAD_T, &sent) != CURLE_OK)
		return;
	if (t->length >= 0 ? sent == t->length : t->given)
		curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 0L);
}

static enum verdict
head_complete(struct transfer *t)
{
	struct http_field fields[HTTP_FIELDS_MAX];
	struct frame_head head = {.fields = fields};

	if (answer_head_split(buf_span(&t->head), &head) != 0 || !framing_is_sound(&head))
		return VERDICT_UPSTREAM_INVALID;
	if (head.status < 200 && head.status != 101) {
		buf_clear(&t->head, HEAD_BYTES_MAX); /* an interim answer (RFC 9110 section 15.2) */
		return ++t->interim <= INTERIM_MAX ? VERDICT_OK : VERDICT_UPSTREAM_INVALID;
	}
	if (head.status < 200)
		return VERDICT_UPSTREAM_INVALID;
	t->head_done = true;
	allow_reuse(t);
	transfer_more(t); /* an error ends the sending, but libcurl looks only once it goes on */
	note_length(t->easy, &head);
	return t->ev->head(t->arg, &head);
}

/*
 * CURLOPT_HEADERFUNCTION: a line at a time, the empty one last; trailers come after the body
 * and are dropped. Since none is for the agent, only their bound ends those without an end.
 */
static size_t
on_header(char *line, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	size_t len = size * n;
	struct span text = {line, len};

	if (t->head_done) {
		t->trailers += len;
		if (t->trailers > HEAD_BYTES_MAX)
			t->verdict = VERDICT_UPSTREAM_INVALID;
	} else if (!span_is(text, "\r\n") && !span_is(text, "\n")) {
		if (buf_add_span(&t->head, text) != 0)
			t->verdict = VERDICT_UPSTREAM_INVALID;
	} else {
		t->verdict = head_complete(t);
	}
	return t->verdict == VERDICT_OK ? len : 0;
}

static size_t
on_data(char *bytes, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;

	if (!t->head_done) {
		t->verdict = VERDICT_UPSTREAM_INVALID;
		return 0;
	}
	t->paused = !t->ev->data(t->arg, (struct span){bytes, size * n});
	if (t->paused)
		multi_pausing(t->lane->multi, t->easy);
	return t->paused ? CURL_WRITEFUNC_PAUSE : size * n;
}

/* CURLOPT_READFUNCTION: the next piece of a streamed body. */
static size_t
on_read(char *to, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	long got = t->ev->more(t->arg, to, size * n);

	t->starved = got < 0;
	t->given = got == 0;
	return got < 0 ? CURL_READFUNC_PAUSE : (size_t)got;
}

/* CURLOPT_SEEKFUNCTION: what has been sent is gone, and is never sent twice. */
static int
on_seek(void *arg, curl_off_t offset, int origin)
{
	(void)arg;
	(void)offset;
	(void)origin;
	return CURL_SEEKFUNC_FAIL;
}

static bool
transfer_is_paused(void *easy)
{
	struct transfer *t = NULL;

	return curl_easy_getinfo(easy, CURLINFO_PRIVATE, &t) == CURLE_OK && t != NULL &&
	       (t->paused || t->starved);
}

/* ---- the end ---- */

static enum verdict
verdict_of(const struct transfer *t, CURLcode result)
{
	if (t->verdict != VERDICT_OK)
		return t->verdict;
	if (t->is_short)
		return VERDICT_OVERLOADED;
	/* To libcurl a connection that is lost in the handshake is a fault of the handshake. */
	if (result == CURLE_SSL_CONNECT_ERROR && t->handshake != NULL &&
	    handshake_cut(t->handshake))
		return VERDICT_UPSTREAM_UNREACHABLE;
	switch (result) {
	case CURLE_OK:
		return t->head_done ? VERDICT_OK : VERDICT_UPSTREAM_BROKEN; /* half a head */
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
		return VERDICT_UPSTREAM_UNTRUSTED;
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_OUT_OF_MEMORY: /* a line of the head beyond its limit; without memory we abort */
	case CURLE_BAD_CONTENT_ENCODING:
		return VERDICT_UPSTREAM_INVALID;
	default:
		break;
	}
	if (t->handshake != NULL && !t->head_done && handshake_refused(t->handshake))
		return VERDICT_UPSTREAM_UNTRUSTED;
	return t->requests == 0 ? VERDICT_UPSTREAM_UNREACHABLE : VERDICT_UPSTREAM_BROKEN;
}

/* The handle without a pointer into this call, kept for the next one or freed. */
static void
put_easy(struct lane *lane, CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, NULL);
	curl_easy_setopt(easy, CURLOPT_RESOLVE, NULL);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, NULL);
	if (lane->nidle < IDLE_HANDLES_MAX)
		lane->idle[lane->nidle++] = easy;
	else
		curl_easy_cleanup(easy);
}

static void
transfer_free(struct transfer *t)
{
	struct lane *lane = t->lane;

	multi_remove(lane->multi, t->easy);
	if (!t->complete)
		multi_distrust(lane->multi, t->easy);
	if (t->watched)
		curl_easy_setopt(t->easy, CURLOPT_NOPROGRESS, 1L);
	put_easy(lane, t->easy);
	dial_news_free(&t->news);
	handshake_release(t->handshake);
	buf_free(&t->head);
	free(t->nodes);
	free(t);
	lane_release(lane);
}

/* Nothing has been sent, and libcurl has closed the connection: there are others. */
static bool
start_over(struct transfer *t)
{
	t->unquiet = false;
	multi_remove(t->lane->multi, t->easy);
	return multi_add(t->lane->multi, t->easy) == 0;
}

static void
transfer_done(void *arg, void *easy, int result)
{
	struct transfer *t = NULL;
	const struct transfer_events *ev;
	enum verdict v;
	bool sent;
	void *owner;

	(void)arg;
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &t);
	if (t->unquiet && start_over(t))
		return;
	v = verdict_of(t, (CURLcode)result);
	t->complete = v == VERDICT_OK;
	sent = t->requests > 0;
	ev = t->ev;
	owner = t->arg;
	transfer_free(t);
	ev->done(owner, v, sent);
}

void
transfer_cancel(struct transfer *t)
{
	if (t != NULL)
		transfer_free(t);
}

void
transfer_resume(struct transfer *t)
{
	t->paused = false;
	multi_unpause(t->lane->multi, t->easy);
}

void
transfer_more(struct transfer *t)
{
	if (!t->starved)
		return;
	t->starved = false;
	multi_unpause(t->lane->multi, t->easy);
}

/* ---- the start ---- */

/* What never changes between calls of a lane. */
static CURL *
new_easy(struct lane *lane)
{
	const struct egress_target *target = lane->target;
	CURL *e = curl_easy_init();

	if (e == NULL)
		return NULL;
	/* The parts are what counts; without the whole it would be put together for each call. */
	curl_easy_setopt(e, CURLOPT_URL, lane->url);
	curl_easy_setopt(e, CURLOPT_CURLU, lane->parts);
	multi_defaults(lane->multi, e, target->https);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)target->connect_ms);
	/*
	 * A pooled connection is dropped before the upstream's idle limit (an ALB's is 60 s).
	 * libcurl cuts the fraction off its age: what is n seconds to it is less than n + 1.
	 */
	curl_easy_setopt(e, CURLOPT_MAXAGE_CONN,
			 target->pool_idle_ms < 2000 ? 0L
						     : (long)(target->pool_idle_ms / 1000) - 1);
	curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, ssl_ctx);
	curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, lane);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	if (target->resolve != PLAN_NONE)
		curl_easy_setopt(e, CURLOPT_RESOLVER_START_FUNCTION, dial_nowhere);
	curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, before_request);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(e, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, on_seek);
	curl_easy_setopt(e, CURLOPT_XFERINFOFUNCTION, on_progress);
	return e;
}

static void
set_call(struct transfer *t, const struct transfer_request *r, const char *method)
{
	CURL *e = t->easy;
	bool post = r->has_body || span_is(r->method, "POST");

	t->watched = r->streamed || r->body.len > SEND_SMALL;
	if (t->watched) {
		curl_easy_setopt(e, CURLOPT_XFERINFODATA, t);
		curl_easy_setopt(e, CURLOPT_NOPROGRESS, 0L);
	}
	curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE,
			 (long)(t->watched ? SEND_LARGE : SEND_SMALL));
	if (r->streamed) {
		curl_easy_setopt(e, CURLOPT_POST, 1L);
		curl_easy_setopt(e, CURLOPT_POSTFIELDS, NULL);
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->length);
		curl_easy_setopt(e, CURLOPT_READDATA, t);
	} else if (post) {
		curl_easy_setopt(e, CURLOPT_POST, 1L);
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
		curl_easy_setopt(e, CURLOPT_POSTFIELDS, r->body.len > 0 ? r->body.ptr : "");
	} else {
		curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
	}
	curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST,
			 span_is(r->method, post ? "POST" : "GET") ? NULL : method);
	curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(e, CURLOPT_REQUEST_TARGET, r->target);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, t->nodes);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, t);
	curl_easy_setopt(e, CURLOPT_PREREQDATA, t);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(e, CURLOPT_PRIVATE, t);
	if (r->report != NULL)
		curl_easy_setopt(e, CURLOPT_ERRORBUFFER, r->report->error);
	t->news = dial_news(&t->lane->dial);
	curl_easy_setopt(e, CURLOPT_RESOLVE, t->news.list);
}

static struct curl_slist *
make_nodes(const struct transfer_request *r)
{
	struct curl_slist *nodes = calloc(r->nlines + 1, sizeof(*nodes));

	if (nodes == NULL)
		abort();
	for (size_t i = 0; i < r->nlines; i++) {
		nodes[i].data = (char *)(uintptr_t)r->lines[i];
		nodes[i].next = i + 1 < r->nlines ? &nodes[i + 1] : NULL;
	}
	return nodes;
}

struct transfer *
transfer_start(struct lane *lane, const struct transfer_request *r,
	       const struct transfer_events *ev, void *arg)
{
	struct transfer *t = calloc(1, sizeof(*t));
	char method[20];

	if (t == NULL)
		abort();
	if (!span_cstr(r->method, method, sizeof(method)) || r->nlines == 0) {
		free(t);
		return NULL;
	}
	*t = (struct transfer){.lane = lane, .ev = ev, .arg = arg, .report = r->report};
	t->length = r->streamed ? r->length : (int64_t)r->body.len;
	buf_init(&t->head, HEAD_BYTES_MAX);
	t->easy = lane->nidle > 0 ? lane->idle[--lane->nidle] : new_easy(lane);
	if (t->easy == NULL) {
		free(t);
		return NULL;
	}
	t->nodes = make_nodes(r);
	lane->refs++;
	set_call(t, r, method);
	if (multi_add(lane->multi, t->easy) == 0)
		return t;
	transfer_free(t);
	return NULL;
}

const char *
transfer_library(void)
{
	return curl_version();
}
