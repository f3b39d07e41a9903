/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "policy/box/boxes.h"

/* Between exec and box_enter a role of a later generation lives under the parent's filter. */
static const struct box_call calls[] = {
	ANY("read", "OpenSSL's start"),
	ANY("newfstatat", "the projection's size"),
	WHEN("mprotect", "libc's start; the secret heap's guard pages", MASKED(2, PROT_EXEC, 0)),
	ANY("getrandom", "malloc's seed; ingress's request numbers"),
	ANY("futex", "pthread_once"),
	ANY("arch_prctl", "libc's start: thread-local storage"),
	ANY("set_tid_address", "libc's start"),
	ANY("set_robust_list", "libc's start"),
	ANY("rseq", "libc's start"),
	ANY("prlimit64", "libc's start; the core limit, set and checked"),
	ANY("readlinkat", "libc's start: where it was started from"),
	ANY("readlink", "the same, by its older name"),
	ANY("sysinfo", "libcurl's and OpenSSL's start"),
	ANY("rt_sigaction", "a role's ignored signals, just before its exec"),
	ANY("epoll_create1", "loop_new"),
	WHEN("sched_getscheduler", "whether it was given a policy", EQ32(0, 0)),
	WHEN("setitimer", "ingress's tick, on a kernel that lets descriptors pass",
	     EQ32(0, ITIMER_REAL)),
	ANY("pread64", "the projection"),
	WHEN("openat", "OpenSSL's start", MASKED(2, O_ACCMODE, O_RDONLY)),
	ANY("fcntl", "the projection's seals"),

	ANY("memfd_secret", "secret pages"),
	ANY("ftruncate", "secret pages"),
	ANY("mlock", "secret pages"),
	ANY("mlock2", "secret pages"),
	ANY("munlock", "secret pages"),
	ANY("mremap", "secret pages take the place of OpenSSL's"),
	ANY("madvise", "secret pages"),

	ANY("capget", "box_enter"),
	ANY("capset", "box_enter"),
	ANY("prctl", "box_enter"),
	ANY("landlock_create_ruleset", "box_enter"),
	ANY("landlock_add_rule", "box_enter"),
	ANY("landlock_restrict_self", "box_enter"),
	ANY("seccomp", "box_enter"),
	ANY("bind", "box_enter tries what Landlock must refuse"),
	ANY("socket", "box_enter tries what Landlock must refuse"),
};

const struct box start_box = {"start", BOX_CALLS(calls), NULL, false, false, false};
