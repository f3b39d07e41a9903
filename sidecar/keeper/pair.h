/* SPDX-License-Identifier: Apache-2.0 */
/* A client certificate and its private key, as PEM. */
#ifndef KEEPER_PAIR_H
#define KEEPER_PAIR_H

#include <stdint.h>

#include "base/span.h"
#include "box/tls_fault.h"

/*
 * What is wrong with them. When nothing is, *ends_s is when the certificate ends, in seconds since
 * 1970 (0 when that cannot be told). A key with a passphrase is none.
 */
enum tls_fault pair_fault(struct span cert, struct span key, uint64_t *ends_s);

#endif
