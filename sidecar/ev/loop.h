/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop: epoll, timers, and work put off until the end of a round.
 * Watches and timers are embedded in the object that owns the descriptor, so
 * starting cannot fail and stopping needs no cookie. epoll carries the number of
 * the descriptor; the watch is looked up again before every call, so that a
 * callback may drop any object. A watch that wants less than before stays registered as it was
 * until it fires unwanted: a connection between two states costs no epoll_ctl.
 */
#ifndef EV_LOOP_H
#define EV_LOOP_H

#include <stdint.h>
#include <sys/epoll.h>
#include <time.h>

#include "base/span.h"

struct loop;
struct watch;
struct timer;

typedef void watch_fn(struct watch *w, uint32_t events);
typedef void timer_fn(struct timer *t);

struct watch {
	int fd;
	uint32_t want; /* EPOLLIN, EPOLLOUT, EPOLLRDHUP */
	watch_fn *fn;
};

struct timer {
	size_t slot; /* 1-based place in the heap; 0 when not set */
	uint64_t at; /* milliseconds of loop_now */
	timer_fn *fn;
};

struct later { /* work for the end of this round; embed, zero before first use */
	struct later *next;
	bool queued;
	void (*fn)(struct later *l);
};

/*
 * Work that epoll does not see. Every round calls take (unless it is NULL) after the round's
 * events, and may_rest before it waits for the next ones: sleeps says that the wait may last, and
 * the answer false that there is something to take at once. Embed, zero before first use.
 */
struct source {
	struct source *next;
	void (*take)(struct source *s);
	bool (*may_rest)(struct source *s, bool sleeps);
};

/* The object that embeds member, from a pointer to that member. */
#define ev_owner(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* A loop of its own epoll descriptor; before the sandbox. Out of resources ends the process. */
struct loop *loop_new(void);
void loop_free(struct loop *l);

/*
 * Watches w->fd for want from now on (0: keep it, lazily). ERR and HUP are reported with any
 * want.
 */
void watch_set(struct loop *l, struct watch *w, uint32_t want);
/* Forgets w; call it before close(w->fd). A watch never set, or with fd -1, is fine. */
void watch_stop(struct loop *l, struct watch *w);

/* Fires once, ms from now; setting again moves it. */
void timer_set(struct loop *l, struct timer *t, uint64_t ms);
void timer_stop(struct loop *l, struct timer *t);

/* Runs l->fn after this round's events; queued once however often it is asked for. */
void loop_later(struct loop *l, struct later *later);
void later_stop(struct loop *l, struct later *later);

void loop_source(struct loop *l, struct source *s);
void loop_source_stop(struct loop *l, struct source *s);

/*
 * Milliseconds of CLOCK_BOOTTIME as of this round; microseconds as of now. Time in which the
 * machine was suspended counts: what was due meanwhile fires within a minute of its waking.
 */
uint64_t loop_now(const struct loop *l);
uint64_t loop_clock_us(void);
/*
 * clock_gettime(2) as our libcurl has it (deploy/libcurl.sh): CLOCK_MONOTONIC is CLOCK_BOOTTIME,
 * and during a round of the process's loop it all but stands still, as time does in nginx. Each
 * reading is 0.25 us later, less than the work between two: libcurl goes on, in one call, with
 * whatever is due by the time at which it began, and a transfer that has more to read is due anew
 * at once.
 */
int loop_clock_gettime(clockid_t id, struct timespec *t);
/* Milliseconds since 1970: CLOCK_REALTIME, which somebody may set; for what others date. */
uint64_t loop_wall_ms(void);
/*
 * Milliseconds of CLOCK_BOOTTIME, the same in all processes: for ages. No setting of the clock
 * moves it, and the time that the machine was suspended counts.
 */
uint64_t loop_lived_ms(void);

/* Runs until loop_stop, which returns code. */
int loop_run(struct loop *l);
void loop_stop(struct loop *l, int code);

#endif
