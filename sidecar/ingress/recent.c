/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/recent.h"

void
recent_put(struct recent *r, const struct recent_call *call)
{
	r->calls[r->count++ % RECENT_CALLS] = *call;
}

const struct recent_call *
recent_at(const struct recent *r, size_t i)
{
	size_t kept = r->count < RECENT_CALLS ? r->count : RECENT_CALLS;

	return i < kept ? &r->calls[(r->count - 1 - i) % RECENT_CALLS] : NULL;
}
