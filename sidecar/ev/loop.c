/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ev/loop.h"

#include "ev/shift.h"

enum { EVENTS_A_ROUND = 256, TICK_NS = 250, SECOND_NS = 1000 * 1000 * 1000 };

/*
 * For everything, libcurl included: while a laptop sleeps CLOCK_MONOTONIC stands still, and an
 * upstream's idle limit, a secret's age and a caller's budget do not. epoll's waits do as well, and
 * are a minute at most.
 */
#define CLOCK CLOCK_BOOTTIME

/* What epoll knows of a descriptor. gen changes with each watch_stop, so that an event of an
 * earlier owner of the number, later in the same batch, is not taken for the new owner's. */
struct entry {
	struct watch *watch;
	uint32_t mask;
	uint32_t gen;
	bool registered;
};

struct loop {
	int epoll;
	int code;
	bool stopped;
	uint64_t now;
	struct entry *table;
	size_t ntable;
	struct timer **heap; /* 1-based */
	size_t nheap, heap_cap;
	struct later *later;
	struct source *sources;
};

/* What libcurl takes for now: when the round began, and a little more. 0: no loop runs. */
static struct timespec curl_now;

static uint64_t
to_ms(const struct timespec *t)
{
	return (uint64_t)t->tv_sec * 1000 + (uint64_t)t->tv_nsec / 1000000 + shift_ms();
}

static uint64_t
clock_ms(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return to_ms(&t);
}

int
loop_clock_gettime(clockid_t id, struct timespec *t)
{
	if (id != CLOCK_MONOTONIC || curl_now.tv_sec == 0)
		return clock_gettime(id == CLOCK_MONOTONIC ? CLOCK : id, t);
	*t = curl_now;
	curl_now.tv_nsec += TICK_NS;
	if (curl_now.tv_nsec >= SECOND_NS) {
		curl_now.tv_nsec -= SECOND_NS;
		curl_now.tv_sec++;
	}
	return 0;
}

uint64_t
loop_wall_ms(void)
{
	return (uint64_t)((int64_t)clock_ms(CLOCK_REALTIME) + shift_wall_ms());
}

uint64_t
loop_lived_ms(void)
{
	return clock_ms(CLOCK);
}

uint64_t
loop_clock_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t
loop_now(const struct loop *l)
{
	return l->now;
}

struct loop *
loop_new(void)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (l == NULL)
		abort();
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0)
		abort();
	l->now = clock_ms(CLOCK);
	return l;
}

void
loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	close(l->epoll);
	free(l->table);
	free(l->heap);
	free(l);
}

static struct entry *
entry_of(struct loop *l, int fd)
{
	size_t want = (size_t)fd + 1, n = l->ntable == 0 ? 64 : l->ntable;

	assert(fd >= 0);
	if (want > l->ntable) {
		while (n < want)
			n *= 2;
		l->table = reallocarray(l->table, n, sizeof(*l->table));
		if (l->table == NULL)
			abort();
		memset(l->table + l->ntable, 0, (n - l->ntable) * sizeof(*l->table));
		l->ntable = n;
	}
	return &l->table[fd];
}

static void
tell_epoll(struct loop *l, int op, int fd, const struct entry *e)
{
	struct epoll_event ev = {.events = e->mask};

	ev.data.u64 = (uint64_t)e->gen << 32 | (uint32_t)fd;
	if (epoll_ctl(l->epoll, op, fd, &ev) != 0 && op != EPOLL_CTL_DEL)
		abort(); /* a descriptor that we own must be watchable */
}

void
watch_set(struct loop *l, struct watch *w, uint32_t want)
{
	struct entry *e = entry_of(l, w->fd);

	assert(e->watch == NULL || e->watch == w);
	e->watch = w;
	w->want = want;
	if (want == 0 || (e->registered && (want & ~e->mask) == 0))
		return; /* unchanged, or less: lazily kept, until it fires unwanted */
	e->mask = want;
	tell_epoll(l, e->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, w->fd, e);
	e->registered = true;
}

void
watch_stop(struct loop *l, struct watch *w)
{
	struct entry *e;

	if (w->fd < 0 || (size_t)w->fd >= l->ntable || l->table[w->fd].watch != w)
		return;
	e = &l->table[w->fd];
	if (e->registered)
		tell_epoll(l, EPOLL_CTL_DEL, w->fd, e);
	e->watch = NULL;
	e->registered = false;
	e->gen++;
}

/* ---- timers: a binary heap ---- */

static void
heap_put(struct loop *l, size_t at, struct timer *t)
{
	l->heap[at] = t;
	t->slot = at;
}

static void
heap_up(struct loop *l, size_t at)
{
	struct timer *t = l->heap[at];

	while (at > 1 && l->heap[at / 2]->at > t->at) {
		heap_put(l, at, l->heap[at / 2]);
		at /= 2;
	}
	heap_put(l, at, t);
}

static void
heap_down(struct loop *l, size_t at)
{
	struct timer *t = l->heap[at];

	for (;;) {
		size_t child = 2 * at;

		if (child > l->nheap)
			break;
		if (child < l->nheap && l->heap[child + 1]->at < l->heap[child]->at)
			child++;
		if (l->heap[child]->at >= t->at)
			break;
		heap_put(l, at, l->heap[child]);
		at = child;
	}
	heap_put(l, at, t);
}

void
timer_set(struct loop *l, struct timer *t, uint64_t ms)
{
	uint64_t at = l->now + ms, was = t->at;

	if (t->slot != 0) {
		t->at = at;
		if (at < was)
			heap_up(l, t->slot);
		else
			heap_down(l, t->slot);
		return;
	}
	if (l->nheap + 1 >= l->heap_cap) {
		l->heap_cap = l->heap_cap == 0 ? 64 : l->heap_cap * 2;
		l->heap = reallocarray(l->heap, l->heap_cap, sizeof(struct timer *));
		if (l->heap == NULL)
			abort();
	}
	t->at = at;
	l->nheap++;
	heap_put(l, l->nheap, t);
	heap_up(l, l->nheap);
}

void
timer_stop(struct loop *l, struct timer *t)
{
	size_t at = t->slot;
	struct timer *last;

	if (at == 0)
		return;
	t->slot = 0;
	last = l->heap[l->nheap--];
	if (last == t)
		return;
	heap_put(l, at, last);
	heap_up(l, at);
	heap_down(l, last->slot);
}

/* How many are due, of those at and below at: above each that is stands one that is, too. */
static size_t
count_due(const struct loop *l, size_t at)
{
	if (at > l->nheap || l->heap[at]->at > l->now)
		return 0;
	return 1 + count_due(l, 2 * at) + count_due(l, 2 * at + 1);
}

/* No more than were due at first: what is set anew for now leaves descriptors their turn. */
static void
fire_timers(struct loop *l)
{
	for (size_t n = count_due(l, 1); n > 0 && l->nheap > 0 && !l->stopped; n--) {
		struct timer *t = l->heap[1];

		if (t->at > l->now)
			return;
		timer_stop(l, t);
		t->fn(t);
	}
}

/* ---- later ---- */

void
loop_later(struct loop *l, struct later *later)
{
	if (later->queued)
		return;
	later->queued = true;
	later->next = l->later;
	l->later = later;
}

void
later_stop(struct loop *l, struct later *later)
{
	struct later **at = &l->later;

	if (!later->queued)
		return;
	while (*at != NULL && *at != later)
		at = &(*at)->next;
	if (*at == later)
		*at = later->next;
	later->queued = false;
}

static void
run_later(struct loop *l)
{
	while (l->later != NULL && !l->stopped) {
		struct later *first = l->later;

		l->later = first->next;
		first->queued = false;
		first->fn(first);
	}
}

/* ---- sources ---- */

void
loop_source(struct loop *l, struct source *s)
{
	s->next = l->sources;
	l->sources = s;
}

void
loop_source_stop(struct loop *l, struct source *s)
{
	struct source **at = &l->sources;

	while (*at != NULL && *at != s)
		at = &(*at)->next;
	if (*at != NULL)
		*at = s->next;
}

static void
take_from_sources(const struct loop *l)
{
	for (struct source *s = l->sources; s != NULL && !l->stopped; s = s->next)
		if (s->take != NULL)
			s->take(s);
}

/* ms, or 0 when a source has something to take at once. */
static int
ask_sources(const struct loop *l, int ms)
{
	for (struct source *s = l->sources; s != NULL; s = s->next)
		if (!s->may_rest(s, ms != 0))
			ms = 0;
	return ms;
}

/* ---- the round ---- */

static int
wait_ms(const struct loop *l)
{
	uint64_t now;

	if (l->later != NULL)
		return 0;
	if (l->nheap == 0)
		return -1;
	now = clock_ms(CLOCK);
	if (l->heap[1]->at <= now)
		return 0;
	return l->heap[1]->at - now > 60000 ? 60000 : (int)(l->heap[1]->at - now);
}

/* It fired unwanted: now the lazy registration costs more than it saves. */
static void
narrow(struct loop *l, int fd, struct entry *e)
{
	e->mask = e->watch->want;
	tell_epoll(l, e->mask == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD, fd, e);
	e->registered = e->mask != 0;
}

static void
dispatch(struct loop *l, const struct epoll_event *ev)
{
	int fd = (int)(uint32_t)ev->data.u64;
	struct entry *e = entry_of(l, fd);
	uint32_t got;

	if (e->gen != (uint32_t)(ev->data.u64 >> 32) || e->watch == NULL)
		return;
	got = ev->events & (e->watch->want | EPOLLERR | EPOLLHUP);
	if (e->watch->want == 0 || got == 0) {
		narrow(l, fd, e);
		return;
	}
	e->watch->fn(e->watch, got);
}

int
loop_run(struct loop *l)
{
	struct epoll_event events[EVENTS_A_ROUND];

	l->stopped = false;
	while (!l->stopped) {
		int n = epoll_wait(l->epoll, events, EVENTS_A_ROUND, ask_sources(l, wait_ms(l)));

		if (n < 0 && errno != EINTR)
			abort();
		clock_gettime(CLOCK, &curl_now);
		l->now = to_ms(&curl_now);
		for (int i = 0; i < n && !l->stopped; i++)
			dispatch(l, &events[i]);
		take_from_sources(l);
		fire_timers(l);
		run_later(l);
	}
	curl_now = (struct timespec){0};
	return l->code;
}

void
loop_stop(struct loop *l, int code)
{
	l->stopped = true;
	l->code = code;
}
