/* SPDX-License-Identifier: Apache-2.0 */
/* The stream of one client connection: frames in, a transfer, frames out; one call at a time. */
#ifndef EGRESS_SERVE_H
#define EGRESS_SERVE_H

#include "egress/target.h"
#include "egress/vault.h"

/* What all streams share. */
struct egress {
	struct loop *loop;
	const struct egress_plan *plan;
	struct vault *vault;
	struct target *targets;
	size_t nstreams;
	uint64_t buffered; /* bytes of request bodies held */
	void (*look_up)(struct egress *e, const struct target *t); /* ask the resolver again */
};

/* Takes fd over. */
void serve_new(struct egress *e, int fd);

#endif
