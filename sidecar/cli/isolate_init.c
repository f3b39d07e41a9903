/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/isolate_init.h"

#include "base/auto.h"
#include "box/box.h"
#include "box/spawn.h"
#include "cli/command.h"
#include "cli/isolate_hide.h"
#include "cli/isolate_place.h"
#include "parent/environ.h"
#include "policy/box/boxes.h"

struct init {
	int line;
	int children; /* a signalfd of SIGCHLD */
	char **command;
	pid_t pid; /* of the command */
	bool stopped;
	int32_t stops;
	/* For the command, as they were. */
	sigset_t mask;
	struct sigaction child;
};

/* What is to be done, as isolate_run packs it: four lists, each behind its length. */
struct orders {
	struct buf text;
	struct span directories, files, kept, env;
};

_Noreturn static void
fail(const struct init *in, enum isolate_step step)
{
	(void)note_send(in->line, (struct note){NOTE_FAULT, (int32_t)step, errno}, -1);
	_exit(1);
}

/* ---- its place ---- */

/* The kernel gives the files by which a user is mapped to who may trace the process. */
static void
enter(struct init *in, uid_t uid, gid_t gid)
{
	enum isolate_step step = STEP_USER;
	auto_close int listener = -1;

	environ_forget();
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 ||
	    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0 || place_enter(uid, gid, &step) != 0)
		fail(in, step);
	listener = place_listen(&step);
	if (listener < 0 || note_send(in->line, (struct note){.kind = NOTE_LISTENS}, listener) != 0)
		fail(in, STEP_LISTEN);
}

static struct span
take_list(struct span *text)
{
	size_t n = 0;
	struct span list;

	if (text->len < sizeof(n))
		return (struct span){"", 0};
	memcpy(&n, text->ptr, sizeof(n));
	list = span_cut(*text, sizeof(n), sizeof(n) + n);
	*text = span_cut(*text, sizeof(n) + n, text->len);
	return list;
}

static void
receive(const struct init *in, struct orders *o)
{
	auto_close int fd = -1;
	struct note n = {0};
	struct span text;

	if (note_receive(in->line, &n, &fd) != 0)
		_exit(1); /* exec is gone, or has given up */
	buf_init(&o->text, ORDERS_MAX);
	if (n.kind != NOTE_ORDERS || spawn_unseal(fd, &o->text) != 0)
		fail(in, STEP_ORDERS);
	text = buf_span(&o->text);
	o->directories = take_list(&text);
	o->files = take_list(&text);
	o->kept = take_list(&text);
	o->env = take_list(&text);
}

static void
settle(const struct init *in, const struct orders *o)
{
	enum isolate_step step;

	if (place_hide(o->directories, o->files, &step) != 0 || place_keep(o->kept, &step) != 0)
		fail(in, step);
	if (caps_drop() != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_NAME, INIT_NAME, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		fail(in, STEP_CAPABILITIES);
}

/* ---- the command ---- */

static char **
environment(const struct orders *o)
{
	const char *end = o->env.ptr + o->env.len;
	size_t n = 0;
	char **env = calloc(o->env.len + 1, sizeof(*env)); /* each entry has a byte */

	for (const char *at = o->env.ptr; env != NULL && at < end; at += strlen(at) + 1)
		env[n++] = (char *)(uintptr_t)at;
	return env;
}

/* A descriptor of the shell's may lead out. */
_Noreturn static void
be_command(struct init *in, const struct orders *o)
{
	char **env = environment(o);

	if (env == NULL || close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) != 0 ||
	    filter_deny(&isolated_box, FOREIGN_FAILS) != 0)
		_exit(1);
	if (command_confine() != 0)
		_exit(1);
	sigaction(SIGCHLD, &in->child, NULL);
	sigprocmask(SIG_SETMASK, &in->mask, NULL);
	_exit(command_become(in->command, env));
}

static void
start(struct init *in, const struct orders *o)
{
	const struct sigaction usual = {.sa_handler = SIG_DFL};
	sigset_t all, child;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	sigfillset(&all);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	if (sigprocmask(SIG_SETMASK, &all, &in->mask) != 0 ||
	    sigaction(SIGCHLD, &usual, &in->child) != 0)
		fail(in, STEP_COMMAND);
	in->children = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	in->pid = in->children < 0 ? -1 : fork();
	if (in->pid == 0)
		be_command(in, o);
	/* Who reads what the command writes waits for nobody else to close it. */
	if (in->pid < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		fail(in, STEP_COMMAND);
}

/* ---- its life ---- */

static void
reap(struct init *in)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(in->children, &info, sizeof(info)) == sizeof(info))
		;
	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) > 0) {
		if (pid != in->pid)
			continue; /* an orphan of the command's */
		in->stopped = WIFSTOPPED(status);
		if (in->stopped) {
			(void)note_send(in->line, (struct note){NOTE_STOPPED, ++in->stops, 0}, -1);
		} else if (!WIFCONTINUED(status)) {
			(void)note_send(in->line, (struct note){NOTE_ENDED, status, 0}, -1);
			_exit(0);
		}
	}
}

/*
 * A shell sends SIGCONT to the whole group: when the command goes on already, it has had it; when
 * it has stopped once more since, that was not meant.
 */
static void
relay(struct init *in)
{
	struct note n = {0};
	int fd;

	if (note_receive(in->line, &n, &fd) != 0)
		_exit(1);
	reap(in);
	if (n.kind == NOTE_SIGNAL && (n.value != SIGCONT || (in->stopped && n.detail == in->stops)))
		(void)kill(in->pid, n.value);
}

_Noreturn void
init_run(int line, uid_t uid, gid_t gid, char **command)
{
	struct init in = {.line = line, .command = command};
	struct orders orders;

	enter(&in, uid, gid);
	receive(&in, &orders);
	settle(&in, &orders);
	start(&in, &orders);
	for (;;) {
		struct pollfd fds[] = {{.fd = in.children, .events = POLLIN},
				       {.fd = line, .events = POLLIN}};

		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents != 0)
			reap(&in);
		if (fds[1].revents != 0)
			relay(&in);
	}
}
