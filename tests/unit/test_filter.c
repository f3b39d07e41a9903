/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each role's filter, made for this architecture and read back as the kernel would read it.
 * Unlike test_box it enters nothing, so that an emulator can run it for another architecture.
 */
#include <linux/audit.h>
#include <linux/bpf_common.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "unit.h"

#include "sidecar/box/filter.c"

#include "policy/box/boxes.h"

#ifdef __x86_64__
#define NATIVE  AUDIT_ARCH_X86_64
#define FOREIGN AUDIT_ARCH_AARCH64
#else
#define NATIVE  AUDIT_ARCH_AARCH64
#define FOREIGN AUDIT_ARCH_X86_64
#endif

enum { MAX_INSTRUCTIONS = 4096 };

struct program {
	struct sock_filter code[MAX_INSTRUCTIONS];
	size_t length;
};

static const struct box *const boxes[] = {&parent_box, &resolver_box, &keeper_box, &ingress_box,
					  &egress_box};

static void export(scmp_filter_ctx ctx, struct program *p)
{
	int fd = memfd_create("filter", MFD_CLOEXEC);
	ssize_t length;

	assert_true(fd >= 0);
	assert_non_null(ctx);
	assert_int_equal(seccomp_export_bpf(ctx, fd), 0);
	length = pread(fd, p->code, sizeof(p->code), 0);
	assert_in_range(length, sizeof(p->code[0]), sizeof(p->code) - 1);
	p->length = (size_t)length / sizeof(p->code[0]);
	close(fd);
}

static void
make_program(const struct box *box, struct program *p)
{
	__attribute__((cleanup(release_filter))) scmp_filter_ctx ctx = NULL;
	unsigned rules;

	ctx = filter_make(box, &rules);
	assert_true(rules > 20);
	export(ctx, p);
}

static void
make_denial(const struct box *box, enum box_foreign foreign, struct program *p)
{
	__attribute__((cleanup(release_filter))) scmp_filter_ctx ctx = deny_make(box, foreign);

	export(ctx, p);
}

static bool
jumps(const struct sock_filter *f, uint32_t accumulator)
{
	switch (BPF_OP(f->code)) {
	case BPF_JEQ:
		return accumulator == f->k;
	case BPF_JGT:
		return accumulator > f->k;
	case BPF_JGE:
		return accumulator >= f->k;
	case BPF_JSET:
		return (accumulator & f->k) != 0;
	default:
		fail_msg("an instruction that libseccomp never wrote before: %x", f->code);
		return false;
	}
}

/* What the kernel would do: an action of SECCOMP_RET_. */
static uint32_t
verdict(const struct program *p, const struct seccomp_data *data)
{
	uint32_t accumulator = 0;

	for (size_t at = 0; at < p->length; at++) {
		const struct sock_filter *f = &p->code[at];

		switch (BPF_CLASS(f->code)) {
		case BPF_LD:
			assert_in_range(f->k, 0, sizeof(*data) - sizeof(accumulator));
			memcpy(&accumulator, (const char *)data + f->k, sizeof(accumulator));
			break;
		case BPF_ALU:
			assert_int_equal(BPF_OP(f->code), BPF_AND);
			accumulator &= f->k;
			break;
		case BPF_JMP:
			if (BPF_OP(f->code) == BPF_JA)
				at += f->k;
			else
				at += jumps(f, accumulator) ? f->jt : f->jf;
			break;
		case BPF_RET:
			return f->k;
		default:
			fail_msg("an instruction that libseccomp never wrote before: %x", f->code);
		}
	}
	fail_msg("the filter has no end");
	return 0;
}

static uint32_t
ask(const struct program *p, uint32_t arch, const char *name, uint64_t third)
{
	int nr = seccomp_syscall_resolve_name(name);
	struct seccomp_data data = {.nr = nr, .arch = arch, .args[2] = third};

	assert_true(nr >= 0);
	return verdict(p, &data);
}

static void
every_call_of_a_list_passes(void **state)
{
	struct program p;

	(void)state;
	for (size_t b = 0; b < COUNT(boxes); b++) {
		make_program(boxes[b], &p);
		for (size_t i = 0; i < boxes[b]->ncalls; i++) {
			const struct box_call *call = &boxes[b]->calls[i];

			if (call->nmatches > 0 || seccomp_syscall_resolve_name(call->name) < 0)
				continue;
			if (ask(&p, NATIVE, call->name, 0) != SECCOMP_RET_ALLOW)
				fail_msg("%s does not pass in %s", call->name, boxes[b]->role);
			if (ask(&p, FOREIGN, call->name, 0) != SECCOMP_RET_KILL_PROCESS)
				fail_msg("%s of another architecture passes", call->name);
		}
	}
}

/* Where amd64 has a call of its own, libc on arm64 asks by the newer one. */
static void
what_libc_asks_here_passes(void **state)
{
	static const char *const names[] = {
		"epoll_pwait", "epoll_ctl",  "recvmsg",       "sendto", "write",         "close",
		"munmap",      "exit_group", "clock_gettime", "getpid", "rt_sigprocmask"};
	static const char *const parents[] = {
		"dup3",       "execveat",        "wait4",       "unlinkat", "pipe2",
		"ppoll",      "newfstatat",      "getrandom",   "mlock2",   "futex",
		"readlinkat", "set_tid_address", "memfd_secret"};
	struct program p;

	(void)state;
	for (size_t b = 0; b < COUNT(boxes); b++) {
		make_program(boxes[b], &p);
		for (size_t i = 0; i < COUNT(names); i++)
			if (ask(&p, NATIVE, names[i], 0) != SECCOMP_RET_ALLOW)
				fail_msg("%s does not pass in %s", names[i], boxes[b]->role);
	}
	make_program(&parent_box, &p);
	for (size_t i = 0; i < COUNT(parents); i++)
		if (ask(&p, NATIVE, parents[i], 0) != SECCOMP_RET_ALLOW)
			fail_msg("%s does not pass in the parent", parents[i]);
}

static void
what_nobody_may_kills(void **state)
{
	static const char *const names[] = {"execve", "ptrace",  "process_vm_readv", "mount",
					    "setuid", "unshare", "io_uring_setup",   "bpf",
					    "clone3", "keyctl",  "mprotect",         "mmap"};
	struct program p;

	(void)state;
	for (size_t b = 0; b < COUNT(boxes); b++) {
		make_program(boxes[b], &p);
		for (size_t i = 0; i < COUNT(names); i++)
			if (ask(&p, NATIVE, names[i], PROT_EXEC) != SECCOMP_RET_KILL_PROCESS)
				fail_msg("%s passes in %s", names[i], boxes[b]->role);
		assert_int_equal(ask(&p, NATIVE, "mmap", PROT_READ), SECCOMP_RET_ALLOW);
	}
}

/* ---- of the command that exec runs ---- */

enum { ANY_REQUEST = 0x5413 /* TIOCGWINSZ */, HARMLESS = 20 /* no ioctl, wherever it is called */ };

static const struct abi {
	uint32_t native, arch; /* the second's programs run on the first's kernel */
	int nr_ioctl;
} abis[] = {
	{AUDIT_ARCH_X86_64, AUDIT_ARCH_X86_64, 16},
	{AUDIT_ARCH_X86_64, AUDIT_ARCH_X86_64, 0x40000000 | 514}, /* x32 */
	{AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, 54},
	{AUDIT_ARCH_AARCH64, AUDIT_ARCH_AARCH64, 29},
	{AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM, 54},
};

static uint32_t
ask_ioctl(const struct program *p, const struct abi *a, uint64_t request)
{
	const struct seccomp_data data = {.nr = a->nr_ioctl, .arch = a->arch, .args[1] = request};

	return verdict(p, &data);
}

/* The kernel takes 32 bits of the request. */
static void
no_architecture_types(void **state)
{
	const uint64_t high = 0xdeadbeefULL << 32;
	struct program p;

	(void)state;
	make_denial(&command_box, FOREIGN_HELD, &p);
	for (size_t i = 0; i < COUNT(abis); i++) {
		const struct abi *a = &abis[i];
		const struct seccomp_data other = {.nr = (a->nr_ioctl & 0x40000000) | HARMLESS,
						   .arch = a->arch};

		if (a->native != NATIVE)
			continue;
		assert_int_equal(ask_ioctl(&p, a, TIOCSTI), SECCOMP_RET_ERRNO | EPERM);
		assert_int_equal(ask_ioctl(&p, a, TIOCLINUX), SECCOMP_RET_ERRNO | EPERM);
		assert_int_equal(ask_ioctl(&p, a, ANY_REQUEST), SECCOMP_RET_ALLOW);
		assert_int_equal(verdict(&p, &other), SECCOMP_RET_ALLOW);
		if (a->arch != NATIVE)
			continue; /* its registers have no such bits */
		assert_int_equal(ask_ioctl(&p, a, high | TIOCSTI), SECCOMP_RET_ERRNO | EPERM);
		assert_int_equal(ask_ioctl(&p, a, high | TIOCLINUX), SECCOMP_RET_ERRNO | EPERM);
	}
}

static void
isolated_is_native_alone(void **state)
{
	struct program p;

	(void)state;
	make_denial(&isolated_box, FOREIGN_FAILS, &p);
	for (size_t i = 0; i < COUNT(abis); i++) {
		bool own = abis[i].arch == NATIVE && (abis[i].nr_ioctl & 0x40000000) == 0;

		if (abis[i].native == NATIVE)
			assert_int_equal(ask_ioctl(&p, &abis[i], ANY_REQUEST),
					 own ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | ENOSYS);
	}
	assert_int_equal(ask(&p, NATIVE, "keyctl", 0), SECCOMP_RET_ERRNO | EPERM);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_call_of_a_list_passes),
		cmocka_unit_test(what_libc_asks_here_passes),
		cmocka_unit_test(what_nobody_may_kills),
		cmocka_unit_test(no_architecture_types),
		cmocka_unit_test(isolated_is_native_alone),
	};

	if (is_emulated()) /* libseccomp is to write what it would for a kernel */
		(void)seccomp_api_set(6);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
