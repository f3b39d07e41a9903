/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who sidekey is to AWS: the access keys of the environment, or of the container credential
 * endpoint (ECS, EKS Pod Identity). Fetched once for all that wait, kept in secret pages,
 * refreshed ahead of its end and used while it is still valid.
 */
#ifndef KEEPER_IDENTITY_H
#define KEEPER_IDENTITY_H

#include "base/secret.h"
#include "config/plan.h"
#include "keeper/call.h"
#include "keeper/names.h"

enum identity_state {
	IDENTITY_READY,
	IDENTITY_WAITING, /* being fetched: on_change will be called */
	IDENTITY_FAILED,  /* see identity_fault */
};

struct identity;

/* on_change is called when a fetch has ended, well or not. plan must outlive it. */
struct identity *identity_new(struct loop *l, struct fetcher *f, const struct keeper_plan *plan,
			      struct names *names, void (*on_change)(void *arg), void *arg);

/* Takes one start-up variable; false when it is not the identity's. */
bool identity_take_env(struct identity *id, struct span name, struct span value);

/* What can be had now; starts a fetch when one is due. */
enum identity_state identity_get(struct identity *id);

/* The keys, while identity_get says READY. */
struct call_keys identity_keys(const struct identity *id);

/* The store has refused these keys: get others (false when there can be none). */
bool identity_renew(struct identity *id);

/* Why there is none: a type for logs and states, and what to do. Static. */
const char *identity_fault(const struct identity *id);

#endif
