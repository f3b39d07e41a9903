/* SPDX-License-Identifier: Apache-2.0 */
/* One set of AWS keys, in secret pages. Zeroed, it is empty. */
#ifndef KEEPER_KEYS_H
#define KEEPER_KEYS_H

#include "base/secret.h"
#include "keeper/call.h"

struct keys {
	struct secret *key_id, *secret, *token; /* token NULL: long-term keys */
	uint64_t expires_s;                     /* 0: never */
};

/* Takes copies in place of what was there. False, and empty, when the pages are full. */
bool keys_set(struct keys *k, const struct call_keys *from, uint64_t expires_s);
/* Moves from's to k, whose own are wiped. */
void keys_move(struct keys *k, struct keys *from);
void keys_clear(struct keys *k);

bool keys_are_there(const struct keys *k);
/* Views that live until the keys change. */
struct call_keys keys_view(const struct keys *k);

#endif
