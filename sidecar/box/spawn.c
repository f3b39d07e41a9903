/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "box/spawn.h"

#include "base/auto.h"
#include "base/fd.h"
#include "box/probe.h"
#include "ev/shift.h"

enum {
	ALL_SEALS = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL,
	EXIT_NOT_STARTED = 127,
	SPAWN_PLACES = 128, /* descriptors at most: the listeners are far fewer */
};

static const char *const titles[ROLES] = {
	[ROLE_NONE] = "sidekey: ",         [ROLE_RESOLVER] = "sidekey: resolver",
	[ROLE_KEEPER] = "sidekey: keeper", [ROLE_INGRESS] = "sidekey: ingress",
	[ROLE_EGRESS] = "sidekey: egress",
};

/* They are the parent's business; a terminal's ^C and an orchestrator's signals go to all. */
static const int ignored_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE};

const char *
role_name(enum role r)
{
	return titles[r] + strlen(titles[ROLE_NONE]);
}

enum role
role_of(const char *argv0)
{
	for (int r = ROLE_NONE + 1; r < ROLES; r++)
		if (strcmp(argv0, titles[r]) == 0)
			return (enum role)r;
	return ROLE_NONE;
}

int
spawn_self(void)
{
	const char *started_as = (const char *)getauxval(AT_EXECFN);
	int fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);

	if (fd < 0 && started_as != NULL)
		fd = open(started_as, O_PATH | O_CLOEXEC); /* no /proc in this container */
	return fd;
}

int
spawn_sealed(const char *name, struct span content)
{
	auto_close int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || fd_write_all(fd, content) != 0 || fcntl(fd, F_ADD_SEALS, ALL_SEALS) != 0)
		return -1;
	return take_fd(&fd);
}

/* pread and not read: the offset is shared with whoever else has the descriptor. */
int
spawn_unseal(int fd, struct buf *out)
{
	size_t before = out->len;
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if (seals < 0 || (seals & ALL_SEALS) != ALL_SEALS || fstat(fd, &st) != 0)
		return -1;
	for (size_t left = (size_t)st.st_size; left > 0;) {
		char *room = buf_room(out, left);
		ssize_t n;

		if (room == NULL)
			break;
		n = pread(fd, room, left, st.st_size - (off_t)left);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		buf_grew(out, (size_t)n);
		left -= (size_t)n;
	}
	if (out->len - before == (size_t)st.st_size)
		return 0;
	buf_keep(out, before);
	return -1;
}

/* ---- in the child ---- */

/* Puts fds at their places by way of numbers above all places, so that none is overwritten
 * before it is moved. Nothing else stays open but *self. */
static int
place_descriptors(const int *fds, size_t n, int *self)
{
	const int above = SPAWN_PROJECTION + (int)n;
	int moved[SPAWN_PLACES], at_exec, null;

	if (n > SPAWN_PLACES)
		return -1;
	for (size_t i = 0; i < n; i++) {
		moved[i] = fds[i] < 0 ? -1 : fcntl(fds[i], F_DUPFD_CLOEXEC, above);
		if (fds[i] >= 0 && moved[i] < 0)
			return -1;
	}
	at_exec = fcntl(*self, F_DUPFD_CLOEXEC, above);
	/* Without a /dev/null, the O_PATH descriptor serves: what reads or writes it fails. */
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		null = at_exec;
	if (at_exec < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		int place = SPAWN_PROJECTION + (int)i;

		if (moved[i] < 0)
			(void)close(place);
		else if (dup2(moved[i], place) < 0)
			return -1;
	}
	*self = at_exec;
	if (at_exec > above && close_range((unsigned)above, (unsigned)at_exec - 1, 0) != 0)
		return -1;
	return close_range((unsigned)at_exec + 1, ~0u, 0);
}

static int
reset_signals(void)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t none;

	for (size_t i = 0; i < sizeof(ignored_signals) / sizeof(ignored_signals[0]); i++)
		if (sigaction(ignored_signals[i], &ignore, NULL) != 0)
			return -1;
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The parent may have died before the request to die with it was made. */
static int
die_with(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
		return -1;
	return getppid() == parent ? 0 : -1;
}

static void
become(int self, enum role role, const int *fds, size_t n, pid_t parent)
{
	static char title[32];
	char *argv[] = {title, probe_for(role), shift_file(), NULL}, *envp[] = {NULL};
	struct rlimit none = {0, 0};

	memcpy(title, titles[role], strlen(titles[role]) + 1);
	if (die_with(parent) != 0 || setrlimit(RLIMIT_CORE, &none) != 0)
		return;
	if (place_descriptors(fds, n, &self) != 0 || reset_signals() != 0)
		return;
	execveat(self, "", argv, envp, AT_EMPTY_PATH);
}

pid_t
spawn_role(int self, enum role role, const int *fds, size_t n)
{
	pid_t parent = getpid(), pid = fork();

	if (pid != 0)
		return pid;
	become(self, role, fds, n, parent);
	_exit(EXIT_NOT_STARTED);
}
