/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 (FIPS 180-4), by which a token is known without being held. */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include "base/span.h"

enum { DIGEST_BYTES = 32 };

void digest_sha256(struct span text, unsigned char out[static DIGEST_BYTES]);

#endif
