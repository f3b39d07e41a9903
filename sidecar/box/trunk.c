/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "box/trunk.h"

#include "base/auto.h"
#include "box/pages.h"
#include "box/trunk_pages.h"

enum {
	GIVE_BACK = STREAM_WINDOW / 2,  /* a peer is told of room when there is so much of it */
	BACKLOG_MAX = 4 * 1024 * 1024,  /* 1 MiB of it closes 65536 streams */
	BACKLOG_HIGH = BACKLOG_MAX / 2, /* no more are opened: each slot could be, without end */
	ROOM_LEAST = 4 * 1024,          /* in the ring, or else it counts as full: no tiny pieces */
	NO_SLOT = -1,
};

struct slot {
	struct stream *stream; /* NULL: not open */
	uint32_t serial;       /* of the last one */
	int32_t next_free;
};

struct trunk {
	struct loop *loop;
	struct source source;
	struct watch bell; /* rung for us */
	int cord;          /* of theirs */
	struct trunk_pages *pages;
	struct ring in, out;
	struct trunk_options o;
	struct slot *slots;
	int32_t first_free;
	struct buf backlog; /* records of their own that found no room in the ring */
	struct stream *waiting, **last_waiting;
	size_t nwaiting;
	bool letting_go;             /* those that waited are being served */
	bool has_written, has_taken; /* since the peer was looked after */
	bool says_asleep;            /* in its wants */
	bool lost;
};

static void
lose(struct trunk *t, const char *why)
{
	if (t->lost)
		return;
	t->lost = true;
	watch_stop(t->loop, &t->bell);
	t->o.lost(t->o.arg, why);
}

/* ---- writing ---- */

/* How many bytes may stand behind a record; 0: nothing may be put, not even that. */
static size_t
room_for_data(struct trunk *t)
{
	long n = t->lost ? 0 : ring_room(&t->out);

	if (n < 0)
		lose(t, "it took what was not there");
	return n >= ROOM_LEAST ? (size_t)n - sizeof(struct record) : 0;
}

static void
put(struct trunk *t, const struct record *r, const char *bytes)
{
	ring_put(&t->out, r, sizeof(*r));
	if (r->kind == RECORD_DATA)
		ring_put(&t->out, bytes, r->n);
	ring_written(&t->out);
	t->has_written = true;
}

static void
flush_backlog(struct trunk *t)
{
	size_t used = 0;
	struct record r;

	while (used < t->backlog.len && room_for_data(t) > 0) {
		memcpy(&r, t->backlog.ptr + used, sizeof(r));
		put(t, &r, NULL);
		used += sizeof(r);
	}
	if (used == t->backlog.len)
		buf_free(&t->backlog);
	else
		buf_drop(&t->backlog, used);
}

/* A record without bytes, which never has to wait: in the ring, or behind those that do. */
static void
tell(const struct stream *s, enum record_kind kind, uint32_t n)
{
	struct record r = {kind, s->slot, s->serial, n};
	struct trunk *t = s->trunk;

	if (t->backlog.len == 0 && room_for_data(t) > 0)
		put(t, &r, NULL);
	else if (!t->lost && buf_add(&t->backlog, &r, sizeof(r)) != 0)
		lose(t, "it stopped reading");
}

static void
wait_for_room(struct stream *s)
{
	struct trunk *t = s->trunk;

	if (s->prev != NULL)
		return;
	s->next = NULL;
	s->prev = t->last_waiting;
	*t->last_waiting = s;
	t->last_waiting = &s->next;
	t->nwaiting++;
}

static void
wait_no_more(struct stream *s)
{
	if (s->prev == NULL)
		return;
	*s->prev = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
	else
		s->trunk->last_waiting = s->prev;
	s->next = NULL;
	s->prev = NULL;
	s->trunk->nwaiting--;
}

/* How many bytes of b went. */
static size_t
send_some(struct stream *s, const struct buf *b)
{
	struct trunk *t = s->trunk;
	struct record r = {RECORD_DATA, s->slot, s->serial, 0};
	size_t room = t->backlog.len > 0 ? 0 : room_for_data(t);
	size_t want = b->len < s->may_send ? b->len : s->may_send;

	if (t->waiting != NULL && !t->letting_go)
		room = 0; /* others were first */
	r.n = (uint32_t)(want < room ? want : room);
	if (r.n > 0)
		put(t, &r, b->ptr);
	s->may_send -= r.n;
	if (r.n < want)
		wait_for_room(s);
	return r.n;
}

void
stream_send(struct stream *s, struct buf *b, size_t keep)
{
	size_t went = b->len > 0 ? send_some(s, b) : 0;

	s->is_short = went < b->len;
	if (s->is_short)
		buf_drop(b, went);
	else
		buf_clear(b, keep);
}

/* Those that waited, in their order; who finds too little room waits again, behind the others. */
static void
let_go(struct trunk *t)
{
	size_t n = t->nwaiting;

	t->letting_go = true;
	while (n-- > 0 && t->waiting != NULL && room_for_data(t) > 0) {
		struct stream *s = t->waiting;

		wait_no_more(s);
		s->events->room(s);
	}
	t->letting_go = false;
}

/* ---- streams ---- */

static void
attach(struct trunk *t, struct stream *s, uint32_t slot, uint32_t serial)
{
	s->trunk = t;
	s->slot = slot;
	s->serial = serial;
	s->may_send = s->may_come = STREAM_WINDOW;
	t->slots[slot].stream = s;
	t->slots[slot].serial = serial;
}

static void
detach(struct stream *s)
{
	struct trunk *t = s->trunk;
	struct slot *slot = &t->slots[s->slot];

	wait_no_more(s);
	slot->stream = NULL;
	if (t->o.side == TRUNK_INGRESS) {
		slot->next_free = t->first_free;
		t->first_free = (int32_t)s->slot;
	}
	*s = (struct stream){0};
}

bool
stream_open(struct trunk *t, struct stream *s, const struct stream_events *events)
{
	int32_t n = t->first_free;

	if (n == NO_SLOT || t->lost || t->backlog.len >= BACKLOG_HIGH)
		return false;
	t->first_free = t->slots[n].next_free;
	*s = (struct stream){.events = events};
	attach(t, s, (uint32_t)n, t->slots[n].serial + 1);
	tell(s, RECORD_OPEN, 0);
	return true;
}

void
stream_close(struct stream *s)
{
	if (s->trunk == NULL)
		return;
	tell(s, RECORD_CLOSE, 0);
	detach(s);
}

bool
stream_is_open(const struct stream *s)
{
	return s->trunk != NULL;
}

static void
give_back(struct stream *s)
{
	uint32_t n = STREAM_WINDOW - s->may_come;

	if (s->is_held || n < GIVE_BACK)
		return;
	s->may_come += n;
	tell(s, RECORD_ROOM, n);
}

void
stream_hold(struct stream *s, bool held)
{
	s->is_held = held;
	give_back(s);
}

/* ---- reading ---- */

static const char *
take_open(struct trunk *t, const struct record *r)
{
	struct stream *s, nobody = {.trunk = t, .slot = r->slot, .serial = r->serial};

	if (t->o.side != TRUNK_EGRESS || t->slots[r->slot].stream != NULL)
		return "it opened a stream that it may not open";
	s = t->o.opened(t->o.arg);
	if (s == NULL)
		tell(&nobody, RECORD_CLOSE, 0);
	else
		attach(t, s, r->slot, r->serial);
	return NULL;
}

static const char *
take_data(struct stream *s, uint32_t n)
{
	static char came[STREAM_WINDOW];

	if (n > s->may_come)
		return "it sent more than there is room for";
	ring_get(&s->trunk->in, came, n);
	ring_taken(&s->trunk->in);
	s->may_come -= n;
	give_back(s);
	if (!s->trunk->lost)
		s->events->came(s, (struct span){came, n});
	return NULL;
}

static const char *
take_room(struct stream *s, uint32_t n)
{
	if (n > STREAM_WINDOW - s->may_send)
		return "it has more room than there is";
	s->may_send += n;
	if (s->is_short && s->prev == NULL)
		s->events->room(s);
	return NULL;
}

static void
take_close(struct stream *s)
{
	const struct stream_events *events = s->events;

	detach(s);
	events->closed(s);
}

/* One whole record, of the n bytes that there are; a static sentence when it is none. */
static const char *
take_record(struct trunk *t, size_t n)
{
	struct stream *s;
	struct record r;

	if (n < sizeof(r))
		return "it sent half a record";
	ring_get(&t->in, &r, sizeof(r));
	if (r.kind == RECORD_NONE || r.kind >= RECORD_KINDS || r.slot >= t->o.streams ||
	    (r.kind == RECORD_DATA ? r.n == 0 || r.n > n - sizeof(r) : 0))
		return "it sent a record that is none";
	if (r.kind == RECORD_OPEN)
		return take_open(t, &r);
	s = t->slots[r.slot].serial == r.serial ? t->slots[r.slot].stream : NULL;
	if (s == NULL) { /* closed here while it was under way */
		t->in.at += r.kind == RECORD_DATA ? r.n : 0;
		return NULL;
	}
	if (r.kind == RECORD_DATA)
		return take_data(s, r.n);
	if (r.kind == RECORD_ROOM)
		return take_room(s, r.n);
	take_close(s);
	return NULL;
}

/* No more than was there at first: a peer that never stops gets its turn like everybody. */
static void
take_records(struct trunk *t)
{
	long n = t->lost ? 0 : ring_has(&t->in);
	unsigned start = t->in.at;
	const char *wrong = n < 0 ? "it wrote what cannot be" : NULL;

	while (wrong == NULL && !t->lost && t->in.at - start < (unsigned long)n) {
		wrong = take_record(t, (size_t)n - (t->in.at - start));
		ring_taken(&t->in);
		t->has_taken = true;
	}
	if (wrong != NULL)
		lose(t, wrong);
}

/* ---- rounds ---- */

/*
 * No wake-up is lost. Who is about to sleep says so (wants), and then looks at the rings once more;
 * who has written or taken publishes that, and then looks at wants. Each has a sequentially
 * consistent fence between the two steps, and one of the fences is the first: the other process
 * then sees what was stored before it. So the bell is rung, or its ringing is not needed. The
 * exchange makes it ring once; that it reads 0 means that the sleeper has woken by itself after it
 * was seen asleep, and will look again before it sleeps.
 */
static void
wake_peer(struct trunk *t)
{
	static const char once = 1;
	atomic_uint *wants = &t->pages->sides[!t->o.side].wants;
	unsigned mine =
		(t->has_written ? TRUNK_WANTS_DATA : 0u) | (t->has_taken ? TRUNK_WANTS_ROOM : 0u);

	if (mine == 0)
		return;
	t->has_written = t->has_taken = false;
	atomic_thread_fence(memory_order_seq_cst);
	if ((atomic_load_explicit(wants, memory_order_relaxed) & mine) == 0)
		return;
	/* EAGAIN: it has been rung more often than it has heard. EPIPE: it is gone, of which its
	 * channel tells. */
	if (atomic_exchange_explicit(wants, 0, memory_order_acq_rel) != 0)
		while (write(t->cord, &once, sizeof(once)) < 0 && errno == EINTR)
			continue;
}

static void
take(struct source *src)
{
	struct trunk *t = ev_owner(src, struct trunk, source);

	if (t->says_asleep)
		atomic_store_explicit(&t->pages->sides[t->o.side].wants, 0, memory_order_relaxed);
	t->says_asleep = false;
	take_records(t);
	if (t->backlog.len > 0)
		flush_backlog(t);
	let_go(t);
}

static bool
may_rest(struct source *src, bool sleeps)
{
	struct trunk *t = ev_owner(src, struct trunk, source);
	bool is_full = t->backlog.len > 0 || t->waiting != NULL;

	wake_peer(t);
	if (!sleeps || t->lost)
		return true;
	t->says_asleep = true;
	atomic_store_explicit(&t->pages->sides[t->o.side].wants,
			      TRUNK_WANTS_DATA | (is_full ? TRUNK_WANTS_ROOM : 0u),
			      memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	if (ring_has(&t->in) != 0 || (is_full && room_for_data(t) > 0))
		return false;
	return !t->lost;
}

/* It has woken us, and that is all there is to it; a few are heard at once. */
static void
rung(struct watch *w, uint32_t events)
{
	struct trunk *t = ev_owner(w, struct trunk, bell);
	char rings[64];

	(void)events;
	if (read(w->fd, rings, sizeof(rings)) == 0)
		watch_stop(t->loop, w); /* the peer is gone, of which its channel tells */
}

/* ---- life ---- */

int
trunk_create(int made[static TRUNK_MADE])
{
	auto_close int pages = pages_create("streams", sizeof(struct trunk_pages));
	auto_close int bell = -1, cord = -1;
	int first[2], second[2];

	if (pages < 0 || pipe2(first, O_CLOEXEC | O_NONBLOCK) != 0)
		return -1;
	bell = first[0];
	cord = first[1];
	if (pipe2(second, O_CLOEXEC | O_NONBLOCK) != 0)
		return -1;
	made[TRUNK_PAGES] = take_fd(&pages);
	made[TRUNK_BELL + TRUNK_INGRESS] = take_fd(&bell);
	made[TRUNK_CORD + TRUNK_INGRESS] = take_fd(&cord);
	made[TRUNK_BELL + TRUNK_EGRESS] = second[0];
	made[TRUNK_CORD + TRUNK_EGRESS] = second[1];
	return 0;
}

struct trunk_fds
trunk_fds(const int made[static TRUNK_MADE], enum trunk_side side)
{
	return (struct trunk_fds){made[TRUNK_PAGES], made[TRUNK_BELL + side],
				  made[TRUNK_CORD + !side]};
}

static void
make_slots(struct trunk *t)
{
	t->slots = calloc(t->o.streams, sizeof(*t->slots));
	if (t->slots == NULL)
		abort();
	for (uint32_t i = 0; i < t->o.streams; i++)
		t->slots[i].next_free = i + 1 < t->o.streams ? (int32_t)i + 1 : NO_SLOT;
}

struct trunk *
trunk_open(struct loop *l, struct trunk_fds fds, const struct trunk_options *o)
{
	struct trunk *t = calloc(1, sizeof(*t));

	if (t == NULL)
		abort();
	t->pages = pages_map(fds.pages, sizeof(*t->pages));
	close(fds.pages);
	if (t->pages == NULL) {
		close(fds.bell);
		close(fds.cord);
		free(t);
		return NULL;
	}
	t->loop = l;
	t->o = *o;
	t->bell = (struct watch){fds.bell, 0, rung};
	t->cord = fds.cord;
	t->out.pages = &t->pages->rings[o->side];
	t->in.pages = &t->pages->rings[!o->side];
	t->last_waiting = &t->waiting;
	t->source = (struct source){.take = take, .may_rest = may_rest};
	buf_init(&t->backlog, BACKLOG_MAX);
	make_slots(t);
	loop_source(l, &t->source);
	watch_set(l, &t->bell, EPOLLIN);
	return t;
}

void
trunk_free(struct trunk *t)
{
	if (t == NULL)
		return;
	wake_peer(t);
	loop_source_stop(t->loop, &t->source);
	watch_stop(t->loop, &t->bell);
	close(t->bell.fd);
	close(t->cord);
	munmap(t->pages, sizeof(*t->pages));
	buf_free(&t->backlog);
	free(t->slots);
	free(t);
}
