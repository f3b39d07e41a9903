/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "parent/succession.h"

#include "base/log.h"

enum { START_MS = 10 * 1000, SETTLE_MS = 15 * 1000 };

static uint32_t
number(const struct generation *g)
{
	return generation_state(g).number;
}

/* ---- taking over ---- */

static void
give_up(struct succession *s, const char *why)
{
	struct generation *g = s->coming;

	s->coming = NULL;
	timer_stop(s->options.loop, &s->limit);
	log_say(LOG_ERROR, "the reload was given up; the running configuration stays in force",
		LOG_U("generation", number(g)), LOG_C("why", why));
	generation_stop(g, true);
	s->ev.changed(s->ev.arg);
}

/* The new one accepts before the old one ceases to: the listeners are never left alone. */
static void
take_over(struct succession *s)
{
	struct generation *before = s->serving;

	s->serving = s->coming;
	s->coming = NULL;
	s->started = s->started || generation_state(s->serving).ready;
	timer_stop(s->options.loop, &s->limit);
	generation_accept(s->serving);
	if (before != NULL) {
		log_say(LOG_INFO, "the new configuration is in force; calls in flight finish",
			LOG_U("generation", number(s->serving)));
		generation_retire(before);
	}
	s->ev.serving(s->ev.arg);
}

static bool
is_worse(const struct succession *s)
{
	return generation_state(s->serving).ready && !generation_state(s->coming).ready;
}

/* The coming one's roles are at work. */
static void
judge(struct succession *s)
{
	struct generation_state state = generation_state(s->coming);

	if (s->serving == NULL || (state.settled && !is_worse(s))) {
		take_over(s);
	} else if (state.settled) {
		give_up(s, "the store refuses a secret of a required target, or its TLS material "
			   "cannot be used, and the running configuration has all of its own; the "
			   "log names the slot or target");
	} else if (!s->waiting) {
		s->waiting = true;
		timer_set(s->options.loop, &s->limit, SETTLE_MS);
	}
}

static void
limit_over(struct timer *t)
{
	struct succession *s = ev_owner(t, struct succession, limit);

	if (s->waiting && is_worse(s)) {
		give_up(s, "a required target cannot be called yet, and all of the running "
			   "configuration's can; see /readyz and the log for what is missing");
	} else if (s->waiting) {
		log_say(LOG_WARN, "not every target of the new configuration can be called yet",
			LOG_U("generation", number(s->coming)));
		take_over(s);
	} else if (s->serving != NULL) {
		give_up(s, "its processes did not start in time");
	} else {
		log_write(LOG_ERROR, "the roles did not start in time", NULL, 0);
		s->ev.failed(s->ev.arg);
	}
}

static void
changed(void *arg, struct generation *g)
{
	struct succession *s = arg;

	s->started = s->started || (g == s->serving && generation_state(g).ready);
	if (g == s->coming && generation_state(g).boxed)
		judge(s);
	else if (generation_state(g).drained && !generation_is_stopping(g))
		generation_stop(g, false);
	if (g == s->serving)
		s->ev.standing(s->ev.arg, generation_state(g));
}

/* ---- beginning ---- */

void
succession_init(struct succession *s, const struct generation_options *o,
		const struct succession_events *ev)
{
	*s = (struct succession){.options = *o, .ev = *ev};
	s->options.changed = changed;
	s->options.arg = s;
	s->limit.fn = limit_over;
}

bool
succession_has_room(const struct succession *s)
{
	return s->n < SUCCESSION_MAX;
}

bool
succession_is_gone(const struct succession *s)
{
	return s->n == 0;
}

int
succession_begin(struct succession *s, struct plans *plan)
{
	struct generation *g;

	assert(succession_has_room(s) && s->coming == NULL);
	plan->ingress.generation = ++s->count;
	plan->ingress.started = s->started;
	g = generation_start(&s->options, plan);
	if (g == NULL) {
		log_say(LOG_ERROR, "the roles could not be started",
			LOG_C("why", strerrordesc_np(errno)));
		return -1;
	}
	s->all[s->n++] = s->coming = g;
	s->waiting = false;
	timer_set(s->options.loop, &s->limit, START_MS);
	return 0;
}

/* ---- all of them ---- */

void
succession_refresh(struct succession *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (!generation_is_stopping(s->all[i]))
			generation_refresh(s->all[i]);
}

void
succession_drain(struct succession *s, uint64_t ms)
{
	s->ending = true;
	if (s->coming != NULL)
		generation_stop(s->coming, true);
	s->coming = NULL;
	timer_stop(s->options.loop, &s->limit);
	for (size_t i = 0; i < s->n; i++)
		if (!generation_is_stopping(s->all[i]))
			generation_drain(s->all[i], ms);
}

void
succession_kill(struct succession *s)
{
	s->ending = true;
	s->coming = NULL;
	timer_stop(s->options.loop, &s->limit);
	for (size_t i = 0; i < s->n; i++)
		generation_stop(s->all[i], true);
}

/* ---- ends ---- */

static void
tell_death(const struct generation *g, enum role role, pid_t pid, int status, bool is_coming)
{
	bool killed = WIFSIGNALED(status);
	int sig = killed ? WTERMSIG(status) : 0;
	const char *what = is_coming ? "a process of the new configuration died"
				     : "a process died unasked; the program ends";

	if (sig == SIGSYS)
		what = "a process broke out of its system-call filter and was killed; the "
		       "kernel's audit log names the call";
	log_say(LOG_ERROR, what, LOG_C("process", role_name(role)), LOG_U("pid", pid),
		LOG_U("generation", number(g)),
		LOG_IF(killed, LOG_C("signal", killed ? sigabbrev_np(sig) : "")),
		LOG_IF(!killed, LOG_U("status", WEXITSTATUS(status))));
}

/* One that finishes counts as the one that serves: its calls are as good as any. */
static void
died(struct succession *s, struct generation *g, enum role role, pid_t pid, int status)
{
	bool is_coming = g == s->coming && s->serving != NULL;

	if (generation_asked_for(g, status))
		return;
	tell_death(g, role, pid, status, is_coming);
	if (is_coming)
		give_up(s, "one of its processes died");
	else
		s->ev.failed(s->ev.arg);
}

static void
forget(struct succession *s, size_t i)
{
	struct generation *g = s->all[i];
	bool served = g == s->serving;

	log_say(LOG_INFO, "a generation has ended", LOG_U("generation", number(g)));
	s->all[i] = s->all[--s->n];
	if (served)
		s->serving = NULL;
	generation_free(g);
	/* Nobody is left to take a call, however they came to end as if they had been asked to. */
	if (served && !s->ending)
		s->ev.failed(s->ev.arg);
	s->ev.changed(s->ev.arg);
}

void
succession_reap(struct succession *s, pid_t pid, int status)
{
	for (size_t i = 0; i < s->n; i++) {
		struct generation *g = s->all[i];
		enum role role = generation_reap(g, pid);

		if (role == ROLE_NONE)
			continue;
		died(s, g, role, pid, status);
		if (generation_is_gone(g))
			forget(s, i);
		return;
	}
}
