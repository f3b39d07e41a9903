/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "egress/target.h"

#include "base/ip.h"

/* apiBase names an address: there is nothing to resolve. */
static void
set_literal(struct target *t)
{
	int family;

	if (t->plan->resolve != PLAN_NONE)
		return;
	family = ip_parse(t->plan->host, t->addresses.at[0].bytes);
	t->addresses.at[0].v6 = family == AF_INET6;
	t->addresses.n = family != 0;
}

static void
open_lane(struct target *t, struct tls *tls)
{
	lane_release(t->lane);
	t->lane = lane_new(t->loop, t->plan, tls);
	if (t->addresses.n > 0)
		lane_set_addresses(t->lane, &t->addresses);
}

void
target_init(struct target *t, struct loop *l, const struct egress_target *plan)
{
	*t = (struct target){.plan = plan, .loop = l};
	for (size_t i = 0; i < plan->ndeployments; i++)
		balance_add(&t->balance, plan->deployments[i].weight);
	if (plan->ndeployments > 0)
		return; /* it is nowhere itself */
	set_literal(t);
	if (!plan->https)
		open_lane(t, NULL);
}

const char *
target_set_tls(struct target *t, uint32_t version, struct span ca, struct span cert,
	       struct span key)
{
	struct tls *tls;

	if (!t->plan->https)
		return "TLS material for a target without TLS";
	if (t->plan->has_tls_client && (cert.len == 0 || key.len == 0))
		return "the client certificate or its key is missing";
	tls = tls_new(ca, cert, key, &t->tls_fault);
	if (tls == NULL)
		return tls_fault_why(t->tls_fault);
	t->tls_version = version;
	t->certificate_expiry = tls_expiry(tls);
	open_lane(t, tls);
	tls_release(tls); /* the lane has its own reference */
	return NULL;
}

void
target_drop_tls(struct target *t)
{
	lane_release(t->lane);
	t->lane = NULL;
	t->tls_fault = TLS_FAULT_NONE;
}

void
target_set_addresses(struct target *t, const struct msg_addresses *m)
{
	struct addresses a = {0};

	for (size_t i = 0; i < m->naddresses; i++) {
		const struct msg_address *from = &m->addresses[i];

		if (from->bytes.len != (from->v6 ? 16u : 4u))
			continue;
		a.at[a.n].v6 = from->v6;
		memcpy(a.at[a.n].bytes, from->bytes.ptr, from->bytes.len);
		a.n++;
	}
	if (a.n == 0)
		return; /* the last good answer stays in use */
	t->addresses = a;
	if (t->lane != NULL)
		lane_set_addresses(t->lane, &a);
}

bool
target_is_resolved(const struct target *t)
{
	return t->addresses.n > 0;
}

enum verdict
target_verdict(const struct target *t)
{
	return t->tls_fault == TLS_FAULT_NONE ? VERDICT_CREDENTIAL_UNAVAILABLE
					      : VERDICT_UPSTREAM_UNTRUSTED;
}
