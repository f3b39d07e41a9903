/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "egress/serve.h"

#include "base/log.h"
#include "ev/send.h"

enum {
	IN_MAX = FRAME_HEADER + FRAME_HEAD_MAX + 2 * (FRAME_HEADER + FRAME_BODY_MAX),
	READ_BYTES = 16 * 1024,
	OUT_HIGH = 64 * 1024, /* unsent bytes of an answer above which the upstream is paused */
	/* What the redactor has held of a long secret's kind may come all at once. */
	OUT_MAX = OUT_HIGH + 2 * FRAME_HEAD_MAX + 8 * (FRAME_HEADER + FRAME_BODY_MAX),
	KEEP_BYTES = 16 * 1024, /* of a buffer, between calls */
};

enum serve_state {
	SERVE_IDLE,   /* a call may come */
	SERVE_BODY,   /* its body is coming */
	SERVE_STREAM, /* the same, and it is sent on as it comes: an answer may come too */
	SERVE_CALL,   /* it is under way */
	SERVE_FLUSH,  /* the end of the answer is on its way to ingress */
};

struct serve {
	struct egress *e;
	struct watch watch;
	struct later later; /* flushes what a round has gathered, in one send */
	enum serve_state state;
	bool is_last;
	struct buf in, out;
	struct exchange exchange;
};

static void
serve_drop(struct serve *s)
{
	exchange_drop(&s->exchange);
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

/* A streamed body that the upstream does not take is left with ingress. */
static void
set_watch(struct serve *s)
{
	bool stalled = s->state == SERVE_STREAM && !exchange_has_room(&s->exchange);

	watch_set(s->e->loop, &s->watch,
		  EPOLLRDHUP | (stalled ? 0u : EPOLLIN) | (s->out.len > 0 ? EPOLLOUT : 0u));
}

static void
flush_later(struct later *l)
{
	struct serve *s = ev_owner(l, struct serve, later);

	if (send_buf(s->watch.fd, &s->out, KEEP_BYTES, NULL) != 0) {
		serve_drop(s);
		return;
	}
	set_watch(s);
	if (s->out.len < OUT_HIGH / 2)
		exchange_resume(&s->exchange);
	if (s->state == SERVE_FLUSH && s->out.len == 0) {
		s->state = SERVE_IDLE;
		next_frames(s);
	} else if (s->state == SERVE_STREAM) {
		next_frames(s);
	}
}

static int
pass_head(void *arg, const struct frame_head *head)
{
	struct serve *s = arg;

	if (frame_add(&s->out, FRAME_HEAD, &frame_head_type, head) != 0)
		return -1;
	loop_later(s->e->loop, &s->later);
	return 0;
}

/* libcurl gives a piece again after a pause: all of it is taken, or nothing. */
static bool
has_room(void *arg)
{
	const struct serve *s = arg;

	return s->out.len < OUT_HIGH;
}

static int
pass_data(void *arg, struct span piece)
{
	struct serve *s = arg;

	loop_later(s->e->loop, &s->later);
	return frame_add_bytes(&s->out, FRAME_BODY, piece);
}

/* libcurl is at work: the frames are taken up at the round's end. */
static void
pass_room(void *arg)
{
	struct serve *s = arg;

	if (s->state == SERVE_STREAM)
		loop_later(s->e->loop, &s->later);
}

static void
pass_end(void *arg)
{
	struct serve *s = arg;

	(void)frame_add_bytes(&s->out, FRAME_END, (struct span){NULL, 0});
	s->state = SERVE_FLUSH;
	loop_later(s->e->loop, &s->later);
}

static void
pass_fail(void *arg, const struct frame_fail *f)
{
	struct serve *s = arg;

	(void)frame_add(&s->out, FRAME_FAIL, &frame_fail_type, f);
	s->state = SERVE_FLUSH;
	loop_later(s->e->loop, &s->later);
}

static const struct exchange_events events = {
	{pass_head, has_room, pass_data}, pass_room, pass_end, pass_fail};

/* ---- from ingress ---- */

/* Ingress closes the stream, whose descriptor is then free for another. */
static const char *
turn_away(struct serve *s)
{
	const struct frame_fail full = {.verdict = VERDICT_OVERLOADED};

	pass_fail(s, &full);
	return NULL;
}

/* Takes a call's head; a static sentence when ingress broke the rules. */
static const char *
take_call(struct serve *s, struct span payload)
{
	_Alignas(max_align_t) char room[HTTP_FIELDS_MAX * sizeof(struct http_field) + 64];
	struct frame_call call;
	struct pool pool;

	pool_over(&pool, room, sizeof(room));
	if (pack_read(&frame_call_type, payload, &pool, &call) != 0)
		return "a call that does not fit its form";
	if (s->is_last)
		return turn_away(s);
	s->state = call.streamed ? SERVE_STREAM : SERVE_BODY;
	return exchange_begin(&s->exchange, &call);
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
	if (f->type == FRAME_BODY)
		return exchange_body(&s->exchange, f->payload);
	if (f->type != FRAME_END)
		return "a frame out of turn";
	s->state = SERVE_CALL;
	return exchange_send(&s->exchange);
}

static bool
may_take(const struct serve *s)
{
	return s->state == SERVE_IDLE || s->state == SERVE_BODY || s->state == SERVE_FLUSH ||
	       (s->state == SERVE_STREAM && exchange_has_room(&s->exchange));
}

/* Handles all whole frames that are here; may drop s. */
static void
next_frames(struct serve *s)
{
	size_t used = 0;

	while (may_take(s)) {
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
	set_watch(s);
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

	/* What ingress had still to say of a streamed body is of no use without its end. */
	if (s->state == SERVE_STREAM && (got & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
		serve_drop(s);
		return;
	}
	if (got & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
		if (!read_stream(s))
			return;
		if (s->in.len > 0 && s->state == SERVE_CALL) {
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
serve_new(struct egress *e, int fd, bool is_last)
{
	struct serve *s = calloc(1, sizeof(*s));

	if (s == NULL)
		abort();
	*s = (struct serve){.e = e, .watch = {fd, 0, ready}, .is_last = is_last};
	s->later.fn = flush_later;
	exchange_init(&s->exchange, e, &events, s);
	buf_init(&s->in, IN_MAX);
	buf_init(&s->out, OUT_MAX);
	e->nstreams++;
	watch_set(e->loop, &s->watch, EPOLLIN | EPOLLRDHUP);
}
