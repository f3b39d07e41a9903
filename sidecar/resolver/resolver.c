/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "resolver/resolver.h"

#include "base/log.h"
#include "box/box.h"
#include "box/channel.h"
#include "box/spawn.h"
#include "config/plan.h"
#include "policy/box/boxes.h"
#include "resolver/lookup.h"

enum {
	ALIVE_MS = 1000,
	AT_A_TIME = 4,
	DEADLINE_MS = 5 * 1000,
	AGAIN_MS = 30 * 1000,
	AGAIN_UNKNOWN_MS = 2 * 1000, /* while a name has no address, calls wait for it */
	AT_LEAST_MS = 1000,          /* between two look-ups of one name, however often asked */
};

enum name_state { NAME_IDLE, NAME_QUEUED, NAME_RUNNING };

struct name {
	struct resolver *r;
	struct channel *const *to;
	uint16_t index; /* on that channel */
	const char *host;
	enum name_state state;
	bool asked;  /* answer even if nothing changed */
	bool told;   /* that it has been looked up at all */
	bool failed; /* the last time */
	struct lookup_answer shown;
	uint64_t ended_at;
	struct timer timer; /* idle: when to look it up again; running: when to give up */
	struct watch answer;
	pid_t child;
};

struct resolver {
	struct loop *loop;
	struct resolver_plan plan;
	struct channel *parent, *keeper, *egress;
	struct name *names; /* the keeper's first, then egress's */
	size_t nnames;
	size_t next; /* where the search for a queued name begins, so that each has its turn */
	unsigned running;
	struct timer alive;
};

static void
tell(struct name *n)
{
	struct msg_address addresses[LOOKUP_SHOWN];
	struct msg_addresses m = {.name = n->index, .addresses = addresses};

	for (size_t i = 0; i < n->shown.n; i++) {
		const struct lookup_address *a = &n->shown.addresses[i];

		addresses[i].v6 = a->v6 == 1;
		addresses[i].bytes = (struct span){(const char *)a->bytes, a->v6 == 1 ? 16 : 4};
	}
	m.naddresses = n->shown.n;
	(void)channel_send(*n->to, MSG_ADDRESSES, &m, -1); /* a lost peer is told of by on_lost */
	n->asked = false;
	n->told = true;
}

/* Once when a name stops resolving, and once when it does again. */
static void
log_turn(struct name *n, bool failed)
{
	if (failed != n->failed)
		log_say(failed ? LOG_WARN : LOG_INFO,
			failed ? "a name does not resolve" : "a name resolves again",
			LOG_C("name", n->host), LOG_U("addresses_kept", n->shown.n));
	n->failed = failed;
}

static void start_queued(struct resolver *r);

static void
finish(struct name *n)
{
	struct lookup_answer got;
	struct resolver *r = n->r;
	bool changed = false, failed;

	watch_stop(r->loop, &n->answer);
	failed = lookup_finish(n->child, n->answer.fd, &got) != 0;
	close(n->answer.fd);
	r->running--;
	n->state = NAME_IDLE;
	n->ended_at = loop_now(r->loop);
	if (!failed)
		changed = lookup_merge(&n->shown, &got);
	log_turn(n, failed);
	if (changed || n->asked || !n->told)
		tell(n);
	timer_set(r->loop, &n->timer, n->shown.n == 0 ? AGAIN_UNKNOWN_MS : AGAIN_MS);
	start_queued(r);
}

static void
on_answer(struct watch *w, uint32_t events)
{
	(void)events;
	finish(ev_owner(w, struct name, answer));
}

static void
start(struct name *n)
{
	struct resolver *r = n->r;

	n->child = lookup_start(n->host, &n->answer.fd);
	if (n->child < 0) { /* out of processes: later, perhaps */
		n->state = NAME_IDLE;
		timer_set(r->loop, &n->timer, AGAIN_UNKNOWN_MS);
		return;
	}
	n->state = NAME_RUNNING;
	r->running++;
	watch_set(r->loop, &n->answer, EPOLLIN);
	timer_set(r->loop, &n->timer, DEADLINE_MS);
}

static struct name *
next_queued(struct resolver *r)
{
	for (size_t i = 0; i < r->nnames; i++) {
		struct name *n = &r->names[(r->next + i) % r->nnames];

		if (n->state != NAME_QUEUED)
			continue;
		r->next = (size_t)(n - r->names) + 1;
		return n;
	}
	return NULL;
}

static void
start_queued(struct resolver *r)
{
	struct name *n;

	while (r->running < AT_A_TIME && (n = next_queued(r)) != NULL)
		start(n);
}

static void
on_timer(struct timer *t)
{
	struct name *n = ev_owner(t, struct name, timer);

	if (n->state == NAME_RUNNING) {
		finish(n);
		return;
	}
	n->state = NAME_QUEUED;
	start_queued(n->r);
}

/* Asked for: now, or once a second has passed since the last time. What is under way will do. */
static void
ask(struct name *n)
{
	uint64_t now = loop_now(n->r->loop), since = now - n->ended_at;

	n->asked = true;
	if (n->state != NAME_IDLE)
		return;
	timer_set(n->r->loop, &n->timer,
		  !n->told || since >= AT_LEAST_MS ? 0 : AT_LEAST_MS - since);
}

static void
on_ask(struct resolver *r, size_t first, size_t n, const void *obj)
{
	const struct msg_resolve *m = obj;

	if (m->name >= n) {
		log_write(LOG_ERROR, "asked for a name that there is not", NULL, 0);
		loop_stop(r->loop, 1);
		return;
	}
	ask(&r->names[first + m->name]);
}

static void
from_keeper(void *arg, enum msg_type type, const void *obj, int fd)
{
	struct resolver *r = arg;

	(void)type;
	(void)fd;
	on_ask(r, 0, r->plan.nkeeper_names, obj);
}

static void
from_egress(void *arg, enum msg_type type, const void *obj, int fd)
{
	struct resolver *r = arg;

	(void)type;
	(void)fd;
	on_ask(r, r->plan.nkeeper_names, r->plan.negress_names, obj);
}

/* Look-ups have processes of their own: what holds one up does not hold this up. */
static void
say_alive(struct timer *t)
{
	struct resolver *r = ev_owner(t, struct resolver, alive);
	struct msg_alive m = {0};

	(void)channel_send(r->keeper, MSG_ALIVE, &m, -1);
	timer_set(r->loop, t, ALIVE_MS);
}

/* The parent has ended this generation. */
static void
parent_lost(void *arg, const char *why)
{
	struct resolver *r = arg;

	(void)why;
	loop_stop(r->loop, 0);
}

/* A peer that is gone is the parent's to tell, which ends us all: to end first would hide from
 * it who it was. One that broke the protocol is the end. */
static void
peer_lost(void *arg, const char *why)
{
	struct resolver *r = arg;

	if (why == NULL)
		return;
	log_say(LOG_ERROR, "a process broke the protocol", LOG_C("why", why));
	loop_stop(r->loop, 1);
}

static void
add_names(struct resolver *r, const struct plan_text *texts, size_t n, struct channel *const *to)
{
	for (size_t i = 0; i < n; i++) {
		struct name *name = &r->names[r->nnames++];

		*name = (struct name){.r = r, .to = to, .index = (uint16_t)i, .child = -1};
		name->host = strndup(texts[i].text.ptr, texts[i].text.len);
		if (name->host == NULL)
			abort();
		name->timer.fn = on_timer;
		name->answer = (struct watch){.fd = -1, .fn = on_answer};
	}
}

static int
enter(struct box_level *level)
{
	/* /etc/resolv.conf is a link into /run on many machines. TCP is DNS's alone. */
	static const char *const dirs[] = {"/etc", "/run/systemd/resolve", "/run/resolvconf",
					   "/run/NetworkManager"};
	static const uint16_t ports[] = {53};
	struct box_options o = {.read_dirs = dirs,
				.nread_dirs = sizeof(dirs) / sizeof(dirs[0]),
				.ports = ports,
				.nports = 1};
	const char *why = NULL;
	int bad = box_enter(&resolver_box, &o, level, &why);

	if (bad != 0)
		log_say(LOG_ERROR, "the sandbox could not be entered", LOG_C("why", why));
	return bad;
}

static struct channel *
join(struct resolver *r, int fd, uint32_t accepts, channel_fn *fn)
{
	struct channel_options o = {accepts, fn, fd == SPAWN_PARENT ? parent_lost : peer_lost, r};

	return channel_new(r->loop, fd, &o);
}

int
resolver_main(void)
{
	static struct resolver r;
	struct box_level level = {0};
	struct msg_ready ready;

	log_setup(LOG_JSON, LOG_INFO, "resolver");
	if (plan_receive(&resolver_plan_type, &r.plan) != 0) {
		log_write(LOG_ERROR, "the projection could not be read", NULL, 0);
		return 1;
	}
	log_setup(r.plan.log_format, r.plan.log_level, "resolver");
	r.loop = loop_new();
	r.names = calloc(r.plan.nkeeper_names + r.plan.negress_names + 1, sizeof(*r.names));
	if (r.names == NULL || enter(&level) != 0)
		return 1;
	r.parent = join(&r, SPAWN_PARENT, 0, NULL);
	r.keeper = join(&r, SPAWN_CHANNEL_A, 1u << MSG_RESOLVE, from_keeper);
	r.egress = join(&r, SPAWN_CHANNEL_B, 1u << MSG_RESOLVE, from_egress);
	add_names(&r, r.plan.keeper_names, r.plan.nkeeper_names, &r.keeper);
	add_names(&r, r.plan.egress_names, r.plan.negress_names, &r.egress);
	ready = (struct msg_ready){level.landlock_abi, level.landlock_net, level.landlock_scope, 0,
				   level.seccomp_calls};
	(void)channel_send(r.parent, MSG_READY, &ready, -1);
	r.alive.fn = say_alive;
	say_alive(&r.alive);
	for (size_t i = 0; i < r.nnames; i++)
		r.names[i].state = NAME_QUEUED;
	start_queued(&r);
	return loop_run(r.loop);
}
