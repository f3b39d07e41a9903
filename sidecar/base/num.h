/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as people and protocols write them. Each returns 0, or -1 and leaves *out alone. */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include <stdint.h>

#include "base/span.h"

/* Decimal digits only, at most max. */
int num_u64(struct span s, uint64_t max, uint64_t *out);
/* Hexadecimal digits only, at most max (RFC 9112 section 7.1 chunk-size). */
int num_hex(struct span s, uint64_t max, uint64_t *out);
/* A duration such as 250ms, 5s, 10m, 24h, 7d, in milliseconds. A bare number is refused. */
int num_duration(struct span s, uint64_t *out_ms);
/* A size such as 512, 64KiB, 32MiB, 1GiB (also kB, MB, GB for powers of ten), in bytes. */
int num_size(struct span s, uint64_t *out_bytes);

/* The lower-case hexadecimal form of n bytes, 2n characters and a NUL. */
void num_to_hex(const unsigned char *bytes, size_t n, char *out);

#endif
