/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/access/operations.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const dialect_names[DIALECTS] = {
	[DIALECT_OPENAI] = "openai",
	[DIALECT_ANTHROPIC] = "anthropic",
	[DIALECT_AZURE] = "azure",
	[DIALECT_BEDROCK] = "bedrock",
};

static const char *const operation_names[OPERATIONS] = {
	[OPERATION_CHAT] = "chat",
	[OPERATION_COMPLETIONS] = "completions",
	[OPERATION_RESPONSES] = "responses",
	[OPERATION_EMBEDDINGS] = "embeddings",
	[OPERATION_MODELS] = "models",
	[OPERATION_MODERATIONS] = "moderations",
	[OPERATION_RERANK] = "rerank",
	[OPERATION_MESSAGES] = "messages",
	[OPERATION_COUNT_TOKENS] = "countTokens",
	[OPERATION_CONVERSE] = "converse",
	[OPERATION_CONVERSE_STREAM] = "converseStream",
	[OPERATION_INVOKE] = "invoke",
	[OPERATION_INVOKE_STREAM] = "invokeStream",
	[OPERATION_IMAGES] = "images",
	[OPERATION_AUDIO] = "audio",
	[OPERATION_FILES] = "files",
	[OPERATION_BATCHES] = "batches",
	[OPERATION_GUARDRAILS] = "guardrails",
	[OPERATION_AGENTS] = "agents",
	[OPERATION_KNOWLEDGE_BASES] = "knowledgeBases",
};

#define BIT(name)    (UINT32_C(1) << OPERATION_##name)
#define SPEAKS(name) (1U << DIALECT_##name)

/*
 * Without server-side state that outlives the call, without multipart, without a nested model but
 * for tools[].model, which the rules reach.
 */
#define SAFE                                                                                       \
	(BIT(CHAT) | BIT(COMPLETIONS) | BIT(RESPONSES) | BIT(EMBEDDINGS) | BIT(MODELS) |           \
	 BIT(MODERATIONS) | BIT(RERANK) | BIT(MESSAGES) | BIT(COUNT_TOKENS) | BIT(CONVERSE) |      \
	 BIT(CONVERSE_STREAM) | BIT(INVOKE) | BIT(INVOKE_STREAM))

#define GENERATE  (BIT(CHAT) | BIT(COMPLETIONS) | BIT(RESPONSES) | BIT(EMBEDDINGS) | BIT(MODELS))
#define MEDIA     (BIT(IMAGES) | BIT(AUDIO) | BIT(FILES) | BIT(BATCHES))
#define ANTHROPIC (BIT(MESSAGES) | BIT(COUNT_TOKENS))

static const struct {
	const char *name;
	unsigned char dialects;
	uint32_t possible;
} providers[PROVIDERS] = {
	[PROVIDER_OPENAI] = {"openai", SPEAKS(OPENAI), GENERATE | BIT(MODERATIONS) | MEDIA},
	/* The /openai/v1 base speaks openai; the classic one only deployment paths. */
	[PROVIDER_AZURE] = {"azure", SPEAKS(OPENAI) | SPEAKS(AZURE), GENERATE | MEDIA},
	[PROVIDER_ANTHROPIC] = {"anthropic", SPEAKS(ANTHROPIC), ANTHROPIC | BIT(BATCHES)},
	[PROVIDER_GEMINI] = {"gemini", SPEAKS(OPENAI),
			     BIT(CHAT) | BIT(EMBEDDINGS) | BIT(MODELS) | BIT(IMAGES) | BIT(FILES) |
				     BIT(BATCHES)},
	/* Bedrock through LiteLLM is a bedrock target whose apiBase ends in /bedrock: */
	/* what stands under /model there without it is key management. */
	[PROVIDER_LITELLM] = {"litellm", SPEAKS(OPENAI) | SPEAKS(ANTHROPIC),
			      GENERATE | BIT(MODERATIONS) | BIT(RERANK) | MEDIA | ANTHROPIC},
	[PROVIDER_BEDROCK] = {"bedrock", SPEAKS(BEDROCK),
			      BIT(CONVERSE) | BIT(CONVERSE_STREAM) | BIT(INVOKE) |
				      BIT(INVOKE_STREAM) | BIT(COUNT_TOKENS) | BIT(GUARDRAILS) |
				      BIT(AGENTS) | BIT(KNOWLEDGE_BASES)},
	[PROVIDER_CLOUDFLARE] = {"cloudflare", SPEAKS(OPENAI) | SPEAKS(ANTHROPIC),
				 GENERATE | BIT(MODERATIONS) | MEDIA | ANTHROPIC},
	[PROVIDER_OPENAI_COMPATIBLE] = {"openaiCompatible", SPEAKS(OPENAI),
					GENERATE | BIT(MODERATIONS) | BIT(RERANK) | MEDIA},
};

/*
 * Every path that has a route. What is not here cannot be called, and no setting adds to it:
 * organization, projects, fine-tuning, keys, teams, users, spend, config and the like.
 * Deleting is left out too (a key is shared by agents), but for a response that one made.
 *
 * {model} stands for one segment that names a model, {…} for any other one. The first
 * row is the one that is asked for most.
 */
#define POST(d, o, p, b, m)                                                                        \
	{                                                                                          \
		DIALECT_##d, OPERATION_##o, "POST", p, b, m                                        \
	}
#define GET(d, o, p)                                                                               \
	{                                                                                          \
		DIALECT_##d, OPERATION_##o, "GET", p, BODY_NONE, false                             \
	}
#define DELETE(d, o, p)                                                                            \
	{                                                                                          \
		DIALECT_##d, OPERATION_##o, "DELETE", p, BODY_NONE, false                          \
	}

/* Where OpenAI's operations that name their model in the body stand under base. */
#define OPENAI_BY_BODY(d, base)                                                                    \
	POST(d, CHAT, base "/chat/completions", BODY_JSON, true),                                  \
		POST(d, EMBEDDINGS, base "/embeddings", BODY_JSON, true),                          \
		POST(d, COMPLETIONS, base "/completions", BODY_JSON, true),                        \
		POST(d, MODERATIONS, base "/moderations", BODY_JSON, false),                       \
		POST(d, IMAGES, base "/images/generations", BODY_JSON, true),                      \
		POST(d, IMAGES, base "/images/edits", BODY_FORM_OR_JSON, true),                    \
		POST(d, IMAGES, base "/images/variations", BODY_FORM, true),                       \
		POST(d, AUDIO, base "/audio/speech", BODY_JSON, true),                             \
		POST(d, AUDIO, base "/audio/transcriptions", BODY_FORM, true),                     \
		POST(d, AUDIO, base "/audio/translations", BODY_FORM, true)

/* Those that name none, or keep state; classic Azure has them beside its deployments. */
#define OPENAI_BY_ID(d, base)                                                                      \
	POST(d, RESPONSES, base "/responses", BODY_JSON, true),                                    \
		POST(d, RESPONSES, base "/responses/input_tokens", BODY_JSON, true),               \
		POST(d, RESPONSES, base "/responses/compact", BODY_JSON, true),                    \
		POST(d, RESPONSES, base "/responses/{id}/cancel", BODY_NO_MEMBERS, false),         \
		GET(d, RESPONSES, base "/responses/{id}"),                                         \
		GET(d, RESPONSES, base "/responses/{id}/input_items"),                             \
		DELETE(d, RESPONSES, base "/responses/{id}"), GET(d, MODELS, base "/models"),      \
		GET(d, MODELS, base "/models/{model}"),                                            \
		POST(d, FILES, base "/files", BODY_FORM, false), GET(d, FILES, base "/files"),     \
		GET(d, FILES, base "/files/{id}"), GET(d, FILES, base "/files/{id}/content"),      \
		POST(d, FILES, base "/uploads", BODY_JSON, false),                                 \
		POST(d, FILES, base "/uploads/{id}/parts", BODY_FORM, false),                      \
		POST(d, FILES, base "/uploads/{id}/complete", BODY_JSON, false),                   \
		POST(d, FILES, base "/uploads/{id}/cancel", BODY_NONE, false),                     \
		POST(d, BATCHES, base "/batches", BODY_JSON, false),                               \
		GET(d, BATCHES, base "/batches"), GET(d, BATCHES, base "/batches/{id}"),           \
		POST(d, BATCHES, base "/batches/{id}/cancel", BODY_NONE, false)

#define DEPLOYMENT "/openai/deployments/{model}"

static const struct route routes[] = {
	OPENAI_BY_BODY(OPENAI, ""),
	OPENAI_BY_ID(OPENAI, ""),
	POST(OPENAI, RERANK, "/rerank", BODY_JSON, true), /* LiteLLM, also at /v1/rerank */

	POST(ANTHROPIC, MESSAGES, "/v1/messages", BODY_JSON, true),
	POST(ANTHROPIC, COUNT_TOKENS, "/v1/messages/count_tokens", BODY_JSON, true),
	POST(ANTHROPIC, BATCHES, "/v1/messages/batches", BODY_JSON, false),
	GET(ANTHROPIC, BATCHES, "/v1/messages/batches"),
	GET(ANTHROPIC, BATCHES, "/v1/messages/batches/{id}"),
	GET(ANTHROPIC, BATCHES, "/v1/messages/batches/{id}/results"),
	POST(ANTHROPIC, BATCHES, "/v1/messages/batches/{id}/cancel", BODY_NONE, false),

	POST(AZURE, CHAT, DEPLOYMENT "/chat/completions", BODY_JSON, false),
	POST(AZURE, COMPLETIONS, DEPLOYMENT "/completions", BODY_JSON, false),
	POST(AZURE, EMBEDDINGS, DEPLOYMENT "/embeddings", BODY_JSON, false),
	POST(AZURE, IMAGES, DEPLOYMENT "/images/generations", BODY_JSON, false),
	POST(AZURE, IMAGES, DEPLOYMENT "/images/edits", BODY_FORM_OR_JSON, false),
	POST(AZURE, AUDIO, DEPLOYMENT "/audio/speech", BODY_JSON, false),
	POST(AZURE, AUDIO, DEPLOYMENT "/audio/transcriptions", BODY_FORM, false),
	POST(AZURE, AUDIO, DEPLOYMENT "/audio/translations", BODY_FORM, false),
	OPENAI_BY_ID(AZURE, "/openai"),
	OPENAI_BY_BODY(AZURE, "/openai/v1"),
	OPENAI_BY_ID(AZURE, "/openai/v1"),

	POST(BEDROCK, CONVERSE, "/model/{model}/converse", BODY_JSON, false),
	POST(BEDROCK, CONVERSE_STREAM, "/model/{model}/converse-stream", BODY_JSON, false),
	POST(BEDROCK, INVOKE, "/model/{model}/invoke", BODY_UNTYPED_JSON, false),
	POST(BEDROCK, INVOKE_STREAM, "/model/{model}/invoke-with-response-stream",
	     BODY_UNTYPED_JSON, false),
	POST(BEDROCK, COUNT_TOKENS, "/model/{model}/count-tokens", BODY_JSON, false),
	POST(BEDROCK, GUARDRAILS, "/guardrail/{id}/version/{version}/apply", BODY_JSON, false),
	POST(BEDROCK, GUARDRAILS, "/guardrail-checks/invoke", BODY_JSON, false),
	/* Not InvokeInlineAgent (POST /agents/{session}): its body picks a model of its own. */
	POST(BEDROCK, AGENTS, "/agents/{id}/agentAliases/{alias}/sessions/{session}/text",
	     BODY_JSON, false),
	POST(BEDROCK, AGENTS, "/flows/{id}/aliases/{alias}", BODY_JSON, false),
	/* Their model, if any, stands deep in the body, out of reach of the model rules: opt-in. */
	POST(BEDROCK, KNOWLEDGE_BASES, "/knowledgebases/{id}/retrieve", BODY_JSON, false),
	POST(BEDROCK, KNOWLEDGE_BASES, "/retrieveAndGenerate", BODY_JSON, false),
	POST(BEDROCK, KNOWLEDGE_BASES, "/retrieveAndGenerateStream", BODY_JSON, false),
	POST(BEDROCK, KNOWLEDGE_BASES, "/agenticRetrieveStream", BODY_JSON, false),
	POST(BEDROCK, KNOWLEDGE_BASES, "/generateQuery", BODY_JSON, false),
	POST(BEDROCK, KNOWLEDGE_BASES, "/rerank", BODY_JSON, false),
};

const char *
dialect_name(enum dialect d)
{
	return dialect_names[d];
}

const char *
provider_name(enum provider p)
{
	return providers[p].name;
}

const char *
operation_name(enum operation o)
{
	return operation_names[o];
}

bool
provider_find(struct span name, enum provider *out)
{
	for (unsigned i = 0; i < PROVIDERS; i++) {
		if (!span_is(name, providers[i].name))
			continue;
		*out = (enum provider)i;
		return true;
	}
	return false;
}

bool
operation_find(struct span name, enum operation *out)
{
	for (unsigned i = 0; i < OPERATIONS; i++) {
		if (!span_is(name, operation_names[i]))
			continue;
		*out = (enum operation)i;
		return true;
	}
	return false;
}

uint32_t
operations_default(enum provider p)
{
	return providers[p].possible & SAFE;
}

uint32_t
operations_possible(enum provider p)
{
	return providers[p].possible;
}

uint32_t
operations_of_forms(void)
{
	uint32_t found = 0;

	for (size_t i = 0; i < COUNT(routes); i++)
		if (routes[i].body == BODY_FORM || routes[i].body == BODY_FORM_OR_JSON)
			found |= UINT32_C(1) << routes[i].operation;
	return found;
}

uint8_t
dialects_of(enum provider p)
{
	return providers[p].dialects;
}

/* Where a path belongs: the first prefix, up to a segment's end, decides. */
static const struct {
	const char *prefix;
	size_t len;
	enum dialect dialect;
	bool cut;
} prefixes[] = {
#define PREFIX(text, dialect, cut)                                                                 \
	{                                                                                          \
		text, sizeof(text) - 1, dialect, cut                                               \
	}
	PREFIX("/v1/messages", DIALECT_ANTHROPIC, false),
	PREFIX("/v1", DIALECT_OPENAI, true),
	PREFIX("/bedrock", DIALECT_BEDROCK, true),
	PREFIX("/model", DIALECT_BEDROCK, false),
	PREFIX("/openai", DIALECT_AZURE, false),
	PREFIX("/v1beta/openai", DIALECT_OPENAI, true),
};

enum dialect
dialect_of(struct span path, struct span *rest)
{
	*rest = path;
	for (size_t i = 0; i < COUNT(prefixes); i++) {
		size_t n = prefixes[i].len;

		if (!span_starts(path, (struct span){prefixes[i].prefix, n}) ||
		    (path.len > n && path.ptr[n] != '/'))
			continue;
		if (prefixes[i].cut)
			*rest = span_cut(path, n, path.len);
		return prefixes[i].dialect;
	}
	return DIALECT_OPENAI;
}

/* Whether path is an instance of template; the segment at {model}, if there is one, in *model. */
static bool
matches(const char *template, struct span path, struct span *model)
{
	size_t at = 0;

	*model = (struct span){NULL, 0};
	while (*template != '\0') {
		size_t end;

		if (*template != '{') {
			if (at == path.len || path.ptr[at++] != *template ++)
				return false;
			continue;
		}
		end = span_find(path, at, '/');
		if (end == at)
			return false;
		if (template[1] == 'm')
			*model = span_cut(path, at, end);
		at = end;
		while (*template ++ != '}')
			;
	}
	return at == path.len;
}

const struct route *
route_find(enum dialect d, struct span method, struct span rest, bool *known_path)
{
	struct span model;

	*known_path = false;
	for (size_t i = 0; i < COUNT(routes); i++) {
		if (routes[i].dialect != d || !matches(routes[i].path, rest, &model))
			continue;
		*known_path = true;
		if (span_is(method, routes[i].method))
			return &routes[i];
	}
	return NULL;
}

bool
route_model(const struct route *route, struct span rest, struct span *model)
{
	struct span found;

	if (!matches(route->path, rest, &found) || found.ptr == NULL)
		return false;
	*model = found;
	return true;
}
