/* SPDX-License-Identifier: Apache-2.0 */
#include "config/deployment.h"
#include "config/url.h"
#include "policy/access/paths.h"

/* One of the deployments, where it stands. */
struct place {
	struct reader *r;
	const struct yaml_item *item;
	const struct path *path;
	const struct config_deployment *d;
};

static void
fault(const struct place *p, const char *key, const char *hint, const char *message)
{
	reader_fault_member(p->r, p->item, p->path, key, hint, message);
}

/* What it is called beside its target's name, and where. */
static void
check_alone(const struct place *p, const struct config_target *t)
{
	if (span_is(p->d->name, "agents"))
		fault(p, "name", "choose another",
		      "is the name of the host of Bedrock's agents and knowledge bases");
	if (t->provider == PROVIDER_BEDROCK && p->d->region.len == 0 && p->d->api_base.len == 0)
		fault(p, "region", "such as us-east-1; or apiBase, where it is not AWS's own host",
		      "is missing");
}

/* A call may go to each once: the same place under two names would be asked twice. */
static void
check_beside(const struct place *p, const struct config_deployment *other)
{
	const struct config_deployment *d = p->d;

	if (span_eq(d->name, other->name))
		fault(p, "name", "give each a name of its own",
		      "another deployment of this target is called the same");
	if (d->api_base.len + d->region.len > 0 && span_eq(d->api_base, other->api_base) &&
	    span_eq(d->region, other->region) && span_eq(d->api_key, other->api_key))
		fault(p, d->api_base.len > 0 ? "apiBase" : "region",
		      "leave one out, and use weight for a larger share",
		      "stands here a second time, with the same key");
}

/* A call's path is made before its deployment is chosen. */
static bool
is_classic(const struct config_target *t, const struct config_deployment *d)
{
	struct url url;

	return url_parse(d->api_base, &url) == URL_OK &&
	       paths_is_classic((enum provider)t->provider, url.path);
}

void
deployment_rules_check(struct reader *r, const struct yaml_item *item, const struct path *path,
		       const struct config_target *t)
{
	const struct config_deployments *list = &t->deployments;
	const struct yaml_item *rows = yaml_member(item, SPAN("deployments"));
	struct path above = {path, SPAN("deployments"), 0}, at = {&above, {NULL, 0}, 0};

	item = rows == NULL ? NULL : rows->first;
	for (; item != NULL && at.index < list->n; at.index++, item = item->next) {
		const struct config_deployment *d = &list->items[at.index];
		struct place p = {r, item, &at, d};

		check_alone(&p, t);
		for (size_t i = 0; i < at.index; i++)
			check_beside(&p, &list->items[i]);
		if (is_classic(t, d) != is_classic(t, &list->items[0]))
			fault(&p, "apiBase", "give all of them a path like the first one's",
			      "is of another of Azure's two APIs than the first deployment's");
	}
}
