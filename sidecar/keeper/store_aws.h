/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A question to a service of AWS, and what all of them have in common: addresses, signature,
 * what an error means, one more try with a renewed identity or a corrected clock.
 */
#ifndef KEEPER_STORE_AWS_H
#define KEEPER_STORE_AWS_H

#include "aws/service.h"
#include "keeper/store.h"

struct store_question {
	enum service service;
	const struct plan_endpoint *at;
	const char *path, *content_type;
	const char *target; /* X-Amz-Target, or NULL */
	struct span body;
	/* Takes the body of a 200 answer, which it may read until it returns; ends the document. */
	void (*answered)(struct document *d, struct span body);
	/*
	 * Called before the document fails because the service said no; or NULL. Whether what was
	 * asked for may be out of date, so that to start once more is of use.
	 */
	bool (*denied)(struct document *d);
};

/* Asks on behalf of d, in the region of its reference; ends in answered, or in store_failed. */
void store_ask(struct document *d, const struct store_question *q);

/* The request does not fit its bounds, or an answer is not what the service answers. */
void store_failed_odd(struct document *d, const char *type, const char *why);

#endif
