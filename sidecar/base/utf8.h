/* SPDX-License-Identifier: Apache-2.0 */
/* Characters in UTF-8 (RFC 3629). */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* The length of the valid sequence at p (section 4), or 0; there is at least a byte. */
size_t utf8_length(const unsigned char *p, size_t n);

/*
 * The character that the valid sequence of n bytes at p means, if it is none of ASCII and a
 * terminal or a reader of lines would act on it: C1 controls, separators of lines, and what turns
 * the direction of text. Else 0.
 */
uint32_t utf8_acting(const unsigned char *p, size_t n);

#endif
