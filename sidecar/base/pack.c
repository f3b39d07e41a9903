/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/pack.h"

static size_t
number_size(enum pack_kind kind)
{
	switch (kind) {
	case PACK_BOOL:
	case PACK_U8:
		return 1;
	case PACK_U16:
		return 2;
	case PACK_U32:
		return 4;
	default:
		return 8;
	}
}

static uint64_t
number_get(const struct pack_field *f, const char *at)
{
	uint64_t v = 0;

	switch (f->kind) {
	case PACK_BOOL:
		return *(const bool *)at ? 1 : 0;
	case PACK_U8:
		return *(const uint8_t *)at;
	case PACK_U16:
		return *(const uint16_t *)(const void *)at;
	case PACK_U32:
		return *(const uint32_t *)(const void *)at;
	default:
		memcpy(&v, at, sizeof(v));
		return v;
	}
}

static void
number_set(const struct pack_field *f, char *at, uint64_t v)
{
	switch (f->kind) {
	case PACK_BOOL:
		*(bool *)at = v != 0;
		break;
	case PACK_U8:
		*(uint8_t *)at = (uint8_t)v;
		break;
	case PACK_U16:
		*(uint16_t *)(void *)at = (uint16_t)v;
		break;
	case PACK_U32:
		*(uint32_t *)(void *)at = (uint32_t)v;
		break;
	default:
		memcpy(at, &v, sizeof(v));
		break;
	}
}

static int
put_number(struct buf *out, uint64_t v, size_t size)
{
	unsigned char bytes[8];

	for (size_t i = 0; i < size; i++)
		bytes[i] = (unsigned char)(v >> (8 * i));
	return buf_add(out, bytes, size);
}

static int write_object(const struct pack_type *type, const char *obj, struct buf *out);

static int
write_list(const struct pack_field *f, const char *obj, struct buf *out)
{
	const char *items = *(const char *const *)(const void *)(obj + f->offset);
	size_t n = *(const size_t *)(const void *)(obj + f->count_offset);

	if (n > f->max || put_number(out, n, 4) != 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (write_object(f->of, items + i * f->of->size, out) != 0)
			return -1;
	return 0;
}

static int
write_object(const struct pack_type *type, const char *obj, struct buf *out)
{
	for (size_t i = 0; i < type->n; i++) {
		const struct pack_field *f = &type->fields[i];
		const char *at = obj + f->offset;
		int bad;

		if (f->kind == PACK_SPAN) {
			const struct span *s = (const void *)at;

			bad = s->len > f->max || put_number(out, s->len, 4) != 0 ||
			      buf_add_span(out, *s) != 0;
		} else if (f->kind == PACK_LIST) {
			bad = write_list(f, obj, out);
		} else {
			uint64_t v = number_get(f, at);

			bad = v > f->max || put_number(out, v, number_size(f->kind)) != 0;
		}
		if (bad)
			return -1;
	}
	return 0;
}

int
pack_write(const struct pack_type *type, const void *obj, struct buf *out)
{
	size_t before = out->len;

	if (write_object(type, obj, out) == 0)
		return 0;
	buf_keep(out, before);
	return -1;
}

static int
take_number(struct span *in, size_t size, uint64_t *out)
{
	uint64_t v = 0;

	if (in->len < size)
		return -1;
	for (size_t i = 0; i < size; i++)
		v |= (uint64_t)(unsigned char)in->ptr[i] << (8 * i);
	*in = span_cut(*in, size, in->len);
	*out = v;
	return 0;
}

static int read_object(const struct pack_type *type, struct span *in, struct pool *pool, char *obj);

static int
read_list(const struct pack_field *f, struct span *in, struct pool *pool, char *obj)
{
	uint64_t n;
	char *items = NULL;

	/* An item takes at least one byte, so a count over the input's length is a lie. */
	if (take_number(in, 4, &n) != 0 || n > f->max || n > in->len)
		return -1;
	if (n > 0) {
		items = pool_get(pool, n * f->of->size);
		if (items == NULL)
			return -1;
	}
	for (size_t i = 0; i < n; i++)
		if (read_object(f->of, in, pool, items + i * f->of->size) != 0)
			return -1;
	*(char **)(void *)(obj + f->offset) = items;
	*(size_t *)(void *)(obj + f->count_offset) = n;
	return 0;
}

static int
read_span(const struct pack_field *f, struct span *in, char *at)
{
	uint64_t n;

	if (take_number(in, 4, &n) != 0 || n > f->max || n > in->len)
		return -1;
	*(struct span *)(void *)at = span_cut(*in, 0, n);
	*in = span_cut(*in, n, in->len);
	return 0;
}

static int
read_object(const struct pack_type *type, struct span *in, struct pool *pool, char *obj)
{
	for (size_t i = 0; i < type->n; i++) {
		const struct pack_field *f = &type->fields[i];
		uint64_t v;

		if (f->kind == PACK_SPAN) {
			if (read_span(f, in, obj + f->offset) != 0)
				return -1;
		} else if (f->kind == PACK_LIST) {
			if (read_list(f, in, pool, obj) != 0)
				return -1;
		} else {
			if (take_number(in, number_size(f->kind), &v) != 0 || v > f->max)
				return -1;
			number_set(f, obj + f->offset, v);
		}
	}
	return 0;
}

int
pack_read(const struct pack_type *type, struct span in, struct pool *pool, void *obj)
{
	memset(obj, 0, type->size);
	if (read_object(type, &in, pool, obj) != 0)
		return -1;
	return in.len == 0 ? 0 : -1;
}
