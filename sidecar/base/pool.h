/* SPDX-License-Identifier: Apache-2.0 */
/* A bump allocator over one block: many small pieces, one life. */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include "base/span.h"

struct pool {
	char *base;
	size_t size;
	size_t used;
	bool owned;
};

/* Over memory of the caller's, which must outlive the pool. */
void pool_over(struct pool *p, void *memory, size_t size);
/* Over size bytes of its own; out of memory ends the process. */
void pool_init(struct pool *p, size_t size);
void pool_free(struct pool *p);

/* size zeroed bytes aligned for any type, or NULL when the pool is used up. */
void *pool_get(struct pool *p, size_t size);
/* A copy of s with a NUL behind it, or a span with ptr NULL when the pool is used up. */
struct span pool_copy(struct pool *p, struct span s);
/* The same of what printf would write. */
struct span pool_format(struct pool *p, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
