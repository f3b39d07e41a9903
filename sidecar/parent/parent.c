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

#include "base/auto.h"
#include "base/log.h"
#include "base/sink.h"
#include "box/box.h"
#include "config/files.h"
#include "config/warning.h"
#include "ingress/limits.h"
#include "parent/environ.h"
#include "parent/listeners.h"
#include "parent/notify.h"
#include "parent/settings.h"
#include "parent/succession.h"
#include "policy/box/boxes.h"

enum { LISTENERS_MAX = 48, STOP_MS = 2 * 1000 };
enum { FILES_MAX = 65536, FILES_OWN = 64 }; /* descriptors: at most asked for; beside connections */

struct parent {
	struct loop *loop;
	struct parent_options options;
	struct config_source source;
	struct settings *opened;           /* whose listeners are open, for good */
	struct settings *running, *coming; /* of the serving and of the coming generation */
	int listeners[LISTENERS_MAX];
	int notify; /* to systemd, until it knows; -1: nobody asked */
	struct succession generations;
	struct watch signals;
	struct timer deadline;            /* of the end */
	bool again;                       /* a reload was asked for that could not begin yet */
	bool draining, cutting, stopping; /* calls may end, are cut off, are not waited for */
	int status;
};

/* ---- ending ---- */

static void
finish_if_gone(struct parent *p)
{
	if (succession_is_gone(&p->generations))
		loop_stop(p->loop, p->status);
}

static void
stop(struct parent *p, int status)
{
	if (!p->stopping)
		p->status = status;
	p->stopping = true;
	succession_kill(&p->generations);
	finish_if_gone(p);
}

static void
deadline_over(struct timer *t)
{
	stop(ev_owner(t, struct parent, deadline), 0);
}

static void
close_listeners(struct parent *p)
{
	for (size_t i = 0; i < p->opened->plans.nlisteners; i++)
		close(p->listeners[i]);
}

static void
on_terminate(struct parent *p)
{
	uint64_t ms;

	if (p->cutting || p->running == NULL || p->stopping) {
		stop(p, 0);
		return;
	}
	/* The second one means now; but each call that it cuts off has its line in the log. */
	p->cutting = p->draining;
	ms = p->cutting ? 0 : p->running->config->limits.drain_ms;
	if (!p->draining) {
		close_listeners(p); /* who dials now is told at once that nobody is there */
		listeners_remove(&p->opened->plans); /* later they may be a successor's */
	}
	p->draining = true;
	log_say(LOG_INFO, "draining", LOG_U("ms", ms));
	timer_set(p->loop, &p->deadline, ms + STOP_MS);
	succession_drain(&p->generations, ms);
	finish_if_gone(p);
}

/* ---- reload ---- */

static void
settings_replace(struct parent *p, struct settings **place, struct settings *by)
{
	if (*place != p->opened)
		settings_free(*place);
	*place = by;
}

/* As a tired person finds them: in the log, a line each, with the place. */
static void
log_faults(const struct config_faults *faults)
{
	for (size_t i = 0; i < faults->n; i++) {
		const struct config_fault *f = &faults->items[i];

		log_say(LOG_ERROR, "a fault in the new configuration", LOG_C("file", f->file),
			LOG_IF(f->line > 0, LOG_U("line", f->line)),
			LOG_IF(f->line > 0, LOG_U("column", f->column)),
			LOG_IF(f->path[0] != '\0', LOG_C("path", f->path)),
			LOG_C("why", f->message),
			LOG_IF(f->hint != NULL, LOG_C("hint", f->hint == NULL ? "" : f->hint)));
	}
	log_say(LOG_ERROR, "the new configuration is refused; the running one stays in force",
		LOG_U("faults", faults->n));
}

static void
log_warning(void *arg, const char *path, const char *message)
{
	(void)arg;
	log_say(LOG_WARN, "a part of the configuration is of no use", LOG_C("path", path),
		LOG_C("why", message));
}

static void
log_file(void *arg, const char *path, const char *message)
{
	(void)arg;
	log_say(LOG_WARN, "others may choose what is read from a file", LOG_C("path", path),
		LOG_C("why", message));
}

static void
log_warnings(const struct settings *s)
{
	warnings_tell(s->config, &s->plans, log_warning, NULL);
	files_warn(&s->plans.keeper, log_file, NULL);
}

static struct settings *
read_again(struct parent *p)
{
	struct config_faults faults;
	struct settings *s;

	fault_init(&faults);
	s = settings_read_again(&p->source, p->opened, &faults);
	if (s == NULL)
		log_faults(&faults);
	else
		log_warnings(s);
	if (s != NULL && s->plans.ingress.restart_needed)
		log_write(LOG_WARN,
			  "listen or admin has changed in the configuration; sidekey goes on with "
			  "the old listeners until it is restarted",
			  NULL, 0);
	fault_free(&faults);
	return s;
}

/* What cannot begin now is remembered, once, and begins as soon as it can. */
static void
reload(struct parent *p)
{
	bool room = succession_has_room(&p->generations);

	p->again = p->running == NULL || p->coming != NULL || !room;
	if (p->draining || p->stopping) {
		log_write(LOG_WARN, "no reload: the program is ending", NULL, 0);
	} else if (!room) {
		log_write(LOG_WARN,
			  "the reload waits: too many older generations still have calls or "
			  "connections in hand; it begins when one of them has ended",
			  NULL, 0);
	} else if (p->again) {
		log_write(LOG_INFO, "another reload follows the one under way", NULL, 0);
	} else {
		p->coming = read_again(p);
		if (p->coming == NULL)
			return;
		log_say(LOG_INFO, "reloading", LOG_C("source", p->coming->config->source));
		if (succession_begin(&p->generations, &p->coming->plans) != 0)
			settings_replace(p, &p->coming, NULL);
	}
}

/* ---- what becomes of the generations ---- */

static void
tell_listeners(const struct plans *plans)
{
	for (size_t i = 0; i < plans->nlisteners; i++)
		log_say(LOG_INFO, "listening", LOG_S("address", plans->listeners[i].name),
			LOG_C("for", plans->listeners[i].is_admin ? "admin" : "agent"));
}

/* Whoever started us waits for the first word that is certain. */
static void
on_standing(void *arg, struct generation_state state)
{
	struct parent *p = arg;
	char told = state.ready ? PARENT_READY : PARENT_LACKS;

	if (p->options.standing < 0 || (!state.ready && !state.settled))
		return;
	if (write(p->options.standing, &told, sizeof(told)) != sizeof(told))
		log_write(LOG_WARN, "who started sidekey is gone, or does not listen", NULL, 0);
	close(take_fd(&p->options.standing));
}

static void
on_serving(void *arg)
{
	struct parent *p = arg;
	const struct config_log *log = &p->coming->config->log;

	if (p->running == NULL)
		tell_listeners(&p->coming->plans);
	settings_replace(p, &p->running, p->coming);
	p->coming = NULL;
	log_setup(log->format, log->level, "parent");
	on_standing(p, generation_state(p->generations.serving));
	notify_ready(take_fd(&p->notify));
	if (p->again)
		reload(p);
}

static void
on_failed(void *arg)
{
	stop(arg, 1);
}

static void
on_changed(void *arg)
{
	struct parent *p = arg;

	if (p->generations.coming == NULL)
		settings_replace(p, &p->coming, NULL);
	if (p->draining || p->stopping)
		finish_if_gone(p);
	else if (p->again)
		reload(p);
}

static void
reap(struct parent *p)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		succession_reap(&p->generations, pid, status);
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
			succession_refresh(&p->generations);
			break;
		case SIGHUP:
			reload(p);
			break;
		default:
			on_terminate(p);
			break;
		}
	}
}

/* Of a role that aborts we tell; of ourselves nobody would. Dies by the same signal, by its default
 * action: the filter has no place for a handler that returns. */
static void
on_abort(int sig)
{
	static const char words[] =
		"sidekey: the parent gives up: memory has run out, or something "
		"that must hold did not; the program ends\n";
	ssize_t told = write(STDERR_FILENO, words, sizeof(words) - 1);

	(void)told;
	(void)raise(sig);
}

static void
speak_at_abort(void)
{
	const struct sigaction last = {.sa_handler = on_abort,
				       .sa_flags = (int)SA_RESETHAND | SA_NODEFER};

	(void)sigaction(SIGABRT, &last, NULL);
}

static int
watch_signals(struct parent *p)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (p->options.config == NULL)
		sigaddset(&set, SIGHUP); /* else there is nothing to read again (parent.h) */
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

/* Each connection takes one in ingress, and a call one in egress. */
static void
raise_file_limit(uint32_t connections)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0)
		return;
	r.rlim_cur = r.rlim_max < FILES_MAX ? r.rlim_max : FILES_MAX;
	(void)setrlimit(RLIMIT_NOFILE, &r);
	if (r.rlim_cur < connections + FILES_OWN)
		log_say(LOG_WARN,
			"RLIMIT_NOFILE allows fewer descriptors than limits.connections needs: "
			"raise it, or lower limits.connections",
			LOG_U("descriptors", r.rlim_cur), LOG_U("connections", connections));
}

static int
read_first(struct parent *p)
{
	struct config_faults faults;

	fault_init(&faults);
	p->opened = p->coming = p->options.config != NULL
					? settings_of(p->options.config, &p->source.env, &faults)
					: settings_read(&p->source, &faults);
	if (p->opened == NULL)
		fault_print(&faults, stderr);
	fault_free(&faults);
	if (p->opened == NULL)
		return 2;
	log_setup(p->opened->config->log.format, p->opened->config->log.level, "parent");
	log_warnings(p->opened);
	return 0;
}

static int
open_all(struct parent *p)
{
	struct buf why;
	int bad;

	if (p->opened->plans.nlisteners > LISTENERS_MAX) {
		log_write(LOG_ERROR, "too many listeners", NULL, 0);
		return -1;
	}
	if (p->options.listeners != NULL) {
		memcpy(p->listeners, p->options.listeners,
		       p->opened->plans.nlisteners * sizeof(int));
		return 0;
	}
	buf_init(&why, 1024);
	bad = listeners_open(&p->opened->plans, p->listeners, &why);
	if (bad != 0) {
		(void)buf_add_char(&why, '\0');
		log_write(LOG_ERROR, why.ptr, NULL, 0);
	}
	buf_free(&why);
	return bad;
}

/* Under exec it is not we who are the service. */
static void
open_notify(struct parent *p)
{
	const char *where = p->source.env.get(p->source.env.arg, "NOTIFY_SOCKET");

	p->notify = -1;
	if (where == NULL || p->options.config != NULL)
		return;
	p->notify = notify_open(where);
	if (p->notify < 0)
		log_say(LOG_WARN, "who NOTIFY_SOCKET names cannot be told that sidekey serves",
			LOG_C("why", strerrordesc_np(errno)));
}

/* After the first roles are there, so that they do not live under two filters. */
static int
enter_box(struct parent *p)
{
	const struct plans *plans = &p->opened->plans;
	const char *dirs[LISTENERS_MAX] = {
		NULL}; /* of Unix sockets, which are removed at the end */
	struct box_options o = {.read_dirs = dirs};
	struct box_level level = {0};
	const char *why = NULL;

	for (size_t i = 0; i < plans->nlisteners; i++)
		if (plans->listeners[i].is_unix)
			dirs[o.nread_dirs++] = dirname(strdupa(plans->listeners[i].path.ptr));
	if (box_enter(&parent_box, &o, &level, &why) == 0)
		return 0;
	log_say(LOG_ERROR, "the parent's sandbox could not be entered", LOG_C("why", why));
	succession_kill(&p->generations);
	return -1;
}

/* What everything else rests on. */
static int
begin(struct parent *p, struct generation_options *o)
{
	o->self = spawn_self();
	o->limits = o->self < 0 ? -1 : limits_create();
	if (o->limits >= 0 && watch_signals(p) == 0)
		return 0;
	log_say(LOG_ERROR,
		"sidekey cannot start: the kernel refused its own file, a page or a signal",
		LOG_C("why", strerrordesc_np(errno)));
	return -1;
}

static int
start(struct parent *p)
{
	const struct succession_events ev = {on_serving, on_failed, on_standing, on_changed, p};
	struct generation_options o = {
		.loop = p->loop, .listeners = p->listeners, .env = &p->source.env};

	if (begin(p, &o) != 0 || open_all(p) != 0)
		return -1;
	p->deadline.fn = deadline_over;
	succession_init(&p->generations, &o, &ev);
	if (succession_begin(&p->generations, &p->coming->plans) != 0)
		return -1;
	return enter_box(p);
}

int
parent_serve(const struct parent_options *o)
{
	static struct parent p;
	int status;

	sink_own();
	log_setup(LOG_JSON, LOG_INFO, "parent");
	speak_at_abort();
	if (environ_capture() != 0) {
		log_write(LOG_ERROR,
			  "the environment does not fit into locked memory; raise "
			  "RLIMIT_MEMLOCK or give sidekey a smaller environment",
			  NULL, 0);
		return 1;
	}
	p.options = *o;
	p.source = (struct config_source){o->path, environ_source()};
	status = read_first(&p);
	if (status != 0)
		return status;
	open_notify(&p);
	raise_file_limit(p.opened->plans.ingress.connections);
	p.loop = loop_new();
	if (start(&p) != 0)
		return 1;
	status = loop_run(p.loop);
	if (!p.draining)
		listeners_remove(&p.opened->plans);
	log_say(LOG_INFO, "ended", LOG_U("status", status));
	return status;
}
