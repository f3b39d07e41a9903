/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/keys.h"

static struct secret *
copy(struct span value)
{
	return value.len > 0 ? secret_new(value) : NULL;
}

bool
keys_set(struct keys *k, const struct call_keys *from, uint64_t expires_s)
{
	struct keys fresh = {copy(from->key_id), copy(from->secret), copy(from->token), expires_s};

	if (!keys_are_there(&fresh) || (fresh.token == NULL && from->token.len > 0))
		keys_clear(&fresh);
	keys_move(k, &fresh);
	return keys_are_there(k);
}

void
keys_move(struct keys *k, struct keys *from)
{
	keys_clear(k);
	*k = *from;
	*from = (struct keys){0};
}

void
keys_clear(struct keys *k)
{
	secret_free(k->key_id);
	secret_free(k->secret);
	secret_free(k->token);
	*k = (struct keys){0};
}

bool
keys_are_there(const struct keys *k)
{
	return k->key_id != NULL && k->secret != NULL;
}

static struct span
span_or_empty(const struct secret *s)
{
	return s == NULL ? SPAN("") : secret_span(s);
}

struct call_keys
keys_view(const struct keys *k)
{
	return (struct call_keys){span_or_empty(k->key_id), span_or_empty(k->secret),
				  span_or_empty(k->token)};
}
