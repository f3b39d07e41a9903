/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A slot: one reference, its value and age, and the state machine that keeps it fresh (design
 * section 4): refresh ahead of ttl, one fetch at a time, back-off, stale until maxStale; a
 * denial never takes away a good value.
 */
#ifndef KEEPER_SLOT_H
#define KEEPER_SLOT_H

#include "aws/arn.h"
#include "base/secret.h"
#include "box/msg_slot.h"
#include "config/plan.h"
#include "ev/loop.h"

struct slot;

/* What a slot needs of the keeper. */
struct slot_owner {
	struct loop *loop;
	const struct keeper_plan *plan;
	/* Begins one fetch; slot_fetched or slot_failed ends it, now or later. */
	void (*fetch)(struct slot_owner *o, struct slot *s);
	/* A fetch has ended: a value, or the lack of one, or a state may be new. */
	void (*changed)(struct slot_owner *o, struct slot *s, bool value_changed);
};

struct slot {
	struct slot_owner *owner;
	uint16_t number;
	const struct keeper_slot *plan;
	struct reference reference;
	bool is_tls;       /* its value is PEM, not a header's */
	uint32_t every_ms; /* when it is looked at again, whatever came of it; 0: by the rules */
	enum slot_state state;
	struct secret *value; /* of a header or a key */
	struct buf text;      /* of a certificate or CA bundle, which is not secret */
	bool is_public;       /* text is used */
	bool closed;          /* what it has now, if anything, is all that it will have */
	uint32_t version;     /* counts changed values */
	char version_id[65];
	char error_type[80];
	char request_id[128], principal[256]; /* of that failure, or "" (struct slot_fault) */
	bool denied;                          /* the store said no last time */
	char logged_type[80];                 /* the failure that was logged last, and when */
	uint64_t logged_ms;
	uint64_t fetched_ms, next_ms; /* loop_lived_ms */
	uint64_t created_s;           /* of the version, as the store says; 0: it does not */
	uint64_t began, failed;       /* loop_now of the last fetch's start, and failure */
	bool fetching;
	unsigned failures;
	uint32_t attempts; /* that have ended */
	struct timer timer;
	struct timer age; /* the value is dropped at maxStale, whatever a fetch is doing */
};

void slot_init(struct slot *s, struct slot_owner *o, uint16_t number);

/* Fetches now, unless that is under way. */
void slot_refresh(struct slot *s);

/* A fetch of it is under way: the store's, of the document that it is in. */
void slot_begin(struct slot *s);
/* Whether its last fetch failed so lately that the store is to be left alone: failureTtl. */
bool slot_is_resting(const struct slot *s);

struct slot_version {       /* what the store calls the value */
	struct span id;     /* or empty */
	uint64_t created_s; /* seconds since 1970; 0: not said */
};

/*
 * How a fetch ended. The value is copied. One that cannot be used ends as a failure: NULL, or a
 * sentence that says why. Where the plan says `once`, only the first that is good is taken; from a
 * file, which somebody might put there meanwhile, only what is found at the first look.
 */
const char *slot_fetched(struct slot *s, struct span value, const struct slot_version *v);
/* The store still has the value in hand. */
void slot_unchanged(struct slot *s);

enum slot_failure {
	SLOT_UNREACHED, /* nobody answered: without a value, asked again with little back-off */
	SLOT_ERROR,     /* the store answered with a fault that may pass */
	SLOT_DENIED,    /* the store said no, or the reference is wrong */
};

struct slot_fault {
	enum slot_failure kind;
	const char *type;       /* "AccessDeniedException" */
	struct span request_id; /* the store's, or empty */
	const char *principal;  /* the ARN that was denied, or NULL */
};

void slot_failed(struct slot *s, const struct slot_fault *f);

/*
 * Whether it is a failure, and worth a log line: another than the last, or a minute later. What a
 * store says of a slot that has its value for good is none.
 */
bool slot_is_news(struct slot *s);

/* The bytes in hand, or an empty span. */
struct span slot_value(const struct slot *s);

#endif
