/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A target's TLS material, parsed once from memory: the trust store, the client's chain and
 * key (which OpenSSL keeps in the secure heap). Every connection shares it, so that nothing is
 * parsed or read again for a new one (reference/performance.md 1.5, traps 1 and 5).
 */
#ifndef EGRESS_TLS_H
#define EGRESS_TLS_H

#include <stdint.h>

#include "base/span.h"

struct tls;

/*
 * ca: PEM bundle, or empty for none to be trusted; cert and key: PEM, or both empty. NULL with
 * *why a static sentence when one does not parse or the pair does not match. Counted references.
 */
struct tls *tls_new(struct span ca, struct span cert, struct span key, const char **why);
struct tls *tls_keep(struct tls *t);
void tls_release(struct tls *t);

/* Sets ctx (SSL_CTX *) up with t: TLS 1.2 or later. 0 or -1. */
int tls_apply(const struct tls *t, void *ctx);

/* Seconds since 1970 when the client's certificate expires; 0 without one. */
uint64_t tls_expiry(const struct tls *t);

/*
 * Whether the peer of a connection made from t has sent a fatal alert about certificates or
 * the handshake since the last call: TLS 1.3 servers refuse a client certificate only after the
 * client has finished its handshake (RFC 8446 section 4.4.2.4).
 */
bool tls_took_alert(struct tls *t);

#endif
