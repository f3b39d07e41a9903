/* SPDX-License-Identifier: Apache-2.0 */
/* A role's loop, a few rounds at a time, and the stream of a hostile process on it. */
#ifndef TESTS_FUZZ_ROUNDS_H
#define TESTS_FUZZ_ROUNDS_H

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "box/trunk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROUNDS_BYTES = 64 * 1024 };

struct rounds {
	struct later stop;
	struct loop *loop;
};

static inline void
rounds_stop(struct later *l)
{
	loop_stop(ev_owner(l, struct rounds, stop)->loop, 0);
}

/* Queued before all else, it runs last: what comes up in a round still runs in it. */
static inline void
rounds_run(struct loop *l, unsigned n)
{
	struct rounds r = {.stop = {.fn = rounds_stop}, .loop = l};

	while (n-- > 0) {
		loop_later(l, &r.stop);
		(void)loop_run(l);
	}
}

/* Appends what has come on fd; false at its end. */
static inline bool
rounds_read(int fd, struct buf *into)
{
	for (;;) {
		char *room = buf_room(into, ROUNDS_BYTES);
		ssize_t n;

		assert(room != NULL); /* more came than any input can be worth */
		n = recv(fd, room, ROUNDS_BYTES, MSG_DONTWAIT);
		if (n == 0)
			return false;
		if (n < 0)
			return true;
		buf_grew(into, (size_t)n);
	}
}

/* The far end of a stream, and what was said on it. */
struct rounds_end {
	struct stream stream;
	struct buf said;
};

static inline void
rounds_came(struct stream *stream, struct span bytes)
{
	struct rounds_end *end = ev_owner(stream, struct rounds_end, stream);

	assert(buf_add_span(&end->said, bytes) == 0);
}

static inline void
rounds_nothing(struct stream *stream)
{
	(void)stream;
}

static const struct stream_events rounds_events = {rounds_came, rounds_nothing, rounds_nothing};

/*
 * Sends all to the role in pieces of step bytes, two rounds behind each, and takes what it says to
 * client, if there is one, into said. Ends early when the role hangs up or does not read any more.
 */
static inline void
rounds_send(struct loop *l, struct rounds_end *end, struct span all, size_t step, int client,
	    struct buf *said)
{
	struct buf piece;

	buf_init(&piece, all.len);
	for (size_t at = 0; at < all.len; at += step) {
		bool taken;

		(void)buf_add_span(&piece, span_cut(all, at, at + step));
		stream_send(&end->stream, &piece, piece.max);
		taken = piece.len == 0;
		rounds_run(l, 2);
		if ((client >= 0 && !rounds_read(client, said)) || !taken ||
		    !stream_is_open(&end->stream))
			break;
	}
	buf_free(&piece);
}

static inline void
rounds_lost(void *arg, const char *why)
{
	(void)arg;
	(void)why;
	abort(); /* neither trunk breaks the rules; fuzz_trunk.c does */
}

/* Both ends of a trunk on one loop. */
static inline void
rounds_trunks(struct loop *l, uint32_t streams, struct stream *(*opened)(void *arg), void *arg,
	      struct trunk *ends[2])
{
	int made[TRUNK_MADE];

	if (trunk_create(made) != 0)
		abort();
	for (int side = TRUNK_INGRESS; side <= TRUNK_EGRESS; side++) {
		struct trunk_options o = {(enum trunk_side)side, streams, opened, rounds_lost, arg};
		struct trunk_fds fds = trunk_fds(made, o.side);

		if (side == TRUNK_INGRESS)
			fds.pages = dup(fds.pages);
		ends[side] = trunk_open(l, fds, &o);
		if (ends[side] == NULL)
			abort();
	}
}

#endif
