/* SPDX-License-Identifier: Apache-2.0 */
/* Answers as bytes: our own, and the head of a relayed one (RFC 9112 section 4). */
#ifndef INGRESS_REPLY_H
#define INGRESS_REPLY_H

#include "box/frame.h"
#include "policy/access/verdict.h"

struct reply {
	enum verdict verdict;
	enum dialect dialect;
	const char *why; /* NULL: the verdict's own sentence */
	struct span request_id;
	unsigned retry_seconds; /* for Retry-After where a retry helps; 0: one */
	bool close;             /* the connection ends with it */
	bool is_head;           /* of the request: the body is left out */
};

/* An error of ours. Returns the status sent, or 0 when out is full. */
unsigned reply_error(struct buf *out, const struct reply *r);

/* An answer of ours with a body that is no error of a call (admin, liveliness). */
struct reply_page {
	unsigned status;
	const char *type;   /* of the body */
	const char *fields; /* further lines of the head, each with its CRLF */
	bool is_head;       /* of the request: the body is left out */
};

/* 0 or -1. */
int reply_plain(struct buf *out, const struct reply_page *page, struct span body, bool close);

enum reply_framing { REPLY_LENGTH, REPLY_CHUNKED, REPLY_UNTIL_CLOSE, REPLY_EMPTY };

/*
 * The head of a relayed answer: the fields that may pass, framed for a client of HTTP/1.minor.
 * *framing says how the body must follow. 0 or -1.
 */
int reply_head(struct buf *out, const struct frame_head *head, unsigned minor,
	       struct span request_id, bool *close, enum reply_framing *framing);

#endif
