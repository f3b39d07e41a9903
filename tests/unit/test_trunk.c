/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "box/trunk.h"
#include "box/trunk_pages.h"

/* GREEDY: so many, each with as much as its other end takes, fill a ring. */
enum { GREEDY = RING_BYTES / STREAM_WINDOW, STREAMS = GREEDY + 2, RECORD = sizeof(struct record) };

struct end { /* of a stream */
	struct stream stream;
	struct buf came, rest;
	unsigned rooms, closed;
};

static struct end near[STREAMS], far[STREAMS];
static size_t nfar;
static const char *lost_why;

static void
came(struct stream *s, struct span bytes)
{
	assert_int_equal(buf_add_span(&ev_owner(s, struct end, stream)->came, bytes), 0);
}

static void
room(struct stream *s)
{
	struct end *e = ev_owner(s, struct end, stream);

	e->rooms++;
	stream_send(s, &e->rest, 0);
}

static void
closed(struct stream *s)
{
	struct end *e = ev_owner(s, struct end, stream);

	assert_false(stream_is_open(s));
	e->closed++;
}

static const struct stream_events events = {came, room, closed};

static void
end_init(struct end *e)
{
	buf_free(&e->came);
	buf_free(&e->rest);
	*e = (struct end){.stream = {.events = &events}};
	buf_init(&e->came, 1 << 20);
	buf_init(&e->rest, 1 << 20);
}

static struct stream *
opened(void *arg)
{
	(void)arg;
	if (nfar == STREAMS)
		return NULL;
	end_init(&far[nfar]);
	return &far[nfar++].stream;
}

static void
lost(void *arg, const char *why)
{
	(void)arg;
	assert_null(lost_why);
	lost_why = why;
}

/* ---- a loop with both ends, or with one and the bare pages of the other ---- */

struct world {
	struct loop *loop;
	struct later stop;
	struct timer end;
	struct trunk *trunks[2];
	struct trunk_pages *pages;
	struct ring ring; /* the far side's, when we play it by hand */
};

static void
stop(struct later *l)
{
	loop_stop(ev_owner(l, struct world, stop)->loop, 0);
}

static void
rounds(struct world *w, int n)
{
	w->stop.fn = stop;
	while (n-- > 0) {
		loop_later(w->loop, &w->stop);
		(void)loop_run(w->loop);
	}
}

static struct trunk *
open_end(struct loop *l, const int *made, enum trunk_side side)
{
	struct trunk_options o = {side, STREAMS, opened, lost, NULL};
	struct trunk_fds fds = trunk_fds(made, side);
	struct trunk *t;

	fds = (struct trunk_fds){dup(fds.pages), dup(fds.bell), dup(fds.cord)};
	t = trunk_open(l, fds, &o);
	assert_non_null(t);
	return t;
}

static struct world
world_new(bool has_ingress, bool has_egress)
{
	struct world w = {.loop = loop_new()};
	int made[TRUNK_MADE];

	nfar = 0;
	lost_why = NULL;
	for (size_t i = 0; i < STREAMS; i++)
		end_init(&near[i]);
	assert_int_equal(trunk_create(made), 0);
	w.pages = mmap(NULL, sizeof(*w.pages), PROT_READ | PROT_WRITE, MAP_SHARED,
		       made[TRUNK_PAGES], 0);
	assert_true(w.pages != MAP_FAILED);
	if (has_ingress)
		w.trunks[TRUNK_INGRESS] = open_end(w.loop, made, TRUNK_INGRESS);
	if (has_egress)
		w.trunks[TRUNK_EGRESS] = open_end(w.loop, made, TRUNK_EGRESS);
	w.ring.pages = &w.pages->rings[has_ingress ? TRUNK_EGRESS : TRUNK_INGRESS];
	for (int i = 0; i < TRUNK_MADE; i++)
		close(made[i]);
	return w;
}

static void
world_free(struct world *w)
{
	for (size_t i = 0; i < STREAMS; i++) {
		stream_close(&near[i].stream);
		stream_close(&far[i].stream);
		buf_free(&near[i].came);
		buf_free(&far[i].came);
		buf_free(&near[i].rest);
		buf_free(&far[i].rest);
	}
	trunk_free(w->trunks[TRUNK_INGRESS]);
	trunk_free(w->trunks[TRUNK_EGRESS]);
	munmap(w->pages, sizeof(*w->pages));
	loop_free(w->loop);
}

static void
open_near(struct world *w, size_t i)
{
	assert_true(stream_open(w->trunks[TRUNK_INGRESS], &near[i].stream, &events));
}

static void
say(struct end *e, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(buf_add_char(&e->rest, (char)('a' + (e->rest.len % 23))), 0);
	stream_send(&e->stream, &e->rest, 0);
}

/* ---- both ends ---- */

static void
both_ways(void **state)
{
	struct world w = world_new(true, true);

	(void)state;
	open_near(&w, 0);
	say(&near[0], 5);
	rounds(&w, 2);
	assert_int_equal(nfar, 1);
	assert_memory_equal(far[0].came.ptr, "abcde", 5);
	say(&far[0], 3);
	rounds(&w, 2);
	assert_int_equal(near[0].came.len, 3);
	stream_close(&near[0].stream);
	stream_close(&near[0].stream); /* does nothing */
	rounds(&w, 2);
	assert_int_equal(far[0].closed, 1);
	world_free(&w);
}

/* What is on its way when a slot changes hands belongs to neither. */
static void
slots_are_used_again(void **state)
{
	struct world w = world_new(true, true);

	(void)state;
	open_near(&w, 0);
	rounds(&w, 2);
	say(&far[0], 10);
	stream_close(&near[0].stream);
	open_near(&w, 1);
	rounds(&w, 2);
	assert_int_equal(near[1].stream.slot, 0);
	assert_int_equal(near[0].came.len, 0);
	assert_int_equal(near[1].came.len, 0);
	assert_int_equal(far[0].closed, 1);
	say(&far[1], 4);
	rounds(&w, 2);
	assert_int_equal(near[1].came.len, 4);
	stream_close(&far[1].stream);
	rounds(&w, 2);
	assert_int_equal(near[1].closed, 1);
	world_free(&w);
}

static void
as_many_as_there_are(void **state)
{
	struct world w = world_new(true, true);
	struct end more;

	(void)state;
	memset(&more, 0, sizeof(more));
	for (size_t i = 0; i < STREAMS; i++)
		open_near(&w, i);
	assert_false(stream_open(w.trunks[TRUNK_INGRESS], &more.stream, &events));
	stream_close(&near[1].stream);
	assert_true(stream_open(w.trunks[TRUNK_INGRESS], &more.stream, &events));
	rounds(&w, 2);
	assert_int_equal(nfar, STREAMS); /* egress had no more */
	assert_false(stream_is_open(&more.stream));
	assert_null(lost_why);
	world_free(&w);
}

/* Whoever does not read gets a window, and the rest when it reads again; the others go on. */
static void
held_back(void **state)
{
	struct world w = world_new(true, true);

	(void)state;
	open_near(&w, 0);
	open_near(&w, 1);
	rounds(&w, 2);
	stream_hold(&far[0].stream, true);
	say(&near[0], 3 * STREAM_WINDOW);
	rounds(&w, 8);
	assert_int_equal(far[0].came.len, STREAM_WINDOW);
	assert_int_equal(near[0].rest.len, 2 * STREAM_WINDOW);
	say(&near[1], 3 * STREAM_WINDOW);
	rounds(&w, 16);
	assert_int_equal(far[1].came.len, 3 * STREAM_WINDOW);
	assert_int_equal(far[0].came.len, STREAM_WINDOW);
	stream_hold(&far[0].stream, false);
	rounds(&w, 16);
	assert_int_equal(far[0].came.len, 3 * STREAM_WINDOW);
	assert_true(near[0].rooms > 0);
	for (size_t i = 0; i < far[0].came.len; i++)
		assert_int_equal(far[0].came.ptr[i], 'a' + (i % 23));
	world_free(&w);
}

static void
is_served(struct stream *s)
{
	struct end *e = ev_owner(s, struct end, stream);

	if (e->rooms++ == 0) /* one that always has more */
		say(e, 10 * STREAM_WINDOW);
	else
		stream_send(s, &e->rest, 0);
}

/* Streams that never end, enough of them to fill the ring, do not keep the others from it. */
static void
everybody_in_turn(void **state)
{
	enum { FIRST = GREEDY, SECOND };
	static const struct stream_events greedy = {came, is_served, closed};
	struct world w = world_new(true, true);

	(void)state;
	for (int i = 0; i < GREEDY; i++)
		assert_true(stream_open(w.trunks[TRUNK_INGRESS], &near[i].stream, &greedy));
	open_near(&w, FIRST);
	open_near(&w, SECOND);
	for (int i = 0; i < GREEDY; i++)
		say(&near[i], 2 * STREAM_WINDOW);
	say(&near[FIRST], 100);
	say(&near[SECOND], 100);
	assert_int_equal(near[FIRST].rest.len, 100); /* no room */
	rounds(&w, 4);
	assert_int_equal(far[FIRST].came.len, 100);
	assert_int_equal(far[SECOND].came.len, 100);
	for (int i = 0; i < GREEDY; i++)
		assert_true(near[i].rest.len > STREAM_WINDOW);
	world_free(&w);
}

/* ---- an end alone, and a peer that breaks the rules ---- */

static void
put(struct world *w, struct record r, size_t n)
{
	static char bytes[STREAM_WINDOW];

	ring_put(&w->ring, &r, sizeof(r));
	ring_put(&w->ring, bytes, n);
	ring_written(&w->ring);
}

static void
half_a_record(struct world *w)
{
	ring_put(&w->ring, "half", 4);
	ring_written(&w->ring);
}

static void
no_kind(struct world *w)
{
	put(w, (struct record){RECORD_NONE, 0, 1, 0}, 0);
}

static void
unknown_kind(struct world *w)
{
	put(w, (struct record){RECORD_KINDS, 0, 1, 0}, 0);
}

static void
slot_beyond(struct world *w)
{
	put(w, (struct record){RECORD_OPEN, STREAMS, 1, 0}, 0);
}

static void
opened_twice(struct world *w)
{
	put(w, (struct record){RECORD_OPEN, 0, 2, 0}, 0);
}

static void
longer_than_there_is(struct world *w)
{
	put(w, (struct record){RECORD_DATA, 0, 1, 101}, 100);
}

static void
nothing_at_all(struct world *w)
{
	put(w, (struct record){RECORD_DATA, 0, 1, 0}, 0);
}

static void
beyond_the_window(struct world *w)
{
	stream_hold(&far[0].stream, true);
	for (int i = 0; i < 3 && lost_why == NULL; i++) {
		put(w, (struct record){RECORD_DATA, 0, 1, STREAM_WINDOW / 2}, STREAM_WINDOW / 2);
		rounds(w, 1);
	}
	assert_int_equal(far[0].came.len, STREAM_WINDOW);
}

static void
room_for_too_much(struct world *w)
{
	put(w, (struct record){RECORD_ROOM, 0, 1, 1}, 0);
}

static void
written_back(struct world *w)
{
	atomic_fetch_sub(&w->ring.pages->written, 1);
}

static void
written_beyond(struct world *w)
{
	atomic_fetch_add(&w->ring.pages->written, RING_BYTES + 1);
}

static void
taken_beyond(struct world *w)
{
	atomic_fetch_add(&w->pages->rings[TRUNK_EGRESS].taken, RING_BYTES);
	say(&far[0], 1);
}

static void
taken_back(struct world *w)
{
	atomic_fetch_sub(&w->pages->rings[TRUNK_EGRESS].taken, RING_BYTES + 1);
	say(&far[0], 1);
}

/* Of a stream that is there (slot 0, serial number 1), each; what it had said before has come. */
static void
what_breaks_the_rules_ends_it(void **state)
{
	static void (*const wrongs[])(struct world *) = {
		half_a_record,  no_kind,           unknown_kind,
		slot_beyond,    opened_twice,      longer_than_there_is,
		nothing_at_all, beyond_the_window, room_for_too_much,
		written_back,   written_beyond,    taken_beyond,
		taken_back,
	};

	(void)state;
	for (size_t i = 0; i < COUNT(wrongs); i++) {
		struct world w = world_new(false, true);

		put(&w, (struct record){RECORD_OPEN, 0, 1, 0}, 0);
		rounds(&w, 1);
		assert_int_equal(nfar, 1);
		wrongs[i](&w);
		rounds(&w, 2);
		assert_non_null(lost_why);
		say(&far[0], 10); /* silent from then on */
		put(&w, (struct record){RECORD_DATA, 0, 1, 7}, 7);
		rounds(&w, 1);
		assert_true(far[0].came.len % 2 == 0);
		world_free(&w);
	}
}

static void
egress_opens_nothing(void **state)
{
	struct world w = world_new(true, false);

	(void)state;
	put(&w, (struct record){RECORD_OPEN, 0, 1, 0}, 0);
	rounds(&w, 1);
	assert_non_null(lost_why);
	world_free(&w);
}

/* What is under way for a stream that is none any more is nobody's, and no offence. */
static void
late_records_are_dropped(void **state)
{
	struct world w = world_new(false, true);

	(void)state;
	put(&w, (struct record){RECORD_DATA, 1, 9, 50}, 50);
	put(&w, (struct record){RECORD_ROOM, 1, 9, STREAM_WINDOW + 1}, 0);
	put(&w, (struct record){RECORD_CLOSE, 1, 9, 0}, 0);
	put(&w, (struct record){RECORD_OPEN, 1, 10, 0}, 0);
	put(&w, (struct record){RECORD_DATA, 1, 9, 50}, 50);
	put(&w, (struct record){RECORD_DATA, 1, 10, 6}, 6);
	rounds(&w, 1);
	assert_null(lost_why);
	assert_int_equal(far[0].came.len, 6);
	world_free(&w);
}

/* What egress has not taken by now. */
static void
take_all(struct world *w)
{
	struct ring_pages *ring = &w->pages->rings[TRUNK_INGRESS];

	atomic_store(&ring->taken, atomic_load(&ring->written));
	rounds(w, 1);
}

/*
 * While a peer takes nothing streams are opened and closed for long, and not without end; those
 * that are open can always be closed. When it goes on, so does all.
 */
static void
a_stuck_peer_is_waited_for(void **state)
{
	struct world w = world_new(true, false);
	unsigned n = 0;

	(void)state;
	open_near(&w, 1);
	while (n < 1000000 && stream_open(w.trunks[TRUNK_INGRESS], &near[0].stream, &events)) {
		stream_close(&near[0].stream);
		n++;
	}
	assert_in_range(n, 65536, 999999);
	stream_close(&near[1].stream);
	rounds(&w, 1);
	assert_null(lost_why);
	assert_false(stream_is_open(&near[0].stream));
	for (unsigned i = 0; i < n; i += 1000)
		take_all(&w);
	open_near(&w, 0);
	say(&near[0], 100);
	assert_int_equal(near[0].rest.len, 0); /* there is nothing in front of it */
	assert_null(lost_why);
	world_free(&w);
}

static void
other_pages(void **state)
{
	int made[TRUNK_MADE], other = memfd_create("other", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct trunk_options o = {TRUNK_EGRESS, STREAMS, opened, lost, NULL};
	struct loop *l = loop_new();

	(void)state;
	assert_int_equal(trunk_create(made), 0);
	assert_int_equal(ftruncate(made[TRUNK_PAGES], 1), -1); /* nobody can take them away … */
	assert_int_equal(ftruncate(made[TRUNK_PAGES], 1 << 30), -1);    /* … or make them grow */
	assert_int_equal(fcntl(made[TRUNK_PAGES], F_ADD_SEALS, 0), -1); /* or seal them further */
	close(made[TRUNK_PAGES]);
	made[TRUNK_PAGES] = other;
	assert_int_equal(ftruncate(other, sizeof(struct trunk_pages)), 0);
	assert_null(
		trunk_open(l, trunk_fds(made, TRUNK_EGRESS), &o)); /* these could be taken away */
	close(made[TRUNK_BELL + TRUNK_INGRESS]);
	close(made[TRUNK_CORD + TRUNK_EGRESS]);
	loop_free(l);
}

static int nrounds;

static void
count_round(struct source *s)
{
	(void)s;
	nrounds++;
}

static bool
rests(struct source *s, bool sleeps)
{
	(void)s;
	(void)sleeps;
	return true;
}

static void
enough(struct timer *t)
{
	loop_stop(ev_owner(t, struct world, end)->loop, 0);
}

/* Its channel says so in its own time; until then we sleep, and ringing harms nobody. */
static void
a_peer_that_is_gone(void **state)
{
	struct world w = world_new(true, false);
	struct source rounds = {.take = count_round, .may_rest = rests};

	(void)state;
	nrounds = 0;
	loop_source(w.loop, &rounds);
	w.end.fn = enough;
	timer_set(w.loop, &w.end, 50);
	w.pages->sides[TRUNK_EGRESS].wants = TRUNK_WANTS_DATA;
	assert_true(stream_open(w.trunks[TRUNK_INGRESS], &near[0].stream, &events));
	(void)loop_run(w.loop);
	assert_in_range(nrounds, 1, 5);
	assert_null(lost_why);
	loop_source_stop(w.loop, &rounds);
	world_free(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways),
		cmocka_unit_test(slots_are_used_again),
		cmocka_unit_test(as_many_as_there_are),
		cmocka_unit_test(held_back),
		cmocka_unit_test(everybody_in_turn),
		cmocka_unit_test(what_breaks_the_rules_ends_it),
		cmocka_unit_test(egress_opens_nothing),
		cmocka_unit_test(late_records_are_dropped),
		cmocka_unit_test(a_stuck_peer_is_waited_for),
		cmocka_unit_test(a_peer_that_is_gone),
		cmocka_unit_test(other_pages),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
