/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each role's box, entered in a child of this program, and tried from inside. The same
 * actions are tried in the real processes by tests/box.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "unit.h"

#define SIDEKEY_TEST_HOOKS
#include "sidecar/box/probe.c"

#include "box/box.h"
#include "policy/box/boxes.h"

enum { KILLED = -1, DONE = 0 };

enum role_bit { PARENT = 1, RESOLVER = 2, KEEPER = 4, INGRESS = 8, EGRESS = 16 };
enum { ROLES_ONLY = RESOLVER | KEEPER | INGRESS | EGRESS, ALL = PARENT | ROLES_ONLY };

static const struct {
	const struct box *box;
	enum role_bit bit;
} boxes[] = {
	{&parent_box, PARENT},   {&resolver_box, RESOLVER}, {&keeper_box, KEEPER},
	{&ingress_box, INGRESS}, {&egress_box, EGRESS},
};

/* Landlock's ABI from which on the expectation holds; 0: seccomp sees to it everywhere. */
static const struct {
	const char *action;
	unsigned roles;
	int result; /* KILLED, DONE, or the errno it fails with */
	unsigned abi;
	const char *comment;
} expectations[] = {
	{"nothing", ALL, DONE, 0, "the box itself is livable"},

	{"open-etc", INGRESS | EGRESS, KILLED, 0, "no file at all"},
	{"open-etc", RESOLVER | PARENT, DONE, 0, "hosts, resolv.conf; the configuration"},
	{"open-etc", KEEPER, EACCES, 1, "not among its directories"},
	{"open-root", KEEPER | RESOLVER, EACCES, 1, "not among its directories"},
	{"open-proc", KEEPER | RESOLVER, EACCES, 1, "not among its directories"},
	{"open-write", ROLES_ONLY, KILLED, 0, "nobody writes a file"},
	{"open-write", PARENT, KILLED, 0, "nobody creates a file"},
	{"open-device", ROLES_ONLY, KILLED, 0, "nobody writes a file"},
	{"open-device", PARENT, EACCES, 1, "the parent may write /dev/null alone"},
	{"unlink", ROLES_ONLY, KILLED, 0, "nobody removes a file"},
	{"unlink", PARENT, EACCES, 1, "but the parent its own sockets"},

	{"socket-tcp", INGRESS, KILLED, 0, "ingress has no socket of its own"},
	{"socket-tcp", KEEPER | EGRESS, DONE, 0, "who dials"},
	{"socket-udp", INGRESS | KEEPER | EGRESS, KILLED, 0, "Landlock has no say over UDP"},
	{"socket-udp", RESOLVER, DONE, 0, "DNS"},
	{"socket-mptcp", ROLES_ONLY, KILLED, 0, "Landlock has no say over MPTCP"},
	{"socket-raw", ROLES_ONLY, KILLED, 0, "nobody"},
	{"socket-vsock", ROLES_ONLY, KILLED, 0, "nobody"},
	{"socket-unix", INGRESS | KEEPER | EGRESS, KILLED, 0,
	 "nobody finds another service's socket"},
	{"socket-unix", RESOLVER, EAFNOSUPPORT, 0, "getaddrinfo asks for nscd, and goes on"},
	{"socket-netlink", INGRESS | KEEPER | EGRESS, KILLED, 0, "getaddrinfo alone needs it"},
	{"connect-other", INGRESS, KILLED, 0, "no socket"},
	{"connect-other", KEEPER | EGRESS, EACCES, 4, "a port that is not theirs"},
	{"connect-other-dns", RESOLVER, EACCES, 4, "the same, as libc asks for TCP"},
	{"fastopen", INGRESS | KEEPER | EGRESS | RESOLVER, KILLED, 0,
	 "connects without asking Landlock"},
	{"sendmsg", RESOLVER | INGRESS | EGRESS, KILLED, 0, "could hand a descriptor on …"},
	{"sendmsg", KEEPER, EBADF, 0, "… which the keeper does, for egress"},
	{"sendmmsg", INGRESS | KEEPER | EGRESS, KILLED, 0, "getaddrinfo alone needs it"},
	{"sendmmsg", RESOLVER, EBADF, 0, "DNS"},
	{"sendmmsg-fastopen", ROLES_ONLY, KILLED, 0, "connects without asking Landlock"},
	{"shutdown-wr", INGRESS, EBADF, 0, "an answer's end …"},
	{"shutdown-rd", INGRESS, KILLED, 0, "… and no end of a listener that others share"},
	{"shutdown-both", INGRESS, KILLED, 0, "the same"},
	{"no-delay", INGRESS | KEEPER | EGRESS, EBADF, 0, "a connection's manners …"},
	{"attach-filter", ROLES_ONLY, KILLED, 0, "… and nothing that drops what others wait for"},
	{"lock-filter", ROLES_ONLY, KILLED, 0, "the same, for good"},
	{"upper-layer", RESOLVER | INGRESS, KILLED, 0, "nor another protocol below"},
	{"peer", INGRESS, EBADF, 0, "who is at the other end of a Unix socket …"},
	{"sockopt", INGRESS, KILLED, 0, "… and nothing else of a socket"},
	{"bind", INGRESS | KEEPER | EGRESS, KILLED, 0, "listeners are inherited"},
	{"listen", ALL, KILLED, 0, "listeners are inherited"},

	{"exec", ALL, KILLED, 0, "nobody executes by name"},
	{"execveat", ROLES_ONLY, KILLED, 0, "only the parent, to start roles"},
	{"fork", ALL, KILLED, 0, "a bare clone is not libc's fork"},
	{"thread", ALL, KILLED, 0, "nobody has threads"},
	{"clone3", ALL, KILLED, 0, "its flags are out of the filter's sight"},
	{"mmap-exec", ALL, KILLED, 0, "no new code"},
	{"mprotect-exec", ALL, KILLED, 0, "no new code"},

	{"ptrace", ALL, KILLED, 0, "no look into other processes"},
	{"process_vm_readv", ALL, KILLED, 0, "no look into other processes"},
	{"pidfd_open", ALL, KILLED, 0, "nor a handle of them"},
	{"kill-init", ROLES_ONLY, KILLED, 0, "no signal"},
	{"kill-parent", KEEPER | INGRESS | EGRESS, KILLED, 0, "no signal"},
	{"kill-parent", RESOLVER, EPERM, 6, "the resolver may kill its children alone"},
	{"tgkill", ALL, KILLED, 0, "abort's SIGABRT alone"},
	{"patient", RESOLVER | KEEPER, KILLED, 0, "calls do not pass by them"},
	{"patient", PARENT | INGRESS | EGRESS, DONE, 0, "waits its turn (ev/patience.h)"},
	{"patient-other", ROLES_ONLY, KILLED, 0, "nobody else's"},
	{"real-time", ROLES_ONLY, KILLED, 0, "before all others"},

	{"memfd_create", RESOLVER | INGRESS | EGRESS, KILLED, 0, "only who hands blobs on"},
	{"memfd_create", KEEPER | PARENT, DONE, 0, "CA bundles; projections"},
	{"socketpair-unix", RESOLVER | INGRESS, KILLED, 0, "they have their channels"},
#ifndef SIDEKEY_SYSTEM_LIBCURL
	{"socketpair-unix", EGRESS | KEEPER, KILLED, 0, "our libcurl does without"},
	{"upper-layer", EGRESS | KEEPER, KILLED, 0, "our OpenSSL does not ask"},
#endif
	{"io_uring", ALL, KILLED, 0, "goes around seccomp"},
	{"bpf", ALL, KILLED, 0, "nobody"},
	{"perf", ALL, KILLED, 0, "nobody"},
	{"userfaultfd", ALL, KILLED, 0, "nobody"},
	{"keyctl", ALL, KILLED, 0, "nobody"},
	{"setuid", ALL, KILLED, 0, "nobody becomes somebody"},
	{"mount", ALL, KILLED, 0, "nobody"},
	{"unshare", ALL, KILLED, 0, "nobody"},
	{"setns", ALL, KILLED, 0, "nobody"},
	{"chroot", ALL, KILLED, 0, "nobody"},
	{"dumpable", ROLES_ONLY, KILLED, 0, "stays non-dumpable"},
	{"seccomp", ROLES_ONLY, KILLED, 0, "the filter is the last"},
	{"setown", ROLES_ONLY, KILLED, 0, "would send signals by descriptor"},
	{"no-wait", KEEPER | EGRESS, EBADF, 0, "sockets of theirs …"},
	{"wait", INGRESS | KEEPER | EGRESS, KILLED, 0, "… and never back: descriptors are shared"},
	{"ioctl", INGRESS | KEEPER | EGRESS, KILLED, 0, "nobody types into a terminal"},
#ifdef __x86_64__
	{"i386", ALL, KILLED, 0, "another architecture's numbers mean other calls"},
#endif
};

static unsigned
kernel_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1);

	return abi > 0 ? (unsigned)abi : 0;
}

static void
enter_or_exit(const struct box *box)
{
	static const char *const etc[] = {"/etc", "/no/such/directory"};
	static const uint16_t ports[] = {53, 443};
	struct box_options o = {.ports = ports, .nports = COUNT(ports)};
	struct box_level level;
	const char *why = NULL;

	if (box == &resolver_box) {
		o.read_dirs = etc;
		o.nread_dirs = COUNT(etc);
	}
	starter = getppid();
	if (box_enter(box, &o, &level, &why) != 0) {
		fprintf(stderr, "%s: %s\n", box->role, why);
		_exit(EXIT_DONE + 2);
	}
}

/* KILLED, DONE or an errno. */
static int
try_in_child(const struct box *box, const char *action)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		enter_or_exit(box);
		_exit(perform(action) == 0 ? EXIT_DONE : errno);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status)) {
		assert_int_equal(WTERMSIG(status), SIGSYS);
		return KILLED;
	}
	assert_in_range(WEXITSTATUS(status), 0, EXIT_DONE);
	return WEXITSTATUS(status) == EXIT_DONE ? DONE : WEXITSTATUS(status);
}

/* A build with a sanitizer lets its run-time open files and ask a terminal. */
static bool
is_sanitizers(const char *action)
{
	return sanitizer_box.ncalls > 0 &&
	       (strncmp(action, "open-", 5) == 0 || strcmp(action, "ioctl") == 0);
}

static void
actions_end_as_designed(void **state)
{
	unsigned abi = kernel_abi(), skipped = 0, wrong = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(expectations); i++) {
		for (size_t b = 0; b < COUNT(boxes); b++) {
			int got;

			if ((expectations[i].roles & boxes[b].bit) == 0)
				continue;
			if (expectations[i].abi > abi || is_sanitizers(expectations[i].action)) {
				skipped++;
				continue;
			}
			got = try_in_child(boxes[b].box, expectations[i].action);
			if (got == expectations[i].result)
				continue;
			print_error("%s in %s: %d and not %d (%s)\n", expectations[i].action,
				    boxes[b].box->role, got, expectations[i].result,
				    expectations[i].comment);
			wrong++;
		}
	}
	if (skipped > 0)
		print_message("skipped %u expectations: Landlock ABI %u, or a sanitizer\n", skipped,
			      abi);
	assert_int_equal(wrong, 0);
}

/* What box_enter says and what the kernel says, seen from outside. */
static void
kernel_confirms(void **state)
{
	static const char *const lines[] = {"CapPrm:\t0000000000000000",
					    "CapEff:\t0000000000000000",
					    "CapInh:\t0000000000000000",
					    "CapAmb:\t0000000000000000",
					    "CapBnd:\t0000000000000000",
					    "NoNewPrivs:\t1",
					    "Seccomp:\t2"};
	int ready[2];
	char path[64], text[4096] = "", byte;
	struct rlimit core;
	FILE *f;
	pid_t pid;

	(void)state;
	if (geteuid() != 0) {
		print_message("skipped: only root sees a non-dumpable process\n");
		skip();
	}
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		enter_or_exit(&egress_box);
		(void)!write(ready[1], "x", 1);
		for (;;)
			poll(NULL, 0, 100);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_true(fread(text, 1, sizeof(text) - 1, f) > 0);
	fclose(f);
	for (size_t i = 0; i < COUNT(lines); i++) {
		if (strstr(text, lines[i]) == NULL)
			print_error("%s is not so\n", lines[i]);
		assert_non_null(strstr(text, lines[i]));
	}
	assert_int_equal(prlimit(pid, RLIMIT_CORE, NULL, &core), 0);
	assert_true(core.rlim_cur == 0 && core.rlim_max == 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* A wait with a time limit goes on by restart_syscall, under another number. */
static void
stop_and_continue_survive(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	for (size_t b = 0; b < COUNT(boxes); b++) {
		const struct box *box = boxes[b].box;

		pid = fork();
		if (pid == 0) {
			enter_or_exit(box);
			if (box != &ingress_box)
				poll(NULL, 0, 300);
			_exit(EXIT_DONE);
		}
		usleep(100 * 1000);
		kill(pid, SIGSTOP);
		usleep(50 * 1000);
		kill(pid, SIGCONT);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_DONE);
	}
}

/* A role of a later generation enters its own box below the parent's. */
static void
roles_fit_into_the_parents_box(void **state)
{
	int status;

	(void)state;
	for (size_t b = 1; b < COUNT(boxes); b++) {
		pid_t pid = fork();

		if (pid == 0) {
			enter_or_exit(&parent_box);
			enter_or_exit(boxes[b].box);
			_exit(perform("nothing") == 0 ? EXIT_DONE : 1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_DONE)
			print_error("%s: wait status %x\n", boxes[b].box->role, (unsigned)status);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_DONE);
	}
}

/* A broken invariant ends as SIGABRT, and not as a call that was not allowed. */
static void
abort_is_abort(void **state)
{
	int status;

	(void)state;
	for (size_t b = 0; b < COUNT(boxes); b++) {
		pid_t pid = fork();

		if (pid == 0) {
			enter_or_exit(boxes[b].box);
			abort();
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	}
}

static void
every_row_has_its_reason(void **state)
{
	static const struct box *const all[] = {&parent_box,  &resolver_box, &keeper_box,
						&ingress_box, &egress_box,   &common_box,
						&client_box,  &start_box,    &sanitizer_box};

	(void)state;
	for (size_t b = 0; b < COUNT(all); b++)
		for (size_t i = 0; i < all[b]->ncalls; i++)
			assert_true(strlen(all[b]->calls[i].reason) > 2);
}

static void
requirements_are_fatal(void **state)
{
	struct box_options o = {.require_landlock = true, .require_landlock_net = true};
	struct box_level level;
	const char *why = NULL;
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(box_enter(&egress_box, &o, &level, &why) == 0 ? EXIT_DONE : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), kernel_abi() >= 4 ? EXIT_DONE : 1);
}

/* From here on the kernel lacks a call, or the one operation of it, as an older one does. */
static void
forget_call(uint32_t number, uint32_t operation)
{
	struct sock_filter lines[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
		BPF_JUMP(BPF_JMP | (operation == 0 ? BPF_JGE : BPF_JEQ) | BPF_K, operation, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {COUNT(lines), lines};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
		_exit(EXIT_DONE + 1);
}

/* What is missing; what sandbox.require names; what is said of it, or NULL: it will do. */
static const struct {
	uint32_t call, operation;
	bool require, require_net;
	const char *why, *comment;
} older[] = {
	{SYS_landlock_create_ruleset, 0, false, false, NULL, "seccomp and the rest hold"},
	{SYS_landlock_create_ruleset, 0, true, false, "names landlock,", "not for this one"},
	{SYS_landlock_create_ruleset, 0, false, true, "names landlockNet,", "nor this one"},
	{SYS_landlock_restrict_self, 0, false, false, "refused the rules", "half a Landlock"},
	{SYS_seccomp, 0, false, false, "filter could not be loaded", "always fatal"},
	{SYS_capset, 0, false, false, "capabilities could not", "always fatal"},
	{SYS_prlimit64, 0, false, false, "core files", "always fatal"},
	{SYS_prctl, PR_SET_DUMPABLE, false, false, "non-dumpable", "always fatal"},
	{SYS_prctl, PR_GET_NO_NEW_PRIVS, false, false, "no_new_privs", "always fatal"},
	{SYS_prctl, PR_GET_SECCOMP, false, false, "not in force", "always fatal"},
};

static int
enter_on_older(size_t i)
{
	struct box_options o = {.require_landlock = older[i].require,
				.require_landlock_net = older[i].require_net};
	struct box_level level = {.landlock_abi = 99};
	const char *why = NULL;

	forget_call(older[i].call, older[i].operation);
	if (box_enter(&egress_box, &o, &level, &why) == 0)
		return older[i].why == NULL && level.landlock_abi == 0 && level.seccomp_calls > 0;
	return older[i].why != NULL && strstr(why, older[i].why) != NULL;
}

static void
what_an_older_kernel_lacks_is_missed(void **state)
{
	(void)state;
	if (kernel_abi() == 0)
		skip();
	for (size_t i = 0; i < COUNT(older); i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0)
			_exit(enter_on_older(i) ? EXIT_DONE : 1);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_DONE)
			fail_msg("%zu, %s: status %#x", i, older[i].comment, (unsigned)status);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_has_its_reason),
		cmocka_unit_test(actions_end_as_designed),
		cmocka_unit_test(kernel_confirms),
		cmocka_unit_test(stop_and_continue_survive),
		cmocka_unit_test(roles_fit_into_the_parents_box),
		cmocka_unit_test(abort_is_abort),
		cmocka_unit_test(requirements_are_fatal),
		cmocka_unit_test(what_an_older_kernel_lacks_is_missed),
	};
	const struct CMUnitTest emulated[] = {cmocka_unit_test(every_row_has_its_reason)};

	/* Without capabilities nobody leaves SCHED_IDLE, and "patient" would be refused. */
	(void)sched_setscheduler(0, SCHED_OTHER, &no_priority);
	if (is_emulated()) {
		print_message("skipped: an emulator loads no filter; test_filter reads them\n");
		return cmocka_run_group_tests(emulated, NULL, NULL);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
