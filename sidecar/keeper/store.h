/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stores, and asking them.
 *
 * A document is what one question to a store brings: a secret with all its JSON keys, a parameter,
 * a file. Slots that read the same document are fetched together and take their values in the same
 * turn of the loop, so that a pair that stands in one secret changes together, and the store is
 * asked once.
 *
 * A further store is a struct store in a file of its own, a row of the table in store.c, and its
 * form of reference in aws/reference.c. Its start asks, and ends, now or later, in one of
 * store_fetched, store_unchanged and store_failed.
 */
#ifndef KEEPER_STORE_H
#define KEEPER_STORE_H

#include "keeper/identity.h"
#include "keeper/skew.h"
#include "keeper/slot.h"

struct store_context {
	struct loop *loop;
	struct fetcher *fetcher;
	struct identity *identity;
	uint32_t identity_generation; /* of the keys that what failed was asked for with */
	const struct keeper_plan *plan;
	struct names *names;
	struct skew skew;
	struct document *documents;
	size_t ndocuments;
	struct document **by_slot; /* the document of each slot */
};

struct document {
	struct store_context *c;
	const struct store *store;
	struct slot **slots; /* one at least; their references differ in the JSON key alone */
	size_t nslots;
	void *memory;     /* what the store keeps about it from one question to the next */
	bool fetching;    /* the store is being asked … */
	bool waiting;     /* … or will be, once the identity is there */
	bool tried_again; /* what stood in the way once was put right */
	bool asked_twice; /* for the first question got lost */
};

struct store {
	bool needs_identity; /* start is called only while the AWS identity is there */
	uint32_t every_ms;   /* how often it is asked; 0: as `secrets` of the configuration says */
	/* Whether two references of this store's are one document; NULL: those of one text. */
	bool (*is_same)(const struct reference *a, const struct reference *b);
	void (*start)(struct document *d);
};

extern const struct store store_env, store_file, store_secretsmanager, store_ssm, store_agentcore;

/* ---- for the stores: how a question ends ---- */

/* What the slot wants of the content: NULL and *value, or a sentence that says why not. */
typedef const char *store_pick(const void *content, const struct slot *s, struct span *value);

/* Each slot takes its value; one that cannot be used fails for that slot alone, and is logged. */
void store_fetched(struct document *d, const struct slot_version *v, store_pick *pick,
		   const void *content);
/* The same where the whole text is the value. */
void store_fetched_text(struct document *d, const struct slot_version *v, struct span text);

/* What the slots hold is what the store has. */
void store_unchanged(struct document *d);
/* Whether all of them hold it. */
bool store_is_fresh(const struct document *d);

struct store_failure {
	enum slot_failure kind;
	const char *type;       /* "AccessDeniedException" */
	const char *why;        /* a sentence, or NULL where the type says it */
	unsigned status;        /* of HTTP; 0: none */
	struct span request_id; /* the store's, or empty */
	struct span key_id;     /* who asked, or empty */
	const char *principal;  /* the ARN that was denied, or NULL */
};

/* All slots fail; logged when it is news. */
void store_failed(struct document *d, const struct store_failure *f);

/* Identity or clock are another now: starts once more. False when that was done already. */
bool store_again(struct document *d);
/* The same of a question that got lost, or met a service that was out of order for a moment. */
bool store_ask_twice(struct document *d);

/* ---- for the keeper ---- */

/* Makes the documents of all slots, which must outlive c. Before anything else. */
void store_open(struct store_context *c, struct slot *slots, size_t n);

/* Fetches the document of s, and with it all of its slots, unless that is under way. */
void store_fetch(struct store_context *c, struct slot *s);

/*
 * An identity's fetch has ended: goes on with what waits for ours, and asks again for what failed
 * when we have other keys; for another's sake, not before failureTtl.
 */
void store_identity_changed(struct store_context *c);

/* Takes a start-up variable for the env: reference that names it, if there is one. (store_env.c) */
void store_take_env(struct store_context *c, struct span name, struct span value);

#endif
