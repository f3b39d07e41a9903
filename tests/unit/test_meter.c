/* SPDX-License-Identifier: Apache-2.0 */
/* Which answers are metered, in which form, and what recorded ones come to. */
#include "tests/unit/metering.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

#define FOLDER "tests/vectors/answers/"

/* ---- recorded answers ---- */

static const struct recorded {
	const char *file;
	enum dialect dialect;
	const char *path;
	bool known;
	uint64_t input, output, cache_read, reasoning;
	const char *why;
} recorded[] = {
	{"alibaba__alibaba-tool-call.chunks.txt", DIALECT_OPENAI, "/chat/completions", true, 295,
	 22, 0, 0, "a last chunk without choices, usage: null before it"},
	{"mistral__mistral-text.chunks.txt", DIALECT_OPENAI, "/chat/completions", true, 13, 8, 0, 0,
	 "in a chunk with choices"},
	{"mistral__mistral-reasoning.chunks.txt", DIALECT_OPENAI, "/chat/completions", true, 10, 46,
	 0, 0, "the same, after reasoning"},
	{"moonshotai__moonshotai-stream.chunks.txt", DIALECT_OPENAI, "/chat/completions", true, 9,
	 12, 0, 7, "reasoning within the completion"},
	{"openai__azure-model-router.1.chunks.txt", DIALECT_AZURE,
	 "/openai/deployments/m/chat/completions", true, 15, 78, 0, 64, "Azure"},
	{"deepseek__deepseek-tool-call.json", DIALECT_OPENAI, "/chat/completions", true, 339, 92,
	 320, 48, "cached tokens within the prompt"},
	{"groq__groq-tool-call.json", DIALECT_OPENAI, "/chat/completions", true, 218, 15, 0, 0,
	 "times in fractions beside the counts"},
	{"xai__xai-text.json", DIALECT_OPENAI, "/chat/completions", true, 12, 229, 2, 228,
	 "reasoning beside the completion"},
	{"azure__azure-text.1.chunks.txt", DIALECT_OPENAI, "/responses", true, 11, 11, 0, 0,
	 "response.completed"},
	{"openai__openai-client-tool-search.1.chunks.txt", DIALECT_OPENAI, "/responses", true, 65,
	 31, 0, 0, "the same, with tools"},
	{"openai__openai-embedding.json", DIALECT_OPENAI, "/embeddings", true, 12, 0, 0, 0,
	 "no output"},
	{"voyage__voyage-embedding.json", DIALECT_OPENAI, "/embeddings", true, 12, 0, 0, 0,
	 "a total alone"},
	{"openai__openai-image.json", DIALECT_OPENAI, "/images/generations", false, 0, 0, 0, 0,
	 "without usage"},
	{"openai__openai-error.1.json", DIALECT_OPENAI, "/responses", false, 0, 0, 0, 0,
	 "an error that came with 200"},
	{"cohere__cohere-text.json", DIALECT_OPENAI, "/chat/completions", false, 0, 0, 0, 0,
	 "a usage that we do not know"},
	{"google__google-text.json", DIALECT_OPENAI, "/chat/completions", false, 0, 0, 0, 0,
	 "Gemini's own protocol"},
	{"anthropic__anthropic-mcp.1.json", DIALECT_ANTHROPIC, "/v1/messages", true, 1250, 88, 0, 0,
	 "a whole message"},
	{"anthropic__anthropic-text.chunks.txt", DIALECT_ANTHROPIC, "/v1/messages", true, 12, 30, 0,
	 0, "input first, output last"},
	{"anthropic__anthropic-message-delta-input-tokens.chunks.txt", DIALECT_ANTHROPIC,
	 "/v1/messages", true, 61, 2, 0, 0, "the delta corrects the input"},
	{"anthropic__duplicate-message-start.chunks.txt", DIALECT_ANTHROPIC, "/v1/messages", true,
	 17, 227, 0, 0, "two starts"},
	{"amazon-bedrock__amazon-bedrock-reasoning.json", DIALECT_BEDROCK, "/model/m/converse",
	 true, 51, 78, 0, 0, "Converse"},
	/* One payload a line, without frames around them: no stream of events. */
	{"amazon-bedrock__amazon-bedrock-tool-no-args.chunks.txt", DIALECT_BEDROCK,
	 "/model/m/converse-stream", false, 0, 0, 0, 0, "not the form it is"},
};

static struct buf
read_answer(const char *file, bool stream)
{
	char path[256], line[16384];
	struct buf b;
	FILE *f;

	snprintf(path, sizeof(path), FOLDER "%s", file);
	f = fopen(path, "r");
	assert_non_null(f);
	buf_init(&b, 1 << 20);
	while (fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		assert_int_equal(buf_addf(&b, stream ? "data: %s\n\n" : "%s\n", line), 0);
	}
	fclose(f);
	return b;
}

static void
recorded_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(recorded); i++) {
		const struct recorded *r = &recorded[i];
		bool stream = strstr(r->file, ".chunks.") != NULL;
		struct buf body = read_answer(r->file, stream);
		struct answer a = {r->dialect, r->path, stream ? SSE_TYPE : JSON_TYPE,
				   buf_span(&body), false};
		struct usage u = {0};
		enum meter_result result = metering(&a, &u);

		if (result != (r->known ? METER_KNOWN : METER_UNKNOWN) || u.input != r->input ||
		    u.output != r->output || u.cache_read != r->cache_read ||
		    u.reasoning != r->reasoning)
			fail_msg("%s (%s): %d, %llu/%llu", r->file, r->why, result,
				 (unsigned long long)u.input, (unsigned long long)u.output);
		buf_free(&body);
	}
}

/* ---- which answers ---- */

#define FIVE "{\"usage\":{\"input_tokens\":2,\"output_tokens\":3}}"

static const struct kind {
	enum dialect dialect;
	const char *method, *path;
	unsigned status;
	const char *type, *coding;
	enum meter_result result;
	const char *why;
} kinds[] = {
	{DIALECT_OPENAI, "POST", "/chat/completions", 200, JSON_TYPE, NULL, METER_KNOWN, "plain"},
	{DIALECT_OPENAI, "POST", "/chat/completions", 200, "Application/JSON ; charset=utf-8",
	 "identity", METER_KNOWN, "the type as it may be written"},
	{DIALECT_OPENAI, "POST", "/chat/completions", 200, JSON_TYPE, "gzip", METER_UNKNOWN,
	 "compressed though nobody asked for it"},
	{DIALECT_OPENAI, "POST", "/chat/completions", 200, "text/plain", NULL, METER_UNKNOWN,
	 "another type"},
	{DIALECT_OPENAI, "POST", "/chat/completions", 200, NULL, NULL, METER_UNKNOWN, "no type"},
	{DIALECT_OPENAI, "POST", "/chat/completions", 200, FRAMES_TYPE, NULL, METER_UNKNOWN,
	 "not this operation's type"},
	{DIALECT_OPENAI, "POST", "/chat/completions", 429, JSON_TYPE, NULL, METER_NONE, "an error"},
	{DIALECT_OPENAI, "POST", "/chat/completions", 500, JSON_TYPE, NULL, METER_NONE, "another"},
	{DIALECT_OPENAI, "POST", "/completions", 200, JSON_TYPE, NULL, METER_KNOWN, "legacy"},
	{DIALECT_OPENAI, "POST", "/responses", 200, JSON_TYPE, NULL, METER_KNOWN, "Responses"},
	{DIALECT_OPENAI, "POST", "/responses/compact", 200, JSON_TYPE, NULL, METER_KNOWN, "work"},
	{DIALECT_OPENAI, "GET", "/responses/r", 200, JSON_TYPE, NULL, METER_NONE, "counted before"},
	{DIALECT_OPENAI, "POST", "/responses/r/cancel", 200, JSON_TYPE, NULL, METER_NONE,
	 "no work"},
	{DIALECT_OPENAI, "POST", "/responses/input_tokens", 200, JSON_TYPE, NULL, METER_NONE,
	 "only counts"},
	{DIALECT_OPENAI, "GET", "/models", 200, JSON_TYPE, NULL, METER_NONE, "no tokens"},
	{DIALECT_OPENAI, "POST", "/moderations", 200, JSON_TYPE, NULL, METER_NONE, "no tokens"},
	{DIALECT_OPENAI, "POST", "/audio/transcriptions", 200, JSON_TYPE, NULL, METER_KNOWN,
	 "by tokens"},
	{DIALECT_OPENAI, "POST", "/audio/speech", 200, "audio/mpeg", NULL, METER_UNKNOWN, "sound"},
	{DIALECT_ANTHROPIC, "POST", "/v1/messages", 200, JSON_TYPE, NULL, METER_KNOWN, "Anthropic"},
	{DIALECT_ANTHROPIC, "POST", "/v1/messages/count_tokens", 200, JSON_TYPE, NULL, METER_NONE,
	 "only counts"},
	{DIALECT_BEDROCK, "POST", "/model/m/invoke", 200, JSON_TYPE, NULL, METER_KNOWN,
	 "a model that reports as Anthropic's do"},
};

static enum meter_result
measure(const struct kind *k, struct usage *u)
{
	struct http_field fields[2] = {{SPAN("content-encoding"), span_of(k->coding)},
				       {SPAN("content-type"), span_of(k->type)}};
	bool known;
	const struct route *route =
		route_find(k->dialect, span_of(k->method), span_of(k->path), &known);
	struct meter m;

	assert_non_null(route);
	meter_begin(&m, route, k->status, fields, 2);
	meter_feed(&m, SPAN(FIVE));
	return meter_end(&m, true, u);
}

static void
operations_and_types(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		struct usage u = {0};
		enum meter_result result = measure(&kinds[i], &u);

		if (result != kinds[i].result || (result == METER_KNOWN) != (u.input == 2))
			fail_msg("%s (%s): %d", kinds[i].path, kinds[i].why, result);
	}
}

/* ---- Invoke: Bedrock counts in the head ---- */

static const struct headers {
	const char *in, *out, *body;
	bool known;
	uint64_t input, output;
	const char *why;
} headers[] = {
	{"7", "9", "{\"generation\":\"hi\"}", true, 7, 9, "a body without usage"},
	{"7", "9", "[1]", true, 7, 9, "a body of another form"},
	{"7", "9", FIVE, true, 2, 3, "the body knows better: it tells cached tokens apart"},
	{"7", NULL, "{}", false, 7, 0, "one of two"},
	{"7", NULL, "{\"embedding\":[0.5],\"inputTextTokenCount\":7}", true, 7, 0,
	 "Titan's vectors, which are no output"},
	{"7", NULL, "{\"id\":\"x\",\"embeddings\":{\"float\":[[1]]}}", true, 7, 0, "Cohere's"},
	{"7", NULL, "{\"x\":{\"embedding\":[1]}}", false, 7, 0, "vectors elsewhere"},
	{NULL, NULL, "{\"embedding\":[1]}", false, 0, 0, "vectors alone"},
	{"-7", "9", "{}", false, 0, 0, "not a count"},
	{"7", "9999999999999", "{}", false, 0, 0, "not a count of this world"},
	{NULL, NULL, "{}", false, 0, 0, "neither"},
};

static void
invoke_headers(void **state)
{
	bool known;
	const struct route *route = route_find(DIALECT_BEDROCK, SPAN("POST"),
					       SPAN("/model/anthropic.m/invoke"), &known);

	(void)state;
	for (size_t i = 0; i < COUNT(headers); i++) {
		const struct headers *h = &headers[i];
		struct http_field fields[3] = {
			{SPAN("X-Amzn-Bedrock-Input-Token-Count"), span_of(h->in)},
			{SPAN("X-Amzn-Bedrock-Output-Token-Count"), span_of(h->out)},
			{SPAN("Content-Type"), SPAN(JSON_TYPE)},
		};
		struct usage u = {0};
		struct meter m;

		meter_begin(&m, route, 200, fields, 3);
		meter_feed(&m, span_of(h->body));
		if (meter_end(&m, true, &u) != (h->known ? METER_KNOWN : METER_UNKNOWN) ||
		    u.input != h->input || u.output != h->output)
			fail_msg("%s", h->why);
	}
}

/* ---- rerank: LiteLLM puts what its providers say into `meta` ---- */

static const struct reranked {
	const char *body;
	bool known;
	uint64_t input, output;
	const char *why;
} reranked[] = {
	{"{\"results\":[],\"usage\":{\"total_tokens\":7}}", true, 7, 0, "Jina's, Voyage's"},
	{"{\"results\":[],\"meta\":{\"api_version\":null,\"billed_units\":{\"search_units\":1,"
	 "\"total_tokens\":7},\"tokens\":{\"input_tokens\":7,\"output_tokens\":0}}}",
	 true, 7, 0, "LiteLLM's"},
	{"{\"meta\":{\"billed_units\":{\"total_tokens\":7},\"tokens\":null}}", true, 7, 0,
	 "a total alone"},
	{"{\"meta\":{\"billed_units\":{\"search_units\":1}}}", false, 0, 0, "by searches"},
	{"{\"results\":[{\"meta\":{\"tokens\":{\"input_tokens\":7}}}]}", false, 0, 0, "elsewhere"},
};

static void
rerank(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(reranked); i++) {
		const struct reranked *r = &reranked[i];
		struct answer a = {DIALECT_OPENAI, "/rerank", JSON_TYPE, span_of(r->body), false};
		struct usage u = {0};

		if (metering(&a, &u) != (r->known ? METER_KNOWN : METER_UNKNOWN) ||
		    u.input != r->input || u.output != r->output)
			fail_msg("%s", r->why);
	}
}

static void
before_the_head(void **state)
{
	bool known;
	const struct route *chat =
		route_find(DIALECT_OPENAI, SPAN("POST"), SPAN("/chat/completions"), &known);
	const struct route *models =
		route_find(DIALECT_OPENAI, SPAN("GET"), SPAN("/models"), &known);
	struct meter m = {0};
	struct usage u;

	(void)state;
	assert_int_equal(meter_end(&m, false, &u), METER_NONE); /* never sent */
	meter_expect(&m, chat);
	assert_int_equal(meter_end(&m, false, &u), METER_UNKNOWN); /* lost on its way */
	meter_forget(&m);
	assert_int_equal(meter_end(&m, false, &u), METER_NONE); /* refused on its way */
	meter_expect(&m, models);
	assert_int_equal(meter_end(&m, false, &u), METER_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_answers), cmocka_unit_test(operations_and_types),
		cmocka_unit_test(invoke_headers),   cmocka_unit_test(rerank),
		cmocka_unit_test(before_the_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
