/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plain structs to bytes and back, by a table of their fields. One mechanism
 * for the roles' projections and for every channel message. Numbers are little
 * endian; a span is u32 length and bytes; a list is u32 count and its items.
 * Reading trusts nothing: every length is checked against the input and against
 * the field's maximum, and all of the input must be used.
 */
#ifndef BASE_PACK_H
#define BASE_PACK_H

#include <stdint.h>

#include "base/buf.h"
#include "base/pool.h"

enum pack_kind {
	PACK_BOOL, /* bool */
	PACK_U8,   /* uint8_t; max is the largest value allowed */
	PACK_U16,
	PACK_U32,
	PACK_U64,
	PACK_SPAN, /* struct span; max is the largest length */
	PACK_LIST, /* T *ptr with a size_t count; max is the largest count */
};

struct pack_type;

struct pack_field {
	enum pack_kind kind;
	size_t offset;
	size_t count_offset; /* PACK_LIST: where the size_t count is */
	uint64_t max;
	const struct pack_type *of; /* PACK_LIST: the item */
};

struct pack_type {
	size_t size;
	size_t n;
	const struct pack_field *fields;
};

/* clang-format off */
#define PACK_FIELD_BOOL(s, f) {PACK_BOOL, offsetof(struct s, f), 0, 1, NULL}
#define PACK_FIELD_U8(s, f, max) {PACK_U8, offsetof(struct s, f), 0, max, NULL}
#define PACK_FIELD_U16(s, f, max) {PACK_U16, offsetof(struct s, f), 0, max, NULL}
#define PACK_FIELD_U32(s, f, max) {PACK_U32, offsetof(struct s, f), 0, max, NULL}
#define PACK_FIELD_U64(s, f) {PACK_U64, offsetof(struct s, f), 0, UINT64_MAX, NULL}
#define PACK_FIELD_SPAN(s, f, max) {PACK_SPAN, offsetof(struct s, f), 0, max, NULL}
#define PACK_FIELD_LIST(s, f, count, max, item)                                                    \
	{PACK_LIST, offsetof(struct s, f), offsetof(struct s, count), max, &(item)}
#define PACK_TYPE(s, table)                                                                        \
	{                                                                                          \
		sizeof(struct s), sizeof(table) / sizeof((table)[0]), table                        \
	}
/* clang-format on */

/* Appends obj to out. 0, or -1 when a value is over its field's maximum or out is full. */
int pack_write(const struct pack_type *type, const void *obj, struct buf *out);

/*
 * Fills obj from in. Spans point into in; lists are taken from pool. 0, or -1 when
 * in is not exactly one valid object or the pool is used up; obj is then undefined.
 */
int pack_read(const struct pack_type *type, struct span in, struct pool *pool, void *obj);

#endif
