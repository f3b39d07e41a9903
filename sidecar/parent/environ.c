/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include "parent/environ.h"

#include "base/secret.h"

/* NAME=VALUE entries one behind the other, each with its NUL; an empty one ends them. */
static char *kept;

void
environ_forget(void)
{
	for (char **e = environ; *e != NULL; e++)
		explicit_bzero(*e, strlen(*e));
	environ[0] = NULL;
}

int
environ_capture(void)
{
	size_t size = 1;
	char *to;

	for (char **e = environ; *e != NULL; e++)
		size += strlen(*e) + 1;
	kept = secret_map(size);
	if (kept == NULL)
		return -1;
	to = kept;
	for (char **e = environ; *e != NULL; e++) {
		size_t n = strlen(*e) + 1;

		memcpy(to, *e, n);
		to += n;
	}
	*to = '\0';
	environ_forget();
	return 0;
}

static const char *
environ_get(void *unused, const char *name)
{
	size_t n = strlen(name);

	(void)unused;
	for (const char *e = kept; e != NULL && *e != '\0'; e += strlen(e) + 1)
		if (strncmp(e, name, n) == 0 && e[n] == '=')
			return e + n + 1;
	return NULL;
}

struct environment
environ_source(void)
{
	return (struct environment){environ_get, NULL};
}
