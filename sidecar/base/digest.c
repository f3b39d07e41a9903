/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The low-level functions, which OpenSSL would rather not show any more: they need no provider, no
 * configuration file and no memory, so that ingress can use them inside its sandbox.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <string.h>

#include <openssl/sha.h>

#include "base/digest.h"

_Static_assert(DIGEST_BYTES == SHA256_DIGEST_LENGTH, "one length");

void
digest_sha256(struct span text, unsigned char out[static DIGEST_BYTES])
{
	SHA256_CTX state;

	(void)SHA256_Init(&state);
	(void)SHA256_Update(&state, text.ptr, text.len);
	(void)SHA256_Final(out, &state);
	explicit_bzero(&state, sizeof(state));
}
