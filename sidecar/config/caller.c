/* SPDX-License-Identifier: Apache-2.0 */
#include "config/projector.h"

static void
project_one(struct projector *pr, const struct config_caller *from, struct ingress_caller *to)
{
	to->name = from->name;
	token_project(
		pr, from->token,
		projector_format(pr, "callers.%.*s.token", (int)from->name.len, from->name.ptr),
		&to->token);
	to->uids = projector_room(pr, from->uids.n * sizeof(struct plan_uid));
	for (size_t i = 0; i < from->uids.n; i++)
		to->uids[to->nuids++].uid = from->uids.items[i];
	to->has_models = from->models.n > 0; /* an empty list is refused */
	to->models = projector_room(pr, from->models.n * sizeof(struct plan_text));
	for (size_t i = 0; i < from->models.n; i++)
		to->models[to->nmodels++].text = from->models.items[i];
	to->operations = from->operations != 0 ? from->operations : UINT32_MAX;
	to->limits = (struct caller_limits){
		.requests_per_minute = from->requests_per_minute,
		.tokens_per_minute = from->tokens_per_minute,
		.concurrent_requests = from->concurrent_requests,
		.budget_tokens = from->budget.tokens,
		.budget_ms = from->budget.period_ms,
	};
}

void
caller_project_all(struct projector *pr)
{
	const struct config_callers *callers = &pr->c->callers;
	struct ingress_plan *g = &pr->p->ingress;

	g->callers = projector_room(pr, callers->n * sizeof(struct ingress_caller));
	for (size_t i = 0; i < callers->n; i++)
		project_one(pr, &callers->items[i], &g->callers[g->ncallers++]);
}
