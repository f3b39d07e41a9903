/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ev/send.h"
#include "ingress/conn_parts.h"

enum {
	OUT_MAX = 4 * 1024 * 1024,
	UP_MAX = FRAME_HEADER + FRAME_HEAD_MAX + 2 * (FRAME_HEADER + FRAME_BODY_MAX),
	DOWN_MAX = 2 * (FRAME_HEADER + FRAME_HEAD_MAX),
	LINGER_MS = 2 * 1000,
	LINGER_BYTES = 16 * 1024,
	YOUNG_MS = 1000, /* what has just become idle may be about to send */
	REPLY_MS = 30 * 1000,
	/* Of all answers of ours that wait for their clients: a page may be of ADMIN_BODY_MAX. */
	UNREAD_MAX = 16 * 1024 * 1024,
};

/* What a state does once it got some of what it waits for. May free c. */
typedef void ready_fn(struct conn *c, uint32_t got);
static ready_fn read_head, read_body, call_more, reply_more, linger_read;

/* What a state waits for from the client, and how long (0: no limit of ours). */
static const struct conn_row {
	uint32_t wants;
	uint64_t deadline_ms; /* UINT64_MAX: from the configuration */
	ready_fn *run;
} rows[CONN_STATES] = {
	[CONN_IDLE] = {EPOLLIN | EPOLLRDHUP, UINT64_MAX, read_head},
	[CONN_HEAD] = {EPOLLIN | EPOLLRDHUP, UINT64_MAX, read_head},
	[CONN_BODY] = {EPOLLIN | EPOLLRDHUP, BODY_TIMEOUT_MS, read_body},
	/* A FIN now means that the agent is gone. */
	[CONN_CALL] = {EPOLLRDHUP, 0, call_more},
	[CONN_REPLY] = {EPOLLOUT, REPLY_MS, reply_more},
	[CONN_LINGER] = {EPOLLIN | EPOLLRDHUP, LINGER_MS, linger_read},
};

/* ---- life ---- */

void
conn_stream_close(struct conn *c)
{
	stream_close(&c->stream); /* egress lets the upstream go at once */
	buf_free(&c->up);
	buf_free(&c->down);
}

static void
end_call(struct conn *c)
{
	if (c->call == NULL)
		return;
	call_over(c->in, c->call);
	call_free(c->in, c->call);
	c->call = NULL;
	c->in->ncalls--;
}

void
conn_drop(struct conn *c)
{
	struct ingress *in = c->in;

	conn_stream_close(c);
	watch_stop(in->loop, &c->client);
	timer_stop(in->loop, &c->timer);
	/* An answer of ours that nobody waited for is counted all the same. */
	if (c->call != NULL && c->call->code == NULL)
		c->call->code = "client_gone";
	end_call(c);
	close(c->client.fd);
	buf_free(&c->inb);
	buf_free(&c->out);
	*c->prev = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	in->nconns--;
	free(c);
	if (in->retiring)
		in->idle(in);
}

void
conn_end_by_reset(struct conn *c, bool reset)
{
	struct linger at_once = {reset ? 1 : 0, 0};

	if (c->framing == REPLY_UNTIL_CLOSE)
		setsockopt(c->client.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

void
conn_abort(struct conn *c, const char *code)
{
	if (c->call != NULL)
		c->call->code = code;
	end_call(c);
	conn_drop(c);
}

static uint64_t
deadline_ms(const struct conn *c, enum conn_state state)
{
	uint64_t ms = rows[state].deadline_ms;

	if (ms != UINT64_MAX)
		return ms;
	return state == CONN_IDLE ? c->in->plan.keep_alive_ms : c->in->plan.header_timeout_ms;
}

/*
 * When c came into its state, which is one of those with a deadline; of an answer of
 * ours: when it went on last.
 */
static uint64_t
since(const struct conn *c)
{
	return c->timer.at - deadline_ms(c, c->state);
}

void
conn_state(struct conn *c, enum conn_state state)
{
	uint64_t ms = deadline_ms(c, state);

	c->state = state;
	watch_set(c->in->loop, &c->client, rows[state].wants);
	if (ms == 0)
		timer_stop(c->in->loop, &c->timer);
	else
		timer_set(c->in->loop, &c->timer, ms);
}

void
conn_body_came(struct conn *c, size_t n)
{
	uint64_t now = loop_now(c->in->loop), left = c->timer.at > now ? c->timer.at - now : 0;

	c->call->bytes_in += n;
	left += n / BODY_RATE + 1;
	c->call->patience_ms = left < BODY_TIMEOUT_MS ? left : BODY_TIMEOUT_MS;
	timer_set(c->in->loop, &c->timer, c->call->patience_ms);
}

/* ---- towards the client ---- */

bool
conn_send(struct conn *c)
{
	return send_buf(c->client.fd, &c->out, READ_BYTES,
			c->call == NULL ? NULL : &c->call->bytes_out) == 0;
}

void
conn_finished(struct conn *c)
{
	c->served |= c->call != NULL && c->call->first_byte_us != 0;
	end_call(c);
	if (c->head_relayed)
		conn_end_by_reset(c, false);
	c->head_relayed = c->answer_done = false;
	if (!c->close && !c->in->draining) {
		conn_state(c, CONN_IDLE);
		buf_free(&c->inb); /* empty: what comes behind a request costs the connection */
		return;
	}
	if (!c->unread) {
		conn_drop(c);
		return;
	}
	/* Closing with unread input would reset the connection, and the answer with it. */
	shutdown(c->client.fd, SHUT_WR);
	conn_stream_close(c);
	conn_state(c, CONN_LINGER);
}

/*
 * Who asks and does not read holds what he was answered: in all no more than UNREAD_MAX, however
 * many he is. Whoever has taken nothing for longest goes first; but is not among them.
 */
static void
bound_unread(const struct conn *but)
{
	for (;;) {
		struct conn *first = NULL;
		size_t held = 0;

		for (struct conn *c = but->in->conns; c != NULL; c = c->next) {
			/* conn_drop has taken those out that are gone. */
			if (c->state != CONN_REPLY) /* NOLINT(clang-analyzer-unix.Malloc) */
				continue;
			held += c->out.cap;
			if (c != but && (first == NULL || since(c) <= since(first)))
				first = c;
		}
		if (held <= UNREAD_MAX || first == NULL)
			return;
		conn_drop(first);
	}
}

void
conn_reply(struct conn *c)
{
	if (c->out.len > 0 && !conn_send(c)) {
		conn_drop(c);
		return;
	}
	if (c->out.len == 0) {
		conn_finished(c);
		return;
	}
	conn_state(c, CONN_REPLY);
	bound_unread(c);
}

/* The deadline is between two pieces, which the kernel takes once a third of its buffer is free. */
static void
reply_more(struct conn *c, uint32_t got)
{
	size_t before = c->out.len;

	if ((got & (EPOLLHUP | EPOLLERR)) != 0 || !conn_send(c))
		conn_drop(c);
	else if (c->out.len == 0)
		conn_finished(c);
	else if (c->out.len < before)
		conn_state(c, CONN_REPLY);
}

void
conn_refuse(struct conn *c, enum verdict v, const char *why, bool whole)
{
	struct reply r = {.verdict = v, .why = why, .close = c->close};

	c->unread = !whole;
	c->close = r.close = c->close || !whole;
	r.dialect = c->call->decision.dialect;
	r.is_head = c->call->is_head;
	r.request_id = call_id(c->call);
	r.retry_seconds = c->call->retry_seconds;
	if (c->call->decision.why[0] != '\0' && why == NULL)
		r.why = c->call->decision.why;
	c->call->code = verdict_row(v)->code;
	c->call->status = reply_error(&c->out, &r);
	if (whole)
		buf_drop(&c->inb, c->inb.len < c->call->head_len ? c->inb.len : c->call->head_len);
	conn_reply(c);
}

/* ---- events ---- */

/* A read of nothing, or of an error that is not just "later", ends the connection: false then. */
static bool
client_is_here(struct conn *c, ssize_t n)
{
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return true;
	conn_abort(c, "client_gone");
	return false;
}

static void
read_chunks(struct conn *c)
{
	static char came[BODY_READ_BYTES];
	ssize_t n = recv(c->client.fd, came, sizeof(came), 0);

	if (!client_is_here(c, n) || n < 0)
		return;
	conn_body_came(c, (size_t)n);
	request_chunks(c, (struct span){came, (size_t)n});
}

/*
 * By way of a place that all connections share, so that one that has said little holds little. A
 * head may have a caller's token, of which no copy stays there.
 */
static void
read_head(struct conn *c, uint32_t got)
{
	static char came[READ_BYTES];
	ssize_t n = recv(c->client.fd, came, sizeof(came), 0);
	bool kept;

	(void)got;
	if (!client_is_here(c, n) || n < 0)
		return;
	kept = buf_add(&c->inb, came, (size_t)n) == 0;
	explicit_bzero(came, (size_t)n);
	if (kept)
		request_advance(c);
	else
		conn_abort(c, "client_gone");
}

/* Memory follows what has come, not what was announced: it doubles. */
static size_t
room_for_more(const struct buf *body)
{
	size_t left = body->max - body->len, room = body->cap - body->len;

	if (room == 0)
		room = body->len < BODY_READ_BYTES ? BODY_READ_BYTES : body->len;
	return left < room ? left : room;
}

/* A counted body is read into its own buffer, and never beyond its end. */
static void
read_counted(struct conn *c)
{
	struct buf *body = &c->call->body;
	size_t room = room_for_more(body);
	char *at = buf_room(body, room);
	ssize_t n = at == NULL ? 0 : recv(c->client.fd, at, room, 0);

	if (!client_is_here(c, n) || n < 0)
		return;
	buf_grew(body, (size_t)n);
	conn_body_came(c, (size_t)n);
	request_counted(c, (size_t)n);
}

static void
read_body(struct conn *c, uint32_t got)
{
	(void)got;
	if (c->call->upload != NULL)
		upload_read(c);
	else if (c->call->request.framing == HTTP_CHUNKED)
		read_chunks(c);
	else
		read_counted(c);
}

static void
call_more(struct conn *c, uint32_t got)
{
	if ((got & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
		conn_abort(c, c->answer_done || c->call->had_all ? NULL : "client_gone");
	else if ((got & EPOLLIN) != 0 && upload_wants(c))
		upload_read(c);
	else
		relay_out(c);
}

static void
linger_read(struct conn *c, uint32_t got)
{
	char thrown[LINGER_BYTES];
	ssize_t n = recv(c->client.fd, thrown, sizeof(thrown), 0);

	(void)got;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		conn_drop(c);
}

static void
client_ready(struct watch *w, uint32_t got)
{
	struct conn *c = ev_owner(w, struct conn, client);

	rows[c->state].run(c, got);
}

static void
timed_out(struct timer *t)
{
	struct conn *c = ev_owner(t, struct conn, timer);

	if (c->state == CONN_HEAD)
		call_note_line(c->call, buf_span(&c->inb));
	if (c->state == CONN_HEAD || c->state == CONN_BODY)
		conn_refuse(c, VERDICT_MALFORMED_REQUEST,
			    "The request did not come in time; send it without pauses.", false);
	else if (c->state == CONN_CALL)
		conn_abort(c, "client_gone");
	else
		conn_drop(c);
}

void
conn_new(struct ingress *in, const struct ingress_listener *l, int fd)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		abort();
	*c = (struct conn){.in = in, .listener = l, .client = {fd, 0, client_ready}};
	if (l->is_unix)
		c->peer = caller_peer_of(fd);
	c->timer.fn = timed_out;
	buf_init(&c->inb, in->plan.header_bytes + BODY_READ_BYTES);
	buf_init(&c->out, OUT_MAX);
	buf_init(&c->up, UP_MAX);
	buf_init(&c->down, DOWN_MAX);
	c->next = in->conns;
	c->prev = &in->conns;
	if (c->next != NULL)
		c->next->prev = &c->next;
	in->conns = c;
	in->nconns++;
	conn_state(c, CONN_IDLE);
}

size_t
conn_count_calls(const struct ingress *in)
{
	size_t n = 0;

	for (const struct conn *c = in->conns; c != NULL; c = c->next)
		if (c->call != NULL && c->state >= CONN_BODY && !c->listener->is_admin)
			n++;
	return n;
}

/* How readily a connection is ended for a new one. */
enum parting {
	NEVER,
	YOUNG,  /* it was never served, and its head may be on its way */
	READS,  /* it was never served, and takes an answer of ours */
	SERVED, /* kept for later calls: a client expects to lose such a one */
	SILENT, /* it was never served, though it had the time */
};

static enum parting
parting_of(const struct conn *c)
{
	bool is_reply = c->state == CONN_REPLY; /* a relayed answer is CONN_CALL's */
	bool is_head = c->state == CONN_HEAD && !c->served;
	bool is_idle = is_head || c->state == CONN_IDLE || c->state == CONN_LINGER;
	bool may_go = is_idle || is_reply;
	bool is_young = may_go && since(c) + YOUNG_MS > loop_now(c->in->loop);

	if (!may_go || (c->served && is_young))
		return NEVER;
	if (is_young)
		return is_reply ? READS : YOUNG;
	return c->served ? SERVED : SILENT;
}

/* Many that come at once have sent their heads before any of them was read. */
static bool
has_come(const struct conn *c)
{
	char byte;

	return recv(c->client.fd, &byte, 1, MSG_PEEK) > 0;
}

bool
conn_make_room(struct ingress *in)
{
	enum parting best = NEVER;
	struct conn *first = NULL;

	for (struct conn *c = in->conns; c != NULL; c = c->next) {
		enum parting p = parting_of(c);

		if (p > best || (p == best && first != NULL && since(c) <= since(first))) {
			first = c;
			best = p;
		}
	}
	if (first == NULL || (best == YOUNG && has_come(first)))
		return false;
	if (first->state == CONN_REPLY)
		conn_drop(first); /* the log says what it was answered */
	else
		conn_abort(first, "overloaded");
	return true;
}

void
conn_drain_all(struct ingress *in)
{
	for (struct conn *c = in->conns, *next; c != NULL; c = next) {
		next = c->next;
		if (c->state == CONN_IDLE || c->state == CONN_LINGER)
			conn_drop(c);
	}
}

void
conn_drop_all(struct ingress *in)
{
	for (struct conn *c = in->conns, *next; c != NULL; c = next) {
		next = c->next;
		conn_abort(c, "shutting_down");
	}
}
