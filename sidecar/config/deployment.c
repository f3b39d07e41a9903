/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "config/deployment.h"

void
deployment_name_all(struct config *c)
{
	for (size_t t = 0; t < c->targets.n; t++) {
		struct config_deployments *list = &c->targets.items[t].deployments;

		for (size_t i = 0; i < list->n; i++) {
			struct config_deployment *d = &list->items[i];

			if (d->name.len > 0)
				continue;
			d->name = d->region.len > 0 ? d->region
						    : pool_format(&c->pool, "d%zu", i + 1);
		}
	}
}

struct config_target
deployment_of(const struct config_target *t, const struct config_deployment *d)
{
	struct config_target made = *t;

	made.deployments = (struct config_deployments){0};
	made.is_deployment = true;
	made.agents = 0;
	made.required = CHOICE_NO;
	made.api_base = d->api_base;
	made.region = d->region;
	if (d->api_key.len > 0) {
		made.api_key = d->api_key;
		made.has_own_key = true;
	}
	return made;
}

static struct span
join(struct config *c, struct span target, struct span deployment)
{
	return pool_format(&c->pool, "%.*s.%.*s", (int)target.len, target.ptr, (int)deployment.len,
			   deployment.ptr);
}

static size_t
count_all(const struct config *c)
{
	size_t n = c->targets.n;

	for (size_t t = 0; t < c->targets.n; t++)
		n += c->targets.items[t].deployments.n;
	return n;
}

void
deployment_expand(struct config *c)
{
	size_t n = c->targets.n;
	struct config_target *all = pool_get(&c->pool, count_all(c) * sizeof(*all));

	if (all == NULL || count_all(c) == n)
		return;
	memcpy(all, c->targets.items, n * sizeof(*all));
	c->targets.items = all;
	for (size_t t = 0; t < n; t++) {
		struct config_deployments list = all[t].deployments;

		for (size_t i = 0; i < list.n; i++) {
			struct config_target *made = &all[c->targets.n + i];

			*made = deployment_of(&all[t], &list.items[i]);
			made->name = join(c, all[t].name, list.items[i].name);
			made->file_name = all[t].name;
		}
		all[t].first = list.n > 0 ? (uint16_t)c->targets.n : 0;
		c->targets.n += list.n;
	}
}

void
deployment_project_all(struct projector *pr)
{
	const struct config *c = pr->c;
	struct ingress_target *g = pr->p->ingress.targets;
	struct egress_target *e = pr->p->egress.targets;

	for (size_t t = 0; t < c->targets.n; t++) {
		struct config_deployments list = c->targets.items[t].deployments;
		uint16_t first = c->targets.items[t].first;

		g[t].deployments = projector_room(pr, list.n * sizeof(struct plan_number));
		e[t].deployments = projector_room(pr, list.n * sizeof(struct egress_deployment));
		g[t].ndeployments = e[t].ndeployments = list.n;
		for (size_t i = 0; i < list.n; i++) {
			uint16_t number = (uint16_t)(first + i);

			g[t].deployments[i].number = number;
			g[number].is_deployment = true;
			g[number].deployment_of = (uint16_t)t;
			e[t].deployments[i] =
				(struct egress_deployment){number, (uint8_t)list.items[i].weight};
			e[number].is_deployment = true;
		}
		if (list.n > 0) /* all are, or none is (deployment_rules.c) */
			g[t].classic = g[first].classic;
	}
}
