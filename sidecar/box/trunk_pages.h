/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the two ends of a trunk share. In a ring stand records: a struct record, and behind DATA
 * its n bytes. A stream is known by its slot and by the serial number that it has there: what was
 * under way when it was closed belongs to no stream any more, and is dropped.
 */
#ifndef BOX_TRUNK_PAGES_H
#define BOX_TRUNK_PAGES_H

#include <stdint.h>

#include "box/ring.h"

/* What a process waits for while it sleeps; 0: it is awake, and looks at its ring by itself. */
enum trunk_wants { TRUNK_WANTS_DATA = 1, TRUNK_WANTS_ROOM = 2 };

struct trunk_pages { /* of either, by enum trunk_side */
	struct {
		_Alignas(RING_LINE) atomic_uint wants;
	} sides[2];
	struct ring_pages rings[2]; /* written by that side */
};

enum record_kind {
	RECORD_NONE,
	RECORD_OPEN,  /* by ingress, in a slot that has no stream */
	RECORD_DATA,  /* n bytes follow */
	RECORD_ROOM,  /* for n bytes more than said before */
	RECORD_CLOSE, /* nothing follows */
	RECORD_KINDS
};

struct record {
	uint32_t kind; /* enum record_kind */
	uint32_t slot, serial;
	uint32_t n; /* of DATA and ROOM, else 0 */
};

#endif
