/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/access/operations.h"

enum { NONE = -1, OTHER_METHOD = -2 };

struct row {
	const char *method;
	const char *path;
	enum dialect dialect;
	int operation; /* or NONE, or OTHER_METHOD */
	const char *why;
};

static const struct row rows[] = {
	{"POST", "/v1/chat/completions", DIALECT_OPENAI, OPERATION_CHAT, "the usual one"},
	{"POST", "/chat/completions", DIALECT_OPENAI, OPERATION_CHAT,
	 "without /v1 (LiteLLM's SDK)"},
	{"POST", "/v1beta/openai/chat/completions", DIALECT_OPENAI, OPERATION_CHAT,
	 "Gemini's base"},
	{"GET", "/v1/chat/completions", DIALECT_OPENAI, OTHER_METHOD, "stored completions"},
	{"DELETE", "/v1/chat/completions/a", DIALECT_OPENAI, NONE, "a stored completion"},
	{"post", "/v1/chat/completions", DIALECT_OPENAI, OTHER_METHOD, "methods have a case"},
	{"POST", "/v1/v1/chat/completions", DIALECT_OPENAI, NONE, "one /v1 only"},
	{"POST", "/v1x/chat/completions", DIALECT_OPENAI, NONE, "whole segments only"},
	{"POST", "/v1/Chat/completions", DIALECT_OPENAI, NONE, "paths have a case"},
	{"POST", "/v1/chat/completions/", DIALECT_OPENAI, NONE, "a trailing slash"},
	{"POST", "/v1/ch%61t/completions", DIALECT_OPENAI, NONE, "bytes, not meanings"},
	{"POST", "/v1/completions", DIALECT_OPENAI, OPERATION_COMPLETIONS, "completions"},
	{"POST", "/v1/responses", DIALECT_OPENAI, OPERATION_RESPONSES, "responses"},
	{"POST", "/responses/input_tokens", DIALECT_OPENAI, OPERATION_RESPONSES, "counting"},
	{"POST", "/v1/responses/compact", DIALECT_OPENAI, OPERATION_RESPONSES, "compacting"},
	{"GET", "/v1/responses/resp_1", DIALECT_OPENAI, OPERATION_RESPONSES, "reading"},
	{"DELETE", "/v1/responses/resp_1", DIALECT_OPENAI, OPERATION_RESPONSES, "deleting"},
	{"POST", "/v1/responses/resp_1", DIALECT_OPENAI, OTHER_METHOD, "not to be posted to"},
	{"POST", "/v1/responses/resp_1/cancel", DIALECT_OPENAI, OPERATION_RESPONSES, "cancelling"},
	{"GET", "/v1/responses/resp_1/input_items", DIALECT_OPENAI, OPERATION_RESPONSES, "items"},
	{"GET", "/v1/responses/", DIALECT_OPENAI, NONE, "an empty id"},
	{"GET", "/v1/responses/a/b", DIALECT_OPENAI, NONE, "an id of two segments"},
	{"POST", "/v1/embeddings", DIALECT_OPENAI, OPERATION_EMBEDDINGS, "embeddings"},
	{"GET", "/v1/models", DIALECT_OPENAI, OPERATION_MODELS, "models"},
	{"GET", "/v1/models/gpt-4o", DIALECT_OPENAI, OPERATION_MODELS, "one model"},
	{"DELETE", "/v1/models/ft:a", DIALECT_OPENAI, OTHER_METHOD, "deleting a fine-tuned model"},
	{"POST", "/v1/moderations", DIALECT_OPENAI, OPERATION_MODERATIONS, "moderations"},
	{"POST", "/rerank", DIALECT_OPENAI, OPERATION_RERANK, "LiteLLM's rerank"},
	{"POST", "/v1/rerank", DIALECT_OPENAI, OPERATION_RERANK, "LiteLLM's rerank with /v1"},
	{"POST", "/v1/images/generations", DIALECT_OPENAI, OPERATION_IMAGES, "images"},
	{"POST", "/v1/audio/transcriptions", DIALECT_OPENAI, OPERATION_AUDIO, "audio"},
	{"GET", "/v1/files/f/content", DIALECT_OPENAI, OPERATION_FILES, "a file"},
	{"DELETE", "/v1/files/f", DIALECT_OPENAI, OTHER_METHOD, "deleting another's file"},
	{"POST", "/v1/uploads/u/parts", DIALECT_OPENAI, OPERATION_FILES, "an upload's part"},
	{"POST", "/v1/batches/b/cancel", DIALECT_OPENAI, OPERATION_BATCHES, "a batch"},
	{"GET", "/v1/organization/admin_api_keys", DIALECT_OPENAI, NONE, "OpenAI's admin keys"},
	{"POST", "/v1/projects", DIALECT_OPENAI, NONE, "OpenAI's projects"},
	{"POST", "/v1/fine_tuning/jobs", DIALECT_OPENAI, NONE, "fine-tuning"},
	{"POST", "/v1/assistants", DIALECT_OPENAI, NONE, "assistants"},
	{"GET", "/v1/realtime", DIALECT_OPENAI, NONE, "realtime"},
	{"POST", "/key/generate", DIALECT_OPENAI, NONE, "LiteLLM's keys"},
	{"GET", "/key/info", DIALECT_OPENAI, NONE, "LiteLLM's key"},
	{"POST", "/team/new", DIALECT_OPENAI, NONE, "LiteLLM's teams"},
	{"POST", "/user/new", DIALECT_OPENAI, NONE, "LiteLLM's users"},
	{"GET", "/spend/logs", DIALECT_OPENAI, NONE, "LiteLLM's spending"},
	{"POST", "/config/update", DIALECT_OPENAI, NONE, "LiteLLM's configuration"},
	{"GET", "/ui", DIALECT_OPENAI, NONE, "LiteLLM's pages"},
	{"POST", "/model/new", DIALECT_BEDROCK, NONE, "LiteLLM's models"},
	{"GET", "/model/info", DIALECT_BEDROCK, NONE, "LiteLLM's models, read"},
	{"POST", "/v1/messages", DIALECT_ANTHROPIC, OPERATION_MESSAGES, "messages"},
	{"POST", "/v1/messages/count_tokens", DIALECT_ANTHROPIC, OPERATION_COUNT_TOKENS,
	 "counting"},
	{"GET", "/v1/messages/batches/b/results", DIALECT_ANTHROPIC, OPERATION_BATCHES, "a batch"},
	{"GET", "/v1/messages", DIALECT_ANTHROPIC, OTHER_METHOD, "not to be read"},
	{"POST", "/v1/messages/x", DIALECT_ANTHROPIC, NONE, "unknown"},
	{"POST", "/messages", DIALECT_OPENAI, NONE, "Anthropic keeps its /v1"},
	{"POST", "/openai/deployments/d/chat/completions", DIALECT_AZURE, OPERATION_CHAT,
	 "classic"},
	{"POST", "/openai/deployments/d/embeddings", DIALECT_AZURE, OPERATION_EMBEDDINGS,
	 "classic"},
	{"POST", "/openai/deployments//embeddings", DIALECT_AZURE, NONE, "no deployment"},
	{"GET", "/openai/deployments", DIALECT_AZURE, NONE, "administration"},
	{"GET", "/openai/models", DIALECT_AZURE, OPERATION_MODELS, "models"},
	{"POST", "/openai/responses", DIALECT_AZURE, OPERATION_RESPONSES, "responses"},
	{"POST", "/openai/v1/chat/completions", DIALECT_AZURE, OPERATION_CHAT, "v1"},
	{"GET", "/openai/v1/responses/r", DIALECT_AZURE, OPERATION_RESPONSES, "v1 responses"},
	{"POST", "/model/a%3A0/converse", DIALECT_BEDROCK, OPERATION_CONVERSE, "boto3"},
	{"POST", "/bedrock/model/arn%3Aaws%2Fa/converse-stream", DIALECT_BEDROCK,
	 OPERATION_CONVERSE_STREAM, "boto3 with /bedrock"},
	{"POST", "/model/a/invoke", DIALECT_BEDROCK, OPERATION_INVOKE, "invoke"},
	{"POST", "/model/a/invoke-with-response-stream", DIALECT_BEDROCK, OPERATION_INVOKE_STREAM,
	 "invoke, streamed"},
	{"POST", "/model/a/count-tokens", DIALECT_BEDROCK, OPERATION_COUNT_TOKENS, "counting"},
	{"POST", "/model/a/invoke-with-bidirectional-stream", DIALECT_BEDROCK, NONE, "HTTP/2 only"},
	{"POST", "/bedrock/guardrail/g/version/1/apply", DIALECT_BEDROCK, OPERATION_GUARDRAILS,
	 "one"},
	{"POST", "/bedrock/agents/a/agentAliases/b/sessions/c/text", DIALECT_BEDROCK,
	 OPERATION_AGENTS, "InvokeAgent"},
	{"POST", "/bedrock/agents/s", DIALECT_BEDROCK, NONE, "InvokeInlineAgent"},
	{"POST", "/bedrock/retrieveAndGenerate", DIALECT_BEDROCK, OPERATION_KNOWLEDGE_BASES, "one"},
	{"DELETE", "/bedrock/knowledgebases/k", DIALECT_BEDROCK, NONE, "build time"},
	{"POST", "/bedrock/tags/a", DIALECT_BEDROCK, NONE, "tags"},
	{"POST", "/bedrock", DIALECT_BEDROCK, NONE, "the prefix alone"},
	{"GET", "/", DIALECT_OPENAI, NONE, "the root"},
	{"GET", "/v1", DIALECT_OPENAI, NONE, "the base"},
};

static void
table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span rest;
		bool known;
		enum dialect d = dialect_of(span_of(rows[i].path), &rest);
		const struct route *r = route_find(d, span_of(rows[i].method), rest, &known);
		int got = r != NULL ? (int)r->operation : known ? OTHER_METHOD : NONE;

		if (d != rows[i].dialect || got != rows[i].operation ||
		    (r != NULL && (r->dialect != d || !known)))
			fail_msg("%s %s: %s: %d", rows[i].method, rows[i].path, rows[i].why, got);
	}
}

static void
models_in_paths(void **state)
{
	static const struct {
		const char *path, *model;
	} cases[] = {
		{"/bedrock/model/a%3A0/converse", "a%3A0"},
		{"/openai/deployments/my-gpt/chat/completions", "my-gpt"},
		{"/v1/chat/completions", NULL},
		{"/bedrock/guardrail/g/version/1/apply", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span rest, model = SPAN("untouched");
		bool known;
		enum dialect d = dialect_of(span_of(cases[i].path), &rest);
		const struct route *r = route_find(d, SPAN("POST"), rest, &known);

		assert_non_null(r);
		assert_int_equal(route_model(r, rest, &model), cases[i].model != NULL);
		assert_true(span_is(model, cases[i].model == NULL ? "untouched" : cases[i].model));
		assert_int_equal(r->needs_model, i == 2);
	}
}

static void
names(void **state)
{
	enum operation o = OPERATION_CHAT;
	enum provider p = PROVIDER_OPENAI;

	(void)state;
	for (unsigned i = 0; i < OPERATIONS; i++) {
		assert_true(operation_find(span_of(operation_name((enum operation)i)), &o));
		assert_int_equal(o, i);
	}
	for (unsigned i = 0; i < PROVIDERS; i++) {
		assert_true(provider_find(span_of(provider_name((enum provider)i)), &p));
		assert_int_equal(p, i);
		assert_true(dialects_of(p) != 0 && operations_default(p) != 0);
		assert_int_equal(operations_default(p) & ~operations_possible(p), 0);
	}
	assert_false(operation_find(SPAN("Chat"), &o));
	assert_false(provider_find(SPAN(""), &p));
	assert_string_equal(operation_name(OPERATION_COUNT_TOKENS), "countTokens");
	assert_string_equal(provider_name(PROVIDER_OPENAI_COMPATIBLE), "openaiCompatible");
	assert_string_equal(dialect_name(DIALECT_BEDROCK), "bedrock");
}

static void
defaults(void **state)
{
	static const enum operation opt_in[] = {
		OPERATION_IMAGES,          OPERATION_AUDIO,      OPERATION_FILES,
		OPERATION_BATCHES,         OPERATION_GUARDRAILS, OPERATION_AGENTS,
		OPERATION_KNOWLEDGE_BASES,
	};

	(void)state;
	for (unsigned p = 0; p < PROVIDERS; p++)
		for (size_t i = 0; i < sizeof(opt_in) / sizeof(opt_in[0]); i++)
			assert_int_equal(operations_default((enum provider)p) >> opt_in[i] & 1, 0);
	assert_int_equal(operations_default(PROVIDER_LITELLM) >> OPERATION_RERANK & 1, 1);
	assert_int_equal(operations_possible(PROVIDER_OPENAI) >> OPERATION_CONVERSE & 1, 0);
	assert_int_equal(operations_possible(PROVIDER_BEDROCK) >> OPERATION_CHAT & 1, 0);
	assert_int_equal(dialects_of(PROVIDER_LITELLM),
			 1 << DIALECT_OPENAI | 1 << DIALECT_ANTHROPIC);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
		cmocka_unit_test(models_in_paths),
		cmocka_unit_test(names),
		cmocka_unit_test(defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
