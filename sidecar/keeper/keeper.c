/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "keeper/keeper.h"

#include "base/auto.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/log.h"
#include "box/box.h"
#include "box/channel.h"
#include "box/msg_answer.h"
#include "box/spawn.h"
#include "keeper/report.h"
#include "keeper/rotation.h"
#include "keeper/signing.h"
#include "keeper/store.h"
#include "keeper/tls.h"
#include "policy/box/boxes.h"

enum { ALIVE_MS = 1000, CA_MAX = 4 * 1024 * 1024 };
enum { TOKEN_LENGTH_GOOD = 16 }; /* what `sidekey token` makes has more */

/* Where distributions keep the bundle of the system's certificate authorities. */
static const char *const ca_bundles[] = {
	"/etc/ssl/certs/ca-certificates.crt", /* Debian, and our image */
	"/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora, Amazon Linux */
	"/etc/ssl/cert.pem",                  /* Alpine */
};

struct target_rotation {
	struct rotation rotation;
	struct keeper *k;
	bool slots_looked; /* and the identity, if the target's calls are signed, has not yet */
};

struct keeper {
	struct slot_owner owner;
	struct store_context store;
	struct keeper_plan plan;
	struct loop *loop;
	struct channel *parent, *resolver, *egress, *ingress;
	struct slot *slots;
	struct identity_options identity_options;
	struct identity_set *identities;
	struct signing *signing;
	bool *reported;         /* by slot: to the parent, for check --resolve; else NULL … */
	struct report_who *who; /* … and the identities */
	struct tls_target *targets;
	struct target_rotation *rotations;
	struct buf system_ca;
	struct timer alive;
	bool heard_resolver; /* since ingress was told so */
	bool started;
};

/* ---- slots ---- */

static void
tell_ingress(struct keeper *k, const struct slot *s)
{
	struct msg_slot m = {
		.slot = s->number,
		.state = (uint8_t)s->state,
		.version = s->version,
		.fetched_ms = s->fetched_ms,
		.next_ms = s->next_ms,
		.version_id = span_of(s->version_id),
		.error_type = span_of(s->error_type),
		.request_id = span_of(s->request_id),
		.principal = span_of(s->principal),
		.denied = s->denied,
		.attempts = s->attempts,
	};

	(void)channel_send(k->ingress, MSG_SLOT, &m, -1);
}

static void
tell_egress(struct keeper *k, struct slot *s)
{
	struct span value = slot_value(s);
	struct msg_secret m = {s->number, s->version, value};
	struct msg_secret_gone gone = {s->number};

	if (s->is_tls || s->plan->is_private)
		return;
	if (value.ptr != NULL)
		(void)channel_send(k->egress, MSG_SECRET, &m, -1);
	else
		(void)channel_send(k->egress, MSG_SECRET_GONE, &gone, -1);
}

/* A token is compared, never sent: nobody needs more of it than the digest. */
static void
tell_digest(struct keeper *k, const struct slot *s)
{
	struct msg_digest m = {.slot = s->number};
	struct span value = slot_value(s);
	unsigned char digest[DIGEST_BYTES];

	if (value.ptr != NULL) {
		digest_sha256(value, digest);
		m.digest = (struct span){(const char *)digest, sizeof(digest)};
	}
	(void)channel_send(k->ingress, MSG_DIGEST, &m, -1);
}

/* What may be used, and is hardly what was meant: whoever refuses it upstream does not say why. */
static const char *
doubt_of(const struct slot *s)
{
	struct span value = slot_value(s);

	/* A digest does not say how long its token was, so a short token is not refused either. */
	if (s->plan->is_token)
		return value.len == 0 || value.len >= TOKEN_LENGTH_GOOD
			       ? NULL
			       : "a token of fewer than 16 bytes can be guessed; `sidekey token` "
				 "makes a good one";
	if (s->is_tls)
		return NULL;
	if (span_starts(value, SPAN("\xef\xbb\xbf")))
		return "a secret begins with a byte-order mark, and is used with it: store it "
		       "without the bytes EF BB BF";
	if (value.len > 1 && value.ptr[0] == '{' && value.ptr[value.len - 1] == '}')
		return "a secret is a whole JSON object, and is used as it is: store the key "
		       "alone, or name its member behind the ARN of a secret, as in "
		       "…:secret:NAME:MEMBER::";
	return NULL;
}

static void
log_doubt(const struct slot *s)
{
	const char *doubt = doubt_of(s);

	if (doubt != NULL)
		log_say(LOG_WARN, doubt, LOG_S("slot", s->plan->name),
			LOG_S("reference", s->plan->reference));
}

/* Egress first: when ingress knows that a secret is there, egress has it. */
static void
slot_changed(struct slot_owner *o, struct slot *s, bool value_changed)
{
	struct keeper *k = ev_owner(o, struct keeper, owner);

	if (value_changed && s->plan->is_token)
		tell_digest(k, s);
	else if (value_changed)
		tell_egress(k, s);
	if (value_changed && slot_value(s).ptr == NULL) {
		log_say(LOG_ERROR,
			"a secret is older than maxStale and is not used any more; find out why "
			"the store gives no newer one",
			LOG_S("slot", s->plan->name), LOG_C("error_type", s->error_type));
	} else if (value_changed) {
		log_say(LOG_INFO, "secret", LOG_S("slot", s->plan->name),
			LOG_C("state", slot_state_name(s->state)), LOG_U("version", s->version),
			LOG_IF(s->version_id[0] != '\0', LOG_C("version_id", s->version_id)));
		log_doubt(s);
	}
	for (size_t i = 0; i < k->plan.ntargets; i++)
		tls_slot_ended(&k->targets[i], s->number, value_changed);
	tell_ingress(k, s);
	if (value_changed && s->plan->is_private)
		identity_set_hurry(k->identities); /* it is an external id */
	if (k->reported != NULL && !k->reported[s->number])
		report_slot(k->parent, s);
	if (k->reported != NULL)
		k->reported[s->number] = true;
	for (size_t i = 0; i < k->plan.ntargets; i++)
		rotation_slot_ended(&k->rotations[i].rotation, s, value_changed);
}

static void
slot_fetch(struct slot_owner *o, struct slot *s)
{
	struct keeper *k = ev_owner(o, struct keeper, owner);

	store_fetch(&k->store, s);
}

static bool
is_local(const struct slot *s)
{
	return s->reference.kind == REFERENCE_ENV || s->reference.kind == REFERENCE_FILE;
}

/* By the order of the channel, what the look brought is in egress's hands before this. */
static void
end_look(struct target_rotation *t)
{
	struct msg_look m = {.target = (uint16_t)(t - t->k->rotations)};

	if (!t->slots_looked || signing_is_waiting(t->k->signing, m.target))
		return;
	t->slots_looked = false;
	(void)channel_send(t->k->egress, MSG_LOOKED, &m, -1);
}

static void
identity_changed(void *arg)
{
	struct keeper *k = arg;

	store_identity_changed(&k->store);
	signing_look(k->signing, k->egress);
	for (size_t i = 0; i < k->plan.ntargets; i++)
		end_look(&k->rotations[i]);
	if (k->who != NULL)
		report_who_look(k->who);
}

static void
refresh_all(struct keeper *k)
{
	/* What needs no network first: an external id may be among it. */
	for (size_t i = 0; i < k->plan.nslots; i++)
		if (is_local(&k->slots[i]))
			slot_refresh(&k->slots[i]);
	identity_set_hurry(k->identities);
	for (size_t i = 0; i < k->plan.nslots; i++)
		if (!is_local(&k->slots[i]))
			slot_refresh(&k->slots[i]);
}

/* ---- addresses ---- */

static void
ask_resolver(void *arg, uint16_t name)
{
	struct keeper *k = arg;
	struct msg_resolve m = {.name = name};

	if (k->resolver != NULL)
		(void)channel_send(k->resolver, MSG_RESOLVE, &m, -1);
}

static void
from_resolver(void *arg, enum msg_type type, const void *obj, int fd)
{
	struct keeper *k = arg;
	const struct msg_addresses *m = obj;

	(void)fd;
	k->heard_resolver = true;
	if (type == MSG_ALIVE || !names_take(k->store.names, m) || !k->started)
		return;
	for (size_t i = 0; i < k->plan.nslots; i++)
		if (k->plan.slots[i].at.resolve == m->name ||
		    k->plan.slots[i].behind.resolve == m->name)
			slot_refresh(&k->slots[i]);
	identity_set_hurry(k->identities);
	identity_changed(k);
}

/* ---- the parent ---- */

static void
take_env(struct keeper *k, const struct msg_env *m)
{
	store_take_env(&k->store, m->name, m->value);
	(void)identity_set_take_env(k->identities, m->name, m->value);
}

/* All of the environment is here: the first fetch of everything. */
static void
begin(struct keeper *k)
{
	if (k->started)
		return;
	k->started = true;
	refresh_all(k);
	signing_look(k->signing, k->egress);
	for (size_t i = 0; i < k->plan.ntargets; i++)
		if (k->plan.targets[i].system_ca && k->plan.targets[i].cert == PLAN_NONE)
			tls_send(&k->targets[i]);
	if (k->who != NULL)
		report_who_look(k->who);
}

static void
from_parent(void *arg, enum msg_type type, const void *obj, int fd)
{
	struct keeper *k = arg;

	(void)fd;
	if (type == MSG_ENV)
		take_env(k, obj);
	else if (type == MSG_ENV_END)
		begin(k);
	else
		refresh_all(k);
}

static void
lost(void *arg, const char *why)
{
	struct keeper *k = arg;

	if (why == NULL)
		return; /* the parent sees which process died, and ends the rest */
	log_say(LOG_ERROR, "a process broke the protocol", LOG_C("why", why));
	loop_stop(k->loop, 1);
}

/* The one thing that egress may say: a target refused the versions that it used. */
static void
from_egress(void *arg, enum msg_type type, const void *obj, int fd)
{
	struct keeper *k = arg;
	const struct msg_refused *m = obj;

	(void)type;
	(void)fd;
	if (m->target >= k->plan.ntargets) {
		lost(k, "egress named a target that does not exist");
		return;
	}
	signing_refused(k->signing, k->egress, m);
	rotation_look(&k->rotations[m->target].rotation);
}

static void
looked(struct rotation *r)
{
	struct target_rotation *t = ev_owner(r, struct target_rotation, rotation);

	t->slots_looked = true;
	end_look(t);
}

static void
parent_lost(void *arg, const char *why)
{
	struct keeper *k = arg;

	(void)why;
	loop_stop(k->loop, 0);
}

static void
say_alive(struct timer *t)
{
	struct keeper *k = ev_owner(t, struct keeper, alive);
	struct msg_alive m = {(uint8_t)secret_level(), k->heard_resolver};

	(void)channel_send(k->ingress, MSG_ALIVE, &m, -1);
	k->heard_resolver = false;
	/* Midnight, and a clock that was set or slept, are seen within the second. */
	if (k->started)
		signing_look(k->signing, k->egress);
	timer_set(k->loop, t, ALIVE_MS);
}

/* ---- start ---- */

/* The bundle is read once, before the sandbox, which need not open its directory then. */
static void
read_system_ca(struct keeper *k)
{
	buf_init(&k->system_ca, CA_MAX);
	for (size_t i = 0; i < sizeof(ca_bundles) / sizeof(ca_bundles[0]); i++) {
		auto_close int fd = open(ca_bundles[i], O_RDONLY | O_CLOEXEC);

		if (fd >= 0)
			(void)fd_read_all(fd, &k->system_ca);
		if (k->system_ca.len > 0)
			return;
	}
}

static int
enter(struct keeper *k, struct box_level *level)
{
	const char **dirs = calloc(k->plan.nread_dirs + 1, sizeof(*dirs));
	uint16_t *ports = calloc(k->plan.nports + 1, sizeof(*ports));
	struct box_options o = {
		.read_dirs = dirs,
		.nread_dirs = k->plan.nread_dirs,
		.ports = ports,
		.nports = k->plan.nports,
		.require_landlock = k->plan.require_landlock,
		.require_landlock_net = k->plan.require_landlock_net,
		.require_secret_pages = k->plan.require_secret_pages,
	};
	const char *why = NULL;
	int bad;

	if (dirs == NULL || ports == NULL)
		abort();
	for (size_t i = 0; i < k->plan.nread_dirs; i++) /* one that is NULL shuts no box */
		dirs[i] = strndup(k->plan.read_dirs[i].text.ptr, k->plan.read_dirs[i].text.len);
	for (size_t i = 0; i < k->plan.nports; i++)
		ports[i] = k->plan.ports[i].number;
	bad = box_enter(&keeper_box, &o, level, &why);
	if (bad != 0)
		log_say(LOG_ERROR, "the sandbox could not be entered", LOG_C("why", why));
	for (size_t i = 0; i < k->plan.nread_dirs; i++)
		free((void *)(uintptr_t)dirs[i]);
	free(dirs);
	free(ports);
	return bad;
}

static struct channel *
join(struct keeper *k, int fd, uint32_t accepts, channel_fn *fn)
{
	struct channel_options o = {accepts, fn, fd == SPAWN_PARENT ? parent_lost : lost, k};

	return channel_new(k->loop, fd, &o);
}

static void
make_identities(struct keeper *k)
{
	struct identity_options o = {.seams = {.loop = k->loop,
					       .fetcher = k->store.fetcher,
					       .names = k->store.names,
					       .skew = &k->store.skew,
					       .slots = k->slots},
				     .plan = &k->plan,
				     .on_change = identity_changed,
				     .arg = k};

	k->identities = identity_set_new(&o);
	k->store.identity = identity_set_at(k->identities, 0);
	k->identity_options = o;
	k->signing = signing_new(&(struct signing_options){.loop = k->loop,
							   .plan = &k->plan,
							   .identities = k->identities,
							   .skew = &k->store.skew});
}

static int
prepare(struct keeper *k)
{
	k->loop = loop_new();
	k->owner = (struct slot_owner){k->loop, &k->plan, slot_fetch, slot_changed};
	k->slots = calloc(k->plan.nslots + 1, sizeof(*k->slots));
	k->targets = calloc(k->plan.ntargets + 1, sizeof(*k->targets));
	k->rotations = calloc(k->plan.ntargets + 1, sizeof(*k->rotations));
	if (k->plan.report)
		k->reported = calloc(k->plan.nslots + 1, sizeof(*k->reported));
	if (k->slots == NULL || k->targets == NULL || k->rotations == NULL ||
	    (k->plan.report && k->reported == NULL))
		return -1;
	for (size_t i = 0; i < k->plan.nslots; i++) {
		slot_init(&k->slots[i], &k->owner, (uint16_t)i);
		if (reference_parse(k->plan.slots[i].reference, &k->slots[i].reference) !=
		    REFERENCE_OK)
			return -1;
	}
	read_system_ca(k);
	for (size_t i = 0; i < k->plan.ntargets; i++) {
		k->targets[i] = (struct tls_target){.plan = &k->plan.targets[i],
						    .number = (uint16_t)i,
						    .slots = k->slots,
						    .loop = k->loop,
						    .system_ca = buf_span(&k->system_ca),
						    .awaited = PLAN_NONE};
		k->rotations[i].k = k;
		rotation_init(&k->rotations[i].rotation, k->loop, &k->plan.targets[i], k->slots,
			      looked);
	}
	k->store = (struct store_context){.loop = k->loop, .plan = &k->plan};
	store_open(&k->store, k->slots, k->plan.nslots);
	k->store.names = names_new(&k->plan, ask_resolver, k);
	k->store.fetcher = fetcher_new(k->loop, buf_span(&k->system_ca));
	make_identities(k);
	return 0;
}

int
keeper_main(void)
{
	static struct keeper k;
	struct box_level level = {0};
	struct msg_ready ready;

	log_setup(LOG_JSON, LOG_INFO, "keeper");
	if (plan_receive(&keeper_plan_type, &k.plan) != 0) {
		log_write(LOG_ERROR, "the projection could not be read", NULL, 0);
		return 1;
	}
	log_setup(k.plan.log_format, k.plan.log_level, "keeper");
	if (prepare(&k) != 0 || enter(&k, &level) != 0)
		return 1;
	k.resolver =
		join(&k, SPAWN_CHANNEL_A, 1u << MSG_ADDRESSES | 1u << MSG_ALIVE, from_resolver);
	k.egress = join(&k, SPAWN_CHANNEL_B, 1u << MSG_REFUSED, from_egress);
	for (size_t i = 0; i < k.plan.ntargets; i++)
		k.targets[i].egress = k.egress;
	k.ingress = join(&k, SPAWN_CHANNEL_C, 0, NULL);
	k.parent = join(&k, SPAWN_PARENT, 1u << MSG_ENV | 1u << MSG_ENV_END | 1u << MSG_REFRESH,
			from_parent);
	if (k.plan.report)
		k.who = report_who_new(&k.identity_options, k.identities, k.parent);
	k.alive.fn = say_alive;
	say_alive(&k.alive);
	ready = (struct msg_ready){level.landlock_abi, level.landlock_net, level.landlock_scope,
				   (uint8_t)secret_level(), level.seccomp_calls};
	(void)channel_send(k.parent, MSG_READY, &ready, -1);
	return loop_run(k.loop);
}
