/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call, from its head to the end of its answer: what was decided, what was counted, its log
 * line.
 */
#ifndef INGRESS_CALL_H
#define INGRESS_CALL_H

#include "box/frame.h"
#include "http/body.h"
#include "ingress/decide.h"
#include "ingress/meter.h"
#include "ingress/trace.h"
#include "ingress/upload.h"

enum { CALL_ID_LEN = 20 };

struct call {
	struct http_request request; /* views into the connection's input until the call is sent */
	size_t head_len;
	bool is_head; /* HEAD was asked: an answer has no body */
	struct decision decision;
	struct chunked chunked;
	struct buf body;        /* when it did not come whole with the head, or was rewritten */
	struct span content;    /* the body: a view into the input, or body */
	size_t sent;            /* bytes of content framed for egress */
	uint64_t reserved;      /* of limits.bufferTotal */
	uint64_t patience_ms;   /* how long more of the body is waited for (conn_body_came) */
	bool admitted;          /* it is one of its caller's under way (admission.h) */
	unsigned retry_seconds; /* for Retry-After of a refusal; 0: no particular time */
	struct upload *upload;  /* a form: body is then what waits for egress; else NULL */
	bool end_sent;
	bool is_list;               /* the answer lists models, and is kept until it is whole */
	struct buf list_head, list; /* as far as it has come */
	char id[CALL_ID_LEN + 1];
	uint64_t start_us, first_byte_us;
	uint64_t whole_us, handed_us; /* the request: all of it read, its front with egress */
	uint64_t overhead_us;         /* set by the first write of the answer */
	uint64_t bytes_in, bytes_out; /* of the connection's, with heads and chunks' framing */
	uint64_t bytes_relayed;       /* of the answer's body, as it came from egress */
	unsigned status;
	const char *code;                /* of an error of ours; NULL: the upstream's answer */
	uint16_t answered_by;            /* the target, or one of its deployments */
	char upstream_id[96];            /* x-request-id and its like */
	char trace_id[TRACE_ID_LEN + 1]; /* of a valid traceparent, or empty */
	struct meter meter;              /* of the answer's body */
	bool whole;                      /* the answer has ended, and not broken off */
	bool had_all;                    /* the agent has its last event: it may leave */
	enum meter_result metered;
	struct usage usage; /* as far as it was said; all of it when that is METER_KNOWN */
};

/* A fresh call with its id and start time; out of memory ends the process. */
struct call *call_new(struct ingress *in);
/* Gives back what it reserved; NULL does nothing. */
void call_free(struct ingress *in, struct call *c);

struct span call_id(const struct call *c);

/*
 * Takes room for n bytes of the body that have come from limits.bufferTotal, twice: egress keeps a
 * copy until the call has ended, to be able to send it again. False when there is none left, or
 * when, of several callers, this one's bodies would hold more than half of it (why is set then). A
 * caller's only body may be as large as any.
 */
bool call_reserve(struct ingress *in, struct call *c, uint64_t n);
/* Gives n bytes of what it reserved back. */
void call_release(struct ingress *in, struct call *c, uint64_t n);
/* All of the body is with egress: frees our copy, and gives back the room of it. */
void call_handed_over(struct ingress *in, struct call *c);

/* Puts what was decided into the body: the model's new name, the wish for usage. */
void call_rewrite(struct call *c);

/*
 * What egress is told of a decided call: views into c, and of its fields those that may pass, in
 * passing (room for HTTP_FIELDS_MAX).
 */
void call_sent(const struct call *c, struct frame_call *out, struct http_field *passing);
/* Appends CALL to up. 0, or -1 when it is over a bound. */
int call_frame(const struct call *c, struct buf *up);
/* Appends the next piece of the body, and END behind the last. */
void call_frame_body(struct call *c, struct buf *up);

/* Of a head that was refused, or did not come whole: how its sender is to be answered. */
void call_note_line(struct call *c, struct span came);
/* Keeps the agent's trace id, if there is one valid traceparent, for the log and call_sent. */
void call_note_trace(struct call *c);
/* Keeps the upstream's request id for the log. */
void call_note_head(struct call *c, const struct frame_head *head);

/* The answer's first write to the client was made. */
void call_note_written(struct call *c);

/* The call is over: counted, kept for /status, and logged in one line (design section 8). */
void call_over(struct ingress *in, struct call *c);

#endif
