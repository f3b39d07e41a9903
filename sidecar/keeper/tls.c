/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "keeper/tls.h"

#include "base/auto.h"
#include "base/log.h"
#include "box/spawn.h"
#include "keeper/pair.h"

enum { AGAIN_MS = 1000 };

/* The slot's value; false while a slot that is needed has none. */
static bool
part(const struct tls_target *t, uint16_t slot, struct span *out)
{
	if (slot == PLAN_NONE)
		return true;
	*out = slot_value(&t->slots[slot]);
	return out->ptr != NULL;
}

/* What egress has stays in use: of a rotation that went wrong the old pair may still be good. */
static void
refuse(struct tls_target *t, enum tls_fault fault)
{
	const struct msg_tls m = {.target = t->number,
				  .version = t->version,
				  .fault = (uint8_t)fault,
				  .cert = {"", 0},
				  .key = {"", 0}};

	if (t->awaited != PLAN_NONE || t->told == fault)
		return;
	t->told = fault;
	log_say(LOG_ERROR, "a client certificate and its key cannot be used",
		LOG_S("target", t->plan->name), LOG_C("why", tls_fault_why(fault)));
	(void)channel_send(t->egress, MSG_TLS, &m, -1);
}

/* A part is gone at maxStale: what egress has is not to be used any more. */
static void
take_back(struct tls_target *t)
{
	const struct msg_tls none = {
		.target = t->number, .version = t->version, .cert = {"", 0}, .key = {"", 0}};

	if (t->version > 0 || t->told != TLS_FAULT_NONE)
		(void)channel_send(t->egress, MSG_TLS, &none, -1);
	t->told = TLS_FAULT_NONE;
}

static void
send_again(struct timer *again)
{
	tls_send(ev_owner(again, struct tls_target, again));
}

/* No descriptor, no memory, or a full channel: what egress has goes on until there is room. */
static void
send_later(struct tls_target *t)
{
	t->again.fn = send_again;
	timer_set(t->loop, &t->again, AGAIN_MS);
}

/* Within what a message holds, so that a send which fails does so for now. */
static bool
is_too_long(const struct msg_tls *m)
{
	return m->cert.len + m->key.len > MSG_VALUE_MAX;
}

void
tls_send(struct tls_target *t)
{
	struct span ca = t->plan->system_ca ? t->system_ca : (struct span){NULL, 0};
	struct msg_tls m = {.target = t->number, .cert = {"", 0}, .key = {"", 0}};
	enum tls_fault fault;
	uint64_t ends_s = 0;
	auto_close int fd = -1;

	timer_stop(t->loop, &t->again); /* what was to be sent is sent now, or taken back */
	if (!t->plan->system_ca && t->plan->ca == PLAN_NONE)
		return; /* plain http */
	if (!part(t, t->plan->ca, &ca) || !part(t, t->plan->cert, &m.cert) ||
	    !part(t, t->plan->key, &m.key)) {
		take_back(t);
		return;
	}
	fault = m.cert.len > 0 ? pair_fault(m.cert, m.key, &ends_s) : TLS_FAULT_NONE;
	if (fault == TLS_FAULT_NONE && is_too_long(&m))
		fault = TLS_FAULT_LENGTH;
	if (fault != TLS_FAULT_NONE) {
		refuse(t, fault);
		return;
	}
	t->awaited = PLAN_NONE;
	fd = spawn_sealed("ca", ca);
	if (fd < 0) {
		send_later(t);
		return;
	}
	m.has_ca = true;
	m.version = ++t->version;
	if (channel_send(t->egress, MSG_TLS, &m, fd) != 0) {
		send_later(t);
		return;
	}
	t->told = TLS_FAULT_NONE;
	if (ends_s != 0)
		expiry_watch(&t->expiry, t->loop, t->plan->name, ends_s);
}

void
tls_slot_ended(struct tls_target *t, uint16_t slot, bool changed)
{
	uint16_t cert = t->plan->cert, key = t->plan->key, other = slot == cert ? key : cert;
	bool came = t->awaited == slot, is_half = (slot == cert || slot == key) && cert != key;

	if (t->plan->ca != slot && cert != slot && key != slot)
		return;
	if (came)
		t->awaited = PLAN_NONE;
	else if (changed && is_half)
		t->awaited = other;
	if (changed || came)
		tls_send(t);
	if (changed && is_half && t->awaited == other && !slot_is_resting(&t->slots[other]))
		slot_refresh(&t->slots[other]);
}
