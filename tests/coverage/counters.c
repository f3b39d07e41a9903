/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Only in the build of `make coverage`: the compiler's counters, kept where all processes of one
 * program count together, and where neither a shut box nor a kill loses what was counted.
 *
 * clang's own run-time opens a file, and writes it when the process ends. A role has no file to
 * open, no environment that names one, and often no end but SIGKILL. So the counters lie in a
 * System V segment, which takes two calls before the box shuts and none afterwards
 * (policy/box/coverage.c). Started with SIDEKEY_COVERAGE_OUT=FILE, a program does nothing but
 * write there what was counted, in clang's format, and remove the segment.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <unistd.h>

/* Of clang's run-time; each counter is found at its address plus the bias. */
uint64_t *__llvm_profile_begin_counters(void);
uint64_t *__llvm_profile_end_counters(void);
const char *__llvm_profile_begin_names(void);
const char *__llvm_profile_end_names(void);
void __llvm_profile_set_filename(const char *name);
int __llvm_profile_write_file(void);
extern intptr_t __llvm_profile_counter_bias __attribute__((visibility("hidden")));

/* Its being defined here keeps out the run-time's part that opens and writes the file. */
int __llvm_profile_runtime;

/* FNV-1a over the functions' names: each program has a segment of its own. */
static key_t
key_of_program(void)
{
	uint32_t hash = 2166136261u;

	for (const char *p = __llvm_profile_begin_names(); p < __llvm_profile_end_names(); p++)
		hash = (hash ^ (unsigned char)*p) * 16777619u;
	return (key_t)(hash | 1u); /* 0 is IPC_PRIVATE */
}

static _Noreturn void
write_out(const char *file, int segment, const void *shared, size_t size)
{
	if (shared != NULL)
		memcpy(__llvm_profile_begin_counters(), shared, size);
	__llvm_profile_set_filename(file);
	if (__llvm_profile_write_file() != 0 ||
	    (segment >= 0 && shmctl(segment, IPC_RMID, NULL) != 0))
		_exit(1);
	_exit(0);
}

static void count_together(void) __attribute__((constructor(101)));

static void
count_together(void)
{
	uint64_t *own = __llvm_profile_begin_counters();
	size_t size = (size_t)(__llvm_profile_end_counters() - own) * sizeof(*own);
	int segment = shmget(key_of_program(), size, IPC_CREAT | 0666);
	char *shared = segment < 0 ? NULL : shmat(segment, NULL, 0);
	const char *file = getenv("SIDEKEY_COVERAGE_OUT");

	if (shared == (void *)-1)
		shared = NULL; /* this process is not counted */
	if (file != NULL)
		write_out(file, segment, shared, size);
	if (shared != NULL)
		__llvm_profile_counter_bias = (intptr_t)shared - (intptr_t)own;
}
