/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every TLS connection of ours shares: a server may choose no arithmetic that holds a process
 * for long, nor have it done again, nor hold it by messages without end.
 * Handles are passed as void * (SSL_CTX * and SSL *) to keep OpenSSL out of headers.
 */
#ifndef EV_HTTPS_H
#define EV_HTTPS_H

/*
 * Sets the context of a new connection up: TLS 1.2 or later, no Diffie-Hellman in finite fields,
 * no renegotiation; what OpenSSL's configuration allows is only ever narrowed. 0, or -1.
 */
int https_defaults(void *ctx);

/*
 * For whoever sets a message callback of its own in place of ours: the server has sent a message
 * of the handshake, of this type.
 */
void https_heed(void *ssl, int message);

#endif
