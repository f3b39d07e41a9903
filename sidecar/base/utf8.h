/* SPDX-License-Identifier: Apache-2.0 */
/* Characters in UTF-8 (RFC 3629). */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>

/* The length of the valid sequence at p (section 4), or 0; there is at least a byte. */
size_t utf8_length(const unsigned char *p, size_t n);

#endif
