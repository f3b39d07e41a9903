/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the three files of a connection share: conn.c (its life, states and events), request.c (from
 * the client to a call) and relay.c (the call to egress, the answer back).
 */
#ifndef INGRESS_CONN_PARTS_H
#define INGRESS_CONN_PARTS_H

#include "box/trunk.h"
#include "ingress/call.h"
#include "ingress/conn.h"
#include "ingress/reply.h"

enum {
	READ_BYTES = 16 * 1024,
	BODY_READ_BYTES = 64 * 1024,
	BODY_AT_ONCE = 1024 * 1024,
	BODY_TIMEOUT_MS = 60 * 1000, /* nginx's client_body_timeout */
	BODY_RATE = 4,               /* the least, bytes a ms: a byte a minute is no body */
	SEND_TIMEOUT_MS = 600 * 1000,
};

enum conn_state {
	CONN_IDLE,   /* between calls: nothing of the next one has come */
	CONN_HEAD,   /* a head is coming */
	CONN_BODY,   /* its body is coming */
	CONN_CALL,   /* egress has it, or is being given it */
	CONN_REPLY,  /* an answer of ours is on its way out */
	CONN_LINGER, /* told the client to stop; what it still sends is thrown away */
	CONN_STATES
};

struct conn {
	struct ingress *in;
	const struct ingress_listener *listener;
	struct caller_peer peer;
	struct conn *next, **prev;
	struct watch client;
	struct stream stream; /* to egress, from the first call on */
	struct timer timer;
	enum conn_state state;
	struct buf inb, out; /* from and to the client */
	struct buf up, down; /* to and from egress */
	size_t seen;         /* bytes of the head that were looked at */
	struct call *call;   /* from the first byte of a head to the end of its answer */
	enum reply_framing framing;
	uint64_t left;  /* bytes of a counted answer that are still due */
	unsigned minor; /* the client speaks HTTP/1.minor */
	bool head_relayed, answer_done;
	bool served; /* an upstream has answered a call of it */
	bool close;  /* the connection ends with this answer */
	bool unread; /* not all of the request was read */
};

/* ---- conn.c ---- */

/* The one place where a state changes: sets what is waited for, and how long. */
void conn_state(struct conn *c, enum conn_state state);
/*
 * n more bytes of the body have come: counts them for the log. Of the BODY_TIMEOUT_MS that are its
 * own, waiting for them has taken some, and they bring some back, at BODY_RATE.
 */
void conn_body_came(struct conn *c, size_t n);
/* Sends what is gathered for the client; false when it is gone. */
bool conn_send(struct conn *c);
/* Ends the connection and frees it. */
void conn_drop(struct conn *c);
/*
 * The same in the middle of something, with a log line for the call: never a clean end of an
 * answer.
 */
void conn_abort(struct conn *c, const char *code);
/*
 * A client that reads until the close takes any FIN for a complete answer: only a reset tells it
 * that there was more, and so ours is to be one from the head to the end, lest we are killed in
 * between. A chunked or counted body tells by itself that it is short.
 */
void conn_end_by_reset(struct conn *c, bool reset);
/* Forgets the stream to egress, which cancels what is under way there. */
void conn_stream_close(struct conn *c);
/* An answer of ours stands in c->out: sends it and goes on. May free c. */
void conn_reply(struct conn *c);
/* An answer has gone out whole: idle again, lingering, or the end. May free c. */
void conn_finished(struct conn *c);
/*
 * Answers the call with an error of ours (why NULL: what was decided, or the verdict's sentence).
 * whole: all of the request has been read, so the connection may go on. May free c.
 */
void conn_refuse(struct conn *c, enum verdict v, const char *why, bool whole);

/* ---- request.c ---- */

/* Acts on the bytes of the client that are here. May free c. */
void request_advance(struct conn *c);
/* Has n more bytes of a counted body in call->body. May free c. */
void request_counted(struct conn *c, size_t n);
/*
 * The same with more of a chunked body, which is never kept with the head (views point into
 * that). May free c.
 */
void request_chunks(struct conn *c, struct span in);

/* ---- relay.c ---- */

/* Hands the decided call to egress. May free c. */
void relay_start(struct conn *c);
/* More of an upload has come. May free c. */
void relay_more(struct conn *c);
/* Goes on sending the answer to the client. May free c. */
void relay_out(struct conn *c);

#endif
