/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	frame   = prelude headers payload crc                  ; numbers are big-endian
 *	prelude = total headers-length crc                     ; u32 each; crc of the two before it
 *	headers = *( name-length name type value )             ; u8, bytes, u8; see value_length
 *	crc     = u32                                          ; CRC-32 of all before it
 */
#include <string.h>

#include "ingress/meter_frames.h"

#include "base/base64.h"
#include "base/crc.h"

enum {
	PRELUDE_LEN = 12,
	CRC_LEN = 4,
	HEADERS_MAX = 128 * 1024, /* botocore's limits */
	PAYLOAD_MAX = 24 * 1024 * 1024,
};

enum step { STEP_PRELUDE, STEP_HEADERS, STEP_PAYLOAD, STEP_CRC };

static uint32_t
u32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* ---- base64 (RFC 4648 section 4), within the payload of a chunk ---- */

/* Whole groups of four go on as three bytes; what a padded group holds goes on at the padding. */
static void
take_base64(void *arg, struct span piece)
{
	struct meter_frames *f = arg;
	char out[512];
	size_t n = 0;

	for (size_t i = 0; i < piece.len; i++) {
		unsigned digit = base64_digit(piece.ptr[i]), bytes = 3;

		if (digit == 64 && (piece.ptr[i] != '=' || f->carried == 0))
			continue; /* not base64: then it will not be JSON either */
		if (digit == 64) {
			bytes = f->carried * 6U / 8;
			f->carry <<= 6 * (4U - f->carried);
		} else {
			f->carry = f->carry << 6 | digit;
			if (++f->carried < 4)
				continue;
		}
		for (unsigned b = 0; b < bytes; b++)
			out[n++] = (char)(f->carry >> (16 - 8 * b) & 0xff);
		f->carry = f->carried = 0;
		if (n > sizeof(out) - 3) {
			meter_json_feed(&f->inner, (struct span){out, n});
			n = 0;
		}
	}
	meter_json_feed(&f->inner, (struct span){out, n});
}

static const struct meter_member chunk_members[] = {{"bytes", METER_TEXT, 0, false, NULL}};
static const struct meter_object chunk = {chunk_members, 1};

/* ---- headers ---- */

/* The length of a header's value, with what says how long it is; SIZE_MAX when it is not one. */
static size_t
value_length(struct span s)
{
	static const unsigned char fixed[] = {0, 0, 1, 2, 4, 8, 0, 0, 8, 16};
	unsigned type = s.len == 0 ? 0xff : (unsigned char)s.ptr[0];

	if (type >= sizeof(fixed))
		return SIZE_MAX;
	if (type != 6 && type != 7) /* neither bytes nor a string */
		return fixed[type];
	return s.len < 3 ? SIZE_MAX
			 : 2 + ((size_t)(unsigned char)s.ptr[1] << 8 | (unsigned char)s.ptr[2]);
}

/* Whether the headers say name: value, a string, once and all of them well formed. */
static bool
headers_say(struct span headers, const char *name, const char *value)
{
	size_t at = 0;
	bool said = false;

	while (at < headers.len) {
		size_t n = (unsigned char)headers.ptr[at];
		struct span key = span_cut(headers, at + 1, at + 1 + n);
		struct span rest = span_cut(headers, at + 1 + n, headers.len);
		size_t len = value_length(rest);

		if (len > rest.len || 1 + len > rest.len)
			return false;
		if (span_is(key, name)) {
			if (said || !span_is(span_cut(rest, 3, 1 + len), value))
				return false;
			said = true;
		}
		at += 1 + n + 1 + len;
	}
	return said;
}

static bool
is_wanted(const struct meter_frames *f)
{
	struct span headers = {(const char *)f->headers, f->nheaders};

	return f->nheaders <= sizeof(f->headers) &&
	       headers_say(headers, ":message-type", "event") &&
	       headers_say(headers, ":event-type",
			   f->kind == METER_CONVERSE ? "metadata" : "chunk");
}

/* ---- frames ---- */

static void
frame_begin(struct meter_frames *f)
{
	f->step = STEP_PRELUDE;
	f->got = f->crc = 0;
}

/* The sizes are bounded before they are used, and checked before they are bounded. */
static void
prelude_end(struct meter_frames *f)
{
	uint32_t total = u32(f->part), headers = u32(f->part + 4);

	if (crc_32(0, (struct span){(char *)f->part, 8}) != u32(f->part + 8) ||
	    headers > HEADERS_MAX || total > HEADERS_MAX + PAYLOAD_MAX ||
	    total < PRELUDE_LEN + headers + CRC_LEN) {
		f->broken = true;
		return;
	}
	f->nheaders = headers;
	f->npayload = total - headers - PRELUDE_LEN - CRC_LEN;
}

static void
headers_end(struct meter_frames *f)
{
	f->read = is_wanted(f);
	f->carry = f->carried = 0;
	if (f->kind == METER_CONVERSE) {
		meter_json_init(&f->outer, &meter_usage_metadata, NULL, NULL);
		return;
	}
	meter_json_init(&f->inner, &meter_usage_invocation, NULL, NULL);
	meter_json_init(&f->outer, &chunk, take_base64, f);
}

static void
frame_end(struct meter_frames *f, struct meter_numbers *sum)
{
	const struct meter_json *said = f->kind == METER_CONVERSE ? &f->outer : &f->inner;

	if (f->crc != u32(f->part)) {
		f->broken = true;
		return;
	}
	if (f->read && meter_json_done(&f->outer) && !f->outer.found.bad && meter_json_done(said))
		meter_usage_add(sum, &said->found);
	frame_begin(f);
}

/* How long the part is that is coming. */
static uint32_t
part_length(const struct meter_frames *f)
{
	switch ((enum step)f->step) {
	case STEP_PRELUDE:
		return PRELUDE_LEN;
	case STEP_HEADERS:
		return f->nheaders;
	case STEP_PAYLOAD:
		return f->npayload;
	default:
		return CRC_LEN;
	}
}

static void
part_take(struct meter_frames *f, struct span piece)
{
	if (f->step != STEP_CRC)
		f->crc = crc_32(f->crc, piece);
	if (f->step == STEP_PAYLOAD && f->read)
		meter_json_feed(&f->outer, piece);
	else if (f->step == STEP_HEADERS && f->nheaders <= sizeof(f->headers))
		memcpy(f->headers + f->got, piece.ptr, piece.len);
	else if (f->step == STEP_PRELUDE || f->step == STEP_CRC)
		memcpy(f->part + f->got, piece.ptr, piece.len);
	f->got += (uint32_t)piece.len;
}

static void
part_end(struct meter_frames *f, struct meter_numbers *sum)
{
	f->got = 0;
	switch ((enum step)f->step++) {
	case STEP_PRELUDE:
		prelude_end(f);
		break;
	case STEP_HEADERS:
		headers_end(f);
		break;
	case STEP_PAYLOAD:
		break;
	case STEP_CRC:
		frame_end(f, sum);
		break;
	}
}

void
meter_frames_init(struct meter_frames *f, enum meter_frames_kind kind)
{
	f->kind = kind;
	f->broken = false;
	frame_begin(f);
}

void
meter_frames_feed(struct meter_frames *f, struct meter_numbers *sum, struct span piece)
{
	size_t at = 0;

	while (at < piece.len && !f->broken) {
		uint32_t due = part_length(f) - f->got;
		struct span part = span_cut(piece, at, at + due);

		part_take(f, part);
		at += part.len;
		if (part.len == due)
			part_end(f, sum);
	}
}
