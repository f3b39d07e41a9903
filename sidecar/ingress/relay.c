/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "ingress/conn_parts.h"

#include "base/log.h"
#include "http/grammar.h"
#include "ingress/listing.h"

enum {
	OUT_HIGH = 64 * 1024, /* unsent bytes above which the upstream is held back */
	UP_KEEP = 4 * 1024,
};

/* ---- the answer, from egress ---- */

static void
relay_head(struct conn *c, const struct frame_head *head)
{
	/* What is still to come of a request that is answered already is no call. */
	if (c->in->retiring || c->call->head_len > 0)
		c->close = true;
	(void)reply_head(&c->out, head, c->minor, call_id(c->call), &c->close, &c->framing);
	call_note_head(c->call, head);
	c->left = c->framing == REPLY_LENGTH ? head->length : 0;
	c->head_relayed = true;
	conn_end_by_reset(c, true);
}

/* false: more than was announced, which the client would take for another answer. */
static bool
relay_piece(struct conn *c, struct span piece)
{
	if (piece.len == 0 || c->framing == REPLY_EMPTY)
		return true;
	if (c->framing == REPLY_LENGTH && piece.len > c->left)
		return false;
	meter_feed(&c->call->meter, piece);
	c->call->bytes_relayed += piece.len;
	c->left -= c->framing == REPLY_LENGTH ? piece.len : 0;
	if (c->framing == REPLY_CHUNKED) {
		(void)buf_add_hex(&c->out, piece.len);
		(void)buf_add_str(&c->out, "\r\n");
	}
	(void)buf_add_span(&c->out, piece);
	if (c->framing == REPLY_CHUNKED)
		(void)buf_add_str(&c->out, "\r\n");
	return true;
}

/* Egress may be owned by an upstream: a head of its making must not become two answers. */
static bool
is_head(const struct frame_head *head)
{
	for (size_t i = 0; i < head->nfields; i++)
		if (!grammar_is_token(head->fields[i].name) ||
		    !grammar_is_field_value(head->fields[i].value))
			return false;
	return head->status >= 200 && head->status <= 599;
}

/* ---- an answer that lists models: kept, cut down, sent as a whole ---- */

/* The head waits for the list. Errors of the upstream are relayed as they are. */
static bool
list_begins(struct conn *c, const struct frame_head *head, struct span payload)
{
	struct call *call = c->call;

	if (!call->decision.listing || head->status / 100 != 2)
		return false;
	call->is_list = true;
	buf_init(&call->list_head, FRAME_HEAD_MAX);
	buf_init(&call->list, LISTING_MAX);
	(void)buf_add_span(&call->list_head, payload);
	return true;
}

static void
list_piece(struct conn *c, struct span piece, enum verdict *failed)
{
	struct decision *d = &c->call->decision;

	if (!call_reserve(c->in, c->call, piece.len)) {
		*failed = VERDICT_OVERLOADED;
	} else if (buf_add_span(&c->call->list, piece) != 0) {
		snprintf(d->why, sizeof(d->why),
			 "The upstream's list of models is longer than %d MiB, and cannot be held "
			 "against `models`.",
			 LISTING_MAX >> 20);
		*failed = VERDICT_UPSTREAM_INVALID;
	} else {
		return;
	}
	conn_stream_close(c); /* its rest is of no use */
}

static void
list_ends(struct conn *c, enum verdict *failed)
{
	_Alignas(max_align_t) char room[FRAME_ROOM];
	struct call *call = c->call;
	struct decision *d = &call->decision;
	struct frame_head head;
	const char *wrong;
	struct pool pool;
	struct buf out;

	pool_over(&pool, room, sizeof(room));
	buf_init(&out, LISTING_OUT_MAX);
	wrong = listing_filter(c->in, d->caller, d->target, buf_span(&call->list), &out);
	if (wrong != NULL) {
		snprintf(d->why, sizeof(d->why), "%s", wrong);
		*failed = VERDICT_UPSTREAM_INVALID;
	} else if (pack_read(&frame_head_type, buf_span(&call->list_head), &pool, &head) == 0) {
		head.has_length = true;
		head.length = out.len;
		relay_head(c, &head);
		(void)relay_piece(c, buf_span(&out));
		c->answer_done = true;
	}
	buf_free(&out);
}

/* ---- what egress says ---- */

/* A static sentence when it broke the rules. Sets failed when there will be no answer of it. */
typedef const char *take_fn(struct conn *c, struct span payload, enum verdict *failed);

static const char *
take_head(struct conn *c, struct span payload, enum verdict *failed)
{
	_Alignas(max_align_t) char room[FRAME_ROOM];
	struct frame_head head;
	struct pool pool;

	(void)failed;
	pool_over(&pool, room, sizeof(room));
	if (c->head_relayed || c->call->is_list ||
	    pack_read(&frame_head_type, payload, &pool, &head) != 0 || !is_head(&head))
		return "a head out of turn or out of form";
	if (!list_begins(c, &head, payload))
		relay_head(c, &head);
	return NULL;
}

static const char *
take_body(struct conn *c, struct span payload, enum verdict *failed)
{
	if (c->call->is_list) {
		list_piece(c, payload, failed);
		return NULL;
	}
	if (!c->head_relayed)
		return "a body before its head";
	return relay_piece(c, payload) ? NULL : "more body than it announced";
}

static const char *
take_end(struct conn *c, struct span payload, enum verdict *failed)
{
	(void)payload; /* a frame of this type has none */
	if (c->call->is_list) {
		list_ends(c, failed);
		return NULL;
	}
	if (!c->head_relayed || c->left > 0)
		return "an end before its time";
	if (c->framing == REPLY_CHUNKED)
		(void)buf_add_str(&c->out, "0\r\n\r\n");
	c->answer_done = c->call->whole = true;
	c->unread = upload_is_open(c);
	return NULL;
}

static const char *
take_fail(struct conn *c, struct span payload, enum verdict *failed)
{
	struct pool none = {0}; /* it has no list that would take room */
	struct frame_fail fail;

	(void)c;
	if (pack_read(&frame_fail_type, payload, &none, &fail) != 0 || fail.verdict == VERDICT_OK ||
	    fail.verdict >= VERDICTS)
		return "a failure out of form";
	*failed = fail.verdict;
	return NULL;
}

static take_fn *const takes[FRAMES] = {
	[FRAME_HEAD] = take_head,
	[FRAME_BODY] = take_body,
	[FRAME_END] = take_end,
	[FRAME_FAIL] = take_fail,
};

static const char *
take_frame(struct conn *c, const struct frame *f, enum verdict *failed)
{
	take_fn *take = takes[f->type];

	return take == NULL ? "a frame of a type that it may not send"
			    : take(c, f->payload, failed);
}

/* false: the connection is gone, or has turned to an error reply. */
static bool
answer_failed(struct conn *c, enum verdict v)
{
	if (c->head_relayed) {
		(void)conn_send(c); /* what came before the break is the agent's */
		conn_abort(c, verdict_row(v)->code);
		return false;
	}
	/* Only a call that was lost on its way may have been worked on all the same. */
	if (v != VERDICT_UPSTREAM_BROKEN && v != VERDICT_UPSTREAM_TIMEOUT)
		meter_forget(&c->call->meter);
	buf_free(&c->down); /* of this answer: the next call's begins with nothing */
	if (!c->call->end_sent)
		conn_stream_close(c); /* it still waits for the rest of the body */
	conn_refuse(c, v, NULL, !upload_is_open(c));
	return false;
}

static void
broken(struct conn *c, const char *why)
{
	log_say(LOG_ERROR, "egress broke the protocol", LOG_C("why", why));
	conn_abort(c, "upstream_broken");
}

/* Relays all whole frames of in; *used says how much. false: the connection moved on. */
static bool
relay_frames(struct conn *c, struct span in, size_t *used)
{
	while (!c->answer_done) {
		struct frame f;
		enum verdict failed = VERDICT_OK;
		long n = frame_next(span_cut(in, *used, in.len), &f);
		const char *wrong;

		if (n == 0)
			return true;
		wrong = n < 0 ? "bytes that are no frame" : take_frame(c, &f, &failed);
		if (wrong != NULL) {
			broken(c, wrong);
			return false;
		}
		*used += (size_t)n;
		if (failed != VERDICT_OK)
			return answer_failed(c, failed);
	}
	return true;
}

/* Holds the upstream back while the client does not read, and lets it go on when it does. */
static void
balance(struct conn *c)
{
	bool full = c->out.len >= OUT_HIGH, wants = upload_wants(c);

	watch_set(c->in->loop, &c->client,
		  EPOLLRDHUP | (c->out.len > 0 ? EPOLLOUT : 0u) | (wants ? EPOLLIN : 0u));
	if (stream_is_open(&c->stream))
		stream_hold(&c->stream, full);
	if (wants)
		timer_set(c->in->loop, &c->timer, c->call->patience_ms);
	else if (c->out.len > 0 && c->timer.slot == 0)
		timer_set(c->in->loop, &c->timer, SEND_TIMEOUT_MS);
	else if (c->out.len == 0)
		timer_stop(c->in->loop, &c->timer);
}

void
relay_out(struct conn *c)
{
	uint64_t before = c->call->bytes_out;

	if (!conn_send(c)) {
		conn_abort(c, c->call->had_all ? NULL : "client_gone");
		return;
	}
	if (c->out.len == 0 && meter_is_over(&c->call->meter))
		c->call->had_all = true;
	/* However slowly it reads: the time that it has is between two reads. */
	if (c->call->bytes_out > before)
		timer_stop(c->in->loop, &c->timer);
	call_note_written(c->call);
	if (c->answer_done && c->out.len == 0)
		conn_finished(c);
	else
		balance(c);
}

static void
stream_came(struct stream *stream, struct span bytes)
{
	struct conn *c = ev_owner(stream, struct conn, stream);
	bool direct = c->down.len == 0;
	struct span in = bytes;
	size_t used = 0;

	if (c->state != CONN_CALL) {
		conn_stream_close(c); /* nothing is due now: a dead stream, to be made anew */
		return;
	}
	if (!direct && buf_add_span(&c->down, bytes) != 0) {
		broken(c, "more frames than may wait");
		return;
	}
	if (!direct)
		in = buf_span(&c->down);
	if (!relay_frames(c, in, &used))
		return;
	if (direct)
		(void)buf_add_span(&c->down, span_cut(in, used, in.len));
	else
		buf_drop(&c->down, used);
	if (c->down.len == 0)
		buf_free(&c->down);
	relay_out(c);
}

/* ---- the call, towards egress ---- */

/* The request's bytes need not be kept through a long answer, nor while a few of them wait. */
static void
forget_request(struct conn *c)
{
	call_handed_over(c->in, c->call);
	buf_drop(&c->inb, c->call->head_len);
	c->call->head_len = 0;
	if (c->inb.len == 0)
		buf_free(&c->inb);
}

static void
send_call(struct conn *c)
{
	for (;;) {
		if (c->up.len < FRAME_BODY_MAX && !c->call->end_sent)
			call_frame_body(c->call, &c->up);
		if (c->up.len == 0)
			break;
		stream_send(&c->stream, &c->up, UP_KEEP);
		if (c->up.len == 0)
			continue;
		if (c->call->end_sent && c->call->upload == NULL && c->up.len <= UP_KEEP)
			forget_request(c);
		return;
	}
	if (c->call->upload != NULL) {
		call_release(c->in, c->call,
			     c->call->reserved); /* egress keeps no copy of a form */
		buf_clear(&c->call->body, upload_is_open(c) ? BODY_READ_BYTES : 0);
	}
	if (upload_is_open(c)) {
		c->call->sent = 0;
		return;
	}
	buf_free(&c->up);
	forget_request(c);
}

void
relay_more(struct conn *c)
{
	send_call(c);
	balance(c);
}

static void
stream_room(struct stream *stream)
{
	struct conn *c = ev_owner(stream, struct conn, stream);

	if (c->state == CONN_CALL)
		relay_more(c);
}

static void
stream_closed(struct stream *stream)
{
	struct conn *c = ev_owner(stream, struct conn, stream);

	conn_stream_close(c);
	if (c->state != CONN_CALL)
		return; /* the next call opens another */
	log_say(LOG_ERROR, "egress closed a stream", LOG_S("request_id", call_id(c->call)));
	(void)answer_failed(c, VERDICT_UPSTREAM_BROKEN);
}

static const struct stream_events stream_events = {stream_came, stream_room, stream_closed};

void
relay_start(struct conn *c)
{
	/* One stream for each client connection, opened when its first call needs it. */
	bool open =
		stream_is_open(&c->stream) || stream_open(c->in->trunk, &c->stream, &stream_events);

	if (!open) {
		conn_refuse(c, VERDICT_OVERLOADED, NULL, !upload_is_open(c));
		return;
	}
	if (call_frame(c->call, &c->up) != 0) {
		conn_refuse(
			c, VERDICT_HEADER_TOO_LARGE,
			"What passes to an upstream is at most 64 KiB in one header and 160 KiB "
			"in all, whatever `limits.headerBytes` says; send less.",
			!upload_is_open(c));
		return;
	}
	meter_expect(&c->call->meter, c->call->decision.route);
	conn_state(c, CONN_CALL);
	send_call(c);
	c->call->handed_us = loop_clock_us();
	balance(c);
}
