/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "keeper/names.h"

#include "base/ip.h"

struct name {
	struct fetch_address addresses[FETCH_ADDRESSES_MAX];
	size_t n;
};

struct names {
	const struct keeper_plan *plan;
	void (*ask)(void *arg, uint16_t name);
	void *arg;
	struct name *items;
};

struct names *
names_new(const struct keeper_plan *plan, void (*ask)(void *arg, uint16_t name), void *arg)
{
	struct names *n = calloc(1, sizeof(*n));

	if (n == NULL)
		abort();
	*n = (struct names){plan, ask, arg, calloc(plan->nnames + 1, sizeof(struct name))};
	if (n->items == NULL)
		abort();
	return n;
}

static size_t
literal(struct span host, struct fetch_address *a)
{
	int family;

	if (span_is(host, "localhost"))
		host = SPAN("127.0.0.1");
	family = ip_parse(host, a->bytes);
	a->v6 = family == AF_INET6;
	return family != 0;
}

size_t
names_of(struct names *n, const struct plan_endpoint *at, struct fetch_address *a)
{
	const struct name *name;

	if (literal(at->host, a) == 1)
		return 1;
	if (at->resolve >= n->plan->nnames)
		return 0;
	name = &n->items[at->resolve];
	if (name->n == 0)
		n->ask(n->arg, at->resolve);
	memcpy(a, name->addresses, name->n * sizeof(*a));
	return name->n;
}

void
names_again(struct names *n, const struct plan_endpoint *at)
{
	if (at->resolve < n->plan->nnames)
		n->ask(n->arg, at->resolve);
}

bool
names_take(struct names *n, const struct msg_addresses *m)
{
	struct name *name;
	bool first;

	if (m->name >= n->plan->nnames || m->naddresses == 0)
		return false;
	name = &n->items[m->name];
	first = name->n == 0;
	name->n = 0;
	for (size_t i = 0; i < m->naddresses && name->n < FETCH_ADDRESSES_MAX; i++) {
		struct fetch_address *to = &name->addresses[name->n];

		if (m->addresses[i].bytes.len != (m->addresses[i].v6 ? 16u : 4u))
			continue;
		to->v6 = m->addresses[i].v6;
		memcpy(to->bytes, m->addresses[i].bytes.ptr, m->addresses[i].bytes.len);
		name->n++;
	}
	return first;
}
