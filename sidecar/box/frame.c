/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "box/frame.h"

static const struct pack_field field_fields[] = {
	PACK_FIELD_SPAN(http_field, name, 256),
	PACK_FIELD_SPAN(http_field, value, 64 * 1024),
};
static const struct pack_type field_type = PACK_TYPE(http_field, field_fields);

static const struct pack_field call_fields[] = {
	PACK_FIELD_U16(frame_call, target, UINT16_MAX),
	PACK_FIELD_U8(frame_call, dialect, 255),
	PACK_FIELD_U8(frame_call, operation, 255),
	PACK_FIELD_SPAN(frame_call, method, 16),
	PACK_FIELD_SPAN(frame_call, path, 16 * 1024),
	PACK_FIELD_BOOL(frame_call, has_query),
	PACK_FIELD_SPAN(frame_call, query, 16 * 1024),
	PACK_FIELD_LIST(frame_call, fields, nfields, HTTP_FIELDS_MAX, field_type),
	PACK_FIELD_SPAN(frame_call, model, FRAME_MODEL_MAX),
	PACK_FIELD_BOOL(frame_call, has_body),
	PACK_FIELD_BOOL(frame_call, streamed),
	PACK_FIELD_BOOL(frame_call, chunked),
	PACK_FIELD_U64(frame_call, body_len),
};
const struct pack_type frame_call_type = PACK_TYPE(frame_call, call_fields);

static const struct pack_field head_fields[] = {
	PACK_FIELD_U16(frame_head, status, 999),
	PACK_FIELD_U16(frame_head, target, UINT16_MAX),
	PACK_FIELD_BOOL(frame_head, has_length),
	PACK_FIELD_U64(frame_head, length),
	PACK_FIELD_LIST(frame_head, fields, nfields, HTTP_FIELDS_MAX, field_type),
};
const struct pack_type frame_head_type = PACK_TYPE(frame_head, head_fields);

static const struct pack_field fail_fields[] = {
	PACK_FIELD_U8(frame_fail, verdict, 255),
};
const struct pack_type frame_fail_type = PACK_TYPE(frame_fail, fail_fields);

static const size_t frame_max[FRAMES] = {
	[FRAME_CALL] = FRAME_HEAD_MAX,
	[FRAME_BODY] = FRAME_BODY_MAX,
	[FRAME_END] = 0,
	[FRAME_HEAD] = FRAME_HEAD_MAX,
	[FRAME_FAIL] = 16,
};

long
frame_next(struct span in, struct frame *out)
{
	const unsigned char *h = (const unsigned char *)in.ptr;
	size_t len;

	if (in.len < FRAME_HEADER)
		return 0;
	if (h[0] == FRAME_NONE || h[0] >= FRAMES || (h[1] | h[2] | h[3]) != 0)
		return -1;
	len = (size_t)h[4] | (size_t)h[5] << 8 | (size_t)h[6] << 16 | (size_t)h[7] << 24;
	if (len > frame_max[h[0]])
		return -1;
	if (in.len - FRAME_HEADER < len)
		return 0;
	*out = (struct frame){h[0], {in.ptr + FRAME_HEADER, len}};
	return (long)(FRAME_HEADER + len);
}

static void
put_header(char *at, enum frame_type type, size_t len)
{
	at[0] = (char)type;
	at[1] = at[2] = at[3] = 0;
	for (int i = 0; i < 4; i++)
		at[4 + i] = (char)(len >> (8 * i));
}

int
frame_add(struct buf *out, enum frame_type type, const struct pack_type *form, const void *obj)
{
	size_t before = out->len;

	if (buf_room(out, FRAME_HEADER) == NULL)
		return -1;
	buf_grew(out, FRAME_HEADER);
	if (pack_write(form, obj, out) != 0 || out->len - before - FRAME_HEADER > frame_max[type]) {
		buf_keep(out, before);
		return -1;
	}
	put_header(out->ptr + before, type, out->len - before - FRAME_HEADER);
	return 0;
}

int
frame_add_bytes(struct buf *out, enum frame_type type, struct span bytes)
{
	char *room;

	if (bytes.len > frame_max[type])
		return -1;
	room = buf_room(out, FRAME_HEADER + bytes.len);
	if (room == NULL)
		return -1;
	put_header(room, type, bytes.len);
	if (bytes.len > 0)
		memcpy(room + FRAME_HEADER, bytes.ptr, bytes.len);
	buf_grew(out, FRAME_HEADER + bytes.len);
	return 0;
}
