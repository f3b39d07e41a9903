/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/isolate.h"

#include "base/auto.h"
#include "box/spawn.h"
#include "cli/isolate_init.h"
#include "cli/isolate_note.h"

enum {
	EXIT_FAILED = 1,
	EXIT_SIGNAL = 128, /* as shells say it */
	NAMESPACES = CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC,
};

static const char remedy[] =
	"sidekey exec: --isolate needs user namespaces, which this machine does not give this "
	"user. Have root set user.max_user_namespaces to 1024 or more and "
	"kernel.unprivileged_userns_clone=1 (Debian), or kernel.apparmor_restrict_unprivileged_"
	"userns=0 or an AppArmor profile for sidekey that allows userns (Ubuntu); in a container, "
	"let its seccomp profile allow unshare and mount; or go without --isolate\n";

static const char no_process[] =
	"sidekey exec: this user, or this container, may have no further process, or there is no "
	"memory for one: end some, or raise RLIMIT_NPROC or pids.max\n";

/* ---- beginning ---- */

static void
explain(int32_t step, int32_t error)
{
	static const char *const steps[STEPS] = {
		[STEP_USER] = "the user could not be mapped",
		[STEP_NETWORK] = "the empty network could not be set up",
		[STEP_LISTEN] = "nothing can listen in the empty network",
		[STEP_ORDERS] = "init did not understand what to hide",
		[STEP_MOUNTS] = "the mounts could not be made its own",
		[STEP_PROC] = ("the kernel gives no new /proc; in a container, parts of /proc must "
			       "not be masked"),
		[STEP_DEVICES] = "it could not be given a /dev of its own",
		[STEP_HIDE] = "what is to be hidden could not be",
		[STEP_PLACE] =
			("the working directory is one that is hidden, or cannot be reached; "
			 "start from another"),
		[STEP_CAPABILITIES] = "capabilities could not be dropped",
		[STEP_COMMAND] = "no process could be started",
	};
	bool denied = error == EPERM || error == EACCES;

	fprintf(stderr, "sidekey exec: --isolate: %s: %s\n",
		step >= 0 && step < STEPS ? steps[step] : "it broke down", strerrordesc_np(error));
	if (denied && step <= STEP_MOUNTS)
		fputs(remedy, stderr);
}

/* fork, with namespaces. */
static pid_t
fork_into_namespaces(void)
{
	return (pid_t)syscall(SYS_clone, NAMESPACES | SIGCHLD, NULL, NULL, NULL, NULL);
}

int
isolate_begin(char **command, struct isolated *i)
{
	const uid_t uid = geteuid();
	const gid_t gid = getegid();
	struct note n = {0};
	int line[2];

	if (note_pair(line) != 0)
		return -1;
	i->init = fork_into_namespaces();
	if (i->init < 0) {
		bool is_full = errno == EAGAIN || errno == ENOMEM;

		fprintf(stderr, "sidekey exec: --isolate: %s\n", strerrordesc_np(errno));
		fputs(is_full ? no_process : remedy, stderr);
		return -1;
	}
	if (i->init == 0) {
		close(line[0]);
		init_run(line[1], uid, gid, command);
	}
	close(line[1]);
	i->line = line[0];
	if (note_receive(i->line, &n, &i->listener) == 0 && n.kind == NOTE_LISTENS)
		return 0;
	explain(n.kind == NOTE_FAULT ? n.value : STEPS, n.detail);
	return -1;
}

/* ---- the orders ---- */

static int
add_list(struct buf *text, struct span list)
{
	return buf_add(text, &list.len, sizeof(list.len)) | buf_add_span(text, list);
}

static int
send_orders(const struct isolated *i, const struct hidden *hidden, char *const *env)
{
	struct buf text, list;
	auto_close int fd = -1;
	int bad = 0;

	buf_init(&text, ORDERS_MAX);
	buf_init(&list, HIDDEN_MAX);
	for (; *env != NULL; env++)
		bad |= buf_add(&list, *env, strlen(*env) + 1);
	bad |= add_list(&text, buf_span(&hidden->directories));
	bad |= add_list(&text, buf_span(&hidden->files));
	bad |= add_list(&text, buf_span(&hidden->kept)) | add_list(&text, buf_span(&list));
	if (bad == 0)
		fd = spawn_sealed("orders", buf_span(&text));
	buf_free(&text);
	buf_free(&list);
	return fd < 0 ? -1 : note_send(i->line, (struct note){.kind = NOTE_ORDERS}, fd);
}

/* ---- its life ---- */

/* All but those by which a fault of this process itself is told. */
static int
open_signals(void)
{
	static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};
	const struct sigaction usual = {.sa_handler = SIG_DFL};
	sigset_t set;

	sigfillset(&set);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		sigdelset(&set, own[i]);
	if (sigaction(SIGCHLD, &usual, NULL) != 0 || sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/*
 * The keys of the terminal signal the whole group, the command among it, and come from the kernel.
 * Going on is no harm twice.
 */
static void
relay(const struct isolated *i, int signals)
{
	struct signalfd_siginfo info;

	while (read(signals, &info, sizeof(info)) == sizeof(info)) {
		int number = (int)info.ssi_signo;

		if (number == SIGCHLD || (info.ssi_code > 0 && number != SIGCONT))
			continue;
		(void)note_send(i->line, (struct note){NOTE_SIGNAL, number, i->stops}, -1);
	}
}

/* As the shell would see the command itself end; as process 1, no signal ends this one. */
static int
end_like(int status)
{
	const struct sigaction usual = {.sa_handler = SIG_DFL};
	sigset_t set;
	int number;

	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	number = WTERMSIG(status);
	sigemptyset(&set);
	sigaddset(&set, number);
	(void)sigaction(number, &usual, NULL);
	(void)kill(getpid(), number);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
	return EXIT_SIGNAL + number;
}

/* Whether the command goes on; *status is as waitpid tells it when it does not. */
static bool
attend(struct isolated *i, int *status)
{
	struct note n = {0};
	int fd;

	if (note_receive(i->line, &n, &fd) != 0) {
		fputs("sidekey exec: process 1 of the isolated command was killed, and the command "
		      "with it\n",
		      stderr);
		*status = W_EXITCODE(0, SIGKILL);
		return false;
	}
	if (n.kind == NOTE_STOPPED) {
		i->stops = n.value;
		(void)kill(getpid(), SIGSTOP);
	}
	if (n.kind == NOTE_FAULT) {
		explain(n.value, n.detail);
		*status = W_EXITCODE(EXIT_FAILED, 0);
	}
	if (n.kind == NOTE_ENDED)
		*status = n.value;
	return n.kind != NOTE_ENDED && n.kind != NOTE_FAULT;
}

int
isolate_run(struct isolated *i, const struct hidden *hidden, char *const *env)
{
	auto_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int signals = open_signals(), status = 0;
	struct pollfd fds[] = {{.fd = signals, .events = POLLIN},
			       {.fd = i->line, .events = POLLIN}};

	if (signals < 0 || send_orders(i, hidden, env) != 0) {
		explain(STEP_ORDERS, errno);
		return EXIT_FAILED;
	}
	/* The command alone reads and writes them from now on. */
	if (dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		return EXIT_FAILED;
	for (bool goes_on = true; goes_on;) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents != 0)
			relay(i, signals);
		if (fds[1].revents != 0)
			goes_on = attend(i, &status);
	}
	(void)waitpid(i->init, NULL, 0);
	return end_like(status);
}
