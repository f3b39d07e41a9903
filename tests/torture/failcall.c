/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fails one system call of one process of the program, and counts them all:
 *
 *     failcall REPORT PROCESS WHICH HOW PROGRAM ARGUMENT…
 *
 * PROCESS is the parent, a role, "child" (forked by the parent, not yet a role) or "lookup" (the
 * resolver's). WHICH of its calls fails, in all generations: the N-th, none for 0, the first of a
 * name, or with "NAME/N" the N-th of that name. HOW: with the errno that is usual for the call
 * ("usual"), or with the one of that number. The program is not built for it: a tracer stands
 * beside it, as strace -D does, so that the calls of libc and of the libraries are reached as well,
 * and the program keeps the process number that it was started with. amd64 only.
 *
 * REPORT gets "failed PROCESS N CALL ERRNO", and when all are gone, "PROCESS COUNT" for each and
 * "end".
 */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	EVENTS = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC |
		 PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE,
	CALL_STOP = SIGTRAP | 0x80, /* by PTRACE_O_TRACESYSGOOD */
	TASKS = 64,
	USUAL = 0,
};

enum kind { OUTSIDE, PARENT, CHILD, RESOLVER, LOOKUP, KEEPER, INGRESS, EGRESS, KINDS };

static const char *const kinds[KINDS] = {
	[OUTSIDE] = "outside", [PARENT] = "parent", [CHILD] = "child",     [RESOLVER] = "resolver",
	[LOOKUP] = "lookup",   [KEEPER] = "keeper", [INGRESS] = "ingress", [EGRESS] = "egress",
};

/* What no kernel refuses, as it is used here, or where the answer is no errno (brk; mmap stands for
 * what malloc can be refused). */
static const char *const sure[] = {
	"exit",   "exit_group", "rt_sigreturn", "restart_syscall", "brk",     "getpid", "gettid",
	"getuid", "geteuid",    "getgid",       "getegid",         "getppid", "wait4",  "futex",
};

static const struct {
	const char *call;
	int error;
} usual[] = {
	{"read", EIO},
	{"write", EIO},
	{"close", EIO},
	{"pread64", EIO},
	{"openat", EMFILE},
	{"socket", EMFILE},
	{"socketpair", EMFILE},
	{"accept4", EMFILE},
	{"memfd_create", EMFILE},
	{"epoll_wait", EINTR},
	{"epoll_ctl", ENOSPC},
	{"epoll_create1", EMFILE},
	{"recvfrom", ECONNRESET},
	{"sendto", ECONNRESET},
	{"recvmsg", ENOBUFS},
	{"sendmsg", ENOBUFS},
	{"channel", ENOBUFS},
	{"connect", ENETUNREACH},
	{"setsockopt", ENOPROTOOPT},
	{"bind", EADDRINUSE},
	{"listen", EADDRINUSE},
	{"clone", EAGAIN},
	{"prctl", EINVAL},
	{"seccomp", EINVAL},
	{"capset", EPERM},
	{"memfd_secret", ENOSYS},
	{"fcntl", EMFILE},
	{"dup2", EMFILE},
	/* Once the kernel's pool is filled, a signal alone can end it early (getrandom(2)). */
	{"getrandom", EINTR},
};

struct task {
	pid_t pid; /* 0: free */
	enum kind kind;
	int error; /* what the call under way is to end with */
};

static struct task tasks[TASKS];
static unsigned long counts[KINDS], wanted;
static char *wanted_call; /* the wanted-th of that name; or NULL: of all */
static unsigned long named;
static enum kind victim;
static int how;
static bool failed, counts_only;
static FILE *report;

static void
fail(const char *why)
{
	fprintf(report, "broken: %s: %s\n", why, strerror(errno));
	exit(1); /* EXITKILL ends the tracees */
}

static enum kind
kind_of(const char *name)
{
	for (int k = 0; k < KINDS; k++)
		if (strcmp(kinds[k], name) == 0)
			return (enum kind)k;
	return OUTSIDE;
}

/* One line of a file in /proc, up to its end or the first NUL. */
static void
proc_line(pid_t pid, const char *file, char line[static 512])
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, line, 511);
	line[n < 0 ? 0 : n] = '\0';
	if (fd >= 0)
		close(fd);
}

/* After an exec: a role has its name as its first argument. */
static enum kind
kind_after_exec(pid_t pid)
{
	static const char title[] = "sidekey: ";
	char line[512];

	proc_line(pid, "cmdline", line);
	return strncmp(line, title, strlen(title)) == 0 ? kind_of(line + strlen(title)) : PARENT;
}

static struct task *
task_of(pid_t pid)
{
	for (int i = 0; i < TASKS; i++)
		if (tasks[i].pid == pid)
			return &tasks[i];
	return NULL;
}

/* A process seen for the first time has been forked by one that is known. */
static struct task *
task_new(pid_t pid)
{
	struct task *t = task_of(0), *from;
	char line[512], *after;

	if (t == NULL)
		fail("too many processes");
	proc_line(pid, "stat", line);
	after = strrchr(line, ')');
	from = after == NULL ? NULL : task_of((pid_t)strtol(after + strlen(") S "), NULL, 10));
	*t = (struct task){pid, OUTSIDE, 0};
	if (from != NULL && from->kind == PARENT)
		t->kind = CHILD;
	else if (from != NULL && from->kind == RESOLVER)
		t->kind = LOOKUP;
	return t;
}

static bool
is_sure(const char *call)
{
	for (size_t i = 0; i < sizeof(sure) / sizeof(sure[0]); i++)
		if (strcmp(sure[i], call) == 0)
			return true;
	return false;
}

static int
error_of(const char *call)
{
	if (how != USUAL)
		return how;
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (strcmp(usual[i].call, call) == 0)
			return usual[i].error;
	return ENOMEM;
}

static void
on_registers(const struct task *t, void (*change)(struct user_regs_struct *, int), int value)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, t->pid, NULL, &regs) != 0)
		return; /* it has just been killed */
	change(&regs, value);
	(void)ptrace(PTRACE_SETREGS, t->pid, NULL, &regs);
}

static void
set_call(struct user_regs_struct *regs, int nr)
{
	regs->orig_rax = (unsigned long long)nr;
}

static void
set_result(struct user_regs_struct *regs, int error)
{
	regs->rax = (unsigned long long)-error;
}

static bool
is_wanted(const struct task *t, const char *call)
{
	if (failed || t->kind != victim)
		return false;
	if (wanted_call == NULL)
		return counts[victim] == wanted;
	return strcmp(call, wanted_call) == 0 && ++named == wanted;
}

/* getpid in its place, which every box allows; a failed close(2) has closed all the same. */
static void
refuse(struct task *t, const char *call)
{
	failed = true;
	t->error = error_of(call);
	fprintf(report, "failed %s %lu %s %s\n", kinds[t->kind], counts[t->kind], call,
		strerrorname_np(t->error));
	fflush(report);
	if (strcmp(call, "close") != 0)
		on_registers(t, set_call, SYS_getpid);
}

/* A sendto that does not wait is a message of a channel, which no firewall or route fails. */
static void
call_begins(struct task *t, int nr, uint64_t flags)
{
	char *call = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, nr);
	const char *name = call;

	if (nr == SYS_sendto && (flags & MSG_DONTWAIT) != 0)
		name = "channel";
	if (call != NULL && !is_sure(call)) {
		counts[t->kind]++;
		if (is_wanted(t, name))
			refuse(t, name);
	}
	free(call);
}

static void
call_stop(struct task *t)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, sizeof(info), &info) <= 0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
		call_begins(t, (int)info.entry.nr, info.entry.args[3]);
	} else if (t->error != 0) {
		on_registers(t, set_result, t->error);
		t->error = 0;
	}
}

/* A call that cannot be the wanted one any more is not stopped at, for speed. */
static void
let_go(const struct task *t, int sig)
{
	bool done = failed && t->error == 0, idle = !counts_only && t->kind != victim;

	(void)ptrace(done || idle ? PTRACE_CONT : PTRACE_SYSCALL, t->pid, NULL, (long)sig);
}

static void
stopped(pid_t pid, int status)
{
	struct task *t = task_of(pid);
	int sig = WSTOPSIG(status), event = status >> 16;

	if (t == NULL)
		t = task_new(pid);
	if (event == PTRACE_EVENT_EXEC)
		t->kind = kind_after_exec(pid);
	else if (sig == CALL_STOP)
		call_stop(t);
	let_go(t, event != 0 || sig == CALL_STOP ? 0 : sig);
}

static void
trace(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		struct task *t = task_of(pid);

		if (WIFSTOPPED(status))
			stopped(pid, status);
		else if (t != NULL)
			t->pid = 0;
	}
	for (int k = PARENT; k < KINDS; k++)
		fprintf(report, "%s %lu\n", kinds[k], counts[k]);
	fputs("end\n", report);
}

/* Two forks away, so that the program finds no child that it has not started. */
static void
tracer(pid_t program, int ready)
{
	if (fork() != 0)
		_exit(0);
	if (ptrace(PTRACE_SEIZE, program, NULL, (long)EVENTS) != 0)
		fail("ptrace");
	tasks[0] = (struct task){program, OUTSIDE, 0};
	close(ready);
	/* Whoever reads the program's output waits for its last writer. */
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		close(fd);
	trace();
	exit(0);
}

/* "371", "sendto", "sendto/3" or "channel" */
static void
set_wanted(char *which)
{
	char *end, *slash = strchr(which, '/');

	wanted = strtoul(which, &end, 10);
	if (*end == '\0')
		return;
	wanted_call = which;
	wanted = slash == NULL ? 1 : strtoul(slash + 1, NULL, 10);
	if (slash != NULL)
		*slash = '\0';
}

int
main(int argc, char **argv)
{
	pid_t program = getpid();
	int ready[2];
	char byte;

	if (argc < 6 || pipe2(ready, O_CLOEXEC) != 0)
		return 2;
	report = fopen(argv[1], "we");
	victim = kind_of(argv[2]);
	set_wanted(argv[3]);
	counts_only = wanted_call == NULL && wanted == 0;
	how = strcmp(argv[4], "usual") == 0 ? USUAL : (int)strtol(argv[4], NULL, 10);
	if (report == NULL)
		return 2;
	(void)prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY); /* where Yama asks for it */
	if (fork() == 0) {
		close(ready[0]);
		tracer(program, ready[1]);
	}
	close(ready[1]);
	(void)wait(NULL);
	if (read(ready[0], &byte, 1) != 0)
		return 2;
	execv(argv[5], argv + 5);
	return 127;
}
