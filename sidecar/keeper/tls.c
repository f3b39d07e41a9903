/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "keeper/tls.h"

#include "base/auto.h"
#include "base/log.h"
#include "box/spawn.h"

bool
tls_uses(const struct tls_target *t, uint16_t slot)
{
	return t->plan->ca == slot || t->plan->cert == slot || t->plan->key == slot;
}

static int
no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

/* While a new pair is being written, one half is old: that is waited out. */
static bool
is_pair(struct span cert, struct span key)
{
	BIO *c = BIO_new_mem_buf(cert.ptr, (int)cert.len);
	BIO *k = BIO_new_mem_buf(key.ptr, (int)key.len);
	X509 *x = c == NULL ? NULL : PEM_read_bio_X509_AUX(c, NULL, no_passphrase, NULL);
	EVP_PKEY *pkey = k == NULL ? NULL : PEM_read_bio_PrivateKey(k, NULL, no_passphrase, NULL);
	bool good = x != NULL && pkey != NULL && X509_check_private_key(x, pkey) == 1;

	EVP_PKEY_free(pkey);
	X509_free(x);
	BIO_free(c);
	BIO_free(k);
	ERR_clear_error();
	return good;
}

/* The slot's value; false while a slot that is needed has none. */
static bool
part(const struct slot *slots, uint16_t slot, struct span *out)
{
	if (slot == PLAN_NONE)
		return true;
	*out = slot_value(&slots[slot]);
	return out->ptr != NULL;
}

void
tls_send(struct tls_target *t, const struct slot *slots, struct span system_ca,
	 struct channel *egress)
{
	struct span ca = t->plan->system_ca ? system_ca : (struct span){NULL, 0};
	struct msg_tls m = {.target = t->number, .cert = {"", 0}, .key = {"", 0}};
	auto_close int fd = -1;

	if (!t->plan->system_ca && t->plan->ca == PLAN_NONE)
		return; /* plain http */
	if (!part(slots, t->plan->ca, &ca) || !part(slots, t->plan->cert, &m.cert) ||
	    !part(slots, t->plan->key, &m.key))
		return;
	if (m.cert.len > 0 && !is_pair(m.cert, m.key)) {
		if (!t->told_mismatch)
			log_say(LOG_ERROR,
				"a client certificate and its key do not belong together, "
				"or are not PEM; they are not used",
				LOG_S("target", t->plan->name));
		t->told_mismatch = true;
		return;
	}
	t->told_mismatch = false;
	fd = spawn_sealed("ca", ca);
	if (fd < 0)
		return;
	m.has_ca = true;
	m.version = ++t->version;
	if (channel_send(egress, MSG_TLS, &m, fd) != 0)
		log_say(LOG_ERROR, "the client certificate's chain is too long: 64 KiB at most",
			LOG_S("target", t->plan->name));
}
