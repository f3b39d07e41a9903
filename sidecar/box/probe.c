/* SPDX-License-Identifier: Apache-2.0 */
#include "box/probe.h"

#ifdef SIDEKEY_TEST_HOOKS

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { EXIT_DONE = 200 /* above every errno */, STACK = 4096, CONNECT_OTHER_PORT = 9 };

static const struct sockaddr_in loopback = {
	.sin_family = AF_INET,
	.sin_addr = {.s_addr = 0x0100007f}, /* 127.0.0.1 on a little-endian machine */
	.sin_port = CONNECT_OTHER_PORT << 8,
};
static char *const no_strings[] = {NULL};
static const struct sched_param no_priority;
static char scratch[STACK];

/* Each is one system call; a role that may not make it does not come back. */
static const struct action {
	const char *name;
	long nr;
	uintptr_t args[6];
} actions[] = {
#define P(x) ((uintptr_t)(x))
	{"nothing", SYS_getpid, {0}},
	{"last-words", SYS_writev, {STDERR_FILENO, P(scratch), 0}},
	{"dup", SYS_dup, {STDERR_FILENO}},
	{"read-stderr", SYS_read, {STDERR_FILENO, P(scratch), 1}},
	{"open-etc", SYS_openat, {P(AT_FDCWD), P("/etc/hosts"), O_RDONLY}},
	{"open-root", SYS_openat, {P(AT_FDCWD), P("/"), O_RDONLY | O_DIRECTORY}},
	{"open-proc", SYS_openat, {P(AT_FDCWD), P("/proc/self/maps"), O_RDONLY}},
	{"open-write",
	 SYS_openat,
	 {P(AT_FDCWD), P("/tmp/sidekey-probe"), O_WRONLY | O_CREAT, 0600}},
	{"open-device", SYS_openat, {P(AT_FDCWD), P("/dev/full"), O_WRONLY}},
	{"unlink", SYS_unlinkat, {P(AT_FDCWD), P("/etc/hostname"), 0}},
	{"socket-tcp", SYS_socket, {AF_INET, SOCK_STREAM, IPPROTO_TCP}},
	{"socket-udp", SYS_socket, {AF_INET, SOCK_DGRAM, 0}},
	{"socket-mptcp", SYS_socket, {AF_INET, SOCK_STREAM, 262}},
	{"socket-raw", SYS_socket, {AF_INET, SOCK_RAW, IPPROTO_ICMP}},
	{"socket-unix", SYS_socket, {AF_UNIX, SOCK_STREAM, 0}},
	{"socket-netlink", SYS_socket, {AF_NETLINK, SOCK_RAW, 0}},
	{"socket-vsock", SYS_socket, {AF_VSOCK, SOCK_STREAM, 0}},
	{"socketpair-unix", SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0, P(scratch)}},
	{"fastopen", SYS_sendto, {99, P("x"), 1, MSG_FASTOPEN, P(&loopback), sizeof(loopback)}},
	{"sendmsg", SYS_sendmsg, {99, P(scratch), 0}},
	{"sendmmsg", SYS_sendmmsg, {99, P(scratch), 1, 0}},
	{"sendmmsg-fastopen", SYS_sendmmsg, {99, P(scratch), 1, MSG_FASTOPEN}},
	{"shutdown-wr", SYS_shutdown, {99, SHUT_WR}},
	{"shutdown-rd", SYS_shutdown, {99, SHUT_RD}},
	{"shutdown-both", SYS_shutdown, {99, SHUT_RDWR}},
	{"no-delay", SYS_setsockopt, {99, IPPROTO_TCP, TCP_NODELAY, P(scratch), sizeof(int)}},
	{"attach-filter", SYS_setsockopt, {99, SOL_SOCKET, SO_ATTACH_FILTER, P(scratch), 16}},
	{"lock-filter", SYS_setsockopt, {99, SOL_SOCKET, SO_LOCK_FILTER, P(scratch), sizeof(int)}},
	{"upper-layer", SYS_setsockopt, {99, IPPROTO_TCP, TCP_ULP, P("smc"), 3}},
	{"peer", SYS_getsockopt, {99, SOL_SOCKET, SO_PEERCRED, P(scratch), P(scratch)}},
	{"sockopt", SYS_getsockopt, {99, SOL_SOCKET, SO_TYPE, P(scratch), P(scratch)}},
	{"bind", SYS_bind, {99, P(&loopback), sizeof(loopback)}},
	{"listen", SYS_listen, {99, 1}},
	{"exec", SYS_execve, {P("/bin/true"), P(no_strings), P(no_strings)}},
	{"execveat", SYS_execveat, {P(AT_FDCWD), P("/bin/true"), P(no_strings), P(no_strings), 0}},
	{"fork", SYS_clone, {SIGCHLD}},
	{"thread", SYS_clone, {CLONE_VM | CLONE_THREAD | CLONE_SIGHAND, P(scratch + STACK)}},
	{"clone3", SYS_clone3, {P(scratch), 64}},
	{"ptrace", SYS_ptrace, {PTRACE_TRACEME, 0, 0, 0}},
	{"process_vm_readv", SYS_process_vm_readv, {1, P(scratch), 1, P(scratch), 1, 0}},
	{"pidfd_open", SYS_pidfd_open, {1, 0}},
	{"kill-init", SYS_kill, {1, 0}},
	{"tgkill", SYS_tgkill, {1, 1, SIGKILL}},
	{"mmap-exec",
	 SYS_mmap,
	 {0, STACK, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, P(-1), 0}},
	{"mprotect-exec", SYS_mprotect, {P(scratch), 1, PROT_READ | PROT_EXEC}},
	{"memfd_create", SYS_memfd_create, {P("probe"), 0}},
	{"io_uring", SYS_io_uring_setup, {1, P(scratch)}},
	{"bpf", SYS_bpf, {0, P(scratch), 64}},
	{"perf", SYS_perf_event_open, {P(scratch), 0, P(-1), P(-1), 0}},
	{"userfaultfd", SYS_userfaultfd, {0}},
	{"keyctl", SYS_keyctl, {0, 0, 0, 0, 0}},
	{"patient", SYS_sched_setscheduler, {0, SCHED_BATCH, P(&no_priority)}},
	{"patient-other", SYS_sched_setscheduler, {1, SCHED_BATCH, P(&no_priority)}},
	{"real-time", SYS_sched_setscheduler, {0, SCHED_FIFO, P(&no_priority)}},
	{"setuid", SYS_setuid, {0}},
	{"mount", SYS_mount, {P("none"), P("/tmp"), P("tmpfs"), 0, 0}},
	{"unshare", SYS_unshare, {CLONE_NEWUSER}},
	{"setns", SYS_setns, {99, 0}},
	{"chroot", SYS_chroot, {P("/")}},
	{"dumpable", SYS_prctl, {PR_SET_DUMPABLE, 1, 0, 0, 0}},
	{"seccomp", SYS_seccomp, {0, 0, 0}},
	{"setown", SYS_fcntl, {0, F_SETOWN, 1}},
	{"no-wait", SYS_fcntl, {99, F_SETFL, O_RDWR | O_NONBLOCK}},
	{"wait", SYS_fcntl, {99, F_SETFL, O_RDWR}},
	{"ioctl", SYS_ioctl, {0, 0x5412 /* TIOCSTI */, P("x")}},
#undef P
};

/* Without the port of another service among the plan's, Landlock refuses with EACCES. */
static long
connect_by(int protocol)
{
	long fd = syscall(SYS_socket, AF_INET, SOCK_STREAM, protocol);

	return fd < 0 ? fd : syscall(SYS_connect, fd, &loopback, sizeof(loopback));
}

static long
connect_other(void)
{
	return connect_by(IPPROTO_TCP);
}

/* As libc's resolver names it. */
static long
connect_other_dns(void)
{
	return connect_by(0);
}

static pid_t starter; /* taken before the box: getppid is on no role's list */

/* SIGKILL where the list lets it through at all, so that what stops it is Landlock's scope. */
static long
kill_parent(void)
{
	return syscall(SYS_kill, starter, SIGKILL);
}

/* getpid by the entry for 32-bit programs, whose numbers mean other calls. */
static long
call_i386(void)
{
	long result = 20;

#ifdef __x86_64__
	__asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
#endif
	return result;
}

static long
break_off(void)
{
	abort();
}

static const struct {
	const char *name;
	long (*run)(void);
} sequences[] = {
	{"abort", break_off},
	{"connect-other", connect_other},
	{"connect-other-dns", connect_other_dns},
	{"kill-parent", kill_parent},
	{"i386", call_i386},
};

/* Performs the action: 0, its errno, or -1 when there is no such action. */
static int
perform(const char *name)
{
	for (size_t i = 0; i < sizeof(sequences) / sizeof(sequences[0]); i++)
		if (strcmp(name, sequences[i].name) == 0)
			return sequences[i].run() < 0 ? errno : 0;
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		const uintptr_t *a = actions[i].args;

		if (strcmp(name, actions[i].name) != 0)
			continue;
		return syscall(actions[i].nr, a[0], a[1], a[2], a[3], a[4], a[5]) < 0 ? errno : 0;
	}
	return -1;
}

/* What was asked for, taken before main, since the parent wipes its environment. */
static char asked_role[16], asked_action[32], own_action[32];

__attribute__((constructor)) static void
take_request(int argc, char **argv)
{
	const char *text = getenv("SIDEKEY_PROBE");
	size_t role = text == NULL ? 0 : strcspn(text, ":");

	starter = getppid();
	if (argc > 1 && role_of(argv[0]) != ROLE_NONE)
		snprintf(own_action, sizeof(own_action), "%s", argv[1]);
	if (text == NULL || text[role] != ':' || role >= sizeof(asked_role))
		return;
	memcpy(asked_role, text, role);
	snprintf(asked_action, sizeof(asked_action), "%s", text + role + 1);
	if (strcmp(asked_role, "parent") == 0)
		memcpy(own_action, asked_action, sizeof(own_action));
}

char *
probe_for(enum role r)
{
	static char none[] = "";

	return strcmp(asked_role, role_name(r)) == 0 ? asked_action : none;
}

void
probe_run(void)
{
	int result;

	if (own_action[0] == '\0')
		return;
	result = perform(own_action);
	_exit(result == 0 ? EXIT_DONE : result < 0 ? EXIT_DONE + 1 : result);
}

#endif
