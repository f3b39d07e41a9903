/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <openssl/ssl.h>

#include "ev/https.h"

enum { HONEST = 1000, TRIES = 100 };

struct ends {
	SSL_CTX *ours, *theirs;
	SSL *client, *server;
};

static void
give_certificate(SSL_CTX *ctx)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();

	assert_non_null(X509_gmtime_adj(X509_getm_notBefore(cert), 0));
	assert_non_null(X509_gmtime_adj(X509_getm_notAfter(cert), 3600));
	assert_int_equal(X509_set_pubkey(cert, key), 1);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	assert_int_equal(SSL_CTX_use_certificate(ctx, cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
	X509_free(cert);
	EVP_PKEY_free(key);
}

/* Two ends over memory, past their handshake. */
static struct ends
ends_new(void)
{
	struct ends e = {.ours = SSL_CTX_new(TLS_client_method()),
			 .theirs = SSL_CTX_new(TLS_server_method())};
	BIO *a, *b;
	char byte;

	assert_int_equal(https_defaults(e.ours), 0);
	give_certificate(e.theirs);
	e.client = SSL_new(e.ours);
	e.server = SSL_new(e.theirs);
	assert_int_equal(BIO_new_bio_pair(&a, 1 << 20, &b, 1 << 20), 1);
	SSL_set_bio(e.client, a, a);
	SSL_set_bio(e.server, b, b);
	SSL_set_connect_state(e.client);
	SSL_set_accept_state(e.server);
	for (int i = 0;
	     i < TRIES && !(SSL_is_init_finished(e.client) && SSL_is_init_finished(e.server));
	     i++) {
		(void)SSL_do_handshake(e.client);
		(void)SSL_do_handshake(e.server);
	}
	assert_int_equal(SSL_write(e.server, "x", 1), 1);
	for (int i = 0; i < TRIES && SSL_read(e.client, &byte, 1) != 1; i++)
		continue;
	assert_int_equal(byte, 'x');
	return e;
}

static void
ends_free(struct ends *e)
{
	SSL_free(e->client);
	SSL_free(e->server);
	SSL_CTX_free(e->ours);
	SSL_CTX_free(e->theirs);
}

/* What our end says after one more update of the server's; it answers as it is read from again. */
static int
update(struct ends *e)
{
	char byte;
	int said;

	assert_int_equal(SSL_key_update(e->server, SSL_KEY_UPDATE_REQUESTED), 1);
	assert_int_equal(SSL_do_handshake(e->server), 1);
	(void)SSL_read(e->client, &byte, 1);
	said = SSL_get_error(e->client, SSL_read(e->client, &byte, 1));
	(void)SSL_read(e->server, &byte, 1);
	return said;
}

static void
key_updates_have_an_end(void **state)
{
	struct ends e = ends_new();

	(void)state;
	for (int i = 0; i < HONEST; i++)
		assert_int_equal(update(&e), SSL_ERROR_WANT_READ);
	(void)update(&e); /* of which libssl may not say yet that it was the last */
	assert_int_equal(update(&e), SSL_ERROR_SSL);
	ends_free(&e);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(key_updates_have_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
