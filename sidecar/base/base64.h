/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 (RFC 4648 section 4), of texts that may be secret: nothing is kept of them here. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/span.h"

/* The value of a digit, or 64. */
unsigned base64_digit(char c);

/*
 * Decodes text, whose length is a multiple of four, into out. Returns the number of bytes, or -1
 * when it is not base64 or could have more than max.
 */
long base64_decode(struct span text, char *out, size_t max);

#endif
