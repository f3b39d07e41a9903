/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/standing.h"

#include "ingress/caller.h"
#include "ingress/ready.h"

/* callable: it is so by being good for calls. */
static bool
place_is_settled(const struct ingress *in, size_t target, bool *callable)
{
	const struct ingress_target *t = &in->plan.targets[target];
	bool usable = in->targets[target].usable && in->targets[target].resolved;

	*callable = false;
	if (in->targets[target].signing == SIGNING_REFUSED ||
	    (in->targets[target].tls != TLS_FAULT_NONE && !in->targets[target].usable))
		return true;
	for (size_t i = 0; i < t->nslots; i++) {
		enum slot_state state = in->slots[t->slots[i].number].state;

		if (state == SLOT_REFUSED)
			return true;
		usable = usable && slot_state_is_usable(state);
	}
	*callable = usable;
	return usable;
}

/* Of several deployments one that is good for calls is enough. */
static bool
is_settled(const struct ingress *in, size_t target)
{
	const struct ingress_target *t = &in->plan.targets[target];
	bool callable, all = true;

	if (t->is_deployment)
		return true; /* a part of its target */
	if (t->ndeployments == 0)
		return place_is_settled(in, target, &callable);
	for (size_t i = 0; i < t->ndeployments; i++) {
		all = place_is_settled(in, t->deployments[i].number, &callable) && all;
		if (callable)
			return true;
	}
	return all;
}

struct msg_standing
standing_of(const struct ingress *in)
{
	struct msg_standing s = {.ready = ready_now(in), .settled = caller_tokens_are_settled(in)};

	for (size_t i = 0; i < in->plan.ntargets; i++)
		s.settled = s.settled && is_settled(in, i);
	return s;
}
