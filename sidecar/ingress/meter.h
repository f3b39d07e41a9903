/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an answer says it used, read from the bytes that pass. They are not altered, not kept and
 * not waited for. The form of the answer (its content type) and the operation say where to look.
 * An answer that does not say, or breaks off before it does, is unknown: nothing is estimated.
 *
 * Asking again for a stored response (GET /responses/{id}) is not counted a second time.
 */
#ifndef INGRESS_METER_H
#define INGRESS_METER_H

#include "http/head.h"
#include "ingress/meter_frames.h"
#include "ingress/meter_sse.h"
#include "policy/access/operations.h"

enum meter_result {
	METER_NONE,    /* nothing was used: an error, or an operation without tokens */
	METER_UNKNOWN, /* something may have been, and was not said */
	METER_KNOWN,
};

struct meter {
	uint8_t form; /* of meter.c's own; 0: nothing to look for */
	bool input_only;
	struct meter_numbers sum;
	union {
		struct meter_json json;
		struct meter_sse sse;
		struct meter_frames frames;
	} as;
};

/*
 * route is on its way upstream: as long as no answer is begun, meter_end says METER_UNKNOWN, if
 * it is one that uses tokens.
 */
void meter_expect(struct meter *m, const struct route *route);

/* The upstream took no work on (whatever it was, the request did not reach it). */
void meter_forget(struct meter *m);

/* The head of route's answer has come. Its fields need live for this call only. */
void meter_begin(struct meter *m, const struct route *route, unsigned status,
		 const struct http_field *fields, size_t nfields);

/* The next bytes of the body. */
void meter_feed(struct meter *m, struct span piece);

/* Whether the last event of a stream has come, on which many agents hang up (llm.md 1.6). */
bool meter_is_over(const struct meter *m);

/*
 * No more will come. whole: the upstream ended the body itself. *out is what was said, be it
 * all (METER_KNOWN) or what a stream or the head said before it broke off; of half a document,
 * nothing. m keeps its numbers, but must not be fed again.
 */
enum meter_result meter_end(struct meter *m, bool whole, struct usage *out);

#endif
