/* SPDX-License-Identifier: Apache-2.0 */
/* Where the cloud's services are: the resolver's last good answers, or a literal address. */
#ifndef KEEPER_NAMES_H
#define KEEPER_NAMES_H

#include "config/plan.h"
#include "keeper/fetch.h"

struct names;

/* ask is called when a name's addresses are wanted, or wanted again. plan must outlive it. */
struct names *names_new(const struct keeper_plan *plan, void (*ask)(void *arg, uint16_t name),
			void *arg);

/*
 * The addresses of at into a[FETCH_ADDRESSES_MAX]; their number. 0: not known yet, and asked for;
 * names_take says when they have come.
 */
size_t names_of(struct names *n, const struct plan_endpoint *at, struct fetch_address *a);
/* Nobody answered there: ask the resolver again, and go on with what is known. */
void names_again(struct names *n, const struct plan_endpoint *at);

/* Takes the resolver's answer; whether it is the first for its name. */
bool names_take(struct names *n, const struct msg_addresses *m);

#endif
