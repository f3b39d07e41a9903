/* SPDX-License-Identifier: Apache-2.0 */
/* One call to an AWS service: its headers, the signature of Version 4, and the exchange. */
#ifndef KEEPER_CALL_H
#define KEEPER_CALL_H

#include "config/plan.h"
#include "keeper/fetch.h"

struct call_keys { /* views into secret pages */
	struct span key_id, secret;
	struct span token; /* empty: long-term keys */
};

struct call {
	const struct plan_endpoint *at;
	const struct fetch_address *addresses;
	size_t naddresses;
	const char *path; /* as on the wire, without a query */
	const char *content_type;
	const char *target;          /* X-Amz-Target, or NULL */
	struct span body;            /* sent by POST; copied, wiped after use */
	struct call_keys keys;       /* a key_id that is empty: the call is not signed */
	struct span region, service; /* the signature's scope */
	uint64_t now_s;              /* AWS's time */
	uint32_t timeout_ms;         /* of all of it; 0: ten seconds */
};

/* Signs and starts; done is called once, later. 0 or -1 (it cannot be built). */
int call_start(struct fetcher *f, const struct call *c, fetch_fn *done, void *arg);

#endif
