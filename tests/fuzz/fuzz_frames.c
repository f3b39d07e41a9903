/* SPDX-License-Identifier: Apache-2.0 */
/* What is a frame, read and written again, is the same bytes; and no less than all of it is one. */
#include <assert.h>
#include <stdint.h>

#include "box/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The form of a type's payload; NULL: it is bytes. */
static const struct pack_type *
form_of(enum frame_type type)
{
	switch (type) {
	case FRAME_CALL:
		return &frame_call_type;
	case FRAME_HEAD:
		return &frame_head_type;
	case FRAME_FAIL:
		return &frame_fail_type;
	default:
		return NULL;
	}
}

/* False: the payload does not have its type's form. */
static bool
write_again(const struct frame *f, struct buf *out)
{
	_Alignas(max_align_t) char room[FRAME_ROOM];
	const struct pack_type *form = form_of(f->type);
	union {
		struct frame_call call;
		struct frame_head head;
		struct frame_fail fail;
	} obj;
	struct pool pool;

	if (form == NULL) {
		assert(frame_add_bytes(out, f->type, f->payload) == 0);
		return true;
	}
	pool_over(&pool, room, sizeof(room));
	if (pack_read(form, f->payload, &pool, &obj) != 0)
		return false;
	assert(frame_add(out, f->type, form, &obj) == 0);
	return true;
}

/* One frame behind the other, up to what is none. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span all = {(const char *)data, size};
	struct buf again;
	struct frame f;
	long n;

	buf_init(&again, FRAME_HEADER + FRAME_HEAD_MAX);
	for (size_t at = 0; (n = frame_next(span_cut(all, at, size), &f)) > 0; at += (size_t)n) {
		struct span bytes = span_cut(all, at, at + (size_t)n);

		assert(bytes.len == (size_t)n);
		assert(frame_next(span_cut(bytes, 0, bytes.len - 1), &f) == 0);
		if (write_again(&f, &again))
			assert(span_eq(buf_span(&again), bytes));
		buf_clear(&again, again.max);
	}
	buf_free(&again);
	return 0;
}
