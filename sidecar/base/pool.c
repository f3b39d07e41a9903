/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pool.h"

void
pool_over(struct pool *p, void *memory, size_t size)
{
	*p = (struct pool){memory, size, 0, false};
}

void
pool_init(struct pool *p, size_t size)
{
	*p = (struct pool){malloc(size), size, 0, true};
	if (p->base == NULL)
		abort();
}

void
pool_free(struct pool *p)
{
	if (p->owned)
		free(p->base);
	*p = (struct pool){0};
}

void *
pool_get(struct pool *p, size_t size)
{
	const size_t align = _Alignof(max_align_t);
	size_t at = (p->used + align - 1) / align * align;

	if (at > p->size || size > p->size - at)
		return NULL;
	p->used = at + size;
	memset(p->base + at, 0, size);
	return p->base + at;
}

struct span
pool_copy(struct pool *p, struct span s)
{
	char *copy = pool_get(p, s.len + 1);

	if (copy == NULL)
		return (struct span){NULL, 0};
	if (s.len > 0)
		memcpy(copy, s.ptr, s.len);
	return (struct span){copy, s.len};
}

struct span
pool_format(struct pool *p, const char *format, ...)
{
	va_list args, again;
	char *text;
	int n;

	va_start(args, format);
	va_copy(again, args);
	n = vsnprintf(NULL, 0, format, args);
	text = n < 0 ? NULL : pool_get(p, (size_t)n + 1);
	if (text != NULL)
		vsnprintf(text, (size_t)n + 1, format, again);
	va_end(again);
	va_end(args);
	return (struct span){text, text == NULL ? 0 : (size_t)n};
}
