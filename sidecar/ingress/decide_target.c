/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/decide_parts.h"

/* What the target's calls are signed with, where they are. */
static enum verdict
check_signing(const struct ingress *in, uint16_t target, struct decision *d)
{
	struct span name = in->plan.targets[target].name;

	if (in->targets[target].signing == SIGNING_REFUSED)
		return decide_refuse(
			d, VERDICT_CREDENTIAL_REFUSED,
			"There is no AWS identity to sign for the target \"%.*s\" with, and "
			"none to be expected; sidekey's log says why.",
			(int)name.len, name.ptr);
	if (in->targets[target].signing == SIGNING_AWAITED)
		return decide_refuse(
			d, VERDICT_CREDENTIAL_UNAVAILABLE,
			"The AWS identity that signs for the target \"%.*s\" is not there "
			"yet; sidekey keeps asking for it, try again in a few seconds.",
			(int)name.len, name.ptr);
	return VERDICT_OK;
}

/* What the store gave of it nobody can use, and of older there is nothing. */
static enum verdict
check_tls(const struct ingress *in, uint16_t target, struct decision *d)
{
	const struct target_view *v = &in->targets[target];
	struct span name = in->plan.targets[target].name;

	if (v->usable || v->tls == TLS_FAULT_NONE)
		return VERDICT_OK;
	return decide_refuse(
		d, VERDICT_UPSTREAM_UNTRUSTED,
		"TLS with the upstream of the target \"%.*s\" cannot be tried: %s. The "
		"operator must correct that, which sidekey then notices (under exec, the "
		"next run does); nothing was sent.",
		(int)name.len, name.ptr, tls_fault_why(v->tls));
}

/* Whether there is what a call of target proves itself with. */
static enum verdict
check_credentials(const struct ingress *in, uint16_t target, struct decision *d)
{
	const struct ingress_target *t = &in->plan.targets[target];
	bool missing = false;
	enum verdict v;

	for (size_t i = 0; i < t->nslots; i++) {
		const struct slot_view *s = &in->slots[t->slots[i].number];
		struct span name = in->plan.slots[t->slots[i].number].name;

		if (s->state == SLOT_REFUSED)
			return decide_refuse(
				d, VERDICT_CREDENTIAL_REFUSED,
				"The store refused the secret %.*s (%s); sidekey's log names "
				"the reference and the principal.",
				(int)name.len, name.ptr, s->error_type);
		missing |= s->state == SLOT_MISSING || s->state == SLOT_WAITING;
	}
	if (missing)
		return decide_refuse(
			d, VERDICT_CREDENTIAL_UNAVAILABLE,
			"A secret of the target \"%.*s\" is not there yet; sidekey keeps "
			"asking the store, try again in a few seconds.",
			(int)t->name.len, t->name.ptr);
	v = check_signing(in, target, d);
	return v == VERDICT_OK ? check_tls(in, target, d) : v;
}

/* One of them is enough; when there is none, whether it pays to wait for one. */
static enum verdict
check_deployments(const struct ingress *in, const struct ingress_target *t, struct decision *d)
{
	uint16_t why = t->deployments[0].number;

	for (size_t i = 0; i < t->ndeployments; i++) {
		enum verdict v = check_credentials(in, t->deployments[i].number, d);

		if (v == VERDICT_OK) {
			d->why[0] = '\0'; /* of those before it */
			return v;
		}
		if (v == VERDICT_CREDENTIAL_UNAVAILABLE)
			why = t->deployments[i].number;
	}
	return check_credentials(in, why, d);
}

enum verdict
decide_target_serves(const struct ingress *in, struct decision *d)
{
	const struct ingress_target *t = &in->plan.targets[d->target];

	if ((dialects_of(t->provider) >> d->dialect & 1) == 0 ||
	    (t->operations >> d->route->operation & 1) == 0)
		return decide_refuse(
			d, VERDICT_OPERATION_NOT_ALLOWED,
			"The operation \"%s\" is not enabled for the target \"%.*s\", where "
			"this call would go.",
			operation_name(d->route->operation), (int)t->name.len, t->name.ptr);
	if (d->body == BODY_FORM && t->is_signed)
		return decide_refuse(
			d, VERDICT_OPERATION_NOT_ALLOWED,
			"Calls of the target \"%.*s\" are signed with their whole body, and an "
			"upload is not kept until it is whole; only a target with an apiKey takes "
			"uploads.",
			(int)t->name.len, t->name.ptr);
	if (t->ndeployments > 0)
		return check_deployments(in, t, d);
	return check_credentials(in, d->target, d);
}
