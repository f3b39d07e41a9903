/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the frames of an AWS event stream (application/vnd.amazon.eventstream) end: a client acts
 * on a frame when it has all of it. An end is one only if both of the frame's checksums are right.
 * So nobody can have an echoed secret cut in two by a length that stands before it: the end would
 * have to lie behind four bytes of it that are the checksum of what comes before them.
 */
#ifndef EGRESS_FRAMES_H
#define EGRESS_FRAMES_H

#include <stdint.h>

#include "base/span.h"

struct frames {            /* all zero before the first byte */
	bool broken;       /* something is no frame: nothing that follows has an end */
	uint32_t crc, got; /* of the frame that is coming */
	unsigned char prelude[12], seal[4];
};

/* How many bytes of piece belong to the frame that is coming; *whole: they are its last ones. */
size_t frames_take(struct frames *f, struct span piece, bool *whole);

#endif
