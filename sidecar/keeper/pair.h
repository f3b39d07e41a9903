/* SPDX-License-Identifier: Apache-2.0 */
/* A client certificate and its private key, as PEM. */
#ifndef KEEPER_PAIR_H
#define KEEPER_PAIR_H

#include <stdint.h>

#include "base/span.h"

/*
 * Whether the two belong together; *ends_s is then when the certificate ends, in seconds since
 * 1970 (0 when that cannot be told). A key with a passphrase is none.
 */
bool pair_matches(struct span cert, struct span key, uint64_t *ends_s);

#endif
