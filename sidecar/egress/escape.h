/* SPDX-License-Identifier: Apache-2.0 */
/* Escapes behind which a text may hide a byte. */
#ifndef EGRESS_ESCAPE_H
#define EGRESS_ESCAPE_H

#include "base/span.h"

enum { ESCAPE_MAX = 6 }; /* the longest: \u0041 */

/* The byte that an escape (RFC 3986 section 2.1) at text stands for; its length, or 0. */
size_t escape_percent(struct span text, char *byte);
/* The same in a string of JSON (RFC 8259 section 7). No header has what \n and its like mean. */
size_t escape_json(struct span text, char *byte);

#endif
