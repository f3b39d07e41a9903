/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP exchange with a store or a credential endpoint, by libcurl on the keeper's loop. Never
 * a redirect, a proxy, a name look-up or a file; plain http only where the caller says so.
 */
#ifndef KEEPER_FETCH_H
#define KEEPER_FETCH_H

#include "base/buf.h"
#include "box/msg.h"
#include "ev/loop.h"

enum { FETCH_ADDRESSES_MAX = 3, FETCH_LINES_MAX = 8 };

struct fetch_address {
	bool v6;
	unsigned char bytes[16];
};

struct fetch_request {
	bool https;
	struct span host; /* for TLS and Host; an address literal without brackets */
	uint16_t port;
	const struct fetch_address *addresses; /* where to dial, and nowhere else */
	size_t naddresses;
	const char *method; /* NULL: GET, or POST with a body */
	const char *path;
	const char *lines[FETCH_LINES_MAX]; /* header lines; copied, wiped after use */
	size_t nlines;
	struct span body;    /* copied, wiped after use */
	uint32_t timeout_ms; /* of all of it; 0: ten seconds */
};

struct fetch_answer {
	const char
		*fault; /* NULL, or why there is no answer: a static word such as "unreachable" */
	unsigned status;
	struct span body;       /* valid during the call */
	struct span request_id; /* x-amzn-RequestId */
	struct span error_type; /* x-amzn-errortype */
	uint64_t date;          /* of the Date field, seconds since 1970; 0: none */
};

struct fetcher; /* the multi handle and the trust store that all exchanges share */

typedef void fetch_fn(void *arg, const struct fetch_answer *a);

/* ca: the PEM bundle for https, which must live as long. */
struct fetcher *fetcher_new(struct loop *l, struct span ca);

/* Starts; done is called once, later. -1 when libcurl cannot. */
int fetch_start(struct fetcher *f, const struct fetch_request *r, fetch_fn *done, void *arg);

#endif
