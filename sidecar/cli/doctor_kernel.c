/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel under sidekey guards, and what it does not. */
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/doctor_checks.h"

#include "base/auto.h"
#include "base/secret.h"
#include "cli/procfs.h"

enum {
	LANDLOCK_VERSION = 1, /* LANDLOCK_CREATE_RULESET_VERSION; older build machines lack it */
	ABI_PORTS = 4,
	ABI_SCOPES = 6,
	LINE_MAX_BYTES = 4096,
};

static void
tell_seccomp(const struct place *p)
{
	uint32_t action = SECCOMP_RET_KILL_PROCESS;

	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0)
		findings_add(p->findings, FINDING_OK, "seccomp", NULL,
			     "the kernel can hold each process to its list of system calls");
	else
		findings_add(
			p->findings, FINDING_WEAK, "seccomp",
			"use a kernel with CONFIG_SECCOMP_FILTER, and a container profile that "
			"allows seccomp(2); sidekey does not start without it",
			"seccomp filters cannot be had here");
}

static void
tell_landlock(const struct place *p)
{
	static const char remedy[] =
		"use a kernel of 6.12 or later with landlock in its lsm= list; "
		"until then let a network policy say where sidekey may connect";
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION);
	uint32_t required = p->config->sandbox.require;
	bool lacks = (abi <= 0 && (required & CONFIG_REQUIRE_LANDLOCK) != 0) ||
		     (abi < ABI_PORTS && (required & CONFIG_REQUIRE_LANDLOCK_NET) != 0);

	if (abi >= ABI_SCOPES)
		findings_add(p->findings, FINDING_OK, "landlock", NULL,
			     "Landlock ABI %ld: files, ports and signals are held", abi);
	else
		findings_add(p->findings, lacks ? FINDING_WEAK : FINDING_NOTE, "landlock", remedy,
			     "%s%s",
			     abi <= 0          ? "this kernel has no Landlock: only the list of "
						 "system calls holds the processes"
			     : abi < ABI_PORTS ? "Landlock here holds files, not ports: an egress "
						 "that is taken over may dial any"
					       : "Landlock here holds files and ports, not signals",
			     lacks ? "; sandbox.require demands more, and sidekey will not start"
				   : "");
}

static void
tell_secret_pages(const struct place *p)
{
	bool required = (p->config->sandbox.require & CONFIG_REQUIRE_SECRET_PAGES) != 0;

	if (secret_level() == SECRET_PAGES_MEMFD)
		findings_add(
			p->findings, FINDING_OK, "secret_pages", NULL,
			"secrets lie in pages that no other process can read, root's included");
	else if (secret_level() == SECRET_PAGES_LOCKED)
		findings_add(p->findings, required ? FINDING_WEAK : FINDING_NOTE, "secret_pages",
			     "use a kernel of 6.5 or later (or secretmem.enable=1), and 64 KiB of "
			     "RLIMIT_MEMLOCK at least",
			     "no memfd_secret here: secrets lie in locked pages, which root can "
			     "read%s",
			     required ? "; sandbox.require demands more, and sidekey will not start"
				      : "");
	else
		findings_add(p->findings, FINDING_WEAK, "secret_pages",
			     "raise RLIMIT_MEMLOCK to 64 KiB at least",
			     "no pages for secrets can be had, and sidekey will not start");
}

/* The first line of /proc/swaps is its heading. */
static void
tell_swap(const struct place *p)
{
	auto_buf struct buf text = {0};
	struct span all;

	buf_init(&text, LINE_MAX_BYTES);
	if (procfs_read("/proc/swaps", &text) != 0) {
		findings_add(p->findings, FINDING_UNKNOWN, "swap", "mount /proc",
			     "/proc/swaps cannot be read");
		return;
	}
	all = buf_span(&text);
	if (span_find(all, 0, '\n') + 1 >= all.len)
		findings_add(p->findings, FINDING_OK, "swap", NULL, "nothing is swapped out");
	else
		findings_add(
			p->findings, FINDING_NOTE, "swap",
			"turn it off, or encrypt it with a key that is not kept",
			"swap is on: pages that hold secrets are never written there, the copy "
			"that a call under way has may be");
}

static void
tell_core_files(const struct place *p)
{
	auto_buf struct buf text = {0};

	buf_init(&text, LINE_MAX_BYTES);
	if (procfs_read("/proc/sys/kernel/core_pattern", &text) != 0)
		findings_add(p->findings, FINDING_UNKNOWN, "core_files", "mount /proc",
			     "kernel.core_pattern cannot be read");
	else if (span_starts(buf_span(&text), SPAN("|")))
		findings_add(p->findings, FINDING_NOTE, "core_files",
			     "see that it keeps nothing of processes that are not dumpable "
			     "(fs.suid_dumpable=0)",
			     "the machine pipes cores into a program; sidekey's processes make "
			     "none, from the moment that they are in their sandbox");
	else
		findings_add(p->findings, FINDING_OK, "core_files", NULL,
			     "sidekey's processes leave no core file");
}

/* sidekey's processes refuse it by themselves; what is left is the moment of their start, which a
 * program file that nobody may read closes as well. */
static void
tell_ptrace(const struct place *p)
{
	bool exposed = p->neighbours.same_uid > 0 && findings_has(p->findings, "program_file");
	uint64_t scope = 0;

	if (procfs_number("/proc/sys/kernel/yama/ptrace_scope", &scope) && scope > 0)
		findings_add(p->findings, FINDING_OK, "ptrace_scope", NULL,
			     "kernel.yama.ptrace_scope is %u", (unsigned)scope);
	else if (p->neighbours.same_uid == 0)
		findings_add(p->findings, FINDING_OK, "ptrace_scope", NULL,
			     "any process may trace another of its user, and there is no other");
	else
		findings_add(
			p->findings, exposed ? FINDING_WEAK : FINDING_NOTE, "ptrace_scope",
			"kernel.yama.ptrace_scope=1 or more, and the program's file at mode 0111",
			"any process may trace another of its user; sidekey's refuse it%s",
			exposed ? " once they run, not in the moment of their start" : "");
}

void
doctor_kernel(const struct place *p)
{
	tell_seccomp(p);
	tell_landlock(p);
	tell_secret_pages(p);
	tell_swap(p);
	tell_core_files(p);
	tell_ptrace(p);
}
