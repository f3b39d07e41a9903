/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes from one process to another through pages that both map: one writes, one reads, in order.
 * Each side keeps its own place to itself and publishes a copy of it; of the other's copy it makes
 * one read at a time, held against the size. What is read is copied out before it is looked at.
 * So a hostile other side can send any bytes, and can do no more than that.
 */
#ifndef BOX_RING_H
#define BOX_RING_H

#include <stdatomic.h>

#include "base/span.h"

/* Small enough that both rings stay in a core's cache. A power of two: places count on and wrap. */
enum { RING_BYTES = 256 * 1024, RING_LINE = 64 };

struct ring_pages {                              /* shared; all zero at first */
	_Alignas(RING_LINE) atomic_uint written; /* bytes since the start; the writer's */
	_Alignas(RING_LINE) atomic_uint taken;   /* the same, the reader's */
	_Alignas(RING_LINE) char bytes[RING_BYTES];
};

struct ring { /* one side of it */
	struct ring_pages *pages;
	unsigned at; /* bytes written, or taken, by us */
};

/*
 * The writer: how many bytes there is room for, or -1: the reader's place cannot be. ring_put
 * writes no more than that, and ring_written lets the reader have what was put.
 */
long ring_room(const struct ring *r);
void ring_put(struct ring *r, const void *bytes, size_t n);
void ring_written(struct ring *r);

/*
 * The reader: how many bytes are there, or -1: the writer's place cannot be. ring_get copies no
 * more than that, and ring_taken lets the writer have their room.
 */
long ring_has(const struct ring *r);
void ring_get(struct ring *r, void *to, size_t n);
void ring_taken(struct ring *r);

#endif
