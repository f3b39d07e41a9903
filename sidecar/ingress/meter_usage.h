/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where answers say what they used, and what it comes to: one count for callers and budgets,
 * whichever of the providers' ways of counting it was said in.
 */
#ifndef INGRESS_METER_USAGE_H
#define INGRESS_METER_USAGE_H

#include "ingress/meter_json.h"

/* Tokens. */
struct usage {
	uint64_t input;       /* all of it: what came from a cache or went into one included */
	uint64_t output;      /* all of it: reasoning included */
	uint64_t cache_read;  /* of input */
	uint64_t cache_write; /* of input */
	uint64_t reasoning;   /* of output, where the provider says */
};

/* The documents in which usage is looked for. */
extern const struct meter_object meter_usage_answer;     /* usage */
extern const struct meter_object meter_usage_rerank;     /* the same, or LiteLLM's meta */
extern const struct meter_object meter_usage_invoke;     /* usage, or vectors: no output then */
extern const struct meter_object meter_usage_response;   /* response.usage: Responses' events */
extern const struct meter_object meter_usage_message;    /* Anthropic's: message.usage, or usage */
extern const struct meter_object meter_usage_metadata;   /* usage: Converse's last event */
extern const struct meter_object meter_usage_invocation; /* metrics in Invoke's last chunk */

/* The numbers that come by header, for meter_usage_set. */
enum meter_header { METER_HEADER_INPUT, METER_HEADER_OUTPUT };
/* Puts in what a header says (text: its value); anything but a count is bad. */
void meter_usage_set(struct meter_numbers *sum, enum meter_header which, struct span text);

/* What a later document says stands, number by number; what it does not say stays. */
void meter_usage_add(struct meter_numbers *sum, const struct meter_numbers *later);

/*
 * The counts, and whether both sides of them were said: of what was not, *out is 0. input_only: the
 * operation has no output tokens (embeddings), and a total alone will do.
 */
bool meter_usage_sum(const struct meter_numbers *sum, bool input_only, struct usage *out);

#endif
