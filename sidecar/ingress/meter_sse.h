/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Server-sent events (WHATWG HTML section 9.2.6), in pieces cut anywhere: the data of each event
 * is a JSON document in which usage is looked for. Nothing of it is kept.
 */
#ifndef INGRESS_METER_SSE_H
#define INGRESS_METER_SSE_H

#include "ingress/meter_usage.h"

enum { METER_TYPE_MAX = 20 }; /* of an event's type: the longest that counts, and more */

struct meter_sse {
	const struct meter_object *root;
	struct meter_json json;    /* of the event that is coming */
	uint8_t step;              /* of meter_sse.c's own */
	uint8_t matched;           /* bytes of "data:" that the line began with */
	uint8_t marked;            /* bytes of "[DONE]" that the data is so far */
	uint8_t type_len;          /* METER_TYPE_MAX: it is none of those that count */
	char type[METER_TYPE_MAX]; /* of the event */
	bool after_cr;             /* an LF that comes now belongs to the line before */
	bool data;                 /* the event has a line of it */
	bool done; /* the last event came: [DONE], message_stop, response.completed or its like */
};

void meter_sse_init(struct meter_sse *s, const struct meter_object *root);

/* What an event says goes to sum when its end has come. */
void meter_sse_feed(struct meter_sse *s, struct meter_numbers *sum, struct span piece);

/* The stream is over: an event that lacks only the blank line behind it counts. */
void meter_sse_end(struct meter_sse *s, struct meter_numbers *sum);

#endif
