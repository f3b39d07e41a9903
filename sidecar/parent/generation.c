/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "parent/generation.h"

#include "base/auto.h"
#include "base/log.h"
#include "base/rights.h"
#include "base/secret.h"
#include "box/trunk.h"

enum { PROJECTION_MAX = 4 * 1024 * 1024, PLACES_MAX = 64, STOP_MS = 2 * 1000 };

struct member { /* of a generation: one role's process */
	struct generation *g;
	enum role role;
	pid_t pid;
	struct channel *channel;
	bool ready;
};

struct generation {
	struct generation_options o;
	struct generation_state state;
	struct member members[ROLES];
	struct timer end;
	bool stopping, killed;
};

/* The channels between roles: whose each end is, and at which place that role finds it. */
static const struct link {
	struct link_end {
		enum role role;
		int place;
	} ends[2];
	bool lets_fds; /* to the second end */
} links[] = {
	{{{ROLE_KEEPER, SPAWN_CHANNEL_A}, {ROLE_RESOLVER, SPAWN_CHANNEL_A}}, false},
	{{{ROLE_EGRESS, SPAWN_CHANNEL_A}, {ROLE_RESOLVER, SPAWN_CHANNEL_B}}, false},
	{{{ROLE_KEEPER, SPAWN_CHANNEL_B}, {ROLE_EGRESS, SPAWN_CHANNEL_B}}, true}, /* CA bundles */
	{{{ROLE_KEEPER, SPAWN_CHANNEL_C}, {ROLE_INGRESS, SPAWN_CHANNEL_A}}, false},
	{{{ROLE_INGRESS, SPAWN_CHANNEL_B}, {ROLE_EGRESS, SPAWN_CHANNEL_C}}, false},
};

enum { LINKS = sizeof(links) / sizeof(links[0]) };

/* What is open here for the roles, until each has its own; -1: not made, or given away. */
struct wiring {
	int parent[ROLES][2]; /* [0] stays here */
	int links[LINKS][2];  /* as the ends of links[] */
	int trunk[TRUNK_MADE];
};

static int
wire(struct wiring *w)
{
	memset(w, 0xff, sizeof(*w)); /* -1 everywhere */
	for (enum role r = ROLE_RESOLVER; r < ROLES; r++)
		if (channel_pair(w->parent[r]) != 0)
			return -1;
	for (size_t i = 0; i < LINKS; i++) {
		if (channel_pair(w->links[i]) != 0)
			return -1;
		if (links[i].lets_fds)
			(void)rights_let(w->links[i][1], true);
	}
	return trunk_create(w->trunk);
}

static void
close_all(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* All but the parent's own ends of its control channels. */
static void
unwire(struct wiring *w)
{
	for (enum role r = ROLE_RESOLVER; r < ROLES; r++)
		close_all(w->parent[r], 2);
	for (size_t i = 0; i < LINKS; i++)
		close_all(w->links[i], 2);
	close_all(w->trunk, TRUNK_MADE);
}

/* ---- what the roles tell ---- */

static void
announce(struct generation *g)
{
	for (enum role r = ROLE_RESOLVER; r < ROLES; r++)
		if (!g->members[r].ready)
			return;
	g->state.boxed = true;
	g->o.changed(g->o.arg, g);
}

static void
boxed(struct member *m, const struct msg_ready *ready)
{
	log_say(LOG_INFO, "boxed", LOG_C("process", role_name(m->role)), LOG_U("pid", m->pid),
		LOG_U("generation", m->g->state.number),
		LOG_U("seccomp_rules", ready->seccomp_calls),
		LOG_U("landlock_abi", ready->landlock_abi),
		LOG_C("landlock_net", ready->landlock_net ? "yes" : "no"),
		LOG_C("landlock_scope", ready->landlock_scope ? "yes" : "no"),
		LOG_C("secret_pages", secret_pages_name(ready->secret_pages)));
	m->ready = true;
	announce(m->g);
}

static void
on_message(void *arg, enum msg_type type, const void *obj, int fd)
{
	struct member *m = arg;
	struct generation *g = m->g;

	(void)fd;
	if (type == MSG_READY) {
		boxed(m, obj);
		return;
	}
	if (type != MSG_STANDING && type != MSG_DRAINED) {
		g->o.report(g->o.arg, type, obj);
		return;
	}
	if (type == MSG_STANDING) {
		g->state.ready = ((const struct msg_standing *)obj)->ready;
		g->state.settled = ((const struct msg_standing *)obj)->settled;
	} else {
		g->state.drained = true;
	}
	g->o.changed(g->o.arg, g);
}

/*
 * One that lives, and whom we cannot hear, would be waited for in vain. It has hung up where why is
 * NULL: mostly since it has died, of which SIGCHLD tells more, and which this does not change.
 */
static void
on_lost(void *arg, const char *why)
{
	const struct member *m = arg;

	if (why != NULL)
		log_say(LOG_ERROR, "a process broke the protocol",
			LOG_C("process", role_name(m->role)), LOG_C("why", why));
	if (m->pid > 0)
		(void)kill(m->pid, SIGKILL);
}

/* ---- starting ---- */

static int
seal_plan(const char *name, const struct pack_type *type, const void *plan)
{
	struct buf b;
	int fd = -1;

	buf_init(&b, PROJECTION_MAX);
	if (pack_write(type, plan, &b) == 0)
		fd = spawn_sealed(name, buf_span(&b));
	buf_free(&b);
	return fd;
}

/* The descriptors of a role, by place. */
struct given {
	int fds[PLACES_MAX];
	size_t n;
};

static void
give(struct given *to, int place, int fd)
{
	size_t at = (size_t)(place - SPAWN_PROJECTION);

	while (to->n <= at)
		to->fds[to->n++] = -1;
	to->fds[at] = fd;
}

static void
give_trunk(struct given *to, const struct wiring *w, enum trunk_side side)
{
	const struct trunk_fds fds = trunk_fds(w->trunk, side);

	give(to, SPAWN_TRUNK, fds.pages);
	give(to, SPAWN_TRUNK + 1, fds.bell);
	give(to, SPAWN_TRUNK + 2, fds.cord);
}

static void
give_ingress(struct given *to, const struct generation *g, const struct wiring *w,
	     size_t nlisteners)
{
	give_trunk(to, w, TRUNK_INGRESS);
	give(to, SPAWN_LIMITS, g->o.limits);
	for (size_t i = 0; i < nlisteners; i++)
		give(to, SPAWN_FIRST_LISTENER + (int)i, g->o.listeners[i]);
}

static int
spawn(struct generation *g, enum role role, int projection, const struct plans *p,
      const struct wiring *w)
{
	struct given to = {.n = 0};

	give(&to, SPAWN_PROJECTION, projection);
	give(&to, SPAWN_PARENT, w->parent[role][1]);
	for (size_t i = 0; i < LINKS; i++)
		for (size_t e = 0; e < 2; e++)
			if (links[i].ends[e].role == role)
				give(&to, links[i].ends[e].place, w->links[i][e]);
	if (role == ROLE_EGRESS)
		give_trunk(&to, w, TRUNK_EGRESS);
	if (role == ROLE_INGRESS)
		give_ingress(&to, g, w, p->nlisteners);
	g->members[role].pid = spawn_role(g->o.self, role, to.fds, to.n);
	return g->members[role].pid < 0 ? -1 : 0;
}

static int
spawn_all(struct generation *g, const struct plans *p, const struct wiring *w)
{
	const struct {
		enum role role;
		const struct pack_type *type;
		const void *plan;
	} rows[] = {
		{ROLE_RESOLVER, &resolver_plan_type, &p->resolver},
		{ROLE_KEEPER, &keeper_plan_type, &p->keeper},
		{ROLE_EGRESS, &egress_plan_type, &p->egress},
		{ROLE_INGRESS, &ingress_plan_type, &p->ingress},
	};

	if (p->nlisteners > PLACES_MAX - (SPAWN_FIRST_LISTENER - SPAWN_PROJECTION)) {
		errno = E2BIG;
		return -1;
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		/* Open here no longer than it takes to give it. */
		auto_close int projection =
			seal_plan(role_name(rows[i].role), rows[i].type, rows[i].plan);

		if (projection < 0 || spawn(g, rows[i].role, projection, p, w) != 0)
			return -1;
	}
	return 0;
}

/* A keeper that is dead already is no failure of ours: SIGCHLD tells of what it died. */
static int
tell_keeper(struct generation *g, enum msg_type type, const void *m)
{
	errno = 0;
	if (channel_send(g->members[ROLE_KEEPER].channel, type, m, -1) == 0)
		return 0;
	return errno == EPIPE || errno == ECONNRESET ? 0 : -1;
}

/* The start-up variables that the keeper needs; it waits for ENV_END. */
static int
send_env(struct generation *g, const struct plans *p)
{
	const struct environment *env = g->o.env;
	struct msg_empty end = {0};

	for (size_t i = 0; i < p->nenv_names; i++) {
		struct span name = p->env_names[i].text;
		const char *value = env->get(env->arg, name.ptr);
		struct msg_env m = {name, span_of(value)};

		if (value != NULL && tell_keeper(g, MSG_ENV, &m) != 0)
			return -1;
	}
	return tell_keeper(g, MSG_ENV_END, &end);
}

/* What a role may say to the parent from the start. */
static uint32_t
may_say(const struct generation *g, enum role r)
{
	const uint32_t keeper = 1u << MSG_REPORT_IDENTITY | 1u << MSG_REPORT_SLOT;
	uint32_t bits = 1u << MSG_READY;

	if (r == ROLE_INGRESS)
		bits |= 1u << MSG_STANDING; /* and MSG_DRAINED, once it was told to end */
	if (g->o.report != NULL && r == ROLE_KEEPER)
		bits |= keeper;
	if (g->o.report != NULL && r == ROLE_EGRESS)
		bits |= 1u << MSG_REPORT_TARGET;
	return bits;
}

static void
open_channels(struct generation *g, struct wiring *w)
{
	for (enum role r = ROLE_RESOLVER; r < ROLES; r++) {
		struct channel_options o = {
			.accepts = may_say(g, r),
			.on_message = on_message,
			.on_lost = on_lost,
			.arg = &g->members[r],
		};

		g->members[r].channel = channel_new(g->o.loop, w->parent[r][0], &o);
		w->parent[r][0] = -1;
	}
}

/* Its roles have had their time to end by themselves. */
static void
end_over(struct timer *t)
{
	generation_stop(ev_owner(t, struct generation, end), true);
}

struct generation *
generation_start(const struct generation_options *o, const struct plans *plan)
{
	struct generation *g = calloc(1, sizeof(*g));
	struct wiring w;
	int bad;

	if (g == NULL)
		abort();
	g->o = *o;
	g->state.number = plan->ingress.generation;
	g->end.fn = end_over;
	for (enum role r = ROLE_RESOLVER; r < ROLES; r++)
		g->members[r] = (struct member){.g = g, .role = r, .pid = -1};
	bad = wire(&w);
	if (bad == 0) {
		open_channels(g, &w);
		bad = spawn_all(g, plan, &w);
	}
	unwire(&w);
	if (bad == 0)
		bad = send_env(g, plan);
	if (bad == 0)
		return g;
	generation_stop(g, true);
	generation_free(g);
	return NULL;
}

struct generation_state
generation_state(const struct generation *g)
{
	return g->state;
}

static void
tell_ingress(struct generation *g, enum msg_type type)
{
	struct msg_empty m = {0};

	(void)channel_send(g->members[ROLE_INGRESS].channel, type, &m, -1);
}

void
generation_accept(struct generation *g)
{
	tell_ingress(g, MSG_ACCEPT);
}

/* ---- ending ---- */

void
generation_retire(struct generation *g)
{
	channel_accept(g->members[ROLE_INGRESS].channel, MSG_DRAINED);
	tell_ingress(g, MSG_RETIRE);
}

void
generation_drain(struct generation *g, uint64_t ms)
{
	struct msg_drain m = {ms};

	channel_accept(g->members[ROLE_INGRESS].channel, MSG_DRAINED);
	(void)channel_send(g->members[ROLE_INGRESS].channel, MSG_DRAIN, &m, -1);
}

void
generation_refresh(struct generation *g)
{
	struct msg_empty m = {0};

	(void)channel_send(g->members[ROLE_KEEPER].channel, MSG_REFRESH, &m, -1);
}

void
generation_stop(struct generation *g, bool now)
{
	g->stopping = true;
	g->killed = g->killed || now;
	if (!now)
		timer_set(g->o.loop, &g->end, STOP_MS);
	for (enum role r = ROLE_RESOLVER; r < ROLES; r++) {
		channel_free(g->members[r].channel);
		g->members[r].channel = NULL;
		if (now && g->members[r].pid > 0)
			(void)kill(g->members[r].pid, SIGKILL);
	}
}

bool
generation_is_stopping(const struct generation *g)
{
	return g->stopping;
}

/* A crash is one at any time, be it just after ingress said that it has nothing left to do. */
bool
generation_asked_for(const struct generation *g, int status)
{
	return g->killed || (g->stopping && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

enum role
generation_reap(struct generation *g, pid_t pid)
{
	for (enum role r = ROLE_RESOLVER; r < ROLES; r++) {
		if (g->members[r].pid != pid)
			continue;
		g->members[r].pid = -1;
		return r;
	}
	return ROLE_NONE;
}

bool
generation_is_gone(const struct generation *g)
{
	for (enum role r = ROLE_RESOLVER; r < ROLES; r++)
		if (g->members[r].pid > 0)
			return false;
	return true;
}

void
generation_free(struct generation *g)
{
	if (g == NULL)
		return;
	timer_stop(g->o.loop, &g->end);
	for (enum role r = ROLE_RESOLVER; r < ROLES; r++)
		channel_free(g->members[r].channel);
	free(g);
}
