/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "keeper/pair.h"

static int
no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

/* Seconds since 1970; 0 when it cannot be told. */
static uint64_t
end_of(const X509 *x)
{
	ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
	int days = 0, seconds = 0;

	if (epoch == NULL || ASN1_TIME_diff(&days, &seconds, epoch, X509_get0_notAfter(x)) != 1)
		days = seconds = 0;
	ASN1_TIME_free(epoch);
	return days < 0 ? 0 : (uint64_t)days * 24 * 3600 + (uint64_t)seconds;
}

enum tls_fault
pair_fault(struct span cert, struct span key, uint64_t *ends_s)
{
	BIO *c = BIO_new_mem_buf(cert.ptr, (int)cert.len);
	BIO *k = BIO_new_mem_buf(key.ptr, (int)key.len);
	X509 *x = c == NULL ? NULL : PEM_read_bio_X509_AUX(c, NULL, no_passphrase, NULL);
	EVP_PKEY *pkey = k == NULL ? NULL : PEM_read_bio_PrivateKey(k, NULL, no_passphrase, NULL);
	enum tls_fault fault = TLS_FAULT_NONE;

	if (x == NULL)
		fault = TLS_FAULT_CERT;
	else if (pkey == NULL)
		fault = TLS_FAULT_KEY;
	else if (X509_check_private_key(x, pkey) != 1)
		fault = TLS_FAULT_PAIR;
	else
		*ends_s = end_of(x);
	EVP_PKEY_free(pkey);
	X509_free(x);
	BIO_free(c);
	BIO_free(k);
	ERR_clear_error();
	return fault;
}
