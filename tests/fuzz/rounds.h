/* SPDX-License-Identifier: Apache-2.0 */
/* A role's loop, a few rounds at a time, and the socket of a hostile process on it. */
#ifndef TESTS_FUZZ_ROUNDS_H
#define TESTS_FUZZ_ROUNDS_H

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "ev/loop.h"

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

/*
 * Sends all to the role in pieces of step bytes, a round behind each, and takes what it says on
 * from into said. Ends early when the role hangs up or does not read any more.
 */
static inline void
rounds_send(struct loop *l, int fd, struct span all, size_t step, int from, struct buf *said)
{
	for (size_t at = 0; at < all.len;) {
		struct span piece = span_cut(all, at, at + step);
		ssize_t n = send(fd, piece.ptr, piece.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		rounds_run(l, 2);
		if (!rounds_read(from, said) || n <= 0)
			return;
		at += (size_t)n;
	}
}

#endif
