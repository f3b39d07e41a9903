/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <libgen.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "parent/parent.h"

#include "base/log.h"
#include "box/box.h"
#include "parent/environ.h"
#include "parent/generation.h"
#include "parent/listeners.h"
#include "policy/box/boxes.h"

enum { LISTENERS_MAX = 48, START_MS = 10 * 1000, STOP_MS = 2 * 1000, FILES_MAX = 65536 };

struct parent {
	struct loop *loop;
	struct config *config;
	struct plans plans;
	struct environment env;
	int self;
	int listeners[LISTENERS_MAX];
	struct generation *generation;
	struct watch signals;
	struct timer deadline; /* of the start, then of the end */
	bool ready, stopping;
	int status;
};

/* ---- ending ---- */

static void
finish_if_gone(struct parent *p)
{
	if (p->stopping && generation_is_gone(p->generation))
		loop_stop(p->loop, p->status);
}

static void
stop(struct parent *p, bool now, int status)
{
	if (!p->stopping)
		p->status = status;
	p->stopping = true;
	generation_stop(p->generation, now);
	timer_set(p->loop, &p->deadline, STOP_MS);
	finish_if_gone(p);
}

static void
deadline_over(struct timer *t)
{
	struct parent *p = ev_owner(t, struct parent, deadline);

	if (!p->ready && !p->stopping)
		log_write(LOG_ERROR, "the roles did not start in time", NULL, 0);
	stop(p, true, p->ready ? 0 : 1);
}

static void
on_drained(void *arg, struct generation *g)
{
	struct parent *p = arg;

	(void)g;
	if (!p->stopping)
		stop(p, false, 0);
}

static void
close_listeners(struct parent *p)
{
	for (size_t i = 0; i < p->plans.nlisteners; i++)
		close(p->listeners[i]);
}

static void
on_terminate(struct parent *p)
{
	static bool draining;

	if (draining || !p->ready || p->stopping) { /* the second one means now */
		stop(p, true, 0);
		return;
	}
	draining = true;
	close_listeners(p); /* who dials now is told at once that nobody is there */
	log_say(LOG_INFO, "draining", LOG_U("ms", p->config->limits.drain_ms));
	timer_set(p->loop, &p->deadline, p->config->limits.drain_ms + STOP_MS);
	generation_drain(p->generation, p->config->limits.drain_ms);
}

static void
tell_death(enum role role, pid_t pid, int status)
{
	bool killed = WIFSIGNALED(status);
	int signal = killed ? WTERMSIG(status) : 0;

	log_say(LOG_ERROR,
		signal == SIGSYS
			? "a process broke out of its system-call filter and was killed; the "
			  "kernel's audit log names the call"
			: "a process died unasked; the program ends",
		LOG_C("process", role_name(role)), LOG_U("pid", pid),
		LOG_IF(killed, LOG_C("signal", sigabbrev_np(signal))),
		LOG_IF(!killed, LOG_U("status", WEXITSTATUS(status))));
}

static void
reap(struct parent *p)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		enum role role = generation_reap(p->generation, pid);

		if (role == ROLE_NONE || p->stopping)
			continue;
		tell_death(role, pid, status);
		stop(p, true, 1);
	}
	finish_if_gone(p);
}

/* ---- signals ---- */

static void
on_signal(struct watch *w, uint32_t events)
{
	struct parent *p = ev_owner(w, struct parent, signals);
	struct signalfd_siginfo info;

	(void)events;
	while (read(w->fd, &info, sizeof(info)) == sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGCHLD:
			reap(p);
			break;
		case SIGUSR1:
			log_write(LOG_INFO, "refreshing every secret", NULL, 0);
			if (!p->stopping)
				generation_refresh(p->generation);
			break;
		case SIGHUP:
			log_write(LOG_WARN,
				  "reload is not available yet; restart to take a changed "
				  "configuration",
				  NULL, 0);
			break;
		default:
			on_terminate(p);
			break;
		}
	}
}

static int
watch_signals(struct parent *p)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 || sigaction(SIGPIPE, &ignore, NULL) != 0)
		return -1;
	p->signals = (struct watch){signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC), 0, on_signal};
	if (p->signals.fd < 0)
		return -1;
	watch_set(p->loop, &p->signals, EPOLLIN);
	return 0;
}

/* ---- start ---- */

static void
on_ready(void *arg, struct generation *g)
{
	struct parent *p = arg;

	(void)g;
	p->ready = true;
	timer_stop(p->loop, &p->deadline);
	for (size_t i = 0; i < p->plans.nlisteners; i++)
		log_say(LOG_INFO, "listening", LOG_S("address", p->plans.listeners[i].name),
			LOG_C("for", p->plans.listeners[i].is_admin ? "admin" : "agent"));
}

/* Each connection takes up to four descriptors over the roles. */
static void
raise_file_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0)
		return;
	r.rlim_cur = r.rlim_max < FILES_MAX ? r.rlim_max : FILES_MAX;
	(void)setrlimit(RLIMIT_NOFILE, &r);
}

static int
read_config(struct parent *p, const char *path)
{
	struct config_source source = {path, p->env};
	struct config_faults faults;
	int bad;

	fault_init(&faults);
	bad = config_read(&source, &p->config, &faults);
	if (bad == 0)
		bad = project(p->config, &p->env, &p->plans, &faults);
	if (bad != 0)
		fault_print(&faults, stderr);
	fault_free(&faults);
	if (bad != 0)
		return 2;
	log_setup(p->config->log.format, p->config->log.level, "parent");
	p->plans.ingress.generation = 1;
	return 0;
}

static int
open_all(struct parent *p)
{
	struct buf why;
	int bad;

	if (p->plans.nlisteners > LISTENERS_MAX) {
		log_write(LOG_ERROR, "too many listeners", NULL, 0);
		return -1;
	}
	buf_init(&why, 1024);
	bad = listeners_open(&p->plans, p->listeners, &why);
	if (bad != 0) {
		(void)buf_add_char(&why, '\0');
		log_write(LOG_ERROR, why.ptr, NULL, 0);
	}
	buf_free(&why);
	return bad;
}

/* After the roles are there, so that they do not live under two filters. */
static int
enter_box(struct parent *p)
{
	const char *dirs[LISTENERS_MAX] = {
		NULL}; /* of Unix sockets, which are removed at the end */
	struct box_options o = {.read_dirs = dirs};
	struct box_level level = {0};
	const char *why = NULL;

	for (size_t i = 0; i < p->plans.nlisteners; i++)
		if (p->plans.listeners[i].is_unix)
			dirs[o.nread_dirs++] = dirname(strdupa(p->plans.listeners[i].path.ptr));
	if (box_enter(&parent_box, &o, &level, &why) == 0)
		return 0;
	log_say(LOG_ERROR, "the parent's sandbox could not be entered", LOG_C("why", why));
	generation_stop(p->generation, true);
	return -1;
}

static int
start(struct parent *p)
{
	struct generation_events ev = {.ready = on_ready, .drained = on_drained, .arg = p};

	p->self = spawn_self();
	if (p->self < 0 || watch_signals(p) != 0 || open_all(p) != 0)
		return -1;
	p->deadline.fn = deadline_over;
	timer_set(p->loop, &p->deadline, START_MS);
	p->generation = generation_start(p->loop, p->self, &p->plans, p->listeners, &p->env, &ev);
	if (p->generation == NULL) {
		log_say(LOG_ERROR, "the roles could not be started",
			LOG_C("why", strerrordesc_np(errno)));
		return -1;
	}
	return enter_box(p);
}

int
parent_serve(const char *path)
{
	static struct parent p;
	int status;

	log_setup(LOG_JSON, LOG_INFO, "parent");
	if (environ_capture() != 0) {
		log_write(LOG_ERROR,
			  "the environment does not fit into locked memory; raise "
			  "RLIMIT_MEMLOCK or give sidekey a smaller environment",
			  NULL, 0);
		return 1;
	}
	p.env = environ_source();
	status = read_config(&p, path);
	if (status != 0)
		return status;
	raise_file_limit();
	p.loop = loop_new();
	if (start(&p) != 0)
		return 1;
	status = loop_run(p.loop);
	generation_free(p.generation);
	listeners_remove(&p.plans);
	log_say(LOG_INFO, "ended", LOG_U("status", status));
	return status;
}
