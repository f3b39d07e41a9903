/* SPDX-License-Identifier: Apache-2.0 */
/* How the length of an answer is told (RFC 9112 section 6): in one way that all readers share. */
#ifndef EGRESS_FRAMING_H
#define EGRESS_FRAMING_H

#include <stdbool.h>

#include "box/frame.h"

/*
 * Content-Length is a number, and the same one wherever it is repeated; Transfer-Encoding is
 * chunked alone; never both (section 6.3: whoever reads the other one sees other answers), nor
 * either in an interim answer, which has no body (RFC 9110 section 15.2). libcurl lets worse pass
 * (of two lengths it takes the last, beyond 2^63 it reads until the close), and an answer that was
 * cut short would seem whole.
 */
bool framing_is_sound(const struct frame_head *head);

#endif
