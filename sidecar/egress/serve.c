/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "egress/serve.h"

#include "base/log.h"

enum {
	IN_MAX = FRAME_HEADER + FRAME_HEAD_MAX + 2 * (FRAME_HEADER + FRAME_BODY_MAX),
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
	struct stream stream;
	struct later later; /* flushes what a round has gathered, in one send */
	enum serve_state state;
	struct buf in, out;
	struct exchange exchange;
};

static void
serve_drop(struct serve *s)
{
	exchange_drop(&s->exchange);
	later_stop(s->e->loop, &s->later);
	stream_close(&s->stream);
	buf_free(&s->in);
	buf_free(&s->out);
	s->e->nstreams--;
	free(s);
}

/* ---- towards ingress ---- */

static void next_frames(struct serve *s);

/* A streamed body that the upstream does not take is left with ingress. */
static void
hold(struct serve *s)
{
	stream_hold(&s->stream, s->state == SERVE_STREAM && !exchange_has_room(&s->exchange));
}

static void
flush(struct serve *s)
{
	stream_send(&s->stream, &s->out, KEEP_BYTES);
	if (s->out.len < OUT_HIGH / 2)
		exchange_resume(&s->exchange);
	if (s->state == SERVE_FLUSH && s->out.len == 0) {
		s->state = SERVE_IDLE;
		next_frames(s);
	} else if (s->state == SERVE_STREAM) {
		next_frames(s);
	}
}

static void
flush_later(struct later *l)
{
	flush(ev_owner(l, struct serve, later));
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
pass_fail(void *arg, enum verdict v)
{
	struct serve *s = arg;
	struct frame_fail f = {.verdict = (uint8_t)v};

	(void)frame_add(&s->out, FRAME_FAIL, &frame_fail_type, &f);
	s->state = SERVE_FLUSH;
	loop_later(s->e->loop, &s->later);
}

static const struct exchange_events events = {
	{pass_head, has_room, pass_data}, pass_room, pass_end, pass_fail};

/* ---- from ingress ---- */

/* Takes a call's head; a static sentence when ingress broke the rules. */
static const char *
take_call(struct serve *s, struct span payload)
{
	_Alignas(max_align_t) char room[FRAME_ROOM];
	struct frame_call call;
	struct pool pool;

	pool_over(&pool, room, sizeof(room));
	if (pack_read(&frame_call_type, payload, &pool, &call) != 0)
		return "a call that does not fit its form";
	s->state = call.streamed ? SERVE_STREAM : SERVE_BODY;
	return exchange_begin(&s->exchange, &call);
}

static const char *
take_frame(struct serve *s, const struct frame *f)
{
	if (s->state == SERVE_IDLE && f->type == FRAME_CALL)
		return take_call(s, f->payload);
	if (f->type != FRAME_BODY && f->type != FRAME_END)
		return "a frame out of turn";
	if (s->state == SERVE_IDLE || s->state == SERVE_FLUSH)
		return NULL; /* it is of a call that has failed already */
	if (f->type == FRAME_BODY)
		return exchange_body(&s->exchange, f->payload);
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
	hold(s);
}

static void
came(struct stream *stream, struct span bytes)
{
	struct serve *s = ev_owner(stream, struct serve, stream);
	const char *wrong = NULL;

	if (s->state == SERVE_CALL)
		wrong = "a frame while a call is under way";
	else if (buf_add_span(&s->in, bytes) != 0)
		wrong = "more frames than may wait";
	if (wrong == NULL) {
		next_frames(s);
		return;
	}
	log_say(LOG_ERROR, "ingress broke the protocol", LOG_C("why", wrong));
	serve_drop(s);
}

static void
room(struct stream *stream)
{
	flush(ev_owner(stream, struct serve, stream));
}

/* The agent is gone: the upstream is let go at once. */
static void
closed(struct stream *stream)
{
	serve_drop(ev_owner(stream, struct serve, stream));
}

static const struct stream_events stream_events = {came, room, closed};

struct stream *
serve_new(struct egress *e)
{
	struct serve *s = calloc(1, sizeof(*s));

	if (s == NULL)
		abort();
	*s = (struct serve){.e = e, .stream = {.events = &stream_events}};
	s->later.fn = flush_later;
	exchange_init(&s->exchange, e, &events, s);
	buf_init(&s->in, IN_MAX);
	buf_init(&s->out, OUT_MAX);
	e->nstreams++;
	return &s->stream;
}
