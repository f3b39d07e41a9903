/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What travels on the stream of one client connection (trunk.h), between ingress and
 * egress: u8 type, three zero bytes, u32 length (little endian), then the payload. One
 * call at a time: CALL BODY* END in, then HEAD BODY* END or FAIL back. Closing the stream
 * cancels the call. Both sides take the other for hostile.
 */
#ifndef BOX_FRAME_H
#define BOX_FRAME_H

#include "base/pack.h"
#include "http/head.h"

enum frame_type {
	FRAME_NONE,
	FRAME_CALL, /* struct frame_call */
	FRAME_BODY, /* bytes, of the request or of the answer */
	FRAME_END,  /* empty: the body is complete */
	FRAME_HEAD, /* struct frame_head */
	FRAME_FAIL, /* struct frame_fail: no answer, or the answer broke off */
	FRAMES
};

enum {
	FRAME_HEADER = 8,
	FRAME_BODY_MAX = 64 * 1024,
	FRAME_HEAD_MAX = 160 * 1024,
	FRAME_MODEL_MAX = 128,
	FRAME_RENAME_MAX = 4096, /* by which a model's other name makes a body longer */
	/* Of the pool that a frame's fields are read into. */
	FRAME_ROOM = HTTP_FIELDS_MAX * sizeof(struct http_field) + 64,
};

struct frame_call {
	uint16_t target;
	uint8_t dialect;   /* enum dialect */
	uint8_t operation; /* enum operation */
	struct span method;
	struct span path; /* what the route table knows, without the agent's prefix */
	bool has_query;
	struct span query;
	struct http_field *fields; /* those that may pass */
	size_t nfields;
	struct span model; /* as the agent named it, cut: tells refused calls apart */
	bool has_body;
	bool streamed; /* sent on as it comes, and kept nowhere */
	bool chunked;  /* streamed, and its length is not known: body_len is 0 */
	uint64_t body_len;
};

struct frame_head {
	uint16_t status;
	bool has_length;
	uint64_t length;
	struct http_field *fields;
	size_t nfields;
	uint16_t target; /* that answered: the call's, or one of its deployments */
};

struct frame_fail {
	uint8_t verdict; /* enum verdict */
};

extern const struct pack_type frame_call_type, frame_head_type, frame_fail_type;

struct frame {
	enum frame_type type;
	struct span payload;
};

/*
 * The first frame in in: its whole length with *out filled, 0 when more is needed, -1 when it
 * is not one.
 */
long frame_next(struct span in, struct frame *out);

/* Appends a frame; obj by its type. 0 or -1 (out is full, or a value is over its bound). */
int frame_add(struct buf *out, enum frame_type type, const struct pack_type *form, const void *obj);
int frame_add_bytes(struct buf *out, enum frame_type type, struct span bytes);

#endif
