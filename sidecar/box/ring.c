/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "box/ring.h"

/*
 * Acquire and release go in pairs: `written` says that the bytes before it are there, and `taken`
 * that they have been copied out, so that neither side touches a byte that is the other's.
 */

long
ring_room(const struct ring *r)
{
	unsigned used = r->at - atomic_load_explicit(&r->pages->taken, memory_order_acquire);

	return used > RING_BYTES ? -1 : (long)(RING_BYTES - used);
}

void
ring_put(struct ring *r, const void *bytes, size_t n)
{
	size_t at = r->at % RING_BYTES, first = RING_BYTES - at < n ? RING_BYTES - at : n;

	assert(n <= RING_BYTES);
	memcpy(r->pages->bytes + at, bytes, first);
	if (n > first)
		memcpy(r->pages->bytes, (const char *)bytes + first, n - first);
	r->at += (unsigned)n;
}

void
ring_written(struct ring *r)
{
	atomic_store_explicit(&r->pages->written, r->at, memory_order_release);
}

long
ring_has(const struct ring *r)
{
	unsigned n = atomic_load_explicit(&r->pages->written, memory_order_acquire) - r->at;

	return n > RING_BYTES ? -1 : (long)n;
}

void
ring_get(struct ring *r, void *to, size_t n)
{
	size_t at = r->at % RING_BYTES, first = RING_BYTES - at < n ? RING_BYTES - at : n;

	assert(n <= RING_BYTES);
	memcpy(to, r->pages->bytes + at, first);
	if (n > first)
		memcpy((char *)to + first, r->pages->bytes, n - first);
	r->at += (unsigned)n;
	/* The other side may change them even now: the compiler must not read them again. */
	atomic_signal_fence(memory_order_seq_cst);
}

void
ring_taken(struct ring *r)
{
	atomic_store_explicit(&r->pages->taken, r->at, memory_order_release);
}
