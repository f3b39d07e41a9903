/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The streams between ingress and egress, one for each client connection: bytes both ways, in
 * order, with room for STREAM_WINDOW of them at the other end, through a pair of rings that all
 * streams of a generation share (ring.h). The doorbells are pipes, and rung only for a process
 * that sleeps: under load a call costs no system call here. Pipes, since a write to one tells the
 * scheduler that the writer is about to sleep (a synchronous wake-up, which epoll hands on since
 * Linux 6.13), and an eventfd's does not: the other process can then run in the writer's place, and
 * no other processor has to be woken.
 *
 * Ingress opens streams, either side closes them. The peer is hostile: a record that does not fit
 * ends the trunk, and with it the role; what it may make us hold is bounded by the windows.
 */
#ifndef BOX_TRUNK_H
#define BOX_TRUNK_H

#include "base/buf.h"
#include "ev/loop.h"

struct trunk;
struct stream;

enum { STREAM_WINDOW = 64 * 1024 };

/* Each may close the stream, and free what embeds it. */
struct stream_events {
	/* Bytes have come: a view for the time of the call. */
	void (*came)(struct stream *s, struct span bytes);
	/* What stream_send left may go now. */
	void (*room)(struct stream *s);
	/* The other side has closed it; so it is here. */
	void (*closed)(struct stream *s);
};

struct stream { /* embed; all zero: not open */
	struct trunk *trunk;
	const struct stream_events *events;
	struct stream *next, **prev; /* of those that wait for room in the ring */
	uint32_t slot, serial;
	uint32_t may_send; /* bytes that the other end has room for */
	uint32_t may_come; /* bytes that it may send us */
	bool is_short;     /* events.room is due */
	bool is_held;
};

enum trunk_side { TRUNK_INGRESS, TRUNK_EGRESS };

/* What is made: the pages, for both; and by side its bell, and the cord by which it is rung. */
enum { TRUNK_PAGES, TRUNK_BELL, TRUNK_CORD = TRUNK_BELL + 2, TRUNK_MADE = TRUNK_CORD + 2 };

struct trunk_fds { /* what a role is given */
	int pages;
	int bell; /* its own */
	int cord; /* the other side's */
};

struct trunk_options {
	enum trunk_side side;
	uint32_t streams; /* at once */
	/* In egress: for a stream that ingress opens, with its events; NULL: it is refused. */
	struct stream *(*opened)(void *arg);
	/* The peer broke the rules (a static sentence). The trunk is then silent. */
	void (*lost)(void *arg, const char *why);
	void *arg;
};

/* Pages that can be mapped and not be resized, and two pipes. 0, or -1 (errno): nothing is made. */
int trunk_create(int made[static TRUNK_MADE]);
/* Those of trunk_create's that are for that side. */
struct trunk_fds trunk_fds(const int made[static TRUNK_MADE], enum trunk_side side);
/*
 * One end; before the sandbox, in a process that ignores SIGPIPE. Takes all of fds over. NULL: they
 * are not of trunk_create, or there is no memory.
 */
struct trunk *trunk_open(struct loop *l, struct trunk_fds fds, const struct trunk_options *o);
/* Its streams are closed by then, and the other side hears of it. */
void trunk_free(struct trunk *t);

/* Ingress: opens s. False: there are too many, or the other side is far behind. */
bool stream_open(struct trunk *t, struct stream *s, const struct stream_events *events);
/* Closes s, if it is open; the other side is told. */
void stream_close(struct stream *s);
bool stream_is_open(const struct stream *s);

/*
 * Sends of b what there is room for, and drops that from it, keeping up to keep bytes of its
 * memory. events.room says when there is room for what is left.
 */
void stream_send(struct stream *s, struct buf *b, size_t keep);
/* Whether the other side is held back: what it has sent still comes, and no more than a window. */
void stream_hold(struct stream *s, bool held);

#endif
