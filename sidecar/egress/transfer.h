/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One exchange with an upstream, by libcurl. A lane is one multi handle for one target and one
 * generation of its TLS material: connections are never shared between identities. Every
 * trap of reference/performance.md 1.5 is closed here, each with its reason in place.
 */
#ifndef EGRESS_TRANSFER_H
#define EGRESS_TRANSFER_H

#include "box/frame.h"
#include "box/msg.h"
#include "config/plan_egress.h"
#include "egress/dial.h"
#include "egress/tls.h"
#include "ev/loop.h"
#include "policy/access/verdict.h"

struct lane;
struct transfer;

/*
 * A lane for target over tls (a reference is taken; NULL for plain http). Needs no descriptor
 * after the filter but a socketpair of libcurl's. Counted references: each transfer holds one.
 */
struct lane *lane_new(struct loop *l, const struct egress_target *target, struct tls *tls);
/* No new transfers; the lane goes when the last one is done. */
void lane_release(struct lane *lane);
/* From now on dial these. */
void lane_set_addresses(struct lane *lane, const struct addresses *a);

/* The answer, as it comes. None of them may call transfer_cancel; put that off with loop_later. */
struct transfer_events {
	/* The final head; anything but VERDICT_OK ends the transfer with that verdict. */
	enum verdict (*head)(void *arg, const struct frame_head *head);
	/* A piece of the body; false: cannot be taken now (transfer_resume says when it can). */
	bool (*data)(void *arg, struct span piece);
	/*
	 * Of a streamed body up to max bytes at to: how many, 0 at its end, or -1: none now
	 * (transfer_more says when there are).
	 */
	long (*more)(void *arg, char *to, size_t max);
	/*
	 * The end: VERDICT_OK when the answer is complete. sent: a byte of the request may have
	 * gone out.
	 */
	void (*done)(void *arg, enum verdict v, bool sent);
};

/* More than a call needs to know of an exchange, for a report. */
struct transfer_report {
	char error[256]; /* libcurl's sentence (CURL_ERROR_SIZE) */
	unsigned status;
	struct tls_peer peer;
};

struct transfer_request {
	struct span method;
	const char *target; /* path and query as they go on the wire */
	const char **lines; /* header lines, NUL-terminated, valid until the end */
	size_t nlines;
	bool has_body;
	struct span body;               /* valid until the end */
	bool streamed;                  /* the body comes from `more` instead … */
	int64_t length;                 /* … and is that long, or chunked: -1 */
	struct transfer_report *report; /* filled in on the way; or NULL */
};

/* Starts; NULL when libcurl cannot. The transfer is freed before done is called. */
struct transfer *transfer_start(struct lane *lane, const struct transfer_request *r,
				const struct transfer_events *ev, void *arg);
/* Ends it without done; its connection is closed. */
void transfer_cancel(struct transfer *t);
/* Lets a transfer whose data was refused go on. */
void transfer_resume(struct transfer *t);
/* There is more of a streamed body, or its end. */
void transfer_more(struct transfer *t);
/*
 * Whether there is a connection; *at is then when (loop_now) the upstream last took some of the
 * request: once it has all of it, the request's end.
 */
bool transfer_is_sent(const struct transfer *t, uint64_t *at);

/* "libcurl/7.88.1 OpenSSL/3.0.x" */
const char *transfer_library(void);

#endif
