/* SPDX-License-Identifier: Apache-2.0 */
#include "ev/shift.h"

#ifdef SIDEKEY_TEST_HOOKS

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static char file[512];

/* Mapped before main, and so before the sandbox. */
static const volatile struct shift {
	uint64_t all_ms;
	int64_t wall_ms;
} * shift;

__attribute__((constructor)) static void
take_file(int argc, char **argv)
{
	const char *name = getenv("SIDEKEY_TEST_CLOCK");
	void *at;
	int fd;

	if (argc > 2 && strncmp(argv[0], "sidekey: ", strlen("sidekey: ")) == 0)
		name = argv[2]; /* a role has no environment */
	if (name == NULL)
		return;
	snprintf(file, sizeof(file), "%s", name);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	at = mmap(NULL, sizeof(*shift), PROT_READ, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		abort();
	shift = at;
	close(fd);
}

uint64_t
shift_ms(void)
{
	return shift == NULL ? 0 : shift->all_ms;
}

int64_t
shift_wall_ms(void)
{
	return shift == NULL ? 0 : shift->wall_ms;
}

char *
shift_file(void)
{
	return file[0] == '\0' ? NULL : file;
}

#endif
