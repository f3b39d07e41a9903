/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

/* The libraries would go on without what they could not have: OpenSSL without its random numbers,
 * or with a half of its tables. Memory is bounded by construction; out of it is the end. */
static void *
or_abort(void *p)
{
	if (p == NULL)
		abort();
	return p;
}

void *
wipe_malloc(size_t n)
{
	return or_abort(malloc(n));
}

void *
wipe_calloc(size_t n, size_t size)
{
	return or_abort(calloc(n, size));
}

/* The usable size and not the asked one: nobody remembers the latter, and a block that was
 * handed out again may still hold an earlier owner's tail. */
void
wipe_free(void *p)
{
	int saved = errno;

	if (p == NULL)
		return;
	explicit_bzero(p, malloc_usable_size(p));
	free(p);
	errno = saved;
}

/* Never realloc(3): it moves without wiping, and shrinks without wiping what it cuts off. */
void *
wipe_realloc(void *p, size_t n)
{
	size_t old;
	void *moved;

	if (p == NULL)
		return wipe_malloc(n);
	if (n == 0) {
		wipe_free(p);
		return NULL;
	}
	old = malloc_usable_size(p);
	moved = wipe_malloc(n);
	memcpy(moved, p, old < n ? old : n);
	wipe_free(p);
	return moved;
}

char *
wipe_strdup(const char *s)
{
	size_t n = strlen(s) + 1;

	return memcpy(wipe_malloc(n), s, n);
}
