/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A libcurl multi handle on our loop (CURLMOPT_SOCKETFUNCTION, TIMERFUNCTION).
 * Make it before the seccomp filter: libcurl's multi handles make socketpairs.
 * Handles are passed as void * (CURL * and CURLM *) to keep curl.h out of headers.
 */
#ifndef EV_MULTI_H
#define EV_MULTI_H

#include "ev/loop.h"

struct multi;

/* libcurl's global set-up with wipe-on-free allocators; once in main, after secret_init. */
void multi_setup(void);

/* done(arg, easy, result) runs for each finished transfer; it may remove and free any handle. */
typedef void multi_done_fn(void *arg, void *easy, int result);

/*
 * Whether a transfer waits by its own wish (CURL_WRITEFUNC_PAUSE): its connection is then not a
 * pooled one, though libcurl wants nothing of it.
 */
typedef bool multi_paused_fn(void *easy);

/* paused: NULL when no transfer ever pauses. */
struct multi *multi_new(struct loop *l, long max_connections, multi_done_fn *done,
			multi_paused_fn *paused, void *arg);
void multi_free(struct multi *m);

/*
 * What every exchange of ours shares: HTTP/1.1 over http or https alone (as https says), verified,
 * never a redirect, a proxy, a signal, or a CA from a file; its sockets close through m.
 */
void multi_defaults(struct multi *m, void *easy, bool https);

/*
 * CURLOPT_OPENSOCKETFUNCTION has made fd; returns it. When an address refuses, libcurl closes its
 * socket unseen, and the next one's has the same number: it has to be watched anew.
 */
int multi_opened(struct multi *m, int fd);

/* Starts a transfer, or gives it up (its connection is closed if it was in use). */
int multi_add(struct multi *m, void *easy);
void multi_remove(struct multi *m, void *easy);

/*
 * To be called before a callback pauses a transfer. libcurl takes a connection from the pool
 * without a word, and speaks of its socket only when it waits for it; a transfer that is paused by
 * the first bytes of its answer never waited, and its socket would still pass for a pooled one.
 */
void multi_pausing(struct multi *m, void *easy);

/*
 * For CURLOPT_PREREQFUNCTION: whether the connection, if it comes from the pool, has brought
 * nothing since its last answer, into the kernel or into OpenSSL. libcurl 7.88 uses it all the
 * same, and would take what waits there for the answer.
 */
bool multi_is_quiet(struct multi *m, void *easy);

/*
 * A transfer has failed and is removed: its connection serves no other, should libcurl have kept
 * it.
 */
void multi_distrust(struct multi *m, void *easy);

/*
 * Lets a transfer that was paused go on; safe to call from any callback (runs at the round's
 * end).
 */
void multi_unpause(struct multi *m, void *easy);

#endif
