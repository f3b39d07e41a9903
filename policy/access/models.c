/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "policy/access/models.h"

#include "base/ascii.h"
#include "policy/access/names.h"

/*
 * What no name of a model has, but a list of names, a path or an address may: LiteLLM calls each
 * of "a,b", and what follows "huggingface/" as a URL if it is one, the provider's key with it.
 * Names that need more than these (some have a blank or a '#') get a rule of their own.
 */
static bool
is_name_char(char c)
{
	return ascii_is_alnum(c) || (c != '\0' && strchr("-._:/@+~", c) != NULL);
}

/* No segment "", "." or ".." from at on, where one begins; the last may be empty. */
static bool
has_plain_segments(struct span name, size_t at)
{
	for (; at < name.len; at++) {
		size_t end = span_find(name, at, '/');
		struct span segment = span_cut(name, at, end);

		if (segment.len == 0 || span_is(segment, ".") || span_is(segment, ".."))
			return false;
		at = end;
	}
	return true;
}

bool
model_is_plain(struct span name, size_t from)
{
	size_t segment = from;

	for (size_t i = from; i < name.len; i++)
		if (!is_name_char(name.ptr[i]))
			return false;
	while (segment > 0 && name.ptr[segment - 1] != '/')
		segment--;
	return has_plain_segments(name, segment);
}

/* A trailing '*' is the rest of a name, anywhere else a character. */
static bool
is_prefix(struct span match)
{
	return match.len > 0 && match.ptr[match.len - 1] == '*';
}

static bool
matches(struct span match, struct span name)
{
	if (is_prefix(match))
		return span_starts(name, span_cut(match, 0, match.len - 1)) &&
		       model_is_plain(name, match.len - 1);
	return span_eq(match, name);
}

long
model_pick(const struct model_rule *rules, size_t n, struct span model)
{
	for (size_t i = 0; i < n; i++)
		if (matches(rules[i].match, model))
			return (long)i;
	return -1;
}

/* Whatever a prefix is continued with, another takes it that takes the prefix itself. */
long
model_shadowed(const struct model_rule *rules, size_t i)
{
	bool open = is_prefix(rules[i].match);
	struct span stem = span_cut(rules[i].match, 0, rules[i].match.len - (open ? 1 : 0));

	for (size_t before = 0; before < i; before++)
		if ((is_prefix(rules[before].match) || !open) && matches(rules[before].match, stem))
			return (long)before;
	return -1;
}

bool
model_is_listed(const struct span *list, size_t n, struct span model)
{
	for (size_t i = 0; i < n; i++)
		if (matches(list[i], model))
			return true;
	return false;
}

struct span
model_sent(const struct model_rule *rule, struct span model)
{
	if (rule->send_as.len > 0)
		return rule->send_as;
	/* A model that is the prefix alone stays as it is: no upstream knows an empty name. */
	if (rule->strip_prefix.len < model.len && span_starts(model, rule->strip_prefix))
		return span_cut(model, rule->strip_prefix.len, model.len);
	return model;
}

/*
 * Lower case, since names come folded; a trailing '*' is a prefix. Few are harmful to every
 * gateway, but none of them is a member of the APIs that we speak.
 */
static const char *const denied[] = {
	/* Another host for the call, and with it the gateway's key. */
	"api_base",
	"base_url",
	"api_type",
	"deployment_url",
	"s3_*",
	"nvcf_function_id",
	"use_ssl",
	"ssl_verify",
	"rust", /* LiteLLM's other client, with settings of its own */
	"sagemaker_*",
	"watsonx_*",
	"wx_*",
	"custom_llm_provider",
	"use_litellm_proxy",
	/* Another key or identity. */
	"api_key",
	"api_version",
	"organization",
	"azure_*",
	"aws_*",
	"vertex_*",
	"region_name",
	"tenant_id",
	"client_id",
	"client_secret",
	"litellm_*",
	"user_api_key_*",
	"workspace_id",
	"bedrock_tags",
	"agentcore_runtime_session_id",
	"fireworks_forward_user_id",
	/* Not all of anthropic_*: Bedrock's bodies have anthropic_version and anthropic_beta. */
	"anthropic_workspace_id",
	"anthropic-workspace-id",
	"anthropic_organization_id",
	"anthropic_service_account_id",
	"anthropic_disable_workload_identity_federation",
	"anthropic_federation_*",
	"anthropic_identity_*",
	"anthropic_issuer_*",
	"anthropic_keycloak_*",
	"openai_identity_*",
	"openai_service_account_id",
	/* Further request parts, which could bring any of the others back. */
	"headers",
	"extra_headers",
	"extra_body",
	"extra_query",
	"default_headers",
	"provider_specific_header",
	/* Another model, or one more, beside "model" that the rules were held against. */
	"models",
	"model_list",
	"model_id",
	"model_group",
	"fallbacks",
	"default_fallbacks",
	"context_window_fallbacks",
	"context_window_fallback_dict",
	"content_policy_fallbacks",
	"fallback_models",
	"silent_model",
	"fastest_response", /* LiteLLM's, of a list of models */
	"base_model",
	"engine",
	"deployment_id",
	"specific_deployment",
	"prompt_id",
	"target_model_names", /* LiteLLM's, of a file */
	"user_config",
	"router_settings",
	"router_settings_override",
	"allowed_model_region",
	/*
	 * LiteLLM: which of its deployments answers, how often it calls them, and whether another
	 * model does instead. A time that is too short makes it go on to the next, like an error.
	 */
	"tags",
	"routing_strategy",
	"routing_strategy_args",
	"routing_groups",
	"enable_tag_filtering",
	"_router_weights",
	"_target_order",
	"attempted_targets",
	"fallback_depth",
	"max_fallbacks",
	"disable_fallbacks",
	"num_retries",
	"max_retries",
	"retry_policy",
	"retry_strategy",
	"model_group_retry_policy",
	"cooldown_time",
	"timeout",
	"request_timeout",
	"stream_timeout",
	"client_side_timeout",
	"max_agentic_loops",
	"mock_*",
	/* OpenRouter: which of its upstreams answers. */
	"provider",
	"route",
	/* Prices that a budget is counted with. */
	"input_cost_per_*",
	"output_cost_per_*",
	"cost_per_*",
	"cache_creation_input_*",
	"cache_read_input_*",
	"annotation_cost_per_*",
	"citation_cost_per_*",
	"search_context_cost_per_*",
	"google_maps_grounding_cost_per_*",
	"ocr_cost_per_*",
	"output_vector_size",
	"regional_endpoint_uplift_*",
	"regional_processing_uplift_*",
	"tiered_pricing",
	/* Where the gateway reports the call, with its content. */
	"callbacks",
	"success_callback",
	"failure_callback",
	"langfuse_*",
	"langsmith_*",
	"arize_*",
	"braintrust_*",
	"dd_*",
	"gcs_*",
	"humanloop_*",
	"lunary_*",
	"newrelic_*",
	"posthog_*",
	"signoz_*",
	"slack_webhook_url",
	"turn_off_message_logging",
	"wandb_*",
	"weave_*",
};

static bool
is_extra(struct span folded_name, const struct span *extra, size_t nextra)
{
	for (size_t i = 0; i < nextra; i++)
		if (span_ieq(extra[i], folded_name))
			return true;
	return false;
}

bool
model_field_denied(struct span folded_name, const struct span *extra, size_t nextra)
{
	return NAMES_HAVE(denied, folded_name) || is_extra(folded_name, extra, nextra);
}

/* Cohere's rerankers want to be told an api_version, 2. Azure's, at a gateway, is elsewhere. */
bool
model_own_field_denied(struct span folded_name, const struct span *extra, size_t nextra)
{
	if (span_is(folded_name, "api_version"))
		return is_extra(folded_name, extra, nextra);
	return model_field_denied(folded_name, extra, nextra);
}
