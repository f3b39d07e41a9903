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
#include "box/tls_fault.h"

struct tls;

/*
 * ca: PEM bundle, or empty for none to be trusted; cert and key: PEM, or both empty. NULL with
 * *fault when one does not parse or the pair does not match. Counted references.
 */
struct tls *tls_new(struct span ca, struct span cert, struct span key, enum tls_fault *fault);
struct tls *tls_keep(struct tls *t);
void tls_release(struct tls *t);

/*
 * What became of one connection's handshake. In TLS 1.3 the client has finished, and sends its
 * request, before the server has looked at its certificate (RFC 8446 section 4.4.2.4): a
 * refusal comes as an alert later, or as a bare close.
 */
struct handshake;

/*
 * Sets ctx (SSL_CTX *) of a new connection up with t, and ev/https. Returns the
 * connection's handshake with a reference for the caller, or NULL.
 */
struct handshake *tls_apply(struct tls *t, void *ctx);

/*
 * Whether the server has refused us: by an alert about certificates, or because it asked for one
 * and went without the session ticket that servers send once they are content.
 */
bool handshake_refused(const struct handshake *h);

/* Who answered, for a report. */
struct tls_peer {
	char version[16];               /* "TLSv1.3"; empty: no handshake was completed */
	char subject[128], issuer[128]; /* of its own certificate (RFC 4514) */
	uint64_t expires_s;
	unsigned chain; /* certificates that it sent */
	bool asked;     /* for a certificate of ours */
};

/* Has peer filled in when h's handshake is complete; peer must live as long as the connection. */
void handshake_watch(struct handshake *h, struct tls_peer *peer);
/* The connection was lost before the handshake said anything about trust. */
bool handshake_cut(const struct handshake *h);
void handshake_release(struct handshake *h);

/* Seconds since 1970 when the client's certificate expires; 0 without one. */
uint64_t tls_expiry(const struct tls *t);

#endif
