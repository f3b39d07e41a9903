/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "egress/inlet.h"

enum { PIECES_MAX = 2 * FRAME_BODY_MAX };

void
inlet_begin(struct inlet *in, const struct frame_call *call)
{
	*in = (struct inlet){.has_body = call->has_body,
			     .streamed = call->streamed,
			     .chunked = call->chunked,
			     .len = call->body_len};
	if (in->streamed)
		buf_init(&in->pieces, PIECES_MAX);
}

void
inlet_keep(struct inlet *in)
{
	in->whole = malloc(in->len + 1);
	if (in->whole == NULL)
		abort();
}

const char *
inlet_add(struct inlet *in, struct span piece, uint64_t upload_max, bool wanted)
{
	uint64_t max = in->chunked ? upload_max : in->len;

	if (piece.len > max - in->got)
		return "more body than was announced";
	if (!in->streamed)
		memcpy(in->whole + in->got, piece.ptr, piece.len);
	else if (wanted && buf_add_span(&in->pieces, piece) != 0)
		abort(); /* serve.c asks inlet_has_room first */
	in->got += piece.len;
	return NULL;
}

bool
inlet_has_room(const struct inlet *in)
{
	return PIECES_MAX - in->pieces.len >= FRAME_BODY_MAX;
}

const char *
inlet_end(struct inlet *in)
{
	if (!in->chunked && in->got != in->len)
		return "an end before the body was complete";
	in->ended = true;
	return NULL;
}

bool
inlet_is_coming(const struct inlet *in)
{
	return in->streamed && !in->ended;
}

long
inlet_give(struct inlet *in, char *to, size_t max)
{
	size_t n = in->pieces.len < max ? in->pieces.len : max;

	if (n == 0)
		return in->ended ? 0 : -1;
	memcpy(to, in->pieces.ptr, n);
	buf_drop(&in->pieces, n);
	return (long)n;
}

uint64_t
inlet_kept(const struct inlet *in)
{
	return in->whole == NULL ? 0 : in->len;
}

void
inlet_free(struct inlet *in)
{
	buf_free(&in->pieces);
	free(in->whole);
	in->whole = NULL;
}
