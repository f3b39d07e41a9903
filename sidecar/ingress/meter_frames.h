/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS event streams (application/vnd.amazon.eventstream), in pieces cut anywhere: the payload of
 * the events that carry usage is a JSON document. A frame is believed when both of its checksums
 * are right; after one that is not, nothing is.
 */
#ifndef INGRESS_METER_FRAMES_H
#define INGRESS_METER_FRAMES_H

#include "ingress/meter_usage.h"

enum { METER_FRAME_HEADERS_MAX = 256 }; /* Bedrock's take 90; a frame with more is not looked at */

enum meter_frames_kind {
	METER_CONVERSE, /* the payload of a "metadata" event */
	METER_INVOKE,   /* the base64 text `bytes` in that of a "chunk": the model's own document */
};

struct meter_frames {
	enum meter_frames_kind kind;
	struct meter_json outer; /* the payload */
	struct meter_json inner; /* what is in its base64 text */
	uint8_t step;            /* of meter_frames.c's own */
	bool read;               /* the payload is one to look into */
	bool broken;
	uint8_t carried; /* base64 digits in carry */
	uint32_t carry;
	uint32_t crc;           /* of the frame so far */
	uint32_t nheaders;      /* bytes of headers */
	uint32_t npayload;      /* of payload */
	uint32_t got;           /* of the part that is coming */
	unsigned char part[12]; /* prelude, or checksum */
	unsigned char headers[METER_FRAME_HEADERS_MAX];
};

void meter_frames_init(struct meter_frames *f, enum meter_frames_kind kind);

/* What an event says goes to sum when its frame was checked. */
void meter_frames_feed(struct meter_frames *f, struct meter_numbers *sum, struct span piece);

#endif
