/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fails one allocation of one process. Linked into the test build alone, where the linker leads
 * every call of malloc, calloc and realloc here (-Wl,--wrap), those of libc and of the libraries
 * as well (a sanitized build is not static, and has libc's and OpenSSL's by our wiping hooks).
 *
 *     SIDEKEY_TEST_ALLOCATION=PROCESS:N[:GENERATION][+]
 *
 * PROCESS is the parent, a role, or "lookup" (the resolver's child); its N-th allocation fails,
 * with a plus all from there on, none for 0. The parent hands it on to the roles of that
 * generation (the first), which have no environment otherwise. On the log go "failed PROCESS N at
 * ADDRESS" (for addr2line), and "allocations PROCESS COUNT" when a process ends by itself.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROLES_EACH = 4 };

static char request[80]; /* NAME=VALUE; the parent wipes its environment */
static char victim[16], process[16];
static unsigned long wanted, generation = 1, count, forks;
static bool onwards, aimed;
static bool at_filter; /* libseccomp's time, for which box/filter.c has put memory by */

extern const char __executable_start; /* the linker's */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
int __real_execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags);
pid_t __real_fork(void);
_Noreturn void __real__exit(int status);
void *__real_seccomp_init(uint32_t action);
void __real_seccomp_release(void *filter);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
int __wrap_execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags);
pid_t __wrap_fork(void);
_Noreturn void __wrap__exit(int status);
void *__wrap_seccomp_init(uint32_t action);
void __wrap_seccomp_release(void *filter);

static void
say(const char *line)
{
	if (write(STDERR_FILENO, line, strlen(line)) < 0)
		return; /* nobody reads the log */
}

static void
become(const char *name)
{
	snprintf(process, sizeof(process), "%s", name);
	aimed = strcmp(process, victim) == 0;
	count = 0;
}

__attribute__((constructor)) static void
take_request(int argc, char **argv)
{
	static const char title[] = "sidekey: ";
	const char *text = getenv("SIDEKEY_TEST_ALLOCATION");
	bool is_role = argc > 0 && strncmp(argv[0], title, strlen(title)) == 0;

	if (text == NULL)
		return;
	snprintf(request, sizeof(request), "SIDEKEY_TEST_ALLOCATION=%s", text);
	onwards = text[strlen(text) - 1] == '+';
	if (sscanf(text, "%15[a-z]:%lu:%lu", victim, &wanted, &generation) >= 2)
		become(is_role ? argv[0] + strlen(title) : "parent");
}

__attribute__((destructor)) static void
tell_count(void)
{
	char line[80];

	snprintf(line, sizeof(line), "allocations %s %lu\n", process, count);
	if (process[0] != '\0')
		say(line);
	process[0] = '\0'; /* once */
}

/* Without malloc, which snprintf has no need of for these. */
static void
tell_failure(const void *caller)
{
	char line[80];

	snprintf(line, sizeof(line), "failed %s %lu at 0x%tx\n", process, count,
		 (const char *)caller - &__executable_start);
	say(line);
}

static bool
fails(const void *caller)
{
	if (at_filter)
		return false;
	count++;
	if (!aimed || wanted == 0 || count < wanted || (count > wanted && !onwards))
		return false;
	if (count == wanted)
		tell_failure(caller);
	errno = ENOMEM;
	return true;
}

void *
__wrap_malloc(size_t n)
{
	return fails(__builtin_return_address(0)) ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL : __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t n)
{
	return n > 0 && fails(__builtin_return_address(0)) ? NULL : __real_realloc(p, n);
}

int
__wrap_execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags)
{
	char *const with[] = {request, NULL};
	bool handed_on = request[0] != '\0' && (forks - 1) / ROLES_EACH + 1 == generation;

	return __real_execveat(fd, path, argv, handed_on ? with : envp, flags);
}

pid_t
__wrap_fork(void)
{
	pid_t pid;

	forks++;
	pid = __real_fork();
	if (pid == 0 && process[0] != '\0') {
		become(strcmp(process, "resolver") == 0 ? "lookup" : "child");
		aimed = aimed && forks == 1; /* later ones make good */
	}
	return pid;
}

/* A forked process does not run the destructors. */
void
__wrap__exit(int status)
{
	tell_count();
	__real__exit(status);
}

void *
__wrap_seccomp_init(uint32_t action)
{
	at_filter = true;
	return __real_seccomp_init(action);
}

void
__wrap_seccomp_release(void *filter)
{
	__real_seccomp_release(filter);
	at_filter = false;
}
