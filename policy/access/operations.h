/* SPDX-License-Identifier: Apache-2.0 */
/* What an agent may call: one table of dialects, operations, methods and path templates. */
#ifndef POLICY_ACCESS_OPERATIONS_H
#define POLICY_ACCESS_OPERATIONS_H

#include <stdint.h>

#include "base/span.h"

enum dialect { DIALECT_OPENAI, DIALECT_ANTHROPIC, DIALECT_AZURE, DIALECT_BEDROCK, DIALECTS };

enum provider {
	PROVIDER_OPENAI,
	PROVIDER_AZURE,
	PROVIDER_ANTHROPIC,
	PROVIDER_GEMINI,
	PROVIDER_LITELLM,
	PROVIDER_BEDROCK,
	PROVIDER_CLOUDFLARE,
	PROVIDER_OPENAI_COMPATIBLE,
	PROVIDERS
};

/* Names in configuration, log and metrics: design section 5. */
enum operation {
	OPERATION_CHAT,
	OPERATION_COMPLETIONS,
	OPERATION_RESPONSES,
	OPERATION_EMBEDDINGS,
	OPERATION_MODELS,
	OPERATION_MODERATIONS,
	OPERATION_RERANK,
	OPERATION_MESSAGES,
	OPERATION_COUNT_TOKENS,
	OPERATION_CONVERSE,
	OPERATION_CONVERSE_STREAM,
	OPERATION_INVOKE,
	OPERATION_INVOKE_STREAM,
	OPERATION_IMAGES,
	OPERATION_AUDIO,
	OPERATION_FILES,
	OPERATION_BATCHES,
	OPERATION_GUARDRAILS,
	OPERATION_AGENTS,
	OPERATION_KNOWLEDGE_BASES,
	OPERATIONS
};

/* What Bedrock has at bedrock-agent-runtime, apart from its models (reference/aws.md 6.1). */
#define OPERATIONS_OF_AGENTS                                                                       \
	(UINT32_C(1) << OPERATION_AGENTS | UINT32_C(1) << OPERATION_KNOWLEDGE_BASES)

enum body_kind {
	BODY_NONE,
	BODY_JSON,
	BODY_FORM,         /* multipart/form-data: judged as it passes */
	BODY_FORM_OR_JSON, /* as Content-Type says */
	BODY_UNTYPED_JSON, /* or nothing: InvokeModel's, whose SDKs need not say what it is */
	BODY_NO_MEMBERS,   /* nothing, or {}: LiteLLM's SDK sends that where OpenAI's sends none */
};

struct route {
	enum dialect dialect;
	enum operation operation;
	const char *method;
	const char *path; /* below the dialect's base: "/chat/completions", "/responses/{id}" */
	enum body_kind body;
	bool needs_model; /* its body (JSON or multipart) names a model; with model rules it must */
};

enum { BODY_NO_MEMBERS_MAX = 2 }; /* bytes: nobody can hide a request in {} */

const char *dialect_name(enum dialect d);
const char *provider_name(enum provider p);
const char *operation_name(enum operation o);
bool provider_find(struct span name, enum provider *out);
bool operation_find(struct span name, enum operation *out);

/*
 * The operations that are on when a target names none (bit 1 << enum operation), for that
 * provider.
 */
uint32_t operations_default(enum provider p);
/* The operations that a provider can speak at all (opt-in ones included). */
uint32_t operations_possible(enum provider p);
/* Those that have routes which take a form. */
uint32_t operations_of_forms(void);
/* The dialects that a provider speaks (bit 1 << enum dialect). */
uint8_t dialects_of(enum provider p);

/*
 * The dialect that a request path belongs to, and *rest: the path that the route
 * table knows (openai: without one leading /v1 or Gemini's /v1beta/openai; bedrock: without
 * /bedrock; azure: as it is; anthropic: as it is with /v1). Of a path
 * that is no grammar_is_path it only says how its sender is to be answered.
 */
enum dialect dialect_of(struct span path, struct span *rest);

/*
 * The route of a request, or NULL. When the path is known under other methods,
 * *known_path is set to true (the refusal is then "this method is not allowed").
 */
const struct route *route_find(enum dialect d, struct span method, struct span rest,
			       bool *known_path);

/*
 * The model that the path itself names (a Bedrock model id, an Azure deployment, the entry of
 * /models: the segment at {model} in route's path), as sent, perhaps percent-encoded. False when
 * the body names it, or nobody.
 */
bool route_model(const struct route *route, struct span rest, struct span *model);

#endif
