/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/beside.h"

#include "base/auto.h"
#include "parent/environ.h"
#include "parent/parent.h"

enum { READY_MS = 30 * 1000 };

/* What the watcher has; all of it closes when it ends. */
struct watcher {
	const struct beside_options *o;
	int command;  /* a pidfd */
	int held;     /* hangs up when the command runs */
	int standing; /* for the parent */
	pid_t sidekey;
	int sidekey_fd; /* a pidfd */
};

/* ---- in the watcher's own process ---- */

/* A pipe or socket of the command's must close when the command closes it. */
static int
close_but(const int *kept, size_t n)
{
	for (unsigned from = STDERR_FILENO + 1;;) {
		unsigned next = ~0U;

		for (size_t i = 0; i < n; i++)
			if (kept[i] >= 0 && (unsigned)kept[i] >= from && (unsigned)kept[i] < next)
				next = (unsigned)kept[i];
		if (next > from && close_range(from, next - 1, 0) != 0)
			return -1;
		if (next == ~0U)
			return 0;
		from = next + 1;
	}
}

static int
let_go(const struct watcher *w)
{
	const int kept[] = {w->command,         w->held,  w->standing, w->o->listeners[0],
			    w->o->listeners[1], w->o->log};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		return -1;
	return close_but(kept, sizeof(kept) / sizeof(kept[0]));
}

/* As a service has them, whatever the command is to inherit. */
static int
reset_signals(void)
{
	static const int handled[] = {SIGTERM, SIGINT, SIGUSR1, SIGCHLD, SIGPIPE};
	const struct sigaction usual = {.sa_handler = SIG_DFL}, ignore = {.sa_handler = SIG_IGN};
	sigset_t none;

	for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++)
		if (sigaction(handled[i], &usual, NULL) != 0)
			return -1;
	sigemptyset(&none);
	/*
	 * A configuration that is read again would not have what exec has changed in it, and the
	 * command may have written it (parent_options).
	 */
	return sigaction(SIGHUP, &ignore, NULL) | sigprocmask(SIG_SETMASK, &none, NULL);
}

static void
be_sidekey(const struct watcher *w, pid_t watcher)
{
	const struct parent_options o = {
		.path = w->o->path,
		.config = w->o->config,
		.listeners = w->o->listeners,
		.standing = w->standing,
	};

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != watcher)
		_exit(1);
	if (w->o->log >= 0 && dup2(w->o->log, STDERR_FILENO) < 0)
		_exit(1);
	close(w->command);
	close(w->held);
	exit(parent_serve(&o));
}

static bool
command_runs(const struct watcher *w)
{
	struct pollfd held = {.fd = w->held};

	return poll(&held, 1, 0) == 1 && (held.revents & POLLHUP) != 0;
}

static void
watch(const struct watcher *w)
{
	struct pollfd fds[] = {{.fd = w->command, .events = POLLIN},
			       {.fd = w->sidekey_fd, .events = POLLIN}};

	while (poll(fds, 2, -1) < 0)
		if (errno != EINTR)
			return;
	if (fds[0].revents != 0) {
		(void)kill(w->sidekey, SIGTERM);
		(void)waitpid(w->sidekey, NULL, 0);
		return;
	}
	if (!command_runs(w))
		return; /* it has not begun, and says itself why it will not */
	fputs("sidekey exec: sidekey has ended, so that the command has no model any more: it is "
	      "told to end (SIGTERM)\n",
	      stderr);
	(void)pidfd_send_signal(w->command, SIGTERM, NULL, 0);
}

static int
be_watcher(struct watcher *w)
{
	pid_t self;

	if (setsid() < 0 || let_go(w) != 0 || reset_signals() != 0)
		return -1;
	self = getpid();
	w->sidekey = fork();
	if (w->sidekey == 0)
		be_sidekey(w, self);
	environ_forget();
	close(w->standing);
	for (size_t i = 0; i < BESIDE_LISTENERS; i++)
		close(w->o->listeners[i]);
	if (w->sidekey < 0)
		return -1;
	w->sidekey_fd = pidfd_open(w->sidekey, 0);
	if (w->sidekey_fd < 0)
		return -1;
	watch(w);
	return 0;
}

/* ---- in the command's ---- */

/* By way of a child that ends at once, so that somebody else becomes the watcher's parent. */
static int
fork_away(struct watcher *w)
{
	pid_t child = fork();
	int status = 0;

	if (child == 0) {
		pid_t watcher = fork();

		if (watcher == 0)
			_exit(be_watcher(w) == 0 ? 0 : 1);
		_exit(watcher < 0 ? errno : 0);
	}
	/* Who ignores SIGCHLD learns no status; the start then tells how it went. */
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (child > 0 && WIFEXITED(status) && WEXITSTATUS(status) != 0)
		errno = WEXITSTATUS(status);
	return child > 0 && status == 0 ? 0 : -1;
}

int
beside_begin(const struct beside_options *o, struct beside *b)
{
	auto_close int command = pidfd_open(getpid(), 0);
	int standing[2], held[2];
	struct watcher w;
	int bad;

	if (command < 0 || pipe2(standing, O_CLOEXEC) != 0 || pipe2(held, O_CLOEXEC) != 0)
		return -1;
	w = (struct watcher){.o = o, .command = command, .held = held[0], .standing = standing[1]};
	bad = fork_away(&w);
	close(standing[1]);
	close(held[0]);
	*b = (struct beside){standing[0], held[1]};
	return bad;
}

enum beside_start
beside_wait(const struct beside *b)
{
	struct pollfd told = {.fd = b->standing, .events = POLLIN};
	char word = 0;
	int n;

	while ((n = poll(&told, 1, READY_MS)) < 0 && errno == EINTR)
		;
	if (n == 0)
		return BESIDE_LACKS;
	if (n < 0 || read(b->standing, &word, sizeof(word)) != sizeof(word))
		return BESIDE_ENDED;
	return word == PARENT_READY ? BESIDE_READY : BESIDE_LACKS;
}
