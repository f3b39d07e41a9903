/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body of a call's request, on its way through egress: kept whole until the call has ended, so
 * that it may be sent again, or passed on as libcurl takes it.
 */
#ifndef EGRESS_INLET_H
#define EGRESS_INLET_H

#include "box/frame.h"

struct inlet { /* of one call; all zero: nothing is held */
	bool has_body;
	bool streamed; /* passed on: it can be sent once */
	bool chunked;  /* streamed, and its length is not known */
	bool ended;    /* all has come from ingress */
	uint64_t len, got;
	char *whole;
	struct buf pieces; /* of a streamed body, that libcurl has not taken yet */
};

/* The body of a checked call is to come. */
void inlet_begin(struct inlet *in, const struct frame_call *call);
/* Room for a body that is kept. */
void inlet_keep(struct inlet *in);
/*
 * The next piece. upload_max: of a body whose length is not known. wanted: whether a streamed one
 * still is (after an early answer its rest is thrown away). NULL, or a static sentence when ingress
 * broke the rules.
 */
const char *inlet_add(struct inlet *in, struct span piece, uint64_t upload_max, bool wanted);
/* Whether a streamed body's next piece can be added now. */
bool inlet_has_room(const struct inlet *in);
/* That was all. NULL, or a static sentence. */
const char *inlet_end(struct inlet *in);

/* A streamed body of which ingress has not sent the end: the answer is not due yet. */
bool inlet_is_coming(const struct inlet *in);
/* Of a streamed body up to max bytes to `to`: how many, 0 at its end, or -1: none now. */
long inlet_give(struct inlet *in, char *to, size_t max);
/* Bytes that are kept for it. */
uint64_t inlet_kept(const struct inlet *in);
void inlet_free(struct inlet *in);

#endif
