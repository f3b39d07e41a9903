/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "ingress/ingress.h"

#include "base/log.h"
#include "base/rights.h"
#include "base/secret.h"
#include "box/msg_answer.h"
#include "box/spawn.h"
#include "box/trunk.h"
#include "ev/patience.h"
#include "ingress/admission.h"
#include "ingress/conn.h"
#include "ingress/limits.h"
#include "ingress/listen.h"
#include "ingress/metrics.h"
#include "ingress/ready.h"
#include "ingress/recent.h"
#include "ingress/standing.h"
#include "policy/box/boxes.h"

struct role_ingress {
	struct ingress in;
	struct channel *parent, *keeper, *egress;
	struct listener *listeners; /* NULL: not accepting */
	struct timer drain;
	struct source log;
	struct patience patience;
	struct msg_standing told; /* to the parent */
};

static void
lost(void *arg, const char *why)
{
	struct role_ingress *r = arg;

	if (why == NULL)
		return; /* the parent sees which process died, and ends the rest */
	log_say(LOG_ERROR, "a process broke the protocol", LOG_C("why", why));
	loop_stop(r->in.loop, 1);
}

static void
parent_lost(void *arg, const char *why)
{
	struct role_ingress *r = arg;

	(void)why;
	loop_stop(r->in.loop, 0);
}

/* ---- the keeper and egress tell ---- */

/* Start-up probes ask whether it has been ready once (health --started). */
static void
latch_started(struct ingress *in)
{
	if (in->started || !ready_now(in))
		return;
	in->started = true;
	log_write(LOG_INFO, "ready", NULL, 0);
}

/* What a slot or a target has become may matter to probes and to a reload. */
static void
reassess(struct role_ingress *r)
{
	struct msg_standing now = standing_of(&r->in);

	latch_started(&r->in);
	if (now.ready == r->told.ready && now.settled == r->told.settled)
		return;
	r->told = now;
	(void)channel_send(r->parent, MSG_STANDING, &now, -1);
}

static void
copy_text(char *to, size_t size, struct span from)
{
	snprintf(to, size, "%.*s", (int)from.len, from.len > 0 ? from.ptr : "");
}

/* A value that is gone at maxStale is told between two attempts to read the slot. */
static void
count_attempt(const struct ingress *in, struct slot_view *s, const struct msg_slot *m)
{
	if (s->attempts != m->attempts)
		metrics_refresh(in->metrics, m->slot,
				m->state == SLOT_FRESH ? REFRESH_SUCCESS
				: m->denied            ? REFRESH_DENIED
						       : REFRESH_FAILURE);
	s->attempts = m->attempts;
}

static void
take_slot(struct role_ingress *r, const struct msg_slot *m)
{
	struct ingress *in = &r->in;
	struct slot_view *s = &in->slots[m->slot];

	s->state = m->state;
	s->version = m->version;
	s->fetched_ms = m->fetched_ms;
	s->next_ms = m->next_ms;
	copy_text(s->version_id, sizeof(s->version_id), m->version_id);
	copy_text(s->error_type, sizeof(s->error_type), m->error_type);
	copy_text(s->request_id, sizeof(s->request_id), m->request_id);
	copy_text(s->principal, sizeof(s->principal), m->principal);
	count_attempt(in, s, m);
	reassess(r);
}

static void
take_digest(struct slot_view *s, struct span digest)
{
	s->has_digest = digest.len == sizeof(s->digest);
	if (s->has_digest)
		memcpy(s->digest, digest.ptr, sizeof(s->digest));
}

static void
take_keeper_alive(struct ingress *in, const struct msg_alive *m)
{
	in->keeper_pages = m->secret_pages;
	if (m->resolver)
		in->resolver_seen = loop_now(in->loop);
}

static void
from_keeper(void *arg, enum msg_type type, const void *obj, int fd)
{
	struct role_ingress *r = arg;
	const struct msg_digest *d = obj;
	const struct msg_slot *m = obj;

	(void)fd;
	r->in.keeper_seen = loop_now(r->in.loop);
	if (type == MSG_ALIVE)
		take_keeper_alive(&r->in, obj);
	else if (type == MSG_SLOT && m->slot < r->in.plan.nslots)
		take_slot(r, m);
	else if (type == MSG_DIGEST && d->slot < r->in.plan.nslots)
		take_digest(&r->in.slots[d->slot], d->digest);
}

/* The target that a deployment is one of; target itself where it is none. */
static uint16_t
whole_of(const struct ingress *in, uint16_t target)
{
	const struct ingress_target *t = &in->plan.targets[target];

	return t->is_deployment ? t->deployment_of : target;
}

/* An upstream that says a secret back may say it to others too. */
static void
take_redacted(struct ingress *in, const struct msg_redacted *m)
{
	struct span name = SPAN("the AWS session's token");

	if (m->target >= in->plan.ntargets || (m->slot >= in->plan.nslots && m->slot != PLAN_NONE))
		return;
	if (m->slot != PLAN_NONE)
		name = in->plan.slots[m->slot].name;
	metrics_redacted(in->metrics, whole_of(in, m->target), m->matches);
	log_say(LOG_WARN,
		"an upstream's answer held one of our secrets, which was overwritten; find out "
		"why it says it, and change it if others can see what it says",
		LOG_S("target", in->plan.targets[m->target].name), LOG_S("slot", name),
		LOG_U("matches", m->matches));
}

/* What a target with deployments is: what the best of them is. */
static void
sum_up(struct ingress *in, uint16_t target)
{
	const struct ingress_target *t = &in->plan.targets[target];
	struct target_view sum = {0};

	for (size_t i = 0; i < t->ndeployments; i++) {
		const struct target_view *v = &in->targets[t->deployments[i].number];

		sum.usable = sum.usable || v->usable;
		sum.resolved = sum.resolved || v->resolved;
		if (v->certificate_expiry != 0 &&
		    (sum.certificate_expiry == 0 || v->certificate_expiry < sum.certificate_expiry))
			sum.certificate_expiry = v->certificate_expiry;
	}
	in->targets[target] = sum;
}

static void
take_target(struct ingress *in, const struct msg_target *m)
{
	struct target_view *v = &in->targets[m->target];

	*v = (struct target_view){m->usable,
				  m->resolved,
				  (enum signing_state)m->signing,
				  m->certificate_expiry,
				  v->cools_until_ms,
				  (enum tls_fault)m->tls,
				  ""};
	copy_text(v->error_type, sizeof(v->error_type), m->error_type);
	if (whole_of(in, m->target) != m->target)
		sum_up(in, whole_of(in, m->target));
}

/* A call that another deployment then served has had an error of the upstream's all the same. */
static void
take_deployment(struct ingress *in, const struct msg_deployment *m)
{
	uint16_t whole = whole_of(in, m->target);

	if (whole == m->target || m->verdict >= VERDICTS)
		return;
	in->targets[m->target].cools_until_ms = m->cools_until_ms;
	if (m->left)
		metrics_attempt(in->metrics, whole, (enum verdict)m->verdict);
}

static void
from_egress(void *arg, enum msg_type type, const void *obj, int fd)
{
	struct role_ingress *r = arg;
	const struct msg_target *m = obj;

	(void)fd;
	r->in.egress_seen = loop_now(r->in.loop);
	if (type == MSG_ALIVE)
		r->in.egress_pages = ((const struct msg_alive *)obj)->secret_pages;
	if (type == MSG_REDACTED)
		take_redacted(&r->in, obj);
	if (type == MSG_TARGET && m->target < r->in.plan.ntargets)
		take_target(&r->in, m);
	if (type == MSG_DEPLOYMENT &&
	    ((const struct msg_deployment *)obj)->target < r->in.plan.ntargets)
		take_deployment(&r->in, obj);
	reassess(r);
}

/* ---- draining ---- */

static void
drained_if_idle(struct ingress *in)
{
	struct role_ingress *r = ev_owner(in, struct role_ingress, in);
	struct msg_empty m = {0};

	if (in->draining ? in->ncalls == 0 : in->nconns == 0)
		(void)channel_send(r->parent, MSG_DRAINED, &m, -1);
}

static void
drain_over(struct timer *t)
{
	struct role_ingress *r = ev_owner(t, struct role_ingress, drain);

	log_say(LOG_WARN, "calls were cut off: limits.drain is over, or a second signal came",
		LOG_U("calls", r->in.ncalls));
	conn_drop_all(&r->in);
	drained_if_idle(&r->in);
}

static void
take_no_more(struct role_ingress *r)
{
	r->in.retiring = true;
	if (r->listeners != NULL)
		listen_stop(r->listeners);
	r->listeners = NULL;
}

static void
drain(struct role_ingress *r, uint64_t ms)
{
	r->drain.fn = drain_over;
	timer_set(r->in.loop, &r->drain, ms);
	if (r->in.draining) /* told again: for less time */
		return;
	take_no_more(r);
	r->in.draining = true;
	conn_drain_all(&r->in);
	drained_if_idle(&r->in);
}

/*
 * An idle connection stays until limits.keepAlive is over, since a request may be on its way: it is
 * served, and its answer says that the connection ends.
 */
static void
retire(struct role_ingress *r)
{
	take_no_more(r);
	drained_if_idle(&r->in);
}

static void
from_parent(void *arg, enum msg_type type, const void *obj, int fd)
{
	struct role_ingress *r = arg;

	(void)fd;
	if (type == MSG_DRAIN)
		drain(r, ((const struct msg_drain *)obj)->ms);
	else if (type == MSG_RETIRE)
		retire(r);
	else if (r->listeners == NULL && !r->in.retiring)
		r->listeners = listen_start(&r->in);
}

/* ---- start ---- */

static struct channel *
join(struct role_ingress *r, int fd, uint32_t accepts, channel_fn *fn)
{
	struct channel_options o = {accepts, fn, fd == SPAWN_PARENT ? parent_lost : lost, r};

	return channel_new(r->in.loop, fd, &o);
}

/* Who cannot be limited is not served. */
static int
open_limits(struct ingress *in)
{
	in->limits = limits_open(SPAWN_LIMITS);
	close(SPAWN_LIMITS);
	if (in->limits == NULL) {
		log_write(LOG_ERROR, "the pages for the limits of callers could not be mapped",
			  NULL, 0);
		return -1;
	}
	admission_start(in);
	return 0;
}

static int
open_trunk(struct role_ingress *r)
{
	static const struct trunk_fds fds = {SPAWN_TRUNK, SPAWN_TRUNK + 1, SPAWN_TRUNK + 2};
	struct trunk_options o = {
		.side = TRUNK_INGRESS, .streams = r->in.plan.connections, .lost = lost, .arg = r};

	r->in.trunk = trunk_open(r->in.loop, fds, &o);
	if (r->in.trunk != NULL)
		return 0;
	log_write(LOG_ERROR, "the pages for the streams to egress could not be mapped", NULL, 0);
	return -1;
}

/* The lines of a round's calls go out together, when their answers are on their way. */
static bool
flush_log(struct source *s, bool sleeps)
{
	(void)s;
	(void)sleeps;
	log_flush();
	return true;
}

static void
gather_log(struct role_ingress *r)
{
	r->log.may_rest = flush_log;
	loop_source(r->in.loop, &r->log);
	log_gather();
}

static bool
serves_unix(const struct ingress_plan *plan)
{
	for (size_t i = 0; i < plan->nlisteners; i++)
		if (plan->listeners[i].is_unix)
			return true;
	return false;
}

static int
start(struct role_ingress *r, int waits)
{
	struct ingress *in = &r->in;
	struct box_options o = {0};
	const char *why = NULL;

	in->loop = loop_new();
	patience_start(&r->patience, in->loop, waits);
	in->idle = drained_if_idle;
	in->started = in->plan.started;
	in->keeper_seen = in->egress_seen = in->resolver_seen =
		loop_now(in->loop); /* a process that starts is not silent */
	in->slots = calloc(in->plan.nslots + 1, sizeof(*in->slots));
	in->targets = calloc(in->plan.ntargets + 1, sizeof(*in->targets));
	in->metrics = metrics_new(&in->plan);
	in->recent = calloc(1, sizeof(*in->recent));
	if (in->slots == NULL || in->targets == NULL || in->recent == NULL ||
	    getrandom(in->ids.key, sizeof(in->ids.key), 0) != sizeof(in->ids.key))
		return -1;
	if (open_limits(in) != 0 || open_trunk(r) != 0)
		return -1;
	if (serves_unix(&in->plan) && rights_bear() != 0) {
		log_say(LOG_ERROR, "the kernel gave no timer against descriptors that callers send",
			LOG_C("why", strerrordesc_np(errno)));
		return -1;
	}
	o.require_landlock = in->plan.require_landlock;
	o.require_landlock_net = in->plan.require_landlock_net;
	if (box_enter(&ingress_box, &o, &in->level, &why) != 0) {
		log_say(LOG_ERROR, "the sandbox could not be entered", LOG_C("why", why));
		return -1;
	}
	r->parent = join(r, SPAWN_PARENT, 1u << MSG_ACCEPT | 1u << MSG_RETIRE | 1u << MSG_DRAIN,
			 from_parent);
	r->keeper = join(r, SPAWN_CHANNEL_A, 1u << MSG_SLOT | 1u << MSG_DIGEST | 1u << MSG_ALIVE,
			 from_keeper);
	r->egress =
		join(r, SPAWN_CHANNEL_B,
		     1u << MSG_TARGET | 1u << MSG_REDACTED | 1u << MSG_ALIVE | 1u << MSG_DEPLOYMENT,
		     from_egress);
	return 0;
}

int
ingress_main(void)
{
	static struct role_ingress r;
	struct msg_ready ready;
	int code, waits;

	log_setup(LOG_JSON, LOG_INFO, "ingress");
	if (plan_receive(&ingress_plan_type, &r.in.plan) != 0) {
		log_write(LOG_ERROR, "the projection could not be read", NULL, 0);
		return 1;
	}
	waits = patience_open(SPAWN_WAITS);
	log_setup(r.in.plan.log_format, r.in.plan.log_level, "ingress");
	if (start(&r, waits) != 0)
		return 1;
	gather_log(&r);
	ready = (struct msg_ready){r.in.level.landlock_abi, r.in.level.landlock_net,
				   r.in.level.landlock_scope, (uint8_t)secret_level(),
				   r.in.level.seccomp_calls};
	(void)channel_send(r.parent, MSG_READY, &ready, -1);
	code = loop_run(r.in.loop);
	log_flush();
	return code;
}
