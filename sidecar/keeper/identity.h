/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who sidekey is to AWS: the keys of each identity of the plan. Acquired once for all that wait,
 * kept in secret pages, renewed ahead of their end, and used for as long as they are good,
 * whatever becomes of the renewal.
 */
#ifndef KEEPER_IDENTITY_H
#define KEEPER_IDENTITY_H

#include "keeper/acquire.h"

enum identity_state {
	IDENTITY_READY,
	IDENTITY_WAITING, /* being acquired: on_change will be called */
	IDENTITY_FAILED,  /* see identity_fault */
};

struct identity;
struct identity_set; /* all of a keeper's */

struct identity_options {
	struct acquire_seams seams;
	const struct keeper_plan *plan; /* must outlive the set */
	/* Called when an acquisition has ended, well or not, but never from within a call here. */
	void (*on_change)(void *arg);
	void *arg;
};

struct identity_set *identity_set_new(const struct identity_options *o);
/* The identity of that number in the plan. */
struct identity *identity_set_at(struct identity_set *all, size_t number);

/* Takes one start-up variable; false when it is no identity's. */
bool identity_set_take_env(struct identity_set *all, struct span name, struct span value);
/*
 * Tries those that have no keys now, or doubted ones, whatever was to be waited for: at the start,
 * when an address or an external id has come, or when somebody asks.
 */
void identity_set_hurry(struct identity_set *all);

/* What can be had now; starts an acquisition when one is due. */
enum identity_state identity_get(struct identity *id);

/* The keys, while identity_get says READY. */
struct call_keys identity_keys(const struct identity *id);
/* Counts the keys: which of them a call was signed with. */
uint32_t identity_generation(const struct identity *id);

/*
 * A store has refused the keys of that generation: they are not used again, and others are
 * acquired, once for all that were refused. False when there can be none (the environment's), or
 * when such a refusal has brought these a moment ago: they stay in use until it is worth a try.
 */
bool identity_renew(struct identity *id, uint32_t generation);

/*
 * The same where whoever says so is not trusted (egress, and behind it an upstream, of which
 * nobody knows whether it is AWS): others are acquired at once, but these are used until they are
 * there, since else a word of his and a failure of STS would take the keys from everybody.
 */
void identity_doubt(struct identity *id, uint32_t generation);
/* Whether keys are being acquired in place of those that are refused or gone: on_change follows. */
bool identity_is_replacing(struct identity *id);

/* Why there are none, or none newer. */
const struct acquire_fault *identity_fault(const struct identity *id);

#endif
