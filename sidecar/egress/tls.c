/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "egress/tls.h"

#include "ev/https.h"

struct tls {
	unsigned refs;
	X509_STORE *store;
	X509 *cert;
	STACK_OF(X509) * chain;
	EVP_PKEY *key;
};

struct handshake {
	unsigned refs;   /* the connection's SSL_CTX and the transfer that made it */
	struct tls *tls; /* may outlive its lane with the connection */
	bool alert, asked, content, cut;
	struct tls_peer *peer; /* to be filled in, or NULL */
};

static int handshake_index = -1; /* of the struct handshake in an SSL_CTX */

/* A key under a passphrase is refused: there is nobody to ask. */
static int
no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

static int
read_store(struct tls *t, struct span pem)
{
	BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
	X509 *x;
	int n = 0;

	if (bio == NULL)
		return -1;
	while ((x = PEM_read_bio_X509_AUX(bio, NULL, no_passphrase, NULL)) != NULL) {
		if (X509_STORE_add_cert(t->store, x) == 1)
			n++;
		X509_free(x);
	}
	ERR_clear_error();
	BIO_free(bio);
	return n > 0 ? 0 : -1;
}

static int
read_chain(struct tls *t, struct span pem)
{
	BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
	X509 *x;

	if (bio == NULL)
		return -1;
	t->cert = PEM_read_bio_X509_AUX(bio, NULL, no_passphrase, NULL);
	t->chain = sk_X509_new_null();
	while (t->cert != NULL && t->chain != NULL &&
	       (x = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL) {
		if (sk_X509_push(t->chain, x) == 0) {
			X509_free(x);
			break;
		}
	}
	ERR_clear_error();
	BIO_free(bio);
	return t->cert != NULL && t->chain != NULL ? 0 : -1;
}

static int
read_key(struct tls *t, struct span pem)
{
	BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);

	if (bio == NULL)
		return -1;
	t->key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	ERR_clear_error();
	return t->key == NULL ? -1 : 0;
}

struct tls *
tls_new(struct span ca, struct span cert, struct span key, enum tls_fault *fault)
{
	struct tls *t = calloc(1, sizeof(*t));

	if (t == NULL)
		abort();
	t->refs = 1;
	t->store = X509_STORE_new();
	if (t->store == NULL)
		abort();
	*fault = TLS_FAULT_NONE;
	if (ca.len > 0 && read_store(t, ca) != 0)
		*fault = TLS_FAULT_CA;
	else if (cert.len > 0 && read_chain(t, cert) != 0)
		*fault = TLS_FAULT_CERT;
	else if (key.len > 0 && read_key(t, key) != 0)
		*fault = TLS_FAULT_KEY;
	else if (cert.len > 0 && X509_check_private_key(t->cert, t->key) != 1)
		*fault = TLS_FAULT_PAIR;
	ERR_clear_error();
	if (*fault == TLS_FAULT_NONE)
		return t;
	tls_release(t);
	return NULL;
}

struct tls *
tls_keep(struct tls *t)
{
	t->refs++;
	return t;
}

void
tls_release(struct tls *t)
{
	if (t == NULL || --t->refs > 0)
		return;
	X509_STORE_free(t->store);
	X509_free(t->cert);
	sk_X509_pop_free(t->chain, X509_free);
	EVP_PKEY_free(t->key);
	free(t);
}

/*
 * Alerts by which a server refuses the client's certificate or the handshake (RFC 8446 section
 * 6.2).
 */
static bool
is_trust_alert(int description)
{
	switch (description) {
	case SSL_AD_HANDSHAKE_FAILURE:
	case SSL_AD_BAD_CERTIFICATE:
	case SSL_AD_UNSUPPORTED_CERTIFICATE:
	case SSL_AD_CERTIFICATE_REVOKED:
	case SSL_AD_CERTIFICATE_EXPIRED:
	case SSL_AD_CERTIFICATE_UNKNOWN:
	case SSL_AD_UNKNOWN_CA:
	case SSL_AD_ACCESS_DENIED:
	case SSL_AD_INSUFFICIENT_SECURITY:
	case SSL_AD_CERTIFICATE_REQUIRED:
		return true;
	default:
		return false;
	}
}

static uint64_t
seconds_of(const ASN1_TIME *at)
{
	ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
	int days = 0, seconds = 0;

	if (epoch == NULL || ASN1_TIME_diff(&days, &seconds, epoch, at) != 1)
		days = seconds = 0;
	ASN1_TIME_free(epoch);
	return days < 0 ? 1 : (uint64_t)days * 86400 + (uint64_t)seconds;
}

static void
print_name(const X509_NAME *name, char *out, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int n = -1;

	if (bio != NULL && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) > 0)
		n = BIO_read(bio, out, (int)size - 1);
	out[n > 0 ? n : 0] = '\0';
	BIO_free(bio);
}

static void
fill_peer(struct tls_peer *p, const struct handshake *h, const SSL *ssl)
{
	X509 *leaf = SSL_get0_peer_certificate(ssl);

	snprintf(p->version, sizeof(p->version), "%s", SSL_get_version(ssl));
	p->asked = h->asked;
	p->chain = (unsigned)sk_X509_num(SSL_get_peer_cert_chain(ssl));
	if (leaf == NULL)
		return;
	print_name(X509_get_subject_name(leaf), p->subject, sizeof(p->subject));
	print_name(X509_get_issuer_name(leaf), p->issuer, sizeof(p->issuer));
	p->expires_s = seconds_of(X509_get0_notAfter(leaf));
}

/* In a handshake that did not go on: whether that is for the lost connection alone. */
static bool
is_cut(const SSL *ssl)
{
	unsigned long why = ERR_peek_last_error();

	return !BIO_should_retry(SSL_get_rbio(ssl)) &&
	       (why == 0 || ERR_GET_REASON(why) == SSL_R_UNEXPECTED_EOF_WHILE_READING);
}

static void
on_info(const SSL *ssl, int where, int ret)
{
	struct handshake *h = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), handshake_index);

	if (h == NULL)
		return;
	if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && is_trust_alert(ret & 0xff))
		h->alert = true;
	if ((where & SSL_CB_CONNECT_EXIT) == SSL_CB_CONNECT_EXIT && ret <= 0)
		h->cut = is_cut(ssl);
	if ((where & SSL_CB_HANDSHAKE_DONE) != 0 && h->peer != NULL)
		fill_peer(h->peer, h, ssl);
}

/* Sees the server's CertificateRequest and NewSessionTicket go by. */
static void
on_message(int written, int version, int type, const void *bytes, size_t len, SSL *ssl, void *arg)
{
	struct handshake *h = arg;

	(void)version;
	if (written || type != SSL3_RT_HANDSHAKE || len == 0)
		return;
	https_heed(ssl, *(const unsigned char *)bytes);
	if (*(const unsigned char *)bytes == SSL3_MT_CERTIFICATE_REQUEST)
		h->asked = true;
	else if (*(const unsigned char *)bytes == SSL3_MT_NEWSESSION_TICKET)
		h->content = true;
}

bool
handshake_refused(const struct handshake *h)
{
	return h->alert || (h->asked && !h->content);
}

bool
handshake_cut(const struct handshake *h)
{
	return h->cut && !handshake_refused(h);
}

void
handshake_release(struct handshake *h)
{
	if (h == NULL || --h->refs > 0)
		return;
	tls_release(h->tls);
	free(h);
}

static void
ctx_gone(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx, long argl, void *argp)
{
	(void)parent;
	(void)ad;
	(void)idx;
	(void)argl;
	(void)argp;
	handshake_release(ptr);
}

static int
set_up(struct tls *t, SSL_CTX *ctx, struct handshake *h)
{
	if (https_defaults(ctx) != 0 || SSL_CTX_set_ex_data(ctx, handshake_index, h) != 1)
		return -1;
	h->refs++;
	SSL_CTX_set1_cert_store(ctx, t->store);
	SSL_CTX_set_info_callback(ctx, on_info);
	SSL_CTX_set_msg_callback(ctx, on_message);
	SSL_CTX_set_msg_callback_arg(ctx, h);
	if (t->cert == NULL)
		return 0;
	if (SSL_CTX_use_certificate(ctx, t->cert) != 1 || SSL_CTX_use_PrivateKey(ctx, t->key) != 1)
		return -1;
	for (int i = 0; i < sk_X509_num(t->chain); i++)
		if (SSL_CTX_add1_chain_cert(ctx, sk_X509_value(t->chain, i)) != 1)
			return -1;
	return 0;
}

struct handshake *
tls_apply(struct tls *t, void *ctx)
{
	struct handshake *h = calloc(1, sizeof(*h));

	if (h == NULL)
		abort();
	if (handshake_index < 0)
		handshake_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, ctx_gone);
	h->refs = 1;
	h->tls = tls_keep(t);
	if (handshake_index >= 0 && set_up(t, ctx, h) == 0)
		return h;
	handshake_release(h);
	return NULL;
}

void
handshake_watch(struct handshake *h, struct tls_peer *peer)
{
	h->peer = peer;
}

uint64_t
tls_expiry(const struct tls *t)
{
	return t->cert == NULL ? 0 : seconds_of(X509_get0_notAfter(t->cert));
}
