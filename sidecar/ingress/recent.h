/* SPDX-License-Identifier: Apache-2.0 */
/* The last calls, for /status: a ring of fixed size. */
#ifndef INGRESS_RECENT_H
#define INGRESS_RECENT_H

#include <stdint.h>

#include "base/span.h"

enum { RECENT_CALLS = 100, RECENT_ID = 20, RECENT_MODEL = 128 };

struct recent_call {
	uint64_t time_ms; /* wall clock of its end */
	char id[RECENT_ID + 1];
	uint16_t target;   /* or PLAN_NONE */
	uint8_t operation; /* or OPERATIONS */
	struct span caller;
	const char *dialect;
	char model[RECENT_MODEL + 1]; /* as the agent named it: any text */
	unsigned status;
	const char *code; /* "": the answer was the upstream's */
	uint64_t ms, first_byte_ms, bytes_in, bytes_out;
};

struct recent {
	struct recent_call calls[RECENT_CALLS];
	size_t count; /* ever put */
};

void recent_put(struct recent *r, const struct recent_call *call);
/* The i-th from the newest, or NULL. */
const struct recent_call *recent_at(const struct recent *r, size_t i);

#endif
