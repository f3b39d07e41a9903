/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/resolve.h"

#include "base/log.h"
#include "cli/report.h"
#include "ingress/limits.h"
#include "parent/generation.h"

enum { ALL_MS = 30 * 1000, STOP_MS = 2 * 1000 };

struct resolve {
	struct loop *loop;
	struct generation *generation;
	struct report *report;
	struct watch signals;
	struct timer deadline;
	bool stopping;
};

static void
stop(struct resolve *r)
{
	if (!r->stopping)
		timer_set(r->loop, &r->deadline, STOP_MS);
	r->stopping = true;
	generation_stop(r->generation, false);
	if (generation_is_gone(r->generation))
		loop_stop(r->loop, 0);
}

/* What has not been told by now is told as missing. */
static void
deadline_over(struct timer *t)
{
	struct resolve *r = ev_owner(t, struct resolve, deadline);

	if (!r->stopping) {
		stop(r);
		return;
	}
	generation_stop(r->generation, true);
	loop_stop(r->loop, 0);
}

static void
on_report(void *arg, enum msg_type type, const void *obj)
{
	struct resolve *r = arg;

	report_take(r->report, type, obj);
	if (report_is_whole(r->report))
		stop(r);
}

static void
on_change(void *arg, struct generation *g)
{
	(void)arg;
	(void)g;
}

static void
on_signal(struct watch *w, uint32_t events)
{
	struct resolve *r = ev_owner(w, struct resolve, signals);
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	(void)events;
	while (read(w->fd, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo != SIGCHLD)
			stop(r);
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		enum role role = generation_reap(r->generation, pid);

		if (!r->stopping)
			log_say(LOG_ERROR, "a process died unasked",
				LOG_C("process", role_name(role)));
		stop(r);
	}
}

static int
watch_signals(struct resolve *r)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 || sigaction(SIGPIPE, &ignore, NULL) != 0)
		return -1;
	r->signals = (struct watch){signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC), 0, on_signal};
	if (r->signals.fd < 0)
		return -1;
	watch_set(r->loop, &r->signals, EPOLLIN);
	return 0;
}

/* Only what a person who reads the table needs besides it. */
static void
quiet(struct plans *p)
{
	p->resolver.log_format = p->keeper.log_format = LOG_TEXT;
	p->egress.log_format = p->ingress.log_format = LOG_TEXT;
	p->resolver.log_level = p->keeper.log_level = LOG_WARN;
	p->egress.log_level = p->ingress.log_level = LOG_ERROR;
	log_setup(LOG_TEXT, LOG_WARN, "check");
}

int
cli_resolve(struct plans *plans, const struct environment *env, bool json)
{
	struct resolve r = {.loop = loop_new(), .report = report_new(plans)};
	struct generation_options o = {.loop = r.loop,
				       .self = spawn_self(),
				       .limits = limits_create(),
				       .env = env,
				       .changed = on_change,
				       .report = on_report,
				       .arg = &r};
	int status = 1;

	quiet(plans);
	plans->nlisteners = plans->ingress.nlisteners = 0;
	r.deadline.fn = deadline_over;
	if (o.self >= 0 && o.limits >= 0 && watch_signals(&r) == 0)
		r.generation = generation_start(&o, plans);
	if (r.generation == NULL) {
		fprintf(stderr, "sidekey check: the roles could not be started: %s\n",
			strerrordesc_np(errno));
	} else {
		timer_set(r.loop, &r.deadline, ALL_MS);
		(void)loop_run(r.loop);
		status = report_print(r.report, json, stdout);
		generation_free(r.generation);
	}
	report_free(r.report);
	if (o.self >= 0)
		close(o.self);
	if (o.limits >= 0)
		close(o.limits);
	return status;
}
