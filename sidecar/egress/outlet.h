/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last thing that an answer passes in egress: what goes on to ingress has no secret of the
 * target in it (design section 7), neither in its head nor in its body. A field with one in its
 * name is left out. Status and fields are all there is of the head: no reason, and no trailers.
 */
#ifndef EGRESS_OUTLET_H
#define EGRESS_OUTLET_H

#include "box/frame.h"
#include "egress/frames.h"
#include "egress/redact.h"

/* Where it goes: the stream to ingress. */
struct outlet_sink {
	/* 0, or -1: it is too large. */
	int (*head)(void *arg, const struct frame_head *head);
	/* Whether data would be taken now. */
	bool (*ready)(void *arg);
	/* A piece of at most FRAME_BODY_MAX, after ready said so, or more of the same. 0 or -1. */
	int (*data)(void *arg, struct span piece);
};

struct outlet { /* of one answer; all zero before its head */
	struct redact redact;
	bool has_length; /* of the body … */
	uint64_t left;   /* … how much is still to come */
	bool is_frames;  /* a changed byte would break its checksums */
	struct frames frames;
};

/* Whether an answer of that head can be looked into: not when it is compressed. */
bool outlet_reads(const struct frame_head *head);

/* The head. 0, or -1: it is too large. */
int outlet_head(struct outlet *o, const struct redactor *r, const struct frame_head *head,
		const struct outlet_sink *to, void *arg);

enum outlet_answer {
	OUTLET_TAKEN,
	OUTLET_FULL,   /* nothing was taken; again when there is room */
	OUTLET_BROKEN, /* the answer has to end here: a secret in frames, or no room after all */
};

/* Of frames, what is whole is not held, nor is what ends a body whose length is known. */
enum outlet_answer outlet_data(struct outlet *o, struct span piece, const struct outlet_sink *to,
			       void *arg);

/* The body is complete: what was held follows. */
enum outlet_answer outlet_end(struct outlet *o, const struct outlet_sink *to, void *arg);

/* Forgets what is held; o is then as before a head, but for what was found. */
void outlet_stop(struct outlet *o);

#endif
