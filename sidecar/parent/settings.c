/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "parent/settings.h"

struct settings *
settings_of(struct config *c, const struct environment *env, struct config_faults *faults)
{
	struct settings *s = calloc(1, sizeof(*s));

	if (s == NULL)
		abort();
	s->config = c;
	if (project(c, env, &s->plans, faults) == 0)
		return s;
	config_free(c);
	free(s);
	return NULL;
}

struct settings *
settings_read(const struct config_source *source, struct config_faults *faults)
{
	struct config *c;

	if (config_read(source, &c, faults) != 0)
		return NULL;
	return settings_of(c, &source->env, faults);
}

static bool
is_same(const struct config_listener *a, const struct config_listener *b)
{
	return span_eq(a->host, b->host) && a->port == b->port && span_eq(a->path, b->path) &&
	       a->mode == b->mode && a->group == b->group;
}

/* In any order: none is named twice. */
static bool
are_same(const struct config_listeners *a, const struct config_listeners *b)
{
	for (size_t i = 0; i < a->n; i++) {
		bool found = false;

		for (size_t j = 0; j < b->n; j++)
			found = found || is_same(&a->items[i], &b->items[j]);
		if (!found)
			return false;
	}
	return a->n == b->n;
}

struct settings *
settings_read_again(const struct config_source *source, const struct settings *opened,
		    struct config_faults *faults)
{
	const struct config *now = opened->config;
	struct settings *s;
	struct config *c;
	bool moved;

	if (config_read(source, &c, faults) != 0)
		return NULL;
	moved = !are_same(&c->listen, &now->listen) || !are_same(&c->admin, &now->admin);
	c->listen = now->listen;
	c->admin = now->admin;
	s = settings_of(c, &source->env, faults);
	if (s != NULL)
		s->plans.ingress.restart_needed = moved;
	return s;
}

void
settings_free(struct settings *s)
{
	if (s == NULL)
		return;
	plans_free(&s->plans);
	config_free(s->config);
	free(s);
}
