/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/mman.h>

#include "policy/box/boxes.h"

#if defined(__has_feature)
#define BOX_FEATURE(name) __has_feature(name)
#else
#define BOX_FEATURE(name) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || BOX_FEATURE(address_sanitizer)

/* Only in a build for tests: what the run-time of AddressSanitizer asks for on its own. */
static const struct box_call calls[] = {
	ANY("madvise", "gives the shadow of freed memory back"),
	WHEN("mprotect", "protects parts of its shadow", MASKED(2, PROT_EXEC, 0)),
	ANY("read", "the map of memory, for a report"),
	ANY("newfstatat", "the map of memory, for a report"),
	ANY("futex", "its locks"),
	ANY("sigaltstack", "its stack for a report"),
	ANY("rt_sigaction", "its handler of SIGSEGV"),
	ANY("rt_sigreturn", "that handler's end"),
	ANY("sched_yield", "its spin locks"),
	ANY("nanosleep", "its spin locks"),
	ANY("clock_nanosleep", "its spin locks"),
	ANY("prlimit64", "the stack's bounds, for a report"),
	ANY("sched_getaffinity", "the stack's bounds, for a report"),
	ANY("readlink", "our file's name, for a report"),
	ANY("open", "the map of memory, for a report; refused by Landlock where that is"),
	ANY("openat", "the map of memory, for a report; refused by Landlock where that is"),
	ANY("pipe2", "whether an address may be read"),
	ANY("getppid", "a report"),
	ANY("ioctl", "whether a report may have colours"),
};

const struct box sanitizer_box = {"sanitizer", BOX_CALLS(calls), NULL, false, false, false};

/* Roles have no environment for ASAN_OPTIONS. A leak check needs ptrace, which no box allows. */
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
	return "detect_leaks=0:abort_on_error=0:allocator_may_return_null=1";
}

#else

const struct box sanitizer_box = {"sanitizer", NULL, 0, NULL, false, false, false};

#endif
