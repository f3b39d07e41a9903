/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "ev/https.h"

enum {
	FFDHE = 1,              /* the first byte of such a group's number (RFC 7919 section 2) */
	KEY_UPDATES_MAX = 1000, /* of a connection: at 2^24 records each, many TB */
};

static int updates_index = -1; /* an SSL's, for the number of its key updates */

static int (*usual)(const SSL *ssl, const SSL_CTX *ctx, int op, int bits, int nid, void *other,
		    void *ex);

/* Whether a cipher suite, or a group of TLS 1.3, is Diffie-Hellman in a finite field. */
static bool
is_finite(int op, const void *other)
{
	switch (other == NULL ? 0 : (unsigned)op & SSL_SECOP_OTHER_TYPE) {
	case SSL_SECOP_OTHER_CIPHER:
		return SSL_CIPHER_get_kx_nid(other) == NID_kx_dhe;
	case SSL_SECOP_OTHER_CURVE:
		return *(const unsigned char *)other == FFDHE;
	default:
		return false;
	}
}

/*
 * In TLS 1.2 the server picks the prime: one of 10,000 bits costs us two exponentiations of
 * 0.2 s, on the thread that serves everybody. Go's and BoringSSL's clients (Vault, Envoy) have no
 * DHE either. Asked here, and not by lists of ciphers and groups, which would take the place of
 * those that the system's configuration, or a later OpenSSL, has.
 */
static int
is_allowed(const SSL *ssl, const SSL_CTX *ctx, int op, int bits, int nid, void *other, void *ex)
{
	return is_finite(op, other) ? 0 : usual(ssl, ctx, op, bits, nid, other, ex);
}

/* The answers to updates that a server asks for, and does not read, fill the send buffer; from then
 * on libssl asks to be called again for as long as there is something to read. */
static bool
is_one_update_more(SSL *ssl)
{
	uintptr_t n = (uintptr_t)SSL_get_ex_data(ssl, updates_index) + 1;

	return SSL_set_ex_data(ssl, updates_index, (void *)n) != 1 || n > KEY_UPDATES_MAX;
}

/*
 * A HelloRequest amid a handshake is one too many (RFC 5246 section 7.4.1.1): libssl passes over
 * it and reads on, for as long as more of them come, before it returns. So nothing more comes.
 */
void
https_heed(void *ssl, int message)
{
	if ((message == SSL3_MT_HELLO_REQUEST && SSL_get_state(ssl) != TLS_ST_CR_HELLO_REQ) ||
	    (message == SSL3_MT_KEY_UPDATE && is_one_update_more(ssl)))
		SSL_set0_rbio(ssl, BIO_new_mem_buf("", 0));
}

static void
on_message(int written, int version, int type, const void *bytes, size_t len, SSL *ssl, void *arg)
{
	(void)version;
	(void)arg;
	if (!written && type == SSL3_RT_HANDSHAKE && len > 0)
		https_heed(ssl, *(const unsigned char *)bytes);
}

int
https_defaults(void *ctx)
{
	if (SSL_CTX_get_security_callback(ctx) != is_allowed)
		usual = SSL_CTX_get_security_callback(ctx);
	if (updates_index < 0)
		updates_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	if (updates_index < 0 || usual == NULL ||
	    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1)
		return -1;
	SSL_CTX_set_security_callback(ctx, is_allowed);
	SSL_CTX_set_msg_callback(ctx, on_message);
	/* Else a server has a whole handshake done over, as often as it asks. Nor do Go's and
	 * BoringSSL's clients renegotiate. */
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION);
	/* Else SSL_read goes on for as long as a server sends key updates and tickets. */
	SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
	return 0;
}
