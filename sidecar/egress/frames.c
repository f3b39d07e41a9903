/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	frame   = prelude headers payload seal                 ; numbers are u32, big-endian
 *	prelude = total headers-length crc                     ; crc: CRC-32 of the two before it
 *	seal    = CRC-32 of all before it
 */
#include <string.h>

#include "egress/frames.h"

#include "base/crc.h"

enum {
	PRELUDE_LEN = 12,
	SEAL_LEN = 4,
	TOTAL_MAX = (128 + 24 * 1024) * 1024, /* botocore's limits: headers and payload */
};

static uint32_t
u32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool
is_prelude(const unsigned char prelude[static PRELUDE_LEN])
{
	uint32_t total = u32(prelude);

	return total >= PRELUDE_LEN + SEAL_LEN && total <= TOTAL_MAX &&
	       crc_32(0, (struct span){(const char *)prelude, 8}) == u32(prelude + 8);
}

/* How much of the frame is there when its next part is: prelude, all before the seal, seal. */
static uint32_t
part_end(const struct frames *f)
{
	uint32_t total = u32(f->prelude);

	if (f->got < PRELUDE_LEN)
		return PRELUDE_LEN;
	return f->got < total - SEAL_LEN ? total - SEAL_LEN : total;
}

static void
part_take(struct frames *f, struct span part)
{
	uint32_t end = part_end(f);

	if (f->got >= PRELUDE_LEN && end == u32(f->prelude)) {
		memcpy(f->seal + SEAL_LEN - (end - f->got), part.ptr, part.len);
	} else {
		f->crc = crc_32(f->crc, part);
		if (end == PRELUDE_LEN)
			memcpy(f->prelude + f->got, part.ptr, part.len);
	}
	f->got += (uint32_t)part.len;
}

/* What is known now that a part may be complete. Whether that was a frame's last. */
static bool
part_done(struct frames *f)
{
	if (f->got == PRELUDE_LEN)
		f->broken = !is_prelude(f->prelude);
	if (f->broken || f->got <= PRELUDE_LEN || f->got < u32(f->prelude))
		return false;
	f->broken = u32(f->seal) != f->crc;
	f->got = f->crc = 0;
	return !f->broken;
}

size_t
frames_take(struct frames *f, struct span piece, bool *whole)
{
	size_t at = 0;

	*whole = false;
	while (at < piece.len && !f->broken && !*whole) {
		struct span part = span_cut(piece, at, at + part_end(f) - f->got);

		part_take(f, part);
		at += part.len;
		*whole = part_done(f);
	}
	return f->broken ? piece.len : at;
}
