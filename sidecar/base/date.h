/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dates as AWS and HTTP write them, in UTC. Pure: gmtime_r(3) would open /etc/localtime, which
 * the sandbox does not let us.
 */
#ifndef BASE_DATE_H
#define BASE_DATE_H

#include <stdint.h>

#include "base/span.h"

/* YYYYMMDDTHHMMSSZ (ISO 8601 basic) and a NUL, of seconds since 1970, up to the year 9999. */
void date_to_basic(uint64_t seconds, char out[static 17]);

/*
 * Seconds since 1970 of YYYY-MM-DDTHH:MM:SS[.fraction](Z|±HH:MM) (ISO 8601, RFC 3339), and of
 * "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7). 0, or -1 and *out left alone.
 */
int date_from_iso(struct span text, uint64_t *out);
int date_from_http(struct span text, uint64_t *out);

#endif
