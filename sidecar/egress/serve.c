/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "egress/serve.h"

#include "base/log.h"
#include "egress/inject.h"
#include "ev/send.h"
#include "http/grammar.h"

enum {
	IN_MAX = FRAME_HEADER + FRAME_HEAD_MAX + 2 * (FRAME_HEADER + FRAME_BODY_MAX),
	READ_BYTES = 16 * 1024,
	OUT_HIGH = 64 * 1024, /* unsent bytes of an answer above which the upstream is paused */
	OUT_MAX = OUT_HIGH + 2 * FRAME_HEAD_MAX + FRAME_BODY_MAX,
	KEEP_BYTES = 16 * 1024, /* of a buffer, between calls */
	RESOLVE_POLL_MS = 50,   /* while the first answer of the resolver is awaited */
};

enum serve_state {
	SERVE_IDLE,    /* a call may come */
	SERVE_BODY,    /* its body is coming */
	SERVE_RESOLVE, /* all is here but an address */
	SERVE_CALL,    /* the upstream has it */
	SERVE_FLUSH,   /* the end of the answer is on its way to ingress */
};

struct serve {
	struct egress *e;
	struct watch watch;
	struct timer timer;
	struct later later; /* flushes what a round has gathered, in one send */
	enum serve_state state;
	struct buf in, out;
	struct target *target;
	struct inject inject;
	char method[20];
	bool has_body;
	char *body;
	size_t body_len, body_got;
	struct transfer *transfer;
	bool head_passed, paused;
	bool idle_armed;
	uint64_t resolve_until;
	uint64_t last_piece;
};

/* ---- ends ---- */

static void
end_call(struct serve *s)
{
	struct transfer *t = s->transfer;

	timer_stop(s->e->loop, &s->timer);
	s->transfer = NULL;
	transfer_cancel(t);
	inject_free(&s->inject);
	s->e->buffered -= s->body == NULL ? 0 : s->body_len;
	free(s->body);
	s->body = NULL;
	s->head_passed = s->paused = false;
}

static void
serve_drop(struct serve *s)
{
	end_call(s);
	later_stop(s->e->loop, &s->later);
	watch_stop(s->e->loop, &s->watch);
	close(s->watch.fd);
	buf_free(&s->in);
	buf_free(&s->out);
	s->e->nstreams--;
	free(s);
}

/* ---- towards ingress ---- */

static void next_frames(struct serve *s);

static void
flush_later(struct later *l)
{
	struct serve *s = ev_owner(l, struct serve, later);

	if (send_buf(s->watch.fd, &s->out, KEEP_BYTES, NULL) != 0) {
		serve_drop(s);
		return;
	}
	watch_set(s->e->loop, &s->watch,
		  s->out.len > 0 ? EPOLLIN | EPOLLOUT | EPOLLRDHUP : EPOLLIN | EPOLLRDHUP);
	if (s->paused && s->out.len < OUT_HIGH / 2) {
		s->paused = false;
		transfer_resume(s->transfer);
	}
	if (s->state == SERVE_FLUSH && s->out.len == 0) {
		s->state = SERVE_IDLE;
		next_frames(s);
	}
}

static void
fail(struct serve *s, enum verdict v, bool sent)
{
	struct frame_fail f = {.verdict = (uint8_t)v, .sent = sent, .wire = s->head_passed};

	end_call(s);
	(void)frame_add(&s->out, FRAME_FAIL, &frame_fail_type, &f);
	s->state = SERVE_FLUSH;
	loop_later(s->e->loop, &s->later);
}

/* ---- the upstream's side ---- */

static struct span
field_value(const struct frame_head *head, const char *name)
{
	for (size_t i = 0; i < head->nfields; i++)
		if (span_iis(head->fields[i].name, name))
			return head->fields[i].value;
	return (struct span){"", 0};
}

static bool
is_access_login(struct span location)
{
	const struct span marks[] = {SPAN(".cloudflareaccess.com/"), SPAN("/cdn-cgi/access/")};

	for (size_t m = 0; m < sizeof(marks) / sizeof(marks[0]); m++)
		for (size_t i = 0; i + marks[m].len <= location.len; i++)
			if (span_starts(span_cut(location, i, location.len), marks[m]))
				return true;
	return false;
}

/* What is not an API's answer is not relayed: design section 6. */
static enum verdict
judge_head(const struct serve *s, const struct frame_head *head)
{
	bool html = span_istarts(field_value(head, "content-type"), SPAN("text/html"));

	if (head->status >= 300 && head->status < 400)
		return is_access_login(field_value(head, "location"))
			       ? VERDICT_ACCESS_DENIED_BY_GATEWAY
			       : VERDICT_UPSTREAM_REDIRECT;
	if (html && s->target->plan->access && (head->status == 401 || head->status == 403))
		return VERDICT_ACCESS_DENIED_BY_GATEWAY;
	return html ? VERDICT_UPSTREAM_INVALID : VERDICT_OK;
}

static enum verdict
on_head(void *arg, const struct frame_head *head)
{
	struct serve *s = arg;
	enum verdict v = judge_head(s, head);

	if (v != VERDICT_OK)
		return v;
	if (head->status > 599)
		return VERDICT_UPSTREAM_INVALID;
	for (size_t i = 0; i < head->nfields; i++)
		if (!grammar_is_token(head->fields[i].name) ||
		    !grammar_is_field_value(head->fields[i].value))
			return VERDICT_UPSTREAM_INVALID;
	if (frame_add(&s->out, FRAME_HEAD, &frame_head_type, head) != 0)
		return VERDICT_UPSTREAM_INVALID;
	s->head_passed = true;
	s->last_piece = loop_now(s->e->loop);
	timer_set(s->e->loop, &s->timer, s->target->plan->idle_ms);
	loop_later(s->e->loop, &s->later);
	return VERDICT_OK;
}

static bool
on_data(void *arg, struct span piece)
{
	struct serve *s = arg;

	/* libcurl gives a piece again after a pause: take all of it or nothing. */
	if (s->out.len >= OUT_HIGH || piece.len > FRAME_BODY_MAX) {
		s->paused = true;
		return false;
	}
	if (frame_add_bytes(&s->out, FRAME_BODY, piece) != 0)
		return false;
	s->last_piece = loop_now(s->e->loop);
	loop_later(s->e->loop, &s->later);
	return true;
}

static void
on_done(void *arg, enum verdict v, bool sent)
{
	struct serve *s = arg;
	struct target *t = s->target;

	s->transfer = NULL; /* freed already */
	if (v == VERDICT_UPSTREAM_UNREACHABLE)
		s->e->look_up(s->e, t);
	if (v != VERDICT_OK) {
		log_say(LOG_WARN, "upstream failed", LOG_S("target", t->plan->name),
			LOG_C("code", verdict_row(v)->code));
		fail(s, v, sent);
		return;
	}
	end_call(s);
	(void)frame_add_bytes(&s->out, FRAME_END, (struct span){NULL, 0});
	s->state = SERVE_FLUSH;
	loop_later(s->e->loop, &s->later);
}

static const struct transfer_events events = {on_head, on_data, on_done};

/* ---- starting ---- */

static void
start(struct serve *s)
{
	struct transfer_request r = {
		.method = span_of(s->method),
		.target = s->inject.target,
		.lines = s->inject.lines,
		.nlines = s->inject.nlines,
		.has_body = s->has_body,
		.body = {s->body, s->body_len},
	};

	if (!target_is_resolved(s->target)) {
		if (s->state != SERVE_RESOLVE) {
			s->resolve_until = loop_now(s->e->loop) + s->target->plan->connect_ms;
			s->e->look_up(s->e, s->target);
		}
		s->state = SERVE_RESOLVE;
		if (loop_now(s->e->loop) >= s->resolve_until)
			fail(s, VERDICT_UPSTREAM_UNREACHABLE, false);
		else
			timer_set(s->e->loop, &s->timer, RESOLVE_POLL_MS);
		return;
	}
	s->state = SERVE_CALL;
	timer_set(s->e->loop, &s->timer, s->target->plan->first_byte_ms);
	s->transfer = transfer_start(s->target->lane, &r, &events, s);
	if (s->transfer == NULL)
		fail(s, VERDICT_OVERLOADED, false);
}

static void
timed_out(struct timer *timer)
{
	struct serve *s = ev_owner(timer, struct serve, timer);
	uint64_t idle = s->target->plan->idle_ms, quiet = loop_now(s->e->loop) - s->last_piece;

	if (s->state == SERVE_RESOLVE) {
		start(s);
		return;
	}
	/* An agent that does not read is not an upstream that does not send. */
	if (s->head_passed && (s->paused || quiet < idle)) {
		timer_set(s->e->loop, &s->timer, s->paused ? idle : idle - quiet);
		return;
	}
	log_say(LOG_WARN, "upstream timed out", LOG_S("target", s->target->plan->name));
	fail(s, VERDICT_UPSTREAM_TIMEOUT, true);
}

/* ---- from ingress ---- */

/* Takes a call's head; a static sentence when ingress broke the rules. */
static const char *
take_call(struct serve *s, struct span payload)
{
	_Alignas(max_align_t) char room[HTTP_FIELDS_MAX * sizeof(struct http_field) + 64];
	struct frame_call call;
	struct header_set *secrets;
	struct pool pool;
	const char *wrong;

	pool_over(&pool, room, sizeof(room));
	if (pack_read(&frame_call_type, payload, &pool, &call) != 0)
		return "a call that does not fit its form";
	if (call.target >= s->e->plan->ntargets)
		return "a target that does not exist";
	s->target = &s->e->targets[call.target];
	wrong = inject_check(s->target->plan, &call, s->e->plan->body_bytes);
	if (wrong != NULL)
		return wrong;
	s->state = SERVE_BODY;
	memcpy(s->method, call.method.ptr, call.method.len);
	s->method[call.method.len] = '\0';
	s->has_body = call.has_body;
	s->body_len = call.body_len;
	s->body_got = 0;
	secrets = vault_headers(s->e->vault, call.target);
	if (secrets == NULL || s->target->lane == NULL) {
		header_set_release(secrets);
		s->body = NULL;
		fail(s, VERDICT_CREDENTIAL_UNAVAILABLE, false);
		return NULL;
	}
	inject_build(&s->inject, s->target->plan, &call, secrets);
	s->body = malloc(s->body_len + 1);
	if (s->body == NULL)
		abort();
	s->e->buffered += s->body_len;
	return NULL;
}

/* What still comes of a call that has failed already is read and dropped. */
static const char *
take_late(struct serve *s, const struct frame *f)
{
	if (f->type != FRAME_BODY && f->type != FRAME_END)
		return "a frame out of turn";
	(void)s;
	return NULL;
}

static const char *
take_frame(struct serve *s, const struct frame *f)
{
	if (s->state == SERVE_IDLE)
		return f->type == FRAME_CALL ? take_call(s, f->payload) : take_late(s, f);
	if (s->state == SERVE_FLUSH)
		return take_late(s, f);
	if (f->type == FRAME_BODY) {
		if (f->payload.len > s->body_len - s->body_got)
			return "more body than was announced";
		memcpy(s->body + s->body_got, f->payload.ptr, f->payload.len);
		s->body_got += f->payload.len;
		return NULL;
	}
	if (f->type != FRAME_END || s->body_got != s->body_len)
		return "an end before the body was complete";
	start(s);
	return NULL;
}

/* Handles all whole frames that are here; may drop s. */
static void
next_frames(struct serve *s)
{
	size_t used = 0;

	while (s->state == SERVE_IDLE || s->state == SERVE_BODY || s->state == SERVE_FLUSH) {
		struct span rest = span_cut(buf_span(&s->in), used, s->in.len);
		struct frame f;
		long n = frame_next(rest, &f);
		const char *wrong;

		/* The next call waits until this one's answer is out. */
		if (n == 0 || (n > 0 && s->state == SERVE_FLUSH && f.type == FRAME_CALL))
			break;
		wrong = n < 0 ? "bytes that are no frame" : take_frame(s, &f);
		if (wrong != NULL) {
			log_say(LOG_ERROR, "ingress broke the protocol", LOG_C("why", wrong));
			serve_drop(s);
			return;
		}
		used += (size_t)n;
	}
	if (used == s->in.len)
		buf_clear(&s->in, KEEP_BYTES);
	else
		buf_drop(&s->in, used);
}

/* false: the stream was dropped. */
static bool
read_stream(struct serve *s)
{
	for (;;) {
		char *room = buf_room(&s->in, READ_BYTES);
		ssize_t n;

		if (room == NULL)
			return true; /* frames wait their turn */
		n = recv(s->watch.fd, room, READ_BYTES, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0) {
			serve_drop(s); /* the agent is gone: the upstream is let go at once */
			return false;
		}
		buf_grew(&s->in, (size_t)n);
		if (n < READ_BYTES)
			return true;
		if (s->in.len >= FRAME_HEADER + FRAME_BODY_MAX)
			return true; /* level-triggered: the rest comes next */
	}
}

static void
ready(struct watch *w, uint32_t got)
{
	struct serve *s = ev_owner(w, struct serve, watch);

	if (got & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
		if (!read_stream(s))
			return;
		if (s->in.len > 0 && (s->state == SERVE_CALL || s->state == SERVE_RESOLVE)) {
			log_say(LOG_ERROR, "ingress broke the protocol",
				LOG_C("why", "a frame while a call is under way"));
			serve_drop(s);
		} else if (s->in.len > 0)
			next_frames(s);
		else if (got & (EPOLLHUP | EPOLLERR))
			serve_drop(s);
		return;
	}
	if (got & EPOLLOUT)
		loop_later(s->e->loop, &s->later);
}

void
serve_new(struct egress *e, int fd)
{
	struct serve *s = calloc(1, sizeof(*s));

	if (s == NULL)
		abort();
	*s = (struct serve){.e = e, .watch = {fd, 0, ready}};
	s->timer.fn = timed_out;
	s->later.fn = flush_later;
	buf_init(&s->in, IN_MAX);
	buf_init(&s->out, OUT_MAX);
	e->nstreams++;
	watch_set(e->loop, &s->watch, EPOLLIN | EPOLLRDHUP);
}
