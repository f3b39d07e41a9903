/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "egress/egress.h"

#include "base/log.h"
#include "base/secret.h"
#include "box/box.h"
#include "box/channel.h"
#include "box/msg_answer.h"
#include "box/spawn.h"
#include "egress/probe.h"
#include "egress/serve.h"
#include "ev/patience.h"
#include "policy/box/boxes.h"

enum { ALIVE_MS = 1000, CA_BYTES_MAX = 4 * 1024 * 1024 };

struct role_egress {
	struct egress e;
	struct egress_plan plan;
	struct channel *parent, *resolver, *keeper, *ingress;
	struct timer alive;
	struct patience patience;
	struct probe **probes; /* by target, for check --resolve; else NULL */
};

static void
lost(void *arg, const char *why)
{
	struct role_egress *r = arg;

	if (why == NULL)
		return; /* the parent sees which process died, and ends the rest */
	log_say(LOG_ERROR, "a process broke the protocol", LOG_C("why", why));
	loop_stop(r->e.loop, 1);
}

/* The parent ends a generation by closing its channel. */
static void
parent_lost(void *arg, const char *why)
{
	struct role_egress *r = arg;

	(void)why;
	loop_stop(r->e.loop, 0);
}

/* ---- what ingress is told ---- */

static void
report(struct role_egress *r, struct target *t)
{
	struct header_set *set = vault_headers(r->e.vault, (size_t)(t - r->e.targets));
	enum signing_state signing = signers_state(r->e.signers, (size_t)(t - r->e.targets));
	const char *error = signers_error(r->e.signers, (size_t)(t - r->e.targets));
	struct msg_target m = {
		.target = (uint16_t)(t - r->e.targets),
		.usable = set != NULL && t->lane != NULL && signing == SIGNING_GOOD,
		.resolved = target_is_resolved(t),
		.signing = (uint8_t)signing,
		.error_type = span_of(error),
		.tls = (uint8_t)t->tls_fault,
		.certificate_expiry = t->certificate_expiry,
	};

	header_set_release(set);
	if (t->plan->ndeployments > 0)
		return; /* ingress makes of theirs what it is */
	if (t->reported && t->was_usable == m.usable && t->was_resolved == m.resolved &&
	    t->was_signing == signing && strcmp(t->was_error, error) == 0 &&
	    t->was_tls == t->tls_fault && t->was_expiry == m.certificate_expiry)
		return;
	t->reported = true;
	t->was_usable = m.usable;
	t->was_resolved = m.resolved;
	t->was_signing = signing;
	snprintf(t->was_error, sizeof(t->was_error), "%s", error);
	t->was_tls = t->tls_fault;
	t->was_expiry = m.certificate_expiry;
	(void)channel_send(r->ingress, MSG_TARGET, &m, -1);
}

static void
report_all(struct role_egress *r)
{
	for (size_t i = 0; i < r->plan.ntargets; i++)
		report(r, &r->e.targets[i]);
	for (size_t i = 0; r->probes != NULL && i < r->plan.ntargets; i++)
		if (r->probes[i] != NULL)
			probe_look(r->probes[i]);
}

static void
say_alive(struct timer *t)
{
	struct role_egress *r = ev_owner(t, struct role_egress, alive);
	struct msg_alive m = {.secret_pages = (uint8_t)secret_level()};

	(void)channel_send(r->ingress, MSG_ALIVE, &m, -1);
	/* At midnight a key comes to its end, or into use. */
	for (size_t i = 0; i < r->plan.ntargets; i++)
		if (r->plan.targets[i].is_signed)
			report(r, &r->e.targets[i]);
	timer_set(r->e.loop, t, ALIVE_MS);
}

/* ---- what comes ---- */

static void
look_up(struct egress *e, const struct target *t)
{
	struct role_egress *r = ev_owner(e, struct role_egress, e);
	struct msg_resolve m = {.name = t->plan->resolve};

	if (m.name != PLAN_NONE)
		(void)channel_send(r->resolver, MSG_RESOLVE, &m, -1);
}

static void
refused(struct egress *e, const struct target *t)
{
	struct role_egress *r = ev_owner(e, struct role_egress, e);
	struct msg_refused m = {.target = (uint16_t)(t - e->targets),
				.version = t->refused_version,
				.date_s = t->refused_s};

	(void)channel_send(r->keeper, MSG_REFUSED, &m, -1);
}

/* The keeper has looked at its store for a target that refused our credentials. */
static void
looked(struct role_egress *r, const struct msg_look *m)
{
	struct look_outcome o;
	struct target *t;

	if (m->target >= r->plan.ntargets) {
		lost(r, "the keeper named a target that does not exist");
		return;
	}
	t = &r->e.targets[m->target];
	o = look_ended(&t->look, loop_now(r->e.loop));
	if (o.ask)
		refused(&r->e, t);
	if (o.again > 0)
		log_say(LOG_INFO, "refused calls were sent again with newer secrets",
			LOG_S("target", t->plan->name), LOG_U("calls", o.again));
	if (o.passed_on > 0)
		log_say(LOG_WARN,
			"an upstream refused our credentials, and the store has no newer ones; put "
			"a new version there if they were replaced or revoked",
			LOG_S("target", t->plan->name), LOG_U("calls", o.passed_on));
}

/* What was refused with the versions before may be accepted now. */
static void
slot_changed(struct role_egress *r, uint16_t slot)
{
	for (size_t i = 0; i < r->plan.ntargets; i++)
		if (vault_uses(r->e.vault, i, slot))
			look_changed(&r->e.targets[i].look);
}

static void
from_resolver(void *arg, enum msg_type type, const void *obj, int fd)
{
	struct role_egress *r = arg;
	const struct msg_addresses *m = obj;

	(void)type;
	(void)fd;
	for (size_t i = 0; i < r->plan.ntargets; i++) {
		if (r->plan.targets[i].resolve != m->name)
			continue;
		target_set_addresses(&r->e.targets[i], m);
	}
	report_all(r);
}

static void
redacted(struct egress *e, const struct target *t, uint16_t slot, uint64_t n)
{
	struct role_egress *r = ev_owner(e, struct role_egress, e);
	struct msg_redacted m = {(uint16_t)(t - e->targets), slot, n};

	(void)channel_send(r->ingress, MSG_REDACTED, &m, -1);
}

static void
deployment(struct egress *e, const struct target *t, bool left, enum verdict why, uint64_t cools_ms)
{
	struct role_egress *r = ev_owner(e, struct role_egress, e);
	struct msg_deployment m = {(uint16_t)(t - e->targets), left, (uint8_t)why,
				   cools_ms == 0 ? 0 : loop_lived_ms() + cools_ms};

	(void)channel_send(r->ingress, MSG_DEPLOYMENT, &m, -1);
}

static void
take_tls(struct role_egress *r, const struct msg_tls *m, int fd)
{
	struct buf ca;
	const char *why = "there is no such target";
	struct target *t = NULL;

	buf_init(&ca, CA_BYTES_MAX);
	if (m->target < r->plan.ntargets)
		t = &r->e.targets[m->target];
	if (t != NULL && m->fault != TLS_FAULT_NONE) { /* the keeper has said so in the log */
		t->tls_fault = (enum tls_fault)m->fault;
		return;
	}
	if (t != NULL && !m->has_ca) {
		target_drop_tls(t);
		why = NULL;
	} else if (t != NULL && (fd < 0 || spawn_unseal(fd, &ca) != 0)) {
		why = "the CA bundle could not be read; egress ends";
		loop_stop(r->e.loop, 1);
	} else if (t != NULL) {
		why = target_set_tls(t, m->version, buf_span(&ca), m->cert, m->key);
	}
	if (why == NULL)
		look_changed(&t->look);
	else
		log_say(LOG_ERROR, "TLS material was not taken", LOG_C("why", why),
			LOG_IF(t != NULL, LOG_S("target", t == NULL ? SPAN("") : t->plan->name)));
	buf_free(&ca);
}

static void
take_signing(struct role_egress *r, const struct msg_signing *m)
{
	const char *why = signers_take(r->e.signers, m);

	if (why == NULL)
		look_changed(&r->e.targets[m->target].look);
	else
		log_say(LOG_ERROR, "a key to sign with was not taken", LOG_C("why", why),
			LOG_U("target", m->target));
}

static void
from_keeper(void *arg, enum msg_type type, const void *obj, int fd)
{
	struct role_egress *r = arg;

	if (type == MSG_SECRET) {
		const struct msg_secret *m = obj;

		(void)vault_put(r->e.vault, m->slot, m->version, m->value);
		slot_changed(r, m->slot);
	} else if (type == MSG_SECRET_GONE) {
		vault_drop(r->e.vault, ((const struct msg_secret_gone *)obj)->slot);
	} else if (type == MSG_SIGNING) {
		take_signing(r, obj);
	} else if (type == MSG_LOOKED) {
		looked(r, obj);
	} else {
		take_tls(r, obj, fd);
	}
	if (fd >= 0)
		close(fd);
	report_all(r);
}

/* ---- start ---- */

static struct channel *
join(struct role_egress *r, int fd, uint32_t accepts, channel_fn *fn)
{
	struct channel_options o = {accepts, fn, lost, r};

	if (fd == SPAWN_PARENT)
		o.on_lost = parent_lost;
	return channel_new(r->e.loop, fd, &o);
}

static int
enter(struct role_egress *r, struct box_level *level)
{
	uint16_t *ports = calloc(r->plan.nports + 1, sizeof(*ports));
	struct box_options o = {
		.ports = ports,
		.nports = r->plan.nports,
		.require_landlock = r->plan.require_landlock,
		.require_landlock_net = r->plan.require_landlock_net,
		.require_secret_pages = r->plan.require_secret_pages,
	};
	const char *why = NULL;
	int bad;

	if (ports == NULL)
		abort();
	for (size_t i = 0; i < r->plan.nports; i++)
		ports[i] = r->plan.ports[i].number;
	bad = box_enter(&egress_box, &o, level, &why);
	if (bad != 0)
		log_say(LOG_ERROR, "the sandbox could not be entered", LOG_C("why", why));
	free(ports);
	return bad;
}

static void
make_probes(struct role_egress *r)
{
	r->probes = calloc(r->plan.ntargets + 1, sizeof(struct probe *));
	if (r->probes == NULL)
		abort();
	for (size_t i = 0; i < r->plan.ntargets; i++)
		if (r->plan.targets[i].ndeployments == 0)
			r->probes[i] =
				probe_new(r->e.loop, &r->e.targets[i], (uint16_t)i, r->parent);
}

static struct stream *
opened(void *arg)
{
	return serve_new(&((struct role_egress *)arg)->e);
}

static int
open_trunk(struct role_egress *r)
{
	static const struct trunk_fds fds = {SPAWN_TRUNK, SPAWN_TRUNK + 1, SPAWN_TRUNK + 2};
	struct trunk_options o = {.side = TRUNK_EGRESS,
				  .streams = r->plan.connections,
				  .opened = opened,
				  .lost = lost,
				  .arg = r};

	if (trunk_open(r->e.loop, fds, &o) != NULL)
		return 0;
	log_write(LOG_ERROR, "the pages for the streams of ingress could not be mapped", NULL, 0);
	return -1;
}

int
egress_main(void)
{
	static struct role_egress r;
	struct box_level level = {0};
	struct msg_ready ready;
	int waits;

	log_setup(LOG_JSON, LOG_INFO, "egress");
	if (plan_receive(&egress_plan_type, &r.plan) != 0) {
		log_write(LOG_ERROR, "the projection could not be read", NULL, 0);
		return 1;
	}
	waits = patience_open(SPAWN_WAITS);
	log_setup(r.plan.log_format, r.plan.log_level, "egress");
	r.e = (struct egress){.loop = loop_new(),
			      .plan = &r.plan,
			      .look_up = look_up,
			      .refused = refused,
			      .redacted = redacted,
			      .deployment = deployment};
	patience_start(&r.patience, r.e.loop, waits);
	r.e.targets = calloc(r.plan.ntargets + 1, sizeof(*r.e.targets));
	if (r.e.targets == NULL || open_trunk(&r) != 0 || enter(&r, &level) != 0)
		return 1;
	r.parent = join(&r, SPAWN_PARENT, 0, NULL);
	r.resolver = join(&r, SPAWN_CHANNEL_A, 1u << MSG_ADDRESSES, from_resolver);
	r.keeper = join(&r, SPAWN_CHANNEL_B,
			1u << MSG_SECRET | 1u << MSG_SECRET_GONE | 1u << MSG_TLS |
				1u << MSG_LOOKED | 1u << MSG_SIGNING,
			from_keeper);
	r.ingress = join(&r, SPAWN_CHANNEL_C, 0, NULL); /* it speaks by the trunk */
	r.e.vault = vault_new(&r.plan);
	r.e.signers = signers_new(&r.plan);
	for (size_t i = 0; i < r.plan.ntargets; i++)
		target_init(&r.e.targets[i], r.e.loop, &r.plan.targets[i]);
	if (r.plan.report)
		make_probes(&r);
	report_all(&r);
	r.alive.fn = say_alive;
	say_alive(&r.alive);
	ready = (struct msg_ready){level.landlock_abi, level.landlock_net, level.landlock_scope,
				   (uint8_t)secret_level(), level.seccomp_calls};
	(void)channel_send(r.parent, MSG_READY, &ready, -1);
	return loop_run(r.e.loop);
}
