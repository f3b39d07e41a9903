/* SPDX-License-Identifier: Apache-2.0 */
#include "config/deployment.h"
#include "config/identity.h"
#include "config/listeners.h"
#include "config/plan_identity.h"
#include "config/projector.h"

/* The only target that speaks d, or PLAN_NONE. */
static uint16_t
only_speaker(const struct config *c, enum dialect d)
{
	uint16_t found = PLAN_NONE;

	for (size_t i = 0; i < c->targets.n; i++) {
		if (!config_target_is_named(&c->targets.items[i]) ||
		    (dialects_of((enum provider)c->targets.items[i].provider) & (1U << d)) == 0)
			continue;
		if (found != PLAN_NONE)
			return PLAN_NONE;
		found = (uint16_t)i;
	}
	return found;
}

/*
 * The target of a call that names no model: the one that the configuration names for the
 * dialect, or for all if it speaks it, else the only one that speaks it; else, so
 * that the refusal names a target, the one for all.
 */
static uint16_t
default_target(const struct config *c, enum dialect d)
{
	long named = config_target_find(c, c->default_target.dialects[d]);
	bool single = c->targets.n == 1 || !config_target_is_named(&c->targets.items[1]);
	long all = single ? 0 : config_target_find(c, c->default_target.all);
	uint16_t only = only_speaker(c, d);

	if (named >= 0)
		return (uint16_t)named;
	if (all >= 0 &&
	    (dialects_of((enum provider)c->targets.items[all].provider) & (1U << d)) != 0)
		return (uint16_t)all;
	if (only != PLAN_NONE)
		return only;
	return all >= 0 ? (uint16_t)all : PLAN_NONE;
}

static void
set_routes(struct projector *pr)
{
	const struct config *c = pr->c;
	struct ingress_plan *g = &pr->p->ingress;

	g->default_targets = projector_room(pr, DIALECTS * sizeof(struct plan_number));
	g->ndefault_targets = DIALECTS;
	for (unsigned d = 0; d < DIALECTS; d++) {
		uint16_t t = default_target(c, (enum dialect)d);

		g->default_targets[d].number = t;
		if (t != PLAN_NONE)
			g->targets[t].required = true;
	}
	for (size_t i = 0; i < c->targets.n; i++)
		if (c->targets.items[i].required != CHOICE_UNSET)
			g->targets[i].required = c->targets.items[i].required == CHOICE_YES;
	for (size_t i = 0; i < c->targets.n; i++)
		if (g->targets[i].agents > 0)
			g->targets[g->targets[i].agents].required = g->targets[i].required;
	g->has_models = c->models.items != NULL;
	g->models = projector_room(pr, c->models.n * sizeof(struct model_rule));
	for (size_t i = 0; i < c->models.n; i++) {
		const struct config_model *m = &c->models.items[i];
		uint16_t target = (uint16_t)config_target_find(c, m->target);

		g->models[g->nmodels++] =
			(struct model_rule){m->match, target, m->strip_prefix, m->send_as};
	}
	g->denied_fields = projector_room(pr, c->denied_fields.n * sizeof(struct plan_text));
	for (size_t i = 0; i < c->denied_fields.n; i++)
		g->denied_fields[g->ndenied_fields++].text = c->denied_fields.items[i];
}

static void
set_common(struct projector *pr)
{
	const struct config *c = pr->c;
	struct plans *p = pr->p;
	uint32_t require = c->sandbox.require;

	p->resolver.log_format = p->keeper.log_format = c->log.format;
	p->egress.log_format = p->ingress.log_format = c->log.format;
	p->resolver.log_level = p->keeper.log_level = c->log.level;
	p->egress.log_level = p->ingress.log_level = c->log.level;
	p->keeper.require_landlock = p->egress.require_landlock = p->ingress.require_landlock =
		(require & CONFIG_REQUIRE_LANDLOCK) != 0;
	p->keeper.require_landlock_net = p->egress.require_landlock_net =
		p->ingress.require_landlock_net = (require & CONFIG_REQUIRE_LANDLOCK_NET) != 0;
	p->keeper.require_secret_pages = p->egress.require_secret_pages =
		(require & CONFIG_REQUIRE_SECRET_PAGES) != 0;
	p->keeper.ttl_ms = p->ingress.ttl_ms = c->secrets.ttl_ms;
	p->keeper.max_stale_ms = p->ingress.max_stale_ms = c->secrets.max_stale_ms;
	p->keeper.failure_ttl_ms = c->secrets.failure_ttl_ms;
	p->ingress.header_bytes = c->limits.header_bytes;
	p->egress.body_bytes = p->ingress.body_bytes = c->limits.body_bytes;
	p->egress.upload_bytes = p->ingress.upload_bytes = c->limits.upload_bytes;
	p->egress.buffer_total = p->ingress.buffer_total = c->limits.buffer_total;
	p->egress.connections = p->ingress.connections = (uint32_t)c->limits.connections;
	p->ingress.header_timeout_ms = c->limits.header_timeout_ms;
	p->ingress.keep_alive_ms = c->limits.keep_alive_ms;
}

static void
make_lists(struct projector *pr)
{
	struct plans *p = pr->p;
	size_t n = pr->c->targets.n;

	p->keeper.slots = projector_room(pr, SLOTS_MAX * sizeof(struct keeper_slot));
	p->resolver.keeper_names = projector_room(pr, NAMES_MAX * sizeof(struct plan_text));
	p->keeper.read_dirs = projector_room(pr, NAMES_MAX * sizeof(struct plan_text));
	p->keeper.ports = projector_room(pr, PORTS_MAX * sizeof(struct plan_number));
	p->resolver.egress_names = projector_room(pr, NAMES_MAX * sizeof(struct plan_text));
	p->egress.ports = projector_room(pr, PORTS_MAX * sizeof(struct plan_number));
	p->env_names = projector_room(pr, NAMES_MAX * sizeof(struct plan_text));
	p->keeper.targets = projector_room(pr, n * sizeof(struct keeper_target));
	p->egress.targets = projector_room(pr, n * sizeof(struct egress_target));
	p->ingress.targets = projector_room(pr, n * sizeof(struct ingress_target));
	p->keeper.ntargets = p->egress.ntargets = p->ingress.ntargets = n;
}

/* What one role has of another's numbering. */
static void
share(struct projector *pr)
{
	struct plans *p = pr->p;

	p->keeper.nnames = (uint16_t)p->resolver.nkeeper_names;
	p->egress.nslots = (uint16_t)p->keeper.nslots;
	p->ingress.slots = projector_room(pr, p->keeper.nslots * sizeof(struct ingress_slot));
	p->ingress.nslots = p->keeper.nslots;
	for (size_t i = 0; i < p->keeper.nslots; i++)
		p->ingress.slots[i].name = p->keeper.slots[i].name;
}

static int
project_for(bool report, const struct config *c, const struct environment *env, struct plans *out,
	    struct config_faults *faults)
{
	struct plans p = {.keeper.report = report, .egress.report = report};
	struct projector pr = {.c = c, .env = env, .faults = faults, .p = &p};
	bool good;

	pool_init(&p.pool, PLANS_POOL);
	make_lists(&pr);
	set_common(&pr);
	for (size_t i = 0; i < c->targets.n; i++)
		target_project(&pr, i);
	deployment_project_all(&pr);
	token_project(&pr, c->admin_token, SPAN("adminToken"), &p.ingress.admin_token);
	caller_project_all(&pr);
	identity_project(&pr);
	good = !pr.failed;
	if (good && pr.too_many) {
		struct fault_place at = {0, 0, "targets"};

		fault_in(faults, c->source);
		fault_add(faults, at, NULL, "too many different references, names or ports");
		good = false;
	}
	if (!good) {
		plans_free(&p);
		return -1;
	}
	set_routes(&pr);
	listeners_project(c, &p);
	share(&pr);
	*out = p;
	return 0;
}

int
project(const struct config *c, const struct environment *env, struct plans *out,
	struct config_faults *faults)
{
	return project_for(false, c, env, out, faults);
}

int
project_report(const struct config *c, const struct environment *env, struct plans *out,
	       struct config_faults *faults)
{
	return project_for(true, c, env, out, faults);
}

void
plans_free(struct plans *p)
{
	pool_free(&p->pool);
	*p = (struct plans){0};
}

bool
plans_lack_identity(const struct plans *p)
{
	for (size_t i = 0; i < p->keeper.nidentities; i++)
		if (p->keeper.identities[i].source == IDENTITY_FROM_NOTHING &&
		    p->keeper.identities[i].tried.len > 0)
			return true;
	return false;
}
