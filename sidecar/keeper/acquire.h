/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One acquisition of keys: from the identity's source, and over each role that is assumed on top
 * of it. A step of it is a function of source.h, which ends in acquire_got or acquire_failed.
 */
#ifndef KEEPER_ACQUIRE_H
#define KEEPER_ACQUIRE_H

#include "aws/error.h"
#include "config/plan_identity.h"
#include "keeper/keys.h"
#include "keeper/names.h"
#include "keeper/skew.h"
#include "keeper/slot.h"

struct acquire_seams { /* what all acquisitions of a keeper share */
	struct loop *loop;
	struct fetcher *fetcher;
	struct names *names;
	struct skew *skew;
	const struct slot *slots;      /* where external ids are */
	struct keys given;             /* the start-up environment's */
	struct secret *endpoint_token; /* AWS_CONTAINER_AUTHORIZATION_TOKEN */
};

struct acquire_fault {
	bool is_denial; /* somebody said no; else it may pass */
	unsigned status;
	char type[80];  /* "AccessDenied", "TimedOut": for log and states */
	char why[1152]; /* a sentence; with all that was tried, where nothing is there */
	char request_id[128];
	char principal[256]; /* the ARN that was denied, or "" */
};

struct acquire {
	struct acquire_seams *seams;
	const struct plan_identity *plan;
	void (*done)(struct acquire *a, bool good);
	bool running;
	size_t step;          /* 0: the source; n: its nth role */
	bool tried_again;     /* this step, for the clock or for a token */
	bool stalled, waited; /* this step waits for the addresses of a name; it did, in vain */
	struct timer timer;   /* for how long */
	struct keys keys;     /* of the last step that was done; of the caller's after the end */
	char principal[256];  /* the ARN of the role's session, or "" */
	struct acquire_fault fault;
	struct secret *session; /* IMDSv2's token */
};

void acquire_init(struct acquire *a, struct acquire_seams *seams, const struct plan_identity *plan,
		  void (*done)(struct acquire *a, bool good));

/* Begins, unless that is under way; done is called once, now or later. */
void acquire_start(struct acquire *a);

/* Addresses have come, perhaps of another name: goes on where one waits for them. */
void acquire_resume(struct acquire *a);

/* ---- for the steps ---- */

/* The step's keys: on to the next. */
void acquire_got(struct acquire *a, const struct call_keys *keys, uint64_t expires_s);

/* The step failed, and all of it with that. why: a sentence. */
void acquire_failed(struct acquire *a, bool is_denial, const char *type, const char *why, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * The same for an exchange that brought no keys: whom names who was asked ("STS"); e is what
 * the answer says, or NULL. A refusal is a denial, but not for throttling or a fault of theirs.
 */
void acquire_refused(struct acquire *a, const struct fetch_answer *answer, const char *whom,
		     const struct aws_error *e);

/* Does the step once more; false when that was done before. */
bool acquire_again(struct acquire *a);

/*
 * The addresses of at. 0 when there are none: the step is done again when they have come, and
 * the acquisition fails when they do not, so that there is nothing more to do.
 */
size_t acquire_addresses(struct acquire *a, const struct plan_endpoint *at,
			 struct fetch_address *addresses);

/* Sends r, whose path and lines are set, to at; the answer goes to done, with a. */
void acquire_fetch(struct acquire *a, const struct plan_endpoint *at, struct fetch_request *r,
		   fetch_fn *done);

#endif
