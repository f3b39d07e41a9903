/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/meter_usage.h"

#include "base/num.h"

/*
 * OpenAI's input holds what came from the cache (CACHED of PROMPT); Anthropic's and Bedrock's
 * stands beside it (INPUT, CACHE_READ, CACHE_WRITE). OpenAI's Responses say input_tokens like
 * Anthropic, but their cached tokens in the details, so that the two cannot be taken for another.
 * Some gateways (new-api) say OpenAI's PROMPT and COMPLETION and zeros in INPUT and OUTPUT.
 */
enum number {
	PROMPT,
	INPUT,
	OUTPUT,
	TOTAL,
	CACHE_READ,
	CACHE_WRITE,
	CACHED,
	CACHED_WRITE,
	REASONING,
	COMPLETION,
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define NUMBER(name, which)                                                                        \
	{                                                                                          \
		name, METER_NUMBER, which, false, NULL                                             \
	}
#define INTO(name, object)                                                                         \
	{                                                                                          \
		name, METER_OBJECT, 0, false, &(object)                                            \
	}
#define LAST(name, object)                                                                         \
	{                                                                                          \
		name, METER_OBJECT, 0, true, &(object)                                             \
	}
#define TEXT(name)                                                                                 \
	{                                                                                          \
		name, METER_TEXT, 0, false, NULL                                                   \
	}
#define MARK(name)                                                                                 \
	{                                                                                          \
		name, METER_MARK, 0, false, NULL                                                   \
	}

static const struct meter_member input_details_members[] = {
	NUMBER("cached_tokens", CACHED),
	NUMBER("cache_write_tokens", CACHED_WRITE),
};
static const struct meter_object input_details = {input_details_members,
						  COUNT(input_details_members)};

static const struct meter_member output_details_members[] = {
	NUMBER("reasoning_tokens", REASONING),
	NUMBER("thinking_tokens", REASONING),
};
static const struct meter_object output_details = {output_details_members,
						   COUNT(output_details_members)};

static const struct meter_member usage_members[] = {
	NUMBER("prompt_tokens", PROMPT),
	NUMBER("completion_tokens", COMPLETION),
	NUMBER("input_tokens", INPUT),
	NUMBER("output_tokens", OUTPUT),
	NUMBER("total_tokens", TOTAL),
	INTO("prompt_tokens_details", input_details),
	INTO("completion_tokens_details", output_details),
	INTO("input_tokens_details", input_details),
	INTO("output_tokens_details", output_details),
	NUMBER("cache_read_input_tokens", CACHE_READ),
	NUMBER("cache_creation_input_tokens", CACHE_WRITE),
	NUMBER("inputTokens", INPUT),
	NUMBER("outputTokens", OUTPUT),
	NUMBER("totalTokens", TOTAL),
	NUMBER("cacheReadInputTokens", CACHE_READ),
	NUMBER("cacheWriteInputTokens", CACHE_WRITE),
	NUMBER("inputTokenCount", INPUT),
	NUMBER("outputTokenCount", OUTPUT),
	NUMBER("cacheReadInputTokenCount", CACHE_READ),
	NUMBER("cacheWriteInputTokenCount", CACHE_WRITE),
};
static const struct meter_object usage = {usage_members, COUNT(usage_members)};

static const struct meter_member answer_members[] = {INTO("usage", usage)};
const struct meter_object meter_usage_answer = {answer_members, COUNT(answer_members)};

static const struct meter_member billed_members[] = {NUMBER("total_tokens", TOTAL)};
static const struct meter_object billed = {billed_members, COUNT(billed_members)};

static const struct meter_member meta_members[] = {
	INTO("tokens", usage),
	INTO("billed_units", billed),
};
static const struct meter_object meta = {meta_members, COUNT(meta_members)};

static const struct meter_member rerank_members[] = {INTO("usage", usage), INTO("meta", meta)};
const struct meter_object meter_usage_rerank = {rerank_members, COUNT(rerank_members)};

static const struct meter_member invoke_members[] = {
	INTO("usage", usage), MARK("embedding"),      /* Titan's, of a text or an image */
	MARK("embeddingsByType"), MARK("embeddings"), /* Cohere's, Nova's */
};
const struct meter_object meter_usage_invoke = {invoke_members, COUNT(invoke_members)};

static const struct meter_member closing_members[] = {LAST("usage", usage)};
const struct meter_object meter_usage_metadata = {closing_members, COUNT(closing_members)};

static const struct meter_member response_members[] = {
	INTO("response", meter_usage_metadata),
	TEXT("type"),
};
const struct meter_object meter_usage_response = {response_members, COUNT(response_members)};

static const struct meter_member message_members[] = {
	INTO("message", meter_usage_answer),
	LAST("usage", usage), /* of which there may be several until message_stop */
	TEXT("type"),
};
const struct meter_object meter_usage_message = {message_members, COUNT(message_members)};

static const struct meter_member invocation_members[] = {
	LAST("amazon-bedrock-invocationMetrics", usage),
};
const struct meter_object meter_usage_invocation = {invocation_members, COUNT(invocation_members)};

static bool
has(const struct meter_numbers *n, enum number which)
{
	return (n->seen >> which & 1) != 0;
}

void
meter_usage_set(struct meter_numbers *sum, enum meter_header which, struct span text)
{
	unsigned i = which == METER_HEADER_INPUT ? INPUT : OUTPUT;

	if (num_u64(text, METER_COUNT_MAX, &sum->value[i]) != 0)
		sum->bad = true;
	sum->seen = (uint16_t)(sum->seen | 1U << i);
}

void
meter_usage_add(struct meter_numbers *sum, const struct meter_numbers *later)
{
	for (unsigned i = 0; i < METER_NUMBERS_MAX; i++)
		if ((later->seen >> i & 1) != 0)
			sum->value[i] = later->value[i];
	sum->seen = (uint16_t)(sum->seen | later->seen);
	sum->bad = sum->bad || later->bad;
	sum->last = sum->last || later->last;
	sum->mark = sum->mark || later->mark;
}

bool
meter_usage_sum(const struct meter_numbers *sum, bool input_only, struct usage *out)
{
	const uint64_t *v = sum->value; /* what was not seen is 0 */
	struct usage u = {.output = v[OUTPUT], .reasoning = v[REASONING]};

	*out = (struct usage){0};
	if (sum->bad)
		return false;
	input_only = input_only || sum->mark;
	if (has(sum, COMPLETION) && v[COMPLETION] > u.output)
		u.output = v[COMPLETION];
	u.cache_read = has(sum, CACHED) ? v[CACHED] : v[CACHE_READ];
	u.cache_write = has(sum, CACHED_WRITE) ? v[CACHED_WRITE] : v[CACHE_WRITE];
	if (has(sum, PROMPT))
		u.input = v[PROMPT] > v[INPUT] ? v[PROMPT] : v[INPUT];
	else if (has(sum, INPUT))
		u.input = v[INPUT] + v[CACHE_READ] + v[CACHE_WRITE];
	else if (has(sum, TOTAL) && input_only)
		u.input = v[TOTAL];
	/* xAI counts reasoning beside its completion tokens, Gemini in its total alone. */
	if (has(sum, TOTAL) && v[TOTAL] == u.input + u.output + u.reasoning)
		u.output += u.reasoning;
	else if (has(sum, TOTAL) && has(sum, PROMPT) && !input_only &&
		 v[TOTAL] > u.input + u.output)
		u.output = v[TOTAL] - u.input;
	*out = u;
	return (has(sum, OUTPUT) || has(sum, COMPLETION) || input_only) &&
	       (has(sum, PROMPT) || has(sum, INPUT) || (has(sum, TOTAL) && input_only));
}
