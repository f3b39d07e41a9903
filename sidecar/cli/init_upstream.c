/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/init_upstream.h"

/* clang-format off */
static const struct upstream upstreams[] = {
	{"openai", PROVIDER_OPENAI, "https://api.openai.com/v1", "OPENAI_API_KEY"},
	{"text-completion-openai", PROVIDER_OPENAI, "https://api.openai.com/v1", "OPENAI_API_KEY"},
	{"azure", PROVIDER_AZURE, NULL, "AZURE_API_KEY"},
	{"anthropic", PROVIDER_ANTHROPIC, "https://api.anthropic.com", "ANTHROPIC_API_KEY"},
	{"gemini", PROVIDER_GEMINI, "https://generativelanguage.googleapis.com/v1beta/openai",
	    "GEMINI_API_KEY"},
	{"bedrock", PROVIDER_BEDROCK, "", NULL},
	{"bedrock_converse", PROVIDER_BEDROCK, "", NULL},
	{"litellm_proxy", PROVIDER_LITELLM, NULL, "LITELLM_PROXY_API_KEY"},
	{"hosted_vllm", PROVIDER_OPENAI_COMPATIBLE, NULL, NULL},
	{"vllm", PROVIDER_OPENAI_COMPATIBLE, NULL, NULL},
	{"lm_studio", PROVIDER_OPENAI_COMPATIBLE, NULL, NULL},
	{"llamafile", PROVIDER_OPENAI_COMPATIBLE, NULL, NULL},
	{"custom_openai", PROVIDER_OPENAI_COMPATIBLE, NULL, "OPENAI_LIKE_API_KEY"},
	{"openai_like", PROVIDER_OPENAI_COMPATIBLE, NULL, "OPENAI_LIKE_API_KEY"},
	{"cerebras", PROVIDER_OPENAI_COMPATIBLE, "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"},
	{"deepseek", PROVIDER_OPENAI_COMPATIBLE, "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"},
	{"fireworks_ai", PROVIDER_OPENAI_COMPATIBLE, "https://api.fireworks.ai/inference/v1",
	    "FIREWORKS_API_KEY"},
	{"groq", PROVIDER_OPENAI_COMPATIBLE, "https://api.groq.com/openai/v1", "GROQ_API_KEY"},
	{"mistral", PROVIDER_OPENAI_COMPATIBLE, "https://api.mistral.ai/v1", "MISTRAL_API_KEY"},
	{"nvidia_nim", PROVIDER_OPENAI_COMPATIBLE, "https://integrate.api.nvidia.com/v1",
	    "NVIDIA_NIM_API_KEY"},
	{"openrouter", PROVIDER_OPENAI_COMPATIBLE, "https://openrouter.ai/api/v1",
	    "OPENROUTER_API_KEY"},
	{"perplexity", PROVIDER_OPENAI_COMPATIBLE, "https://api.perplexity.ai",
	    "PERPLEXITYAI_API_KEY"},
	{"together_ai", PROVIDER_OPENAI_COMPATIBLE, "https://api.together.xyz/v1",
	    "TOGETHERAI_API_KEY"},
	{"xai", PROVIDER_OPENAI_COMPATIBLE, "https://api.x.ai/v1", "XAI_API_KEY"},
};

/* Names that LiteLLM finds in its tables of models without a prefix. */
static const struct {
	const char *front, *prefix;
} known[] = {
	{"gpt-", "openai"},       {"chatgpt-", "openai"}, {"o1", "openai"},
	{"o3", "openai"},         {"o4-", "openai"},      {"text-embedding-", "openai"},
	{"dall-e-", "openai"},    {"whisper-", "openai"}, {"tts-", "openai"},
	{"claude-", "anthropic"}, {"anthropic.", "bedrock"}, {"us.anthropic.", "bedrock"},
	{"eu.anthropic.", "bedrock"}, {"amazon.", "bedrock"}, {"us.amazon.", "bedrock"},
	{"meta.", "bedrock"},     {"us.meta.", "bedrock"}, {"mistral.", "bedrock"},
};
/* clang-format on */

const struct upstream *
upstream_find(struct span prefix)
{
	for (size_t i = 0; i < sizeof(upstreams) / sizeof(upstreams[0]); i++)
		if (span_is(prefix, upstreams[i].prefix))
			return &upstreams[i];
	return NULL;
}

/* bedrock/converse/ID, bedrock/REGION/ID, azure/o_series/NAME: words to LiteLLM alone. */
static struct span
cut_route(const struct upstream *u, struct span name)
{
	static const struct {
		enum provider provider;
		const char *route;
	} routes[] = {
		{PROVIDER_BEDROCK, "converse/"},      {PROVIDER_BEDROCK, "invoke/"},
		{PROVIDER_BEDROCK, "converse_like/"}, {PROVIDER_AZURE, "o_series/"},
		{PROVIDER_AZURE, "gpt5_series/"},     {PROVIDER_OPENAI, "responses/"},
	};

	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		struct span route = span_of(routes[i].route);

		if (routes[i].provider == u->provider && span_starts(name, route))
			return span_cut(name, route.len, name.len);
	}
	return name;
}

const struct upstream *
upstream_of(struct span model, struct span *name)
{
	size_t slash = span_find(model, 0, '/');
	const struct upstream *u = upstream_find(span_cut(model, 0, slash));

	if (slash < model.len) {
		if (u != NULL)
			*name = cut_route(u, span_cut(model, slash + 1, model.len));
		return u;
	}
	*name = model;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (span_starts(model, span_of(known[i].front)))
			return upstream_find(span_of(known[i].prefix));
	return NULL;
}

void
upstream_note(struct draft *d, enum provider p, const struct yaml_item *item, const char *path)
{
	if (p == PROVIDER_ANTHROPIC)
		draft_note(d, item, path,
			   "its calls are not translated: sidekey passes on what the agent says",
			   "let the agent speak Anthropic's own interface, /v1/messages, or keep "
			   "a LiteLLM proxy behind sidekey");
	else if (p == PROVIDER_BEDROCK)
		draft_note(d, item, path,
			   "its calls are not translated: sidekey signs and passes on what the "
			   "agent says",
			   "let the agent speak Bedrock's own interface, at "
			   "http://127.0.0.1:7717/bedrock, or keep a LiteLLM proxy behind sidekey");
}
